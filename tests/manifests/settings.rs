//! Settings: what the manifests say is what the programs read.

use std::collections::BTreeSet;
use std::path::Path;

use super::objects::{OVERLAYS, Object as _, Objects, PROD, k8s};

#[test]
fn every_variable_is_an_option_of_a_program() {
    let sources: String =
        ["libs", "services"].iter().map(|folder| sources(&dev::paths::repository().join(folder))).collect();
    for overlay in OVERLAYS {
        let Some(objects) = Objects::of(overlay) else { return };
        for workload in objects.workloads() {
            for name in objects.environment(workload).keys().filter(|name| name.starts_with("TENANTATLAS_")) {
                assert!(
                    sources.contains(&format!("\"{name}\"")),
                    "{overlay}: nothing reads {name} of {}",
                    workload.name()
                );
            }
        }
    }
}

#[test]
fn programs_are_in_the_image() {
    let Some(prod) = &*PROD else { return };
    let build = std::fs::read_to_string(k8s().join("image/build")).expect("k8s/image/build");
    let programs = build.lines().find_map(|line| line.strip_prefix("programs=(")).expect("the script lists them");
    let programs: BTreeSet<&str> = programs.trim_end_matches(')').split_whitespace().collect();
    // What no workload runs, operators do, in a pod of theirs.
    let mut run = BTreeSet::from(["atlasctl", "tenantatlas-audit-verify"]);
    for workload in prod.workloads() {
        let Some(command) = workload.containers()[0]["command"][0].as_str() else { continue };
        run.insert(command.strip_prefix("/usr/bin/").expect("programs are in /usr/bin"));
    }
    assert_eq!(run, programs);
}

#[test]
fn work_is_done_by_workers_and_only_there() {
    let Some(prod) = &*PROD else { return };
    let mut seen = 0;
    for workload in prod.workloads() {
        let component = workload.pod_labels()["app.kubernetes.io/component"].as_str();
        let worker = prod.environment(workload).get("TENANTATLAS_WORKER").cloned();
        match component {
            Some("service") => assert_eq!(worker.as_deref(), Some("false"), "{}", workload.name()),
            Some("worker") => assert_eq!(worker.as_deref(), Some("true"), "{}", workload.name()),
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn no_secret_is_a_setting() {
    let Some(prod) = &*PROD else { return };
    for workload in prod.workloads() {
        for (name, value) in prod.environment(workload) {
            let word = ["SECRET", "PASSWORD", "TOKEN", "KEY"].iter().any(|word| name.contains(word));
            let path = value.starts_with('/') || name.ends_with("_TYPES");
            assert!(!word || path, "{}: {name} is given as a value", workload.name());
            let user = value.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
            assert!(!user.contains(':'), "{}: {name} has a password in it", workload.name());
        }
        let text = workload.to_string();
        assert!(
            !text.contains("secretKeyRef") && !text.contains("secretRef"),
            "{} has a secret as a variable",
            workload.name()
        );
    }
    for map in prod.of_kind("ConfigMap") {
        assert!(!map["data"].to_string().contains("PRIVATE KEY"), "{}", map.name());
    }
}

/// Otherwise one replica would get all calls of a connection.
#[test]
fn services_are_called_at_every_address_they_have() {
    let Some(prod) = &*PROD else { return };
    let mut seen = 0;
    for workload in prod.workloads() {
        for (name, value) in prod.environment(workload) {
            let Some(endpoint) = value.strip_prefix("dns:///").or_else(|| value.strip_prefix("dns+https:///")) else {
                assert!(
                    !name.ends_with("_RUN_ENDPOINT") && !name.ends_with("_COMPARE_ENDPOINT"),
                    "{}: {name}={value}",
                    workload.name()
                );
                continue;
            };
            let (host, port) = endpoint.split_once(':').expect("an endpoint has a port");
            let service = prod.named("Service", host).unwrap_or_else(|| panic!("there is no Service {host}"));
            assert_eq!(service["spec"]["clusterIP"], "None", "{host} is headless");
            assert_eq!(service["spec"]["ports"][0]["port"].to_string(), port, "{host}");
            seen += 1;
        }
    }
    assert_eq!(seen, 6, "compare calls one, promotion two, each as a service and as a worker");
}

/// The text of every source under a folder.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        if path.is_dir() {
            all.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(&path).expect("a source is UTF-8"));
        }
    }
    all
}
