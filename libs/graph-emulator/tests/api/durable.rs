//! `--data`: what was answered is there after a restart.

use graph_emulator::{Emulator, TenantSpec};
use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn committed_writes_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = || Emulator::builder().tenant(spec()).data(folder.path());
    let first = Graph::with(emulator()).await;
    let kept = first.post(CATALOG, catalog("kept", 2)).await.expect(201).id();
    let gone = first.post(CATALOG, catalog("gone", 1)).await.expect(201).id();
    first.post(TAGS, json!({"displayName": "t"})).await.expect(200);
    first.delete(&format!("{TAGS}/1")).await.expect(200);
    first.delete(&format!("{CATALOG}/{gone}")).await.expect(200);
    first.patch(&format!("{CATALOG}/{kept}"), json!({"name": "renamed"})).await.expect(204);
    let before = first.running.objects(TENANT).unwrap();
    // No orderly stop: what counts was written before the reply.
    drop(first);

    let second = Graph::with(emulator()).await;
    assert_eq!(second.running.objects(TENANT).unwrap(), before);
    let read = second.get(&format!("{CATALOG}/{kept}?$expand=settings")).await.expect(200);
    assert_eq!((&read.body["name"], read.body["settings"].as_array().unwrap().len()), (&json!("renamed"), 2));
    assert_eq!(second.post(TAGS, json!({"displayName": "u"})).await.expect(200).id(), "2");
    assert_eq!(second.post(CATALOG, catalog("later", 1)).await.expect(201).status, 201);
    let list = second.get(CATALOG).await;
    assert_eq!(list.body["value"][1]["name"], "later", "new objects come after the old ones");
}

#[tokio::test]
async fn tenants_added_over_http_are_kept_and_exports_load_once() {
    let (data, exports) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let export = json!({"@odata.type": "#microsoft.graph.deviceManagementConfigurationPolicy", "id": OTHER, "name": "exported", "settings": []});
    std::fs::write(exports.path().join("a.json"), export.to_string()).unwrap();
    let emulator = || Emulator::builder().tenant(spec()).load(TENANT, exports.path()).data(data.path());
    let first = Graph::with(emulator()).await;
    assert_eq!(first.running.reports.len(), 1);
    first
        .post("/emulator/tenants", json!({"id": OTHER, "name": "Fabrikam", "clients": [{"id": "a", "secret": "b"}]}))
        .await
        .expect(204);
    first.delete(&format!("{CATALOG}/{OTHER}")).await.expect(200);
    first.post(CATALOG, catalog("own", 1)).await.expect(201);
    drop(first);
    let second = Graph::with(emulator()).await;
    assert!(second.running.reports.is_empty(), "a tenant with a past is not loaded again");
    let names: Vec<String> = second.running.tenants().into_iter().map(|tenant| tenant.name).collect();
    assert_eq!(names, ["Contoso", "Fabrikam"]);
    assert_eq!(second.get(CATALOG).await.body["value"].as_array().unwrap().len(), 1);
    let _unused: TenantSpec = spec();
}

#[tokio::test]
async fn a_stop_lets_an_open_request_end() {
    let graph = Graph::start().await;
    let rule = json!({"action": {"kind": "latency", "latency_ms": 300}, "times": 1});
    graph.post("/emulator/faults", rule).await.expect(201);
    let request = graph.request(reqwest::Method::GET, "/v1.0/groups");
    let open = tokio::spawn(request.send());
    while !graph.running.faults().is_empty() {
        tokio::task::yield_now().await;
    }
    let Graph { running, http } = graph;
    let address = running.base_url.clone();
    running.stop().await;
    assert_eq!(open.await.unwrap().unwrap().status(), 200);
    assert!(http.get(address).send().await.is_err(), "nothing new is accepted");
}
