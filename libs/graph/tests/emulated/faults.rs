//! Throttling, errors with JSON inside, lost replies: what the caller learns and what the tenant holds.

use std::time::Duration;

use domain::payload::Payload;
use domain::reference::NameTable;
use graph::{Kind, Outcome};
use graph_emulator::{FaultAction, FaultRule};
use serde_json::{Value, json};

use super::samples::{policy, simple_setting};
use super::{SOURCE, TARGET, World, contract};

fn payload(name: &str) -> Payload {
    let names = NameTable::new();
    let raw = policy(name, vec![simple_setting("a", "1")]);
    domain::payload::target_payload(contract("settingsCatalogPolicy"), &raw, &names, &names, false).expect("portable")
}

fn throttle(retry_after: Option<&str>) -> FaultAction {
    FaultAction::Throttle { retry_after: retry_after.map(str::to_owned) }
}

#[tokio::test]
async fn throttling_in_every_form_delays_and_does_no_harm() {
    let world = World::start().await;
    world.load(SOURCE, (0..30).map(|i| policy(&format!("P{i}"), vec![simple_setting("a", "1")])));
    for form in [Some("0"), Some("0.05"), Some("1"), None] {
        world.emulator.add_fault(FaultRule::new(throttle(form)).times(3).skip(2));
    }
    let client = world.client(SOURCE);
    let objects = graph::capture(&client, contract("settingsCatalogPolicy")).all().await.expect("in the end");
    assert_eq!(objects.iter().filter(|object| object.complete).count(), 30);

    world.emulator.add_fault(FaultRule::new(throttle(Some("0.01"))).method("POST").times(2));
    let outcome = graph::create(&world.client(TARGET), contract("settingsCatalogPolicy"), &payload("Throttled")).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

#[tokio::test]
async fn single_items_of_a_batch_fail_by_themselves() {
    let world = World::start().await;
    world.load(SOURCE, (0..25).map(|i| policy(&format!("P{i}"), vec![simple_setting("a", "1")])));
    let settings = "/deviceManagement/configurationPolicies/*/settings";
    world.emulator.add_fault(FaultRule::new(throttle(Some("0.01"))).path(settings).times(7).skip(5));
    let gone = FaultAction::Forbidden { message: None };
    world.emulator.add_fault(FaultRule::new(gone).path(settings).times(1).skip(20));
    let client = world.client(SOURCE);
    let objects = graph::capture(&client, contract("settingsCatalogPolicy")).all().await.expect("readable");
    let faults: Vec<Kind> = objects.iter().filter_map(|object| object.fault.as_ref()).map(|fault| fault.kind).collect();
    assert_eq!(objects.len(), 25);
    assert_eq!(faults, [Kind::Forbidden], "the throttled ones were read again, the denied one was not");
}

#[tokio::test]
async fn json_inside_a_message_becomes_a_reason() {
    let world = World::start().await;
    let message = "Scope Tags validation failed : Filters 0f8fad5b-d9cb-469f-a165-70867728950e".to_owned();
    world
        .emulator
        .add_fault(FaultRule::new(FaultAction::MessageError { message, status: 400 }).method("POST").times(1));
    let outcome = graph::create(&world.client(TARGET), contract("settingsCatalogPolicy"), &payload("Refused")).await;
    let Outcome::NotApplied(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.kind, error.reason_code), (Kind::Invalid, "PROVIDER_SCOPE_TAG_REJECTED"));
    assert!(error.message.starts_with("Scope Tags validation failed"), "{}", error.message);
    assert!(!error.message.contains("0f8fad5b") && !error.message.contains("http"), "{}", error.message);
    assert!(error.request_id.is_some());
}

#[tokio::test]
async fn approval_is_told_apart_from_refusal() {
    let world = World::start().await;
    world.emulator.add_fault(FaultRule::new(FaultAction::ApprovalRequired).method("POST"));
    let outcome = graph::create(&world.client(TARGET), contract("settingsCatalogPolicy"), &payload("Protected")).await;
    let Outcome::NotApplied(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.kind, error.reason_code), (Kind::ApprovalRequired, "PROVIDER_APPROVAL_REQUIRED"));
}

