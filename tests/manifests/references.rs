//! What names something names something that is there.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::objects::{Object as _, PROD, k8s, selects, text};

#[test]
fn secrets_are_made_by_somebody() {
    let Some(prod) = &*PROD else { return };
    let readme = std::fs::read_to_string(k8s().join("README.md")).expect("k8s/README.md");
    let made: BTreeSet<String> = prod.of_kind("Certificate").map(|made| text(&made["spec"]["secretName"])).collect();
    let mut used = BTreeSet::new();
    for workload in prod.workloads() {
        let volumes = workload.pod()["volumes"].as_array().into_iter().flatten();
        used.extend(
            volumes.filter(|volume| !volume["secret"].is_null()).map(|volume| text(&volume["secret"]["secretName"])),
        );
    }
    assert!(used.len() > 4, "secrets are mounted: {used:?}");
    for secret in used.difference(&made) {
        assert!(
            readme.contains(&format!("| `{secret}` |")),
            "nobody makes {secret}, and README.md does not ask for it"
        );
    }
    assert!(prod.of_kind("Secret").next().is_none(), "a Secret is in the repository");
}

#[test]
fn nobody_is_given_rights_in_the_cluster() {
    let Some(prod) = &*PROD else { return };
    for kind in ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"] {
        assert!(prod.of_kind(kind).next().is_none(), "a {kind}");
    }
    let accounts: BTreeSet<&str> = prod.of_kind("ServiceAccount").map(|account| account.name()).collect();
    for account in prod.of_kind("ServiceAccount") {
        assert_eq!(account["automountServiceAccountToken"], false, "{}", account.name());
    }
    let users: BTreeSet<&str> = prod.workloads().map(|workload| workload.name()).collect();
    assert_eq!(accounts, users, "each workload has its account, and no account is left over");
}

#[test]
fn services_have_pods_and_ports() {
    let Some(prod) = &*PROD else { return };
    for service in prod.of_kind("Service") {
        let selector = serde_json::json!({"matchLabels": service["spec"]["selector"]});
        let behind: Vec<_> = prod.workloads().filter(|workload| selects(&selector, workload.pod_labels())).collect();
        assert!(!behind.is_empty(), "nobody is behind {}", service.name());
        for port in service["spec"]["ports"].as_array().into_iter().flatten() {
            for workload in &behind {
                let tls = prod.environment(workload).contains_key("TENANTATLAS_TLS_CERT");
                let plain = port["appProtocol"] == "kubernetes.io/h2c";
                assert!(plain != tls, "{} says {} of its protocol", service.name(), port["appProtocol"]);
                let ports = workload.containers()[0]["ports"].as_array().into_iter().flatten();
                let known = ports.filter(|known| known["name"] == port["targetPort"]).count();
                assert_eq!(known, 1, "{} has no port {}", workload.name(), port["targetPort"]);
            }
        }
    }
}

/// Every service of ours that users call has a way in, by both protocols, to the process that serves it.
#[test]
fn the_gateway_knows_every_service() {
    let Some(prod) = &*PROD else { return };
    let files = FileDescriptorSet::decode(pb::FILE_DESCRIPTOR_SET).expect("our descriptors").file;
    let ours = files.iter().filter(|file| file.package().starts_with("tenantatlas."));
    let mut expected: BTreeSet<String> = ours
        .flat_map(|file| file.service.iter().map(|service| format!("{}.{}", file.package(), service.name())))
        .collect();
    // Workers are inside.
    assert!(expected.remove("tenantatlas.operation.v1.OperationRunWorkerService"));
    let mut by_grpc = BTreeSet::new();
    let mut by_web = BTreeSet::new();
    for route in prod.of_kind("GRPCRoute").chain(prod.of_kind("HTTPRoute")) {
        for rule in route["spec"]["rules"].as_array().into_iter().flatten() {
            let backend = text(&rule["backendRefs"][0]["name"]);
            assert!(prod.named("Service", &backend).is_some(), "{} leads to no Service: {backend}", route.name());
            for matched in rule["matches"].as_array().into_iter().flatten() {
                by_grpc.extend(matched["method"]["service"].as_str().map(str::to_owned));
                by_web.extend(matched["path"]["value"].as_str().map(|path| path.trim_start_matches('/').to_owned()));
            }
        }
    }
    let told = "components/gateway has other services in its routes than proto/ has";
    assert_eq!(by_grpc, expected, "{told}");
    assert_eq!(by_web, expected, "{told}");
}
