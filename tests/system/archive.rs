//! A tenant is archived while a promotion waits or runs: nothing more is begun with it, and what was begun is not left half done.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dev::job;
use pb::operation::{ItemState, OperationRun, OperationRunOutcome};
use pb::tenant::{ArchiveTenantRequest, RestoreTenantRequest, Tenant};
use serde_json::{Map, Value};
use system_tests::provider::{FaultAction, FaultRule, Held};
use system_tests::story::Story;
use system_tests::watching::{Seen, Service, Subject, Watch};
use tokio::time::timeout;

/// Slow enough that not everything is done before the tenant is archived.
const SLOW_MS: u64 = 400;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn nothing_is_begun_with_a_tenant_that_was_archived_meanwhile() -> Result<()> {
    let mut story = Story::of_the_demo().await?;
    while_the_run_is_queued(&mut story).await?;
    while_the_run_is_worked_on(&story).await
}

/// The target is put aside while nobody works: whoever claims the run then calls the provider not once.
async fn while_the_run_is_queued(story: &mut Story) -> Result<()> {
    restart_worker(story, false).await?;
    let run = execute(story).await?;
    let target = story.scene.target.clone();
    archive(story, &target).await?;
    restart_worker(story, true).await?;

    let ended = job::wait_for_end(&story.manager, &run.run_id).await?;
    assert_eq!(ended.outcome(), OperationRunOutcome::Blocked, "{ended:?}");
    let codes: Vec<&str> = ended.failure_summary.iter().map(|line| line.code.as_str()).collect();
    assert_eq!(codes, ["TARGET_TENANT_NOT_OPERABLE"]);
    let items = job::items(&story.manager, &run.run_id).await?;
    assert!(!items.is_empty());
    for item in &items {
        assert_eq!(
            (item.state(), item.reason.as_str()),
            (ItemState::Skipped, "TARGET_TENANT_NOT_OPERABLE"),
            "{item:?}"
        );
        assert!(item.message.contains("Restore it first"), "it says what helps: {}", item.message);
    }
    assert!(story.provider.log(&target.external_tenant_id).await?.is_empty(), "nothing was written, nor tried");
    restore(story, &target).await
}

/// The source is put aside in the middle: the subjects being written are brought to their outcome, the rest is skipped.
async fn while_the_run_is_worked_on(story: &Story) -> Result<()> {
    let target = &story.scene.target.external_tenant_id;
    story.provider.fault(&FaultRule::new(FaultAction::Latency { latency_ms: SLOW_MS }).tenant(target)).await?;
    let before = story.provider.objects(target).await?;
    let run = execute(story).await?;
    let mut watch = Watch::open(&story.manager, Service::OperationRuns, &Subject::Run(run.run_id.clone()), "").await?;
    timeout(LIMIT, progressed(&mut watch)).await??;
    archive(story, &story.scene.source).await?;
    story.provider.heal().await?;

    let ended = job::wait_for_end(&story.manager, &run.run_id).await?;
    assert_eq!(ended.outcome(), OperationRunOutcome::PartiallySucceeded, "{ended:?}");
    let items = job::items(&story.manager, &run.run_id).await?;
    let (done, left): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.state() == ItemState::Succeeded);
    assert!(!done.is_empty() && !left.is_empty(), "{} of {}", done.len(), items.len());
    for item in &left {
        assert_eq!(
            (item.state(), item.reason.as_str()),
            (ItemState::Skipped, "SOURCE_TENANT_NOT_OPERABLE"),
            "{item:?}"
        );
    }
    // Whole or not at all: what was skipped is in the target as it was before.
    let after = story.provider.objects(target).await?;
    for item in left.iter().filter(|item| done.iter().all(|other| other.label != item.label)) {
        assert_eq!(named(&after, &item.label), named(&before, &item.label), "{item:?}");
    }

    // Back in service, another promotion takes up what was left.
    restore(story, &story.scene.source).await?;
    story.sync(&story.scene.target.tenant_id).await?;
    let next = story.promote(&story.selection()).await?;
    assert_eq!(next.outcome(), OperationRunOutcome::Succeeded);
    let taken_up = next.summary_counts.context("a run counts")?.succeeded();
    assert_eq!(usize::try_from(taken_up)?, left.len());
    Ok(())
}

fn named<'o>(objects: &'o [Held], label: &str) -> Vec<(&'o str, &'o Map<String, Value>)> {
    objects.iter().filter(|object| object.name() == label).map(|object| (object.kind.as_str(), &object.body)).collect()
}

async fn execute(story: &Story) -> Result<OperationRun> {
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    job::execute(&story.manager, &selection, &preflight).await?.run.context("a promotion starts")
}

async fn progressed(watch: &mut Watch) -> Result<()> {
    while let Some((seen, _)) = watch.next().await? {
        if matches!(&seen, Seen::Event(event) if event.kind == "progressed") {
            return Ok(());
        }
    }
    bail!("the stream ended without progress")
}

async fn restart_worker(story: &mut Story, works: bool) -> Result<()> {
    let worker = &mut story.scene.stack.promotion[0];
    worker.set("TENANTATLAS_WORKER", if works { "true" } else { "false" });
    worker.kill().await?;
    worker.restart().await
}

async fn archive(story: &Story, tenant: &Tenant) -> Result<()> {
    let request = ArchiveTenantRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        confirmation: tenant.name.clone(),
        reason: "the contract ended".into(),
    };
    story.owner.tenants().archive_tenant(request).await?;
    Ok(())
}

async fn restore(story: &Story, tenant: &Tenant) -> Result<()> {
    let request = RestoreTenantRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        confirmation: tenant.name.clone(),
        reason: "it did not".into(),
    };
    story.owner.tenants().restore_tenant(request).await?;
    Ok(())
}
