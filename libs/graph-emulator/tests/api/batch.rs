use graph_emulator::{FaultAction, FaultRule};
use serde_json::{Value, json};

use crate::harness::*;

const BATCH: &str = "/beta/$batch";

fn response<'a>(answer: &'a Answer, id: &str) -> &'a Value {
    answer.body["responses"].as_array().unwrap().iter().find(|response| response["id"] == id).unwrap()
}

#[tokio::test]
async fn every_item_has_its_own_status_and_names_its_parent() {
    let graph = Graph::start().await;
    let id = graph.post(CATALOG, catalog("p", 30)).await.id();
    let url = format!("/deviceManagement/configurationPolicies/{id}/settings");
    let answer = graph
        .post(BATCH, json!({"requests": [
            {"id": 1, "method": "GET", "url": url},
            {"id": "2", "method": "GET", "url": "deviceManagement/configurationPolicies/x"},
            {"id": "3", "method": "POST", "url": "/deviceManagement/roleScopeTags", "headers": {"Content-Type": "application/json"}, "body": {"displayName": "t"}},
            {"id": "4", "method": "POST", "url": "/deviceManagement/roleScopeTags", "body": {"displayName": "t"}},
        ]}))
        .await
        .expect(200);
    let settings = response(&answer, "1");
    assert_eq!(settings["body"]["value"].as_array().unwrap().len(), 25);
    assert!(settings["body"]["@odata.context"].as_str().unwrap().contains(&id));
    assert!(settings["body"]["@odata.nextLink"].is_string());
    assert!(settings["headers"].is_object());
    assert_eq!(response(&answer, "2")["status"], 404);
    assert_eq!(response(&answer, "3")["status"], 200);
    assert_eq!(response(&answer, "4")["status"], 400, "a body without a content type");
}

#[tokio::test]
async fn a_failed_item_fails_those_that_wait_for_it() {
    let graph = Graph::start().await;
    let get =
        |id: &str, url: &str, depends: Value| json!({"id": id, "method": "GET", "url": url, "dependsOn": depends});
    let answer = graph
        .post(BATCH, json!({"requests": [get("a", "/groups/x", json!([])), get("b", "/groups", json!(["a"])), get("c", "/groups", json!([]))]}))
        .await
        .expect(200);
    assert_eq!(response(&answer, "b")["status"], 424);
    assert_eq!(response(&answer, "c")["status"], 200);
    graph.post(BATCH, json!({"requests": [get("a", "/groups", json!(["b"]))]})).await.expect(400);
}

#[tokio::test]
async fn twenty_items_and_no_more() {
    let graph = Graph::start().await;
    let items = |count: usize| json!({"requests": (0..count).map(|id| json!({"id": id, "method": "GET", "url": "/groups"})).collect::<Vec<_>>()});
    graph.post(BATCH, items(20)).await.expect(200);
    graph.post(BATCH, items(21)).await.expect(400);
    graph.post("/v1.0/%24batch", items(1)).await.expect(200);
}

#[tokio::test]
async fn an_item_can_be_throttled_alone() {
    let graph = Graph::start().await;
    graph
        .running
        .add_fault(FaultRule::new(FaultAction::Throttle { retry_after: Some("2.5".into()) }).path("/groups").times(1));
    let item = |id: &str| json!({"id": id, "method": "GET", "url": "/groups"});
    let answer = graph.post(BATCH, json!({"requests": [item("1"), item("2")]})).await.expect(200);
    assert_eq!(response(&answer, "1")["status"], 429);
    assert_eq!(response(&answer, "1")["headers"]["Retry-After"], "2.5");
    assert_eq!(response(&answer, "2")["status"], 200);
}
