//! What is known about a write, whatever becomes of its requests.

use domain::contract::Contract;
use domain::payload::Payload;
use graph::{Kind, Outcome, registry};
use serde_json::{Value, json};

use super::client;
use super::script::{Reply, Script};

fn contract(policy_type: &str) -> &'static Contract {
    registry().get(policy_type).expect("known")
}

fn payload(policy_type: &str, content: Value) -> Payload {
    Payload { policy_type: policy_type.into(), content, assignments: None }
}

fn filter() -> (&'static Contract, Payload) {
    let content = json!({"@odata.type": "#microsoft.graph.deviceAndAppManagementAssignmentFilter",
        "displayName": "Corporate", "platform": "windows10AndLater", "rule": "(device.x -eq \"y\")"});
    (contract("assignmentFilter"), payload("assignmentFilter", content))
}

fn requests(script: &Script) -> Vec<String> {
    let words = |line: String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    script.seen().into_iter().map(|seen| words(seen.line)).filter(|line| !line.contains("/oauth2/")).collect()
}

#[tokio::test]
async fn a_create_tells_its_id_and_request() {
    let created = Reply::json(201, json!({"id": "f-1"})).with("request-id", "r-1");
    let script = Script::start(vec![Reply::token("t"), created]).await;
    let (contract, payload) = filter();
    let Outcome::Applied(receipt) = graph::create(&client(&script).await, contract, &payload).await else {
        panic!("applied");
    };
    assert_eq!((receipt.external_id.as_str(), receipt.status), ("f-1", 201));
    assert_eq!(receipt.request_id.as_deref(), Some("r-1"));
}

