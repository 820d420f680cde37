//! Multi Admin Approval.

use graph_emulator::{FaultAction, FaultRule};
use serde_json::{Value, json};

use crate::harness::*;

async fn create(graph: &Graph, name: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = graph.request(reqwest::Method::POST, CATALOG).json(&catalog(name, 1));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    graph.send(request).await
}

/// base64 of "because".
const BECAUSE: (&str, &str) = ("x-msft-approval-justification", "YmVjYXVzZQ==");

async fn verdict(graph: &Graph, code: &str, status: &str) {
    let path = format!("/emulator/tenants/{TENANT}/approvals/{code}");
    graph.post(&path, json!({"status": status})).await.expect(204);
}

#[tokio::test]
async fn a_protected_write_waits_for_a_human_and_is_then_sent_again() {
    let graph = Graph::start().await;
    let policy = json!({"displayName": "MAA", "policyType": "configurationPolicy", "approverGroupIds": []});
    graph.post("/beta/deviceManagement/operationApprovalPolicies", policy).await.expect(201);

    create(&graph, "p", &[]).await.refused(400, "x-msft-approval-justification");
    let held = create(&graph, "p", &[BECAUSE]).await.expect(412);
    let code = held.headers["x-msft-approval-code"].to_str().unwrap().to_owned();
    create(&graph, "p", &[BECAUSE]).await.refused(409, "pending");
    assert!(graph.get(CATALOG).await.body["value"].as_array().unwrap().is_empty());
    let requests = graph.get("/beta/deviceManagement/operationApprovalRequests").await.expect(200);
    assert_eq!(requests.body["value"][0]["status"], "needsApproval");
    assert_eq!(requests.body["value"][0]["requestJustification"], "because");
    assert!(!requests.body.to_string().contains(&code), "the code is only in the header");

    let with_code = ("x-msft-approval-code", code.as_str());
    create(&graph, "p", &[with_code]).await.expect(412);
    verdict(&graph, &code, "approved").await;
    create(&graph, "another", &[with_code]).await.refused(400, "differs");
    create(&graph, "p", &[with_code]).await.expect(201);
    let requests = graph.get("/beta/deviceManagement/operationApprovalRequests").await;
    assert_eq!(requests.body["value"][0]["status"], "completed");
    graph.post(TAGS, json!({"displayName": "not covered by the policy"})).await.expect(200);
}

#[tokio::test]
async fn a_rejected_request_is_forbidden() {
    let graph = Graph::start().await;
    graph.running.add_fault(FaultRule::new(FaultAction::ApprovalRequired).method("WRITE"));
    let held = create(&graph, "p", &[BECAUSE]).await.expect(412);
    let code = held.headers["x-msft-approval-code"].to_str().unwrap().to_owned();
    verdict(&graph, &code, "rejected").await;
    create(&graph, "p", &[("x-msft-approval-code", &code)]).await.refused(403, "rejected");
    create(&graph, "p", &[("x-msft-approval-justification", "not base64")]).await.expect(400);
}

#[tokio::test]
async fn the_header_is_ignored_where_no_policy_asks_for_it() {
    let graph = Graph::start().await;
    create(&graph, "p", &[BECAUSE]).await.expect(201);
    assert_eq!(graph.get("/beta/deviceManagement/operationApprovalRequests").await.body["value"], Value::Array(vec![]));
}