#[tokio::test]
async fn a_reply_lost_after_commit_is_resolved_by_reading_and_exists_once() {
    let world = World::start().await;
    let lost = FaultAction::TimeoutAfterCommit { hold_ms: 0 };
    world.emulator.add_fault(FaultRule::new(lost).method("POST").path("/deviceManagement").times(1));
    let client = world.client(TARGET);
    let contract = contract("settingsCatalogPolicy");
    let outcome = graph::create(&client, contract, &payload("Once")).await;
    let Outcome::Unknown { error, external_id: None } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.kind, Kind::UnknownOutcome);
    let found = graph::find_by_name(&client, contract, "Once", None).await.expect("readable");
    assert_eq!(found.len(), 1);
    let creates = world.emulator.log().into_iter().filter(|entry| entry.method == "POST" && entry.committed);
    assert_eq!(creates.count(), 1);
}

#[tokio::test]
async fn a_cut_before_commit_is_doubt_too() {
    let world = World::start().await;
    let cut = FaultAction::CutBeforeCommit { hold_ms: 0 };
    world.emulator.add_fault(FaultRule::new(cut).method("POST").path("/deviceManagement").times(1));
    let client = world.client(TARGET);
    let outcome = graph::create(&client, contract("settingsCatalogPolicy"), &payload("Never")).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert!(
        graph::find_by_name(&client, contract("settingsCatalogPolicy"), "Never", None)
            .await
            .expect("readable")
            .is_empty()
    );
}

#[tokio::test]
async fn a_timeout_is_doubt_and_never_a_second_create() {
    let world = World::start().await;
    let slow = FaultAction::Latency { latency_ms: 400 };
    world
        .emulator
        .add_fault(FaultRule::new(slow).method("POST").path("/deviceManagement/configurationPolicies").times(1));
    let hasty = world.provider(graph::Settings { timeout: Duration::from_millis(150), ..super::fast() });
    let client = hasty.client(&world.connection(TARGET)).expect("opens");
    let outcome = graph::create(&client, contract("settingsCatalogPolicy"), &payload("Slow")).await;
    let Outcome::Unknown { error, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.reason_code, "PROVIDER_OUTCOME_UNKNOWN");
    let sent = world.emulator.log().into_iter().filter(|entry| entry.method == "POST").count();
    assert!(sent <= 1, "{sent} creates were sent");
}

#[tokio::test]
async fn an_object_that_is_not_visible_yet_is_waited_for_between_steps() {
    let world = World::start().await;
    let client = world.client(TARGET);
    let lag = FaultAction::StaleReads { stale_reads_ms: 30 };
    world
        .emulator
        .add_fault(FaultRule::new(lag).method("POST").path("/deviceManagement/notificationMessageTemplates$").times(1));
    let content = json!({"@odata.type": "#microsoft.graph.notificationMessageTemplate", "displayName": "Lagging",
        "brandingOptions": "includeCompanyLogo", "localizedNotificationMessages": [
            {"locale": "en-us", "subject": "Hello", "messageTemplate": "Please comply", "isDefault": true}]});
    let payload = Payload { policy_type: "notificationMessageTemplate".into(), content, assignments: None };
    let outcome = graph::create(&client, contract("notificationMessageTemplate"), &payload).await;
    // Within the attempts it succeeds; beyond them the caller reads and updates. Both end in one object with its message.
    let id = match outcome {
        Outcome::Applied(receipt) => receipt.external_id,
        Outcome::Unknown { external_id: Some(id), .. } => id,
        other => panic!("{other:?}"),
    };
    let contract = contract("notificationMessageTemplate");
    let mut found = None;
    for _ in 0..200 {
        found = graph::read_one(&client, contract, &id).await.expect("readable");
        if found.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let found = found.expect("visible in the end");
    let outcome = graph::update(&client, contract, &id, &payload, &found.raw).await;
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let found = graph::read_one(&client, contract, &id).await.expect("readable").expect("there");
    assert_eq!(found.raw["localizedNotificationMessages"].as_array().map(Vec::len), Some(1), "{}", found.raw);
    assert_eq!(found.raw["localizedNotificationMessages"][0]["subject"], Value::from("Hello"));
}
