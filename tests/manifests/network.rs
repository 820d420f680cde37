//! Who may speak to whom: the policies are read as the cluster reads them, and asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::{Object as _, Objects, PROD, selects};

#[test]
fn nothing_is_allowed_that_is_not_said() {
    let Some(prod) = &*PROD else { return };
    let all = prod.of_kind("NetworkPolicy").any(|policy| {
        let spec = &policy["spec"];
        spec["podSelector"] == json!({})
            && spec["policyTypes"] == json!(["Ingress", "Egress"])
            && spec["egress"].is_null()
            && spec["ingress"].is_null()
    });
    assert!(all, "no policy denies everything");
}

#[test]
fn only_what_speaks_to_the_provider_reaches_the_world() {
    let Some(prod) = &*PROD else { return };
    let world = |policy: &&Value| policy["spec"]["egress"].to_string().contains("0.0.0.0/0");
    let mut reaching = BTreeSet::new();
    for policy in prod.of_kind("NetworkPolicy").filter(world) {
        assert_eq!(policy["spec"]["egress"][0]["ports"], json!([{"port": 443}]), "{}", policy.name());
        let text = policy["spec"]["egress"].to_string();
        for inside in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"] {
            assert!(text.contains(inside), "{} reaches {inside}", policy.name());
        }
        let selected =
            prod.workloads().filter(|workload| selects(&policy["spec"]["podSelector"], workload.pod_labels()));
        reaching.extend(selected.map(|workload| workload.name()));
    }
    assert_eq!(reaching, BTreeSet::from(["compare-worker", "promotion-worker"]));
}

#[test]
fn services_reach_one_another_as_they_have_to_and_no_further() {
    let Some(prod) = &*PROD else { return };
    let names = prod.workloads().map(|workload| workload.name()).collect::<Vec<_>>();
    let mut reached = BTreeSet::new();
    for from in &names {
        for (to, port) in names.iter().flat_map(|to| [(to, "grpc"), (to, "admin"), (to, "otlp")]) {
            if may(prod, from, to, port) {
                reached.insert(format!("{from} -> {to} {port}"));
            }
        }
    }
    let expected = "
        compare-service -> operation-run-service grpc
        compare-worker -> operation-run-service grpc
        promotion-service -> compare-service grpc
        promotion-service -> operation-run-service grpc
        promotion-worker -> compare-service grpc
        promotion-worker -> operation-run-service grpc
        compare-service -> collector otlp
        compare-worker -> collector otlp
        promotion-service -> collector otlp
        promotion-worker -> collector otlp
        operation-run-service -> collector otlp
        operation-run-worker -> collector otlp";
    let expected: BTreeSet<String> =
        expected.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    assert_eq!(reached, expected);
}

#[test]
fn the_database_is_open_to_those_who_have_a_role_there() {
    let Some(prod) = &*PROD else { return };
    let database = json!({"cnpg.io/cluster": "postgres"});
    let reaching: BTreeSet<&str> = prod
        .workloads()
        .filter(|workload| {
            let labels = workload.pod_labels();
            allows(prod, "egress", labels, &database, &[json!(5432)])
                && allows(prod, "ingress", &database, labels, &[json!(5432)])
        })
        .map(|workload| workload.name())
        .collect();
    let with_role: BTreeSet<&str> = prod
        .workloads()
        .filter(|workload| prod.environment(workload).contains_key("TENANTATLAS_DATABASE_URL"))
        .map(|workload| workload.name())
        .collect();
    assert_eq!(reaching, with_role);
    assert_eq!(reaching.len(), 7);
}

/// A policy that selects nothing is a typing error.
#[test]
fn every_policy_is_about_somebody() {
    let Some(prod) = &*PROD else { return };
    let database = json!({"cnpg.io/cluster": "postgres"});
    let labels: Vec<&Value> = prod.workloads().map(|workload| workload.pod_labels()).chain([&database]).collect();
    for policy in prod.of_kind("NetworkPolicy") {
        let about = labels.iter().filter(|labels| selects(&policy["spec"]["podSelector"], labels)).count();
        assert!(about > 0, "{} is about nobody", policy.name());
        for peer in peers(policy, "ingress", "from").chain(peers(policy, "egress", "to")) {
            let selector = &peer["podSelector"];
            let known = selector.is_null()
                || !peer["namespaceSelector"].is_null()
                || labels.iter().any(|labels| selects(selector, labels));
            assert!(known, "{} names pods that are not there: {selector}", policy.name());
        }
    }
}

fn peers<'p>(policy: &'p Value, direction: &str, side: &'p str) -> impl Iterator<Item = &'p Value> {
    let rules = policy["spec"][direction].as_array().into_iter().flatten();
    rules.flat_map(move |rule| rule[side].as_array().into_iter().flatten())
}

/// Whether one workload may open connections to a named port of another one: its own side lets it out, and the other one's in.
fn may(objects: &Objects, from: &str, to: &str, port: &str) -> bool {
    let find = |name| objects.workloads().find(|workload| workload.name() == name).expect("it is rendered");
    let (from, to) = (find(from), find(to));
    let ports = to.containers()[0]["ports"].as_array().into_iter().flatten();
    let Some(number) = ports.filter(|known| known["name"] == port).map(|known| &known["containerPort"]).next() else {
        return false;
    };
    let port = [json!(port), number.clone()];
    allows(objects, "egress", from.pod_labels(), to.pod_labels(), &port)
        && allows(objects, "ingress", to.pod_labels(), from.pod_labels(), &port)
}

/// Whether a policy of `own` pods lets the `other` ones of this namespace through, at a port by any of its names.
fn allows(objects: &Objects, direction: &str, own: &Value, other: &Value, port: &[Value]) -> bool {
    let side = if direction == "egress" { "to" } else { "from" };
    let about_it = objects.of_kind("NetworkPolicy").filter(|policy| selects(&policy["spec"]["podSelector"], own));
    about_it.flat_map(|policy| policy["spec"][direction].as_array().into_iter().flatten()).any(|rule| {
        let ports = rule["ports"].as_array().expect("every rule names ports");
        let peers = rule[side].as_array().expect("every rule names peers");
        let peer = |peer: &Value| {
            peer["namespaceSelector"].is_null()
                && !peer["podSelector"].is_null()
                && selects(&peer["podSelector"], other)
        };
        ports.iter().any(|known| port.contains(&known["port"])) && peers.iter().any(peer)
    })
}
