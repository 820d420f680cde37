//! Edge case: an item inside the run that cannot be built, is refused, or has changed meanwhile fails or is skipped with a
//! stable reason, and the others go on.

use anyhow::{Context, Result};
use dev::job;
use pb::compare::Readiness;
use pb::operation::{ItemEffect, ItemState, OperationRunOutcome, StartOutcome};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::provider::{FaultAction, FaultRule, Held};
use system_tests::story::{Story, subjects_of};

use super::{assert_counts_agree, by_label};

/// What is done to the world between the preflight and the run, and what must become of the item.
struct Trouble {
    policy_type: &'static str,
    label: &'static str,
    state: ItemState,
    effect: ItemEffect,
    reason: &'static str,
}

const TROUBLES: [Trouble; 5] = [
    // Its captured content can no longer be read as what the preflight saw.
    Trouble {
        policy_type: "deviceHealthScript",
        label: "Repair time service",
        state: ItemState::Failed,
        effect: ItemEffect::Unspecified,
        reason: "SOURCE_CHANGED",
    },
    // The provider refuses the content.
    Trouble {
        policy_type: "deviceShellScript",
        label: "macOS - Hostname",
        state: ItemState::Failed,
        effect: ItemEffect::Unspecified,
        reason: "PROVIDER_REJECTED_CONTENT",
    },
    // Somebody changed the target's object.
    Trouble {
        policy_type: "settingsCatalogPolicy",
        label: "Windows - Telemetry",
        state: ItemState::Skipped,
        effect: ItemEffect::Unspecified,
        reason: "TARGET_DRIFTED",
    },
    // Somebody made another object of that name.
    Trouble {
        policy_type: "deviceManagementScript",
        label: "Set power plan",
        state: ItemState::Skipped,
        effect: ItemEffect::Unspecified,
        reason: "TARGET_DRIFTED",
    },
    // Somebody did by hand exactly what the promotion wants.
    Trouble {
        policy_type: "settingsCatalogPolicy",
        label: "macOS - Firewall",
        state: ItemState::Succeeded,
        effect: ItemEffect::Unchanged,
        reason: "",
    },
];

#[tokio::test]
async fn edge_an_item_that_cannot_be_promoted_fails_or_is_skipped_and_the_others_go_on() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    let ready = subjects_of(&preflight, Readiness::Ready);
    for trouble in &TROUBLES {
        let known = ready.values().any(|subject| {
            (subject.policy_type.as_str(), subject.display_name.as_str()) == (trouble.policy_type, trouble.label)
        });
        assert!(known, "{} is ready in the demo: {ready:?}", trouble.label);
    }
    lose_captured_content(&story, "Repair time service").await?;
    let refusal = FaultAction::MessageError { message: "Script content is not valid.".into(), status: 400 };
    let target = story.scene.target.external_tenant_id.clone();
    let refuse = FaultRule::new(refusal).tenant(&target).method("POST").path("/deviceManagement/deviceShellScripts$");
    story.provider.fault(&refuse).await?;
    let drifted = change_by_hand(&story, "Windows - Telemetry").await?;
    copy_to_target(&story, "Set power plan", &json!({"description": "made here, by somebody else"})).await?;
    copy_to_target(&story, "macOS - Firewall", &json!({})).await?;
    let by_hand = story.provider.log(&target).await?.len();

    let started = job::execute(&story.manager, &selection, &preflight).await?;
    assert_eq!(started.outcome(), StartOutcome::Queued, "nothing the database knows of has changed");
    let run = started.run.context("a queued run is returned")?;
    let run = job::wait_for_end(&story.manager, &run.run_id).await?;

    let items = job::items(&story.manager, &run.run_id).await?;
    let found = by_label(&items);
    for trouble in &TROUBLES {
        let item = found[&(trouble.policy_type, trouble.label)];
        assert_eq!(
            (item.state(), item.effect(), item.reason.as_str()),
            (trouble.state, trouble.effect, trouble.reason)
        );
        assert_eq!(item.message.is_empty(), trouble.reason.is_empty(), "a person can act on {item:?}");
    }
    let troubled = |label: &str| TROUBLES.iter().any(|trouble| trouble.label == label);
    for item in items.iter().filter(|item| !troubled(&item.label)) {
        assert_eq!(item.state(), ItemState::Succeeded, "the others go on: {item:?}");
    }
    assert_eq!(run.outcome(), OperationRunOutcome::PartiallySucceeded);
    assert_counts_agree(&run, &items);
    let lines: Vec<_> = run.failure_summary.iter().map(|line| (line.code.as_str(), line.count())).collect();
    assert_eq!(lines, [("TARGET_DRIFTED", 2), ("PROVIDER_REJECTED_CONTENT", 1), ("SOURCE_CHANGED", 1)]);
    let ends = story.audit("operation_run.completed").await?;
    let end = ends.iter().find(|entry| entry.run_id == run.run_id).context("the end is audited")?;
    assert_eq!(end.outcome, "partially_succeeded");

    // What was left alone was not written, not even once.
    let ours = story.provider.log(&target).await?.split_off(by_hand);
    assert!(!ours.iter().any(|write| write.path.contains(&drifted)), "{ours:?}");
    let names: Vec<Held> = story.provider.objects(&target).await?;
    for label in ["Set power plan", "macOS - Firewall"] {
        assert_eq!(names.iter().filter(|held| held.name() == label).count(), 1, "{label} is there once");
    }
    assert_eq!(names.iter().filter(|held| held.name() == "macOS - Hostname").count(), 0);
    Ok(())
}

