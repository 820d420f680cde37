//! Settings: what the manifests say is what the programs read.

use std::collections::BTreeSet;

use super::configuration;
use super::objects::{OVERLAYS, Object as _, Objects, PROD, k8s, text};

#[test]
fn every_variable_is_an_option_of_a_program() {
    let programs = configuration::programs();
    for overlay in OVERLAYS {
        let Some(objects) = Objects::of(overlay) else { return };
        for workload in objects.workloads() {
            let environment = objects.environment(workload);
            let ours: Vec<_> = environment.keys().filter(|name| name.starts_with("TENANTATLAS_")).collect();
            if ours.is_empty() {
                continue;
            }
            let run = text(&workload.own_container()["command"][0]);
            let run = run.trim_start_matches("/usr/bin/");
            let program = programs.iter().find(|program| program.get_name() == run);
            let program = program.unwrap_or_else(|| panic!("{overlay}: {} runs {run:?}", workload.name()));
            let known: BTreeSet<&str> =
                program.get_arguments().filter_map(|option| option.get_env()?.to_str()).collect();
            for name in ours {
                assert!(known.contains(name.as_str()), "{overlay}: {run} of {} reads no {name}", workload.name());
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
    for overlay in ["managed", "prod"] {
        let Some(objects) = Objects::of(overlay) else { return };
        without_secrets(&objects);
    }
}

fn without_secrets(objects: &Objects) {
    for workload in objects.workloads() {
        for (name, value) in objects.environment(workload) {
            let word = ["SECRET", "PASSWORD", "TOKEN", "KEY"].iter().any(|word| name.contains(word));
            let path = value.starts_with('/') || name.ends_with("_TYPES");
            assert!(!word || path, "{}: {name} is given as a value", workload.name());
            let user = value.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
            assert!(!user.contains(':'), "{}: {name} has a password in it", workload.name());
        }
        let whole = workload.to_string();
        assert!(
            !whole.contains("secretKeyRef") && !whole.contains("secretRef"),
            "{} has a secret as a variable",
            workload.name()
        );
    }
    for map in objects.of_kind("ConfigMap") {
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

/// A program that is told of a password's file finds it among its Secrets.
#[test]
fn passwords_of_the_database_are_mounted_where_they_are_looked_for() {
    let Some(managed) = Objects::of("managed") else { return };
    let mut seen = 0;
    for workload in managed.workloads() {
        let environment = managed.environment(workload);
        let file = environment.get("TENANTATLAS_DATABASE_PASSWORD_FILE").expect("every program connects with one");
        let mounts = workload.containers()[0]["volumeMounts"].as_array().into_iter().flatten();
        let mounted = mounts.filter(|mount| file.starts_with(&format!("{}/", text(&mount["mountPath"]))));
        let names: Vec<String> = mounted.map(|mount| text(&mount["name"])).collect();
        let volumes = workload.pod()["volumes"].as_array().into_iter().flatten();
        let secrets = volumes.filter(|volume| names.contains(&text(&volume["name"])) && !volume["secret"].is_null());
        assert_eq!(secrets.count(), 1, "{} has no Secret at {file}", workload.name());
        seen += 1;
    }
    assert_eq!(seen, 7);
}