#[tokio::test]
async fn a_create_is_never_sent_again_after_doubt() {
    for reply in [
        Reply::cut(),
        Reply::error(500, "x"),
        Reply::error(502, "x"),
        Reply::error(503, "x").with("Retry-After", "0"),
        Reply::error(504, "x"),
    ] {
        let script = Script::start(vec![Reply::token("t"), reply, Reply::json(201, json!({"id": "second"}))]).await;
        let (contract, payload) = filter();
        let outcome = graph::create(&client(&script).await, contract, &payload).await;
        let Outcome::Unknown { error, external_id: None } = outcome else { panic!("{outcome:?}") };
        assert_eq!((error.kind, error.reason_code), (Kind::UnknownOutcome, "PROVIDER_OUTCOME_UNKNOWN"));
        assert_eq!(requests(&script).len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_throttled_create_is_sent_again_and_a_refused_one_is_not() {
    let replies = vec![
        Reply::token("t"),
        Reply::error(429, "TooManyRequests").with("Retry-After", "0"),
        Reply::error(400, "ModelValidationFailure"),
    ];
    let script = Script::start(replies).await;
    let (contract, payload) = filter();
    let outcome = graph::create(&client(&script).await, contract, &payload).await;
    let Outcome::NotApplied(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.reason_code, "PROVIDER_MODEL_VALIDATION_FAILED");
    assert_eq!(requests(&script).len(), 2);
}

#[tokio::test]
async fn a_refusal_after_doubt_is_still_doubt() {
    // The first PATCH may have been applied behind the gateway's back, so the 400 says nothing about it.
    let replies = vec![Reply::token("t"), Reply::error(504, "x"), Reply::error(400, "BadRequest")];
    let script = Script::start(replies).await;
    let (contract, payload) = filter();
    let outcome = graph::update(&client(&script).await, contract, "f-1", &payload, &json!({"id": "f-1"})).await;
    let Outcome::Unknown { external_id: Some(id), .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(id, "f-1");
    assert_eq!(requests(&script), ["PATCH /beta/deviceManagement/assignmentFilters/f-1"; 2]);
}

#[tokio::test]
async fn a_provider_that_is_not_there_applied_nothing() {
    let secrets = tempfile::tempdir().expect("a folder");
    std::fs::write(secrets.path().join(super::TENANT), "x").expect("writable");
    // Bound and closed again: nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let base = format!("http://127.0.0.1:{closed}");
    let provider = graph::Provider::new(super::settings(), super::rules(secrets.path()));
    let client = provider.client(&super::connection(&base, secrets.path())).expect("opens");
    let (contract, payload) = filter();
    let outcome = graph::create(&client, contract, &payload).await;
    let Outcome::NotApplied(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.kind, error.reason_code), (Kind::Network, "PROVIDER_UNREACHABLE"));
}

#[tokio::test]
async fn another_success_than_the_types_own_is_doubt() {
    for reply in [Reply::json(202, json!({"id": "f-1"})), Reply::json(201, json!({})), Reply::json(201, Value::Null)] {
        let script = Script::start(vec![Reply::token("t"), reply]).await;
        let (contract, payload) = filter();
        let outcome = graph::create(&client(&script).await, contract, &payload).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_refused_later_step_keeps_its_reason_and_the_id() {
    let content = json!({"displayName": "ADMX", "definitionValues": [{"enabled": true,
        "definition@odata.bind": "deviceManagement/groupPolicyDefinitions('d-1')"}]});
    let replies = vec![
        Reply::token("t"),
        Reply::json(201, json!({"id": "p-1"})),
        // Not visible to the next replica yet, then refused.
        Reply::error(404, "ResourceNotFound"),
        Reply::error(400, "ModelValidationFailure"),
    ];
    let script = Script::start(replies).await;
    let payload = payload("groupPolicyConfiguration", content);
    let outcome = graph::create(&client(&script).await, contract("groupPolicyConfiguration"), &payload).await;
    let Outcome::Unknown { error, external_id } = outcome else { panic!("{outcome:?}") };
    assert_eq!(external_id.as_deref(), Some("p-1"));
    assert_eq!((error.kind, error.reason_code), (Kind::Invalid, "PROVIDER_MODEL_VALIDATION_FAILED"));
    let sent: Value = serde_json::from_str(&script.seen()[3].body).expect("json");
    let bind = format!("{}/beta/deviceManagement/groupPolicyDefinitions('d-1')", script.base());
    assert_eq!(sent["added"][0]["definition@odata.bind"], bind.as_str());
    assert!(script.seen()[1].body.contains("ADMX") && !script.seen()[1].body.contains("definitionValues"));
}

#[tokio::test]
async fn what_is_not_promotable_is_not_sent() {
    let script = Script::start(vec![]).await;
    let client = client(&script).await;
    for policy_type in ["conditionalAccessPolicy", "endpointSecurityIntent", "group"] {
        let payload = payload(policy_type, json!({"displayName": "x"}));
        let Outcome::NotApplied(error) = graph::create(&client, contract(policy_type), &payload).await else {
            panic!("{policy_type}");
        };
        assert_eq!(error.reason_code, "POLICY_TYPE_NOT_PROMOTABLE");
    }
    let (contract, _) = filter();
    let other = payload("roleScopeTag", json!({"displayName": "x"}));
    let Outcome::NotApplied(error) = graph::create(&client, contract, &other).await else { panic!("mixed up") };
    assert_eq!(error.reason_code, "PAYLOAD_OF_ANOTHER_TYPE");
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn conditional_access_made_promotable_arrives_in_report_only_mode() {
    let text =
        include_str!("../../contracts/conditionalAccessPolicy.toml").replace("\"preview_only\"", "\"promotable\"");
    let contract = Contract::from_toml(&text).expect("valid");
    let names = domain::reference::NameTable::new();
    let raw = json!({"id": "s-1", "displayName": "CA000", "state": "enabled",
        "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
        "sessionControls": {"disableResilienceDefaults": false, "signInFrequency": null}});
    let payload = domain::payload::target_payload(&contract, &raw, &names, &names, false).expect("portable");
    let script =
        Script::start(vec![Reply::token("t"), Reply::json(201, json!({"id": "c-1"})), Reply::json(204, Value::Null)])
            .await;
    let client = client(&script).await;
    let outcome = graph::create(&client, &contract, &payload).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let sent: Value = serde_json::from_str(&script.seen()[1].body).expect("json");
    assert_eq!(sent["state"], "enabledForReportingButNotEnforced");
    assert!(sent["sessionControls"].get("disableResilienceDefaults").is_none());

    let current = json!({"id": "c-1", "displayName": "CA000", "state": "enabled", "conditions": {}});
    let outcome = graph::update(&client, &contract, "c-1", &payload, &current).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let sent: Value = serde_json::from_str(&script.seen()[2].body).expect("json");
    assert!(sent.get("state").is_none(), "an update leaves the state as the target has it");
}