/// What must never happen to a policy version, done by the database's owner with its guard out of the way.
async fn lose_captured_content(story: &Story, name: &str) -> Result<()> {
    let mut transaction = story.rows.begin().await?;
    sqlx::query("ALTER TABLE inventory.policy_version DISABLE TRIGGER policy_version_immutable")
        .execute(&mut *transaction)
        .await?;
    let changed = sqlx::query(
        "UPDATE inventory.policy_version v SET content = v.content || '{\"description\": \"not what was captured\"}'
         FROM inventory.item i WHERE i.current_version_id = v.id AND i.display_name = $1 AND i.tenant_id = $2::uuid",
    )
    .bind(name)
    .bind(&story.scene.source.tenant_id)
    .execute(&mut *transaction)
    .await?;
    assert_eq!(changed.rows_affected(), 1);
    sqlx::query("ALTER TABLE inventory.policy_version ENABLE TRIGGER policy_version_immutable")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// An administrator of the target edits a settings catalog policy there; returns its id.
async fn change_by_hand(story: &Story, name: &str) -> Result<String> {
    let external_id = &story.scene.target.external_tenant_id;
    let objects = story.provider.objects(external_id).await?;
    let policy = objects.iter().find(|held| held.name() == name).context("the target has it")?;
    let application = story.scene.stack.tenants().iter().find(|tenant| &tenant.external_id == external_id);
    let application = application.context("the stand-in has the target")?;
    let path = format!("/deviceManagement/configurationPolicies/{}", policy.id);
    story.provider.graph(application, Method::PATCH, &path, &json!({"description": "changed by hand"})).await?;
    Ok(policy.id.clone())
}

/// The source's exported document, put into the target with these changes.
async fn copy_to_target(story: &Story, name: &str, changes: &Value) -> Result<()> {
    let mut document = demo_document(name)?;
    let (document_map, changes) = (document.as_object_mut().context("an object")?, changes.as_object());
    document_map.extend(changes.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    story.provider.put_document(&story.scene.target.external_tenant_id, &document).await
}

/// The file of the demo's source that holds the policy of this name.
fn demo_document(name: &str) -> Result<Value> {
    let mut open = vec![dev::paths::demo("northwind-model")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let document: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            if [&document["displayName"], &document["name"]].contains(&&json!(name)) {
                return Ok(document);
            }
        }
    }
    anyhow::bail!("the demo's source has no {name}")
}
