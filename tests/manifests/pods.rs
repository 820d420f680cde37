//! What every pod keeps to: the restricted profile of pod security, limits, probes, spread, an orderly end.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{Object as _, Objects, PROD};

#[test]
fn pods_keep_to_the_rules() {
    let Some(prod) = &*PROD else { return };
    let found: Vec<String> = prod.workloads().flat_map(|workload| findings(prod, workload)).collect();
    assert!(prod.workloads().count() >= 8, "six Deployments of ours, the collector and the migrations are rendered");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Each rule is broken once in an otherwise good Deployment and has to be found.
#[test]
fn a_broken_rule_is_found() {
    let Some(prod) = &*PROD else { return };
    let good = prod.named("Deployment", "compare-worker").expect("it is rendered");
    let container = "/spec/template/spec/containers/0";
    for (path, broken, told) in [
        ("/spec/replicas", json!(3), "replicas"),
        ("/spec/strategy/rollingUpdate/maxUnavailable", json!("25%"), "maxUnavailable"),
        ("/spec/template/metadata/labels/app.kubernetes.io~1name", json!("other"), "label"),
        ("/spec/template/spec/automountServiceAccountToken", json!(true), "token"),
        ("/spec/template/spec/hostNetwork", json!(true), "host"),
        ("/spec/template/spec/securityContext/runAsNonRoot", json!(false), "root"),
        ("/spec/template/spec/securityContext/runAsUser", json!(0), "user"),
        ("/spec/template/spec/securityContext/runAsGroup", json!(0), "group"),
        ("/spec/template/spec/priorityClassName", Value::Null, "priority"),
        ("/spec/template/spec/terminationGracePeriodSeconds", json!(30), "drain"),
        ("/spec/template/spec/topologySpreadConstraints", json!([]), "spread"),
        ("/spec/template/spec/volumes/0", json!({"name": "x", "hostPath": {"path": "/"}}), "volume"),
        (&format!("{container}/image"), json!("tenantatlas:latest"), "digest"),
        (&format!("{container}/imagePullPolicy"), json!("IfNotPresent"), "pull"),
        (&format!("{container}/securityContext/readOnlyRootFilesystem"), json!(false), "read-only"),
        (&format!("{container}/securityContext/capabilities/drop"), json!(["NET_RAW"]), "capabilities"),
        (&format!("{container}/securityContext/privileged"), json!(true), "privilege"),
        (&format!("{container}/securityContext/procMount"), json!("Unmasked"), "procMount"),
        (&format!("{container}/securityContext/seccompProfile"), json!({"type": "Unconfined"}), "seccomp"),
        (&format!("{container}/env"), json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]), "twice"),
        (&format!("{container}/ports/0/hostPort"), json!(80), "port of the host"),
        (&format!("{container}/ports/1/name"), json!("grpc"), "twice"),
        (&format!("{container}/resources/limits/ephemeral-storage"), Value::Null, "ephemeral-storage"),
        (&format!("{container}/livenessProbe"), Value::Null, "liveness"),
        (&format!("{container}/livenessProbe/httpGet/path"), json!("/readyz"), "same"),
        (&format!("{container}/livenessProbe/grpc"), json!({"port": 50051}), "TLS"),
        (&format!("{container}/startupProbe/failureThreshold"), json!(30), "schema"),
        (&format!("{container}/volumeMounts/0/readOnly"), json!(false), "mount"),
    ] {
        let mut bad = good.clone();
        set(&mut bad, path, broken);
        let found = findings(prod, &bad);
        assert!(found.iter().any(|finding| finding.contains(told)), "{path}: {found:?} does not tell of {told}");
    }
}

/// Sets a value that may not be there yet.
fn set(object: &mut Value, path: &str, value: Value) {
    let (parent, key) = path.rsplit_once('/').expect("a pointer has a slash");
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{path} has no parent"));
    match parent {
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        other => other[key.replace("~1", "/")] = value,
    }
}

