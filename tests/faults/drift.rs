//! The provider is as providers are: it changes behind our back, asks for patience, breaks down and refuses. One item's
//! trouble is that item's outcome; the others go on.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use pb::operation::{ItemEffect, ItemState, OperationRunOutcome};
use serde_json::json;
use system_tests::provider::{FaultAction, FaultRule};

use crate::ground::{Ground, Replicas, tell};
use crate::policies;
use crate::proof;

/// Trouble with one policy, and what must become of it.
struct Trouble {
    label: &'static str,
    state: ItemState,
    effect: ItemEffect,
    reason: &'static str,
}

const fn refused(label: &'static str, reason: &'static str) -> Trouble {
    Trouble { label, state: ItemState::Failed, effect: ItemEffect::Unspecified, reason }
}

const fn drifted(label: &'static str) -> Trouble {
    Trouble { label, state: ItemState::Skipped, effect: ItemEffect::Unspecified, reason: "TARGET_DRIFTED" }
}

const TROUBLES: [Trouble; 7] = [
    // Somebody made another policy of that name.
    drifted("Ring 1"),
    drifted("Restrictions 5"),
    // Somebody made exactly this one.
    Trouble { label: "Custom 4", state: ItemState::Succeeded, effect: ItemEffect::Unchanged, reason: "" },
    // Graph's way of saying that the content is wrong: JSON inside the message.
    refused("Health 1", "PROVIDER_REJECTED_CONTENT"),
    refused("Health 2", "PROVIDER_REJECTED_CONTENT"),
    // A protected tenant: somebody would have to approve it.
    refused("Office 1", "PROVIDER_APPROVAL_REQUIRED"),
    refused("Office 2", "PROVIDER_APPROVAL_REQUIRED"),
];

#[tokio::test]
async fn the_trouble_of_one_item_is_its_own() -> Result<()> {
    let ground = Ground::prepare(Replicas::SINGLE).await?;
    behind_our_back(&ground).await?;
    moody_provider(&ground).await?;

    let run = ground.execute().await?;
    let ended = ground.end_of(&run.run_id).await?;
    ground.provider().heal().await?;
    let items = proof::items_agree(&ground, &ended).await?;
    proof::history_is_whole(&ground, &ended).await?;
    assert_eq!(ended.outcome(), OperationRunOutcome::PartiallySucceeded);

    let troubles: BTreeMap<&str, &Trouble> = TROUBLES.iter().map(|trouble| (trouble.label, trouble)).collect();
    for item in &items {
        let found = (item.state(), item.effect(), item.reason.as_str());
        match troubles.get(item.label.as_str()) {
            Some(trouble) => assert_eq!(found, (trouble.state, trouble.effect, trouble.reason), "{item:?}"),
            None => assert_eq!(found, (ItemState::Succeeded, ItemEffect::Created, ""), "the others go on: {item:?}"),
        }
    }
    let counts = ended.summary_counts.context("a run has counts")?;
    let created = i32::try_from(policies::NUMBER - TROUBLES.len())?;
    assert_eq!((counts.created(), counts.unchanged(), counts.failed(), counts.skipped()), (created, 1, 4, 2));
    proof::names(&ground.provider().objects(ground.target()).await?);
    let log = ground.provider().log(ground.target()).await?;
    let throttled = log.iter().filter(|write| write.status == 429).count();
    let broken = log.iter().filter(|write| write.status >= 500).count();
    assert!(throttled > 0 && broken > 0, "{throttled} throttled, {broken} broken");
    tell(&format!("{throttled} writes throttled, {broken} broken, {} claims", ended.attempt));
    Ok(())
}

/// What others do to the target between the preflight and the run.
async fn behind_our_back(ground: &Ground) -> Result<()> {
    let source = ground.provider().objects(&ground.story.scene.source.external_tenant_id).await?;
    for (name, change) in [("Ring 1", true), ("Restrictions 5", true), ("Custom 4", false)] {
        let held = source.iter().find(|held| held.name() == name).context("the source has it")?;
        let mut document = json!(held.body);
        document["id"] = dev::job::request_id().into();
        if change {
            document["description"] = "made by somebody else".into();
        }
        ground.provider().put_document(ground.target(), &document).await?;
    }
    Ok(())
}

async fn moody_provider(ground: &Ground) -> Result<()> {
    let only = |action: FaultAction, path: &str| {
        FaultRule::new(action).tenant(ground.target()).method("POST").path(format!("{path}$"))
    };
    let rejected = FaultAction::MessageError { message: "Script content is not valid.".into(), status: 400 };
    let throttle = |seconds: Option<&str>| FaultAction::Throttle { retry_after: seconds.map(str::to_owned) };
    let status = |status: u16| FaultAction::Status { status, code: None, message: None, retry_after: None };
    for rule in [
        only(rejected, "/deviceManagement/deviceHealthScripts"),
        only(FaultAction::ApprovalRequired, "/identity/conditionalAccess/namedLocations"),
        // With and without a date to come back at, in whole seconds and in parts of one.
        only(throttle(Some("1")), "/deviceManagement/deviceConfigurations").times(3),
        only(throttle(Some("0.5")), "/deviceManagement/configurationPolicies").times(3),
        only(throttle(None), "/deviceManagement/deviceShellScripts").times(2),
        // Nobody knows whether a server that breaks down has done it.
        only(status(500), "/deviceManagement/groupPolicyConfigurations").times(2),
        only(status(503), "/deviceManagement/deviceManagementScripts").times(1),
        only(status(504), "/deviceManagement/deviceCompliancePolicies").times(2),
    ] {
        ground.provider().fault(&rule).await?;
    }
    let reads = FaultRule::new(throttle(Some("0.2"))).tenant(ground.target()).method("GET").times(5);
    ground.provider().fault(&reads).await?;
    Ok(())
}
