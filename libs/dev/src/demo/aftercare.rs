//! What keeps a tenant safe after the main job: a backup that its schedule starts, a run that is stopped, and a policy that somebody
//! changed, put back.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pb::audit::AuditEvent;
use pb::backup::{
    BackupPlan, BackupSet, BackupSetEntry, BackupSetState, CatchUpPolicy, CreateBackupScheduleRequest,
    ListBackupSetEntriesRequest, ListBackupSetsRequest, OverlapPolicy,
};
use pb::operation::{CancelOperationRunRequest, OperationRun, OperationRunOutcome, StartOutcome};
use pb::restore::restore_selection::Origin;
use pb::restore::{BackupSetOrigin, PreviewRestoreResponse, RestoreFate, RestoreSelection};
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::portal::Portal;
use super::{heading, outcome_words, show_end};
use crate::client::Session;
use crate::job;
use crate::scene::Scene;

/// A schedule names minutes: one fires within a minute and a bit, and its backup takes some seconds.
const BACKUP_LIMIT: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(500);
/// Slow enough that a sync is still under way when somebody wants it to stop.
const SLOW: Duration = Duration::from_millis(400);
/// What somebody changes by hand: types that take a new description as it comes, and where they are.
const CHANGEABLE: [(&str, &str); 3] = [
    ("deviceManagementScript", "/deviceManagement/deviceManagementScripts"),
    ("deviceShellScript", "/deviceManagement/deviceShellScripts"),
    ("roleScopeTag", "/deviceManagement/roleScopeTags"),
];

/// Plays it on the target tenant.
pub(super) async fn play(scene: &Scene, manager: &Session) -> Result<()> {
    heading("Schedule a backup");
    let schedule = schedule(scene, manager).await?;

    heading("Meanwhile: stop an operation");
    stop_a_sync(scene, manager).await?;

    heading("The scheduled backup");
    let set = backed_up(scene, manager, &schedule).await?;

    heading("Restore");
    restore(scene, manager, &set).await
}

/// A daily schedule that is due at the next full minute.
async fn schedule(scene: &Scene, manager: &Session) -> Result<String> {
    // With some seconds to spare, so that the minute does not pass while it is written down.
    let due = OffsetDateTime::now_utc() + time::Duration::seconds(65);
    let plan = BackupPlan {
        name: "Daily".into(),
        cron: format!("{} {} * * *", due.minute(), due.hour()),
        time_zone: "UTC".into(),
        catch_up: CatchUpPolicy::Latest.into(),
        overlap: OverlapPolicy::Skip.into(),
        keep_last: 7,
        ..Default::default()
    };
    let request = CreateBackupScheduleRequest {
        request_id: job::request_id(),
        workspace_id: scene.workspace_id.clone(),
        tenant_id: scene.target.tenant_id.clone(),
        plan: Some(plan.clone()),
    };
    let made = manager.backups().create_backup_schedule(request).await?.into_inner().schedule;
    let made = made.context("a created schedule is returned")?;
    println!("  {} \"{}\" {}, next at {}", plan.name, plan.cron, plan.time_zone, shown(made.next_fire_time)?);
    Ok(made.backup_schedule_id)
}

/// A sync of the source that takes too long is stopped by whoever started it.
async fn stop_a_sync(scene: &Scene, manager: &Session) -> Result<()> {
    let portal = Portal::of(&scene.stack, &scene.source.external_tenant_id)?;
    portal.slow_down(SLOW).await?;
    let run = job::start_sync(manager, &scene.workspace_id, &scene.source.tenant_id).await?;
    println!("  Inventory sync of {}, on a slow day of the provider: {}", scene.source.name, run.link);
    let request = CancelOperationRunRequest {
        request_id: job::request_id(),
        run_id: run.run_id.clone(),
        reason: "the change window is over".into(),
    };
    manager.runs().cancel_operation_run(request).await?;
    let run = job::wait_for_end(manager, &run.run_id).await?;
    portal.speed_up().await?;
    ensure!(run.outcome() == OperationRunOutcome::Cancelled, "the sync was not cancelled: {run:?}");
    println!("  {}", outcome_words(&run));
    show_audit(scene, manager, &run.run_id).await
}

/// Waits until the schedule has left its first set.
async fn backed_up(scene: &Scene, manager: &Session, schedule: &str) -> Result<BackupSet> {
    let request = ListBackupSetsRequest {
        workspace_id: scene.workspace_id.clone(),
        tenant_id: scene.target.tenant_id.clone(),
        backup_schedule_id: schedule.to_owned(),
        ..Default::default()
    };
    println!("  Waiting for the schedule to fire ...");
    let limit = Instant::now() + BACKUP_LIMIT;
    let set = loop {
        let sets = manager.backups().list_backup_sets(request.clone()).await?.into_inner().sets;
        match sets.into_iter().find(|set| set.state() != BackupSetState::InProgress) {
            Some(set) => break set,
            None if Instant::now() > limit => bail!("the schedule has left no backup set within {BACKUP_LIMIT:?}"),
            None => sleep(POLL).await,
        }
    };
    ensure!(set.run_type == "backup_schedule.scheduled", "the set is the schedule's own: {set:?}");
    let run = job::wait_for_end(manager, &set.backup_set_id).await?;
    println!(
        "  Meant for {}: {}, {} versions of {}. {}",
        shown(set.intended_fire_time)?,
        outcome_words(&run),
        set.entry_count(),
        scene.target.name,
        set.run_link
    );
    show_audit(scene, manager, &run.run_id).await?;
    Ok(set)
}