/// Everything that is wrong with a workload.
fn findings(objects: &Objects, workload: &Value) -> Vec<String> {
    let mut found = Found { of: format!("{} {}", workload["kind"], workload.name()), findings: Vec::new() };
    pod(&mut found, workload);
    for container in workload.containers() {
        hardened(&mut found, container);
        limited(&mut found, container);
    }
    found.unless(workload.pod()["initContainers"].is_null(), "has init containers, which no rule looks at");
    if workload["kind"] == "Deployment" {
        kept_up(&mut found, objects, workload);
        probed(&mut found, objects, workload);
        ends_in_order(&mut found, objects, workload);
    }
    found.findings
}

struct Found {
    of: String,
    findings: Vec<String>,
}

impl Found {
    fn unless(&mut self, kept: bool, told: impl AsRef<str>) {
        if !kept {
            self.findings.push(format!("{} {}", self.of, told.as_ref()));
        }
    }
}

fn pod(found: &mut Found, workload: &Value) {
    let pod = workload.pod();
    let own = workload.pod_labels()["app.kubernetes.io/name"] == workload.name();
    found.unless(own, "has another name in the label app.kubernetes.io/name");
    found.unless(pod["serviceAccountName"] == workload.name(), "has no service account of its own");
    found.unless(pod["automountServiceAccountToken"] == false, "gets a token of the cluster");
    found.unless(pod["enableServiceLinks"] == false, "gets variables of every Service");
    for what in ["hostNetwork", "hostPID", "hostIPC"] {
        found.unless(pod[what].is_null(), format!("uses the host's: {what}"));
    }
    let security = &pod["securityContext"];
    found.unless(security["runAsNonRoot"] == true, "may run as root");
    found.unless(security["runAsUser"].as_u64() >= Some(10_000), "runs as a user that the host may have too");
    found.unless(security["runAsGroup"].as_u64() >= Some(10_000), "runs as a group that the host may have too");
    found.unless(security["seccompProfile"]["type"] == "RuntimeDefault", "has no seccomp profile");
    found.unless(!pod["priorityClassName"].is_null(), "has no priority");
    // What the restricted profile knows, without what this project has no use for.
    let allowed = ["configMap", "secret", "emptyDir", "projected", "csi"];
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let known = allowed.iter().any(|kind| !volume[*kind].is_null());
        found.unless(known, format!("has a volume of a kind that is not allowed: {}", volume["name"]));
    }
}

fn hardened(found: &mut Found, container: &Value) {
    let security = &container["securityContext"];
    found.unless(security["allowPrivilegeEscalation"] == false, "allows a gain of privileges");
    found.unless(security["privileged"].is_null(), "says something of privileged");
    found.unless(security["readOnlyRootFilesystem"] == true, "has a root that is not read-only");
    found.unless(security["procMount"].is_null(), "says something of procMount");
    let profile = &security["seccompProfile"];
    found.unless(profile.is_null() || profile["type"] == "RuntimeDefault", "has another seccomp profile than its pod");
    let capabilities = &security["capabilities"];
    found.unless(capabilities["drop"] == json!(["ALL"]) && capabilities["add"].is_null(), "has capabilities");
    let image = container["image"].as_str().unwrap_or_default();
    found.unless(image.contains("@sha256:"), "has an image without a digest");
    found.unless(container["imagePullPolicy"] == "Always", "has another pull policy than Always");
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        found.unless(mount["readOnly"] == true, "has a mount that can be written to");
    }
    for port in container["ports"].as_array().into_iter().flatten() {
        found.unless(port["hostPort"].is_null(), "takes a port of the host");
    }
    for list in ["env", "ports", "volumeMounts"] {
        let key = if list == "volumeMounts" { "mountPath" } else { "name" };
        let mut seen = BTreeSet::new();
        let once = container[list].as_array().into_iter().flatten().all(|item| seen.insert(item[key].to_string()));
        found.unless(once, format!("says something twice in its {list}"));
    }
}

fn limited(found: &mut Found, container: &Value) {
    for kind in ["requests", "limits"] {
        for resource in ["cpu", "memory", "ephemeral-storage"] {
            let given = !container["resources"][kind][resource].is_null();
            found.unless(given, format!("has no {resource} among its {kind}"));
        }
    }
}

