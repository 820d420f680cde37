use std::time::Duration;

use graph_emulator::{Emulator, FaultAction, FaultRule, Limits};
use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn a_throttled_write_did_nothing_and_says_when_to_come_back() {
    let graph = Graph::start().await;
    let rules = [json!("2.128"), json!("3"), json!(null)];
    for retry_after in &rules {
        let rule = json!({"match": {"method": "POST", "path": "/deviceManagement/configurationPolicies"}, "action": {"kind": "throttle", "retry_after": retry_after}, "times": 1});
        graph.post("/emulator/faults", rule).await.expect(201);
    }
    for retry_after in &rules {
        let answer = graph.post(CATALOG, catalog("p", 1)).await.expect(429);
        assert_eq!(answer.headers.get("retry-after").map(|value| value.to_str().unwrap()), retry_after.as_str());
    }
    graph.post(CATALOG, catalog("p", 1)).await.expect(201);
    assert_eq!(graph.get("/emulator/faults").await.body, json!([]), "spent rules are gone");
    let log = graph.get("/emulator/log").await;
    let statuses: Vec<_> = log.body.as_array().unwrap().iter().map(|entry| entry["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [429, 429, 429, 201]);
}

#[tokio::test]
async fn a_lost_reply_leaves_a_committed_write_in_the_log() {
    let graph = Graph::start().await;
    graph.running.add_fault(FaultRule::new(FaultAction::TimeoutAfterCommit { hold_ms: 0 }).method("POST").times(1));
    let request =
        graph.request(reqwest::Method::POST, CATALOG).header("client-request-id", "first").json(&catalog("p", 1));
    assert!(request.send().await.is_err(), "the connection was cut");
    assert_eq!(graph.get(CATALOG).await.body["value"].as_array().unwrap().len(), 1);
    let log = graph.running.log();
    assert_eq!((log.len(), log[0].status, log[0].committed, log[0].cut), (1, 201, true, true));
    assert_eq!(log[0].client_request_id, "first");
    assert_eq!(log[0].object.as_deref(), graph.get(CATALOG).await.body["value"][0]["id"].as_str());
}

#[tokio::test]
async fn a_held_reply_is_a_timeout_for_the_client() {
    let graph = Graph::start().await;
    graph.running.add_fault(FaultRule::new(FaultAction::TimeoutAfterCommit { hold_ms: 600_000 }).method("WRITE"));
    let request =
        graph.request(reqwest::Method::POST, CATALOG).timeout(Duration::from_millis(200)).json(&catalog("p", 1));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert!(graph.running.log()[0].committed);
}

#[tokio::test]
async fn a_connection_cut_before_the_commit_changed_nothing() {
    let graph = Graph::start().await;
    graph.running.add_fault(FaultRule::new(FaultAction::CutBeforeCommit { hold_ms: 0 }).method("POST").times(1));
    assert!(graph.request(reqwest::Method::POST, CATALOG).json(&catalog("p", 1)).send().await.is_err());
    assert!(graph.get(CATALOG).await.body["value"].as_array().unwrap().is_empty());
    assert!(!graph.running.log()[0].committed);
}

#[tokio::test]
async fn stale_reads_answer_the_state_before_the_write() {
    let graph = Graph::start().await;
    let old = graph.post(CATALOG, catalog("old", 1)).await.id();
    graph.running.add_fault(FaultRule::new(FaultAction::StaleReads { stale_reads_ms: 400 }).method("WRITE"));
    graph.patch(&format!("{CATALOG}/{old}"), json!({"name": "renamed"})).await.expect(204);
    let new = graph.post(CATALOG, catalog("new", 1)).await.expect(201).id();
    graph.running.remove_faults(None);
    let names = || async {
        let list = graph.get(CATALOG).await;
        list.body["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["old"]);
    graph.get(&format!("{CATALOG}/{new}")).await.expect(404);
    let settled = async {
        while names().await != ["renamed", "new"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), settled).await.expect("the window closes");
}

#[tokio::test]
async fn a_location_made_a_moment_ago_is_not_there_for_a_policy() {
    let graph = Graph::start().await;
    graph
        .running
        .add_fault(FaultRule::new(FaultAction::StaleReads { stale_reads_ms: 60_000 }).path("*/namedLocations"));
    let location = json!({"@odata.type": "#microsoft.graph.countryNamedLocation", "displayName": "l", "countriesAndRegions": ["NL"]});
    let id = graph.post("/beta/identity/conditionalAccess/namedLocations", location).await.expect(201).id();
    let body = json!({"displayName": "CA", "state": "disabled", "grantControls": {"operator": "OR", "builtInControls": ["block"]},
        "conditions": {"applications": {"includeApplications": ["All"]}, "users": {"includeUsers": ["All"]}, "locations": {"includeLocations": [id]}}});
    graph.post("/beta/identity/conditionalAccess/policies", body).await.refused(400, "1040");
}

#[tokio::test]
async fn errors_by_rule_look_like_graphs() {
    let graph = Graph::start().await;
    graph.running.add_fault(
        FaultRule::new(FaultAction::MessageError {
            message: "Added a tag which is not allowed by the current role: 0".into(),
            status: 400,
        })
        .method("POST")
        .times(1),
    );
    let answer = graph.post(CATALOG, catalog("p", 1)).await.expect(400);
    let inner: serde_json::Value = serde_json::from_str(answer.body["error"]["message"].as_str().unwrap()).unwrap();
    assert_eq!(inner["_version"], 3);
    let text = inner["Message"].as_str().unwrap();
    assert!(text.starts_with("Added a tag") && text.contains("Activity ID: ") && text.contains("Url: https://fef."));
    graph.running.add_fault(
        FaultRule::new(FaultAction::Status { status: 503, code: None, message: None, retry_after: Some("1".into()) })
            .times(1),
    );
    let answer = graph.get(CATALOG).await.expect(503);
    assert_eq!(
        (&answer.body["error"]["code"], &answer.headers["retry-after"]),
        (&json!("ServiceUnavailable"), &"1".parse().unwrap())
    );
    graph.running.add_fault(FaultRule::new(FaultAction::Forbidden { message: None }).tenant(TENANT).times(1));
    graph.get(CATALOG).await.expect(403);
    graph.running.add_fault(FaultRule::new(FaultAction::JustificationRequired).times(1));
    graph.post(CATALOG, catalog("p", 1)).await.refused(400, "x-msft-approval-justification");
}

#[tokio::test]
async fn chance_is_repeatable_and_skip_lets_the_first_pass() {
    let graph = Graph::start().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        graph.running.remove_faults(None);
        graph.running.add_fault(FaultRule::new(FaultAction::Forbidden { message: None }).chance(0.5, 42).skip(1));
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(graph.get("/v1.0/groups").await.status.as_u16());
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0][0], 200);
    assert!(runs[0].contains(&403) && runs[0][1..].contains(&200));
}

#[tokio::test]
async fn latency_delays_the_call() {
    let graph = Graph::start().await;
    graph.running.add_fault(FaultRule::new(FaultAction::Latency { latency_ms: 150 }).times(1));
    let start = std::time::Instant::now();
    graph.get("/v1.0/groups").await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_documented_limits_hold_when_asked_for() {
    let limits = Limits { writes: 2, ..Limits::default() };
    let graph = Graph::with(Emulator::builder().tenant(spec()).limits(limits)).await;
    for _ in 0..2 {
        graph.post(TAGS, json!({"displayName": "t"})).await.expect(200);
    }
    let refused = graph.post(TAGS, json!({"displayName": "t"})).await.expect(429);
    let seconds: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=21).contains(&seconds));
    graph.get(TAGS).await.expect(200);
    let path = "/v1.0/identity/conditionalAccess/policies";
    graph.get(path).await.expect(200);
    let refused = graph.get(path).await.expect(429);
    assert!(!refused.headers.contains_key("retry-after"), "Conditional Access does not say when");
    graph.put("/emulator/limits", json!(null)).await.expect(204);
    graph.get(path).await.expect(200);
}
