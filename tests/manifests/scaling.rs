//! Autoscalers and Services: what kube-score and Polaris ask of them, with each rule broken once.

use serde_json::{Value, json};

use super::objects::{Object as _, Objects, PROD};

#[test]
fn autoscalers_scale_something_between_two_numbers() {
    let Some(prod) = &*PROD else { return };
    let scalers: Vec<&Value> = prod.of_kind("HorizontalPodAutoscaler").collect();
    assert_eq!(scalers.len(), 5, "all but the worker of operation-run");
    let found: Vec<String> = scalers.iter().flat_map(|scaler| of_scaler(prod, scaler)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_broken_autoscaler_is_found() {
    let Some(prod) = &*PROD else { return };
    let good = prod.named("HorizontalPodAutoscaler", "compare-service").expect("it is rendered");
    for (path, broken, told) in [
        ("/spec/scaleTargetRef/name", json!("compare"), "nothing"),
        ("/spec/scaleTargetRef/apiVersion", json!("apps/v1beta1"), "nothing"),
        ("/spec/minReplicas", json!(1), "two"),
        ("/spec/maxReplicas", json!(3), "room"),
        ("/spec/behavior/scaleDown/stabilizationWindowSeconds", json!(0), "slowly"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap_or_else(|| panic!("{path} is not there")) = broken;
        let found = of_scaler(prod, &bad);
        assert!(found.iter().any(|finding| finding.contains(told)), "{path}: {found:?} does not tell of {told}");
    }
}

#[test]
fn services_are_inside() {
    let Some(prod) = &*PROD else { return };
    let found: Vec<String> = prod.of_kind("Service").flat_map(of_service).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let good = prod.named("Service", "compare-service").expect("it is rendered");
    for (path, broken) in [
        ("type", json!("NodePort")),
        ("type", json!("LoadBalancer")),
        ("externalIPs", json!(["192.0.2.1"])),
        ("ports", json!([{"name": "grpc", "port": 50051, "nodePort": 30001}])),
    ] {
        let mut bad = good.clone();
        bad["spec"][path] = broken;
        assert!(!of_service(&bad).is_empty(), "{path} was not found");
    }
}

fn of_scaler(objects: &Objects, scaler: &Value) -> Vec<String> {
    let spec = &scaler["spec"];
    let target = &spec["scaleTargetRef"];
    let known = objects.workloads().any(|workload| {
        (&workload["apiVersion"], &workload["kind"], &workload["metadata"]["name"])
            == (&target["apiVersion"], &target["kind"], &target["name"])
    });
    let (least, most) = (spec["minReplicas"].as_u64().unwrap_or(1), spec["maxReplicas"].as_u64().unwrap_or(0));
    // A replica that goes ends its watches.
    let down_s = spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"].as_u64().unwrap_or(0);
    [
        (known, "scales nothing that is there"),
        (least >= 2, "keeps fewer than two"),
        (most > least, "has no room to scale"),
        (down_s >= 60, "does not go down slowly"),
    ]
    .into_iter()
    .filter(|(kept, _)| !kept)
    .map(|(_, told)| format!("{} {told}", scaler.name()))
    .collect()
}

/// What is called from outside comes through the gateway.
fn of_service(service: &Value) -> Vec<String> {
    let spec = &service["spec"];
    let node_port = spec["ports"].as_array().into_iter().flatten().any(|port| !port["nodePort"].is_null());
    [
        (spec["type"].is_null() || spec["type"] == "ClusterIP", "is open to the outside by its type"),
        (spec["externalIPs"].is_null(), "takes addresses of the outside"),
        (!node_port, "takes a port of every node"),
    ]
    .into_iter()
    .filter(|(kept, _)| !kept)
    .map(|(_, told)| format!("{} {told}", service.name()))
    .collect()
}