/// Two at least, spread, replaced one after the other, evicted one at a time.
fn kept_up(found: &mut Found, objects: &Objects, workload: &Value) {
    let scaler = objects
        .of_kind("HorizontalPodAutoscaler")
        .find(|scaler| scaler["spec"]["scaleTargetRef"]["name"] == workload.name());
    let replicas = &workload["spec"]["replicas"];
    let fewest = match scaler {
        Some(scaler) => {
            found.unless(replicas.is_null(), "says replicas although an autoscaler does");
            scaler["spec"]["minReplicas"].as_u64()
        }
        None => replicas.as_u64(),
    };
    found.unless(fewest >= Some(2), "has fewer than two replicas");
    let strategy = &workload["spec"]["strategy"];
    let one_after_the_other = strategy["type"] == "RollingUpdate" && strategy["rollingUpdate"]["maxUnavailable"] == 0;
    found.unless(one_after_the_other, "is replaced with another maxUnavailable than 0");
    let spread = workload.pod()["topologySpreadConstraints"].as_array().is_some_and(|constraints| {
        constraints.iter().any(|constraint| constraint["topologyKey"] == "kubernetes.io/hostname")
    });
    found.unless(spread, "is not spread over hosts");
    let budget = objects.named("PodDisruptionBudget", workload.name());
    let selector = budget.map(|budget| &budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]);
    found.unless(selector.is_some_and(|name| name == workload.name()), "has no disruption budget of its own");
    found.unless(budget.is_some_and(|budget| budget["spec"]["maxUnavailable"] == 1), "cannot be evicted");
}

fn probed(found: &mut Found, objects: &Objects, workload: &Value) {
    let container = &workload.containers()[0];
    for probe in ["readinessProbe", "livenessProbe"] {
        found.unless(!container[probe].is_null(), format!("has no {probe}: liveness and readiness are two"));
    }
    let asked = |probe: &str| {
        [&container[probe]["grpc"]["service"], &container[probe]["httpGet"]["path"]].map(Value::to_string)
    };
    // The collector knows one health only.
    let one_of_ours = !container["startupProbe"].is_null();
    found.unless(!one_of_ours || asked("livenessProbe") != asked("readinessProbe"), "asks the same by both probes");
    let environment = objects.environment(workload);
    let tls = environment.contains_key("TENANTATLAS_TLS_CERT");
    let by_grpc = !container["livenessProbe"]["grpc"].is_null() || !container["readinessProbe"]["grpc"].is_null();
    found.unless(!(tls && by_grpc), "is asked by gRPC probes, which know no TLS");
    if let Some(wait) = environment.get("TENANTATLAS_SCHEMA_WAIT") {
        let startup = &container["startupProbe"];
        let patience_s =
            startup["periodSeconds"].as_u64().unwrap_or(0) * startup["failureThreshold"].as_u64().unwrap_or(0);
        found.unless(Duration::from_secs(patience_s) > duration(wait), "is killed while it waits for the schema");
    }
}

/// What the process does with SIGTERM fits into the time it is given.
fn ends_in_order(found: &mut Found, objects: &Objects, workload: &Value) {
    /// The last telemetry, at most.
    const FLUSH_S: u64 = 5;
    let environment = objects.environment(workload);
    let Some((grace, cap)) = environment.get("TENANTATLAS_DRAIN_GRACE").zip(environment.get("TENANTATLAS_DRAIN_CAP"))
    else {
        return;
    };
    let before = workload.containers()[0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
    found.unless(before >= Some(3), "is stopped before load balancers have heard of it");
    let needed = Duration::from_secs(before.unwrap_or(0) + FLUSH_S) + duration(grace) + duration(cap);
    let given = workload.pod()["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    found.unless(
        Duration::from_secs(given) > needed,
        format!("is killed after {given} s, its drain may take {needed:?}"),
    );
}

fn duration(text: &str) -> Duration {
    server::config::duration(text).unwrap_or_else(|why| panic!("{why}"))
}