/// Somebody changes a policy past TenantAtlas, and it is put back.
async fn restore(scene: &Scene, manager: &Session, set: &BackupSet) -> Result<()> {
    let Some((entry, path)) = changeable(scene, manager, set).await? else {
        println!("  The tenant has no script and no scope tag that could be changed by hand here.");
        return Ok(());
    };
    let portal = Portal::of(&scene.stack, &scene.target.external_tenant_id)?;
    portal.patch(&format!("{path}/{}", entry.external_id), &json!({"description": "Changed by hand."})).await?;
    println!("  Somebody changes \"{}\" in the provider's portal.", entry.display_name);
    job::sync(manager, &scene.workspace_id, &scene.target.tenant_id).await?;

    let selection = RestoreSelection {
        workspace_id: scene.workspace_id.clone(),
        tenant_id: scene.target.tenant_id.clone(),
        origin: Some(Origin::BackupSet(BackupSetOrigin {
            backup_set_id: set.backup_set_id.clone(),
            ..Default::default()
        })),
        include_assignments: true,
    };
    let preview = job::restore_preview(manager, &selection).await?;
    show_preview(&preview);
    let started = job::restore(manager, &selection, &preview).await?;
    ensure!(started.outcome() == StartOutcome::Queued, "the restore was not queued: {started:?}");
    let run = started.run.context("a queued run is returned")?;
    println!("  Open operation: {}", run.link);
    let run = job::wait_for_end(manager, &run.run_id).await?;
    show_end(manager, &run).await?;
    show_audit(scene, manager, &run.run_id).await?;
    prove_restored(scene, manager, &selection, &run).await
}

/// A policy of the set that can be changed by hand.
async fn changeable(
    scene: &Scene,
    manager: &Session,
    set: &BackupSet,
) -> Result<Option<(BackupSetEntry, &'static str)>> {
    let request = ListBackupSetEntriesRequest {
        workspace_id: scene.workspace_id.clone(),
        tenant_id: scene.target.tenant_id.clone(),
        backup_set_id: set.backup_set_id.clone(),
        page_size: 1000,
        ..Default::default()
    };
    let entries = manager.backups().list_backup_set_entries(request).await?.into_inner().entries;
    // Every tenant has the scope tag 0 from the start: it is not restored.
    let of_type = |policy_type: &str| {
        entries.iter().find(|entry| entry.policy_type == policy_type && entry.external_id != "0").cloned()
    };
    Ok(CHANGEABLE.into_iter().find_map(|(policy_type, path)| Some((of_type(policy_type)?, path))))
}

fn show_preview(preview: &PreviewRestoreResponse) {
    let counts = preview.counts.unwrap_or_default();
    println!(
        "  Restore preview: {} to create, {} to update, {} unchanged, {} blocked",
        counts.create(),
        counts.update(),
        counts.unchanged(),
        counts.blocked()
    );
    for policy in preview.policies.iter().filter(|policy| policy.fate() != RestoreFate::Unchanged) {
        let fate = policy.fate().as_str_name().trim_start_matches("RESTORE_FATE_").to_lowercase();
        println!("  - {fate}: {} ({}), version {}", policy.display_name, policy.policy_type, policy.number);
        for reason in &policy.reasons {
            println!("      {}: {}", reason.reason, reason.message);
        }
    }
}

async fn prove_restored(
    scene: &Scene,
    manager: &Session,
    selection: &RestoreSelection,
    run: &OperationRun,
) -> Result<()> {
    ensure!(run.outcome() == OperationRunOutcome::Succeeded, "the restore did not succeed wholly");
    job::sync(manager, &scene.workspace_id, &scene.target.tenant_id).await?;
    let counts = job::restore_preview(manager, selection).await?.counts.unwrap_or_default();
    ensure!((counts.create(), counts.update()) == (0, 0), "something is still to be restored: {counts:?}");
    println!("  Every policy that could be restored is as it was backed up.");
    Ok(())
}

async fn show_audit(scene: &Scene, manager: &Session, run_id: &str) -> Result<()> {
    let events = job::audit_of_run(manager, &scene.workspace_id, run_id).await?;
    ensure!(events.len() >= 2, "start and end of a run are on record: {events:?}");
    println!("  Audit trail:");
    for AuditEvent { event_time, action, actor_name, outcome, .. } in events {
        let who = if actor_name.is_empty() { "the system" } else { &actor_name };
        println!("    {}  {action}  by {who}: {outcome}", shown(event_time)?);
    }
    Ok(())
}

fn shown(time: Option<prost_types::Timestamp>) -> Result<String> {
    let time = OffsetDateTime::from_unix_timestamp(time.context("a time is told")?.seconds)?;
    Ok(format!("{:02}:{:02}:{:02} UTC", time.hour(), time.minute(), time.second()))
}
