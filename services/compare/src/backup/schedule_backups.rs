//! The scheduler. It runs on every replica, and none of them leads.
//!
//! A time becomes a slot, in the transaction that moves the schedule on, under the schedule's lock; a slot becomes a run, by a request
//! id that follows from schedule and time. A process that dies after the first leaves the slot to the others; one that dies after the
//! second leaves a run that asking again finds. So a time has at most one slot and a slot at most one run, by unique indexes, and none
//! is lost beyond what the schedule itself declared not to make up for. All times are the database's.

use std::time::Duration;

use domain::backup::{Turn, due, request_of, turn};
use domain::id::RunId;
use domain::json::canonical_hash;
use domain::operability::{Question, state_allows};
use domain::run::RunType;
use pb::operation::{OperationRunStatus, StartOutcome};
use serde_json::json;
use server::failure::{Category, Failure};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::prune::prune;
use super::start::backup_run;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store::backup_schedule::Schedule;
use crate::store::backup_slot::Slot;
use crate::store::{self, StoreError};

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// For how long a slot belongs to the replica that tries to start it. After a try that failed, it is tried again that much later.
const LEASE: Duration = Duration::from_secs(30);
/// Slots claimed at once.
const BATCH: i64 = 20;

/// Why a slot was passed over.
mod reason {
    /// The backup before is still active.
    pub(super) const OVERLAP: &str = "PREVIOUS_BACKUP_ACTIVE";
    /// The schedule was archived in between.
    pub(super) const ARCHIVED: &str = "BACKUP_SCHEDULE_ARCHIVED";
}

/// Schedules until told to stop.
pub async fn run(state: State, drain: CancellationToken) {
    while drain.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        if let Err(error) = look_now(&state, &drain).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "backups could not be scheduled; trying again");
        }
    }
}

async fn look_now(state: &State, drain: &CancellationToken) -> Result<u64> {
    let now = store::clock(state.db.pool()).await?;
    look(state, now, drain).await
}

/// Looks once: writes down what is due at `now`, starts what is written down. Says how many runs were started.
///
/// # Errors
/// When the database or operation-run-service is away. Whatever is not done is left to the next look of any replica.
pub async fn look(state: &State, now: OffsetDateTime, drain: &CancellationToken) -> Result<u64> {
    while !drain.is_cancelled() && write_down_one(state, now).await? {}
    let mut started = 0;
    while !drain.is_cancelled() {
        let mut tx = state.db.system().await?;
        let slots = store::backup_slot::claim(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        if slots.is_empty() {
            break;
        }
        for slot in &slots {
            match start(state, slot).await {
                Ok(one) => started += u64::from(one),
                Err(error) if is_away(&error) => return Err(error),
                // A defect of this one: it is tried again when its lease is over, and takes no other down.
                Err(error) => {
                    let schedule = slot.schedule_id;
                    tracing::error!(%schedule, error = &error as &dyn std::error::Error, "a slot cannot be started");
                }
            }
        }
    }
    Ok(started)
}

/// Whether the next one would fail of the same.
fn is_away(error: &Error) -> bool {
    match error {
        Error::Failure(failure) => failure.category() != Category::Internal,
        Error::Store(StoreError::Unreadable { .. }) | Error::NotFound => false,
        _ => true,
    }
}

/// Writes down the due times of one schedule; false when none is due.
async fn write_down_one(state: &State, now: OffsetDateTime) -> Result<bool> {
    let mut tx = state.db.system().await?;
    let Some(schedule) = store::backup_schedule::take_due(&mut tx, now).await? else { return Ok(false) };
    let (id, plan) = (schedule.id, &schedule.plan);
    let Ok(timing) = plan.timing() else {
        // Written by a release that knew more. It keeps its times; this one looks at the next schedule in a while.
        tracing::error!(schedule = %id, "the schedule's timing cannot be read by this release");
        let later = now + LEASE;
        store::backup_schedule::advance(&mut tx, &schedule, schedule.considered_until, Some(later)).await?;
        tx.commit().await?;
        return Ok(true);
    };
    let due = due(&timing, schedule.considered_until, now, plan.catch_up);
    if due.passed_over > 0 {
        tracing::info!(schedule = %id, passed_over = due.passed_over, "missed times of a backup schedule are not made up for");
    }
    store::backup_slot::insert(&mut tx, schedule.workspace_id, id, &due.fire).await?;
    store::backup_schedule::advance(&mut tx, &schedule, due.until, due.next).await?;
    // Retention by age goes on when no backup succeeds.
    prune(&mut tx, &schedule).await?;
    tx.commit().await?;
    Ok(true)
}

/// Starts the run of a slot, or passes it over; true when it was started.
async fn start(state: &State, slot: &Slot) -> Result<bool> {
    let decided = decide(state, slot).await;
    let mut tx = state.db.workspace(slot.workspace_id.uuid()).await?;
    let started = match decided? {
        Decided::Started(run) => store::backup_slot::mark_started(&mut tx, slot, run).await?,
        Decided::PassedOver(why) => {
            tracing::info!(schedule = %slot.schedule_id, fire_at = %slot.fire_at, why, "a scheduled backup is passed over");
            store::backup_slot::mark_passed_over(&mut tx, slot, &why).await?;
            false
        }
        // Its lease runs out, and it is tried again.
        Decided::NotYet => false,
    };
    tx.commit().await?;
    Ok(started)
}

/// What becomes of a slot.
enum Decided {
    Started(RunId),
    PassedOver(String),
    NotYet,
}

async fn decide(state: &State, slot: &Slot) -> Result<Decided> {
    let (workspace, tenant) = (slot.workspace_id, slot.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::backup_schedule::find(&mut tx, workspace, tenant, slot.schedule_id).await?;
    let schedule = found.ok_or(Error::NotFound)?;
    let of_tenant = store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    let before = store::backup_slot::started_before(&mut tx, slot).await?;
    drop(tx);
    if schedule.archived_at.is_some() {
        return Ok(Decided::PassedOver(reason::ARCHIVED.to_owned()));
    }
    if let Err(denied) = state_allows(Question::Backup, of_tenant.facts()) {
        return Ok(Decided::PassedOver(denied.reason.as_str().to_owned()));
    }
    let active = match before {
        Some(time) => is_active(state, &schedule, time).await?,
        None => false,
    };
    match turn(schedule.plan.overlap, active) {
        Turn::PassOver => Ok(Decided::PassedOver(reason::OVERLAP.to_owned())),
        Turn::Start => start_run(state, &schedule, slot).await,
    }
}

/// Whether the run that was started for this time has not ended yet.
async fn is_active(state: &State, schedule: &Schedule, fire_at: OffsetDateTime) -> Result<bool> {
    let request = request_of(schedule.id.uuid(), fire_at);
    let found = state.operation_runs.earlier_of_ours(schedule.workspace_id, request).await?;
    Ok(found.is_some_and(|run| run.status() != OperationRunStatus::Completed))
}

async fn start_run(state: &State, schedule: &Schedule, slot: &Slot) -> Result<Decided> {
    let request = request_of(schedule.id.uuid(), slot.fire_at);
    // Not over the plan: it may be changed between two tries of the same slot.
    let digest = canonical_hash(&json!(["backup slot", schedule.id, slot.fire_at.unix_timestamp()]));
    let run_type = RunType::BackupScheduleScheduled;
    let run = backup_run(state, schedule, run_type, request, digest, Some(slot.fire_at));
    let answer = match state.operation_runs.start_by_itself(run).await {
        Ok(started) => started.0,
        Err(failure) if failure.category() == Category::FailedPrecondition => {
            return Ok(Decided::PassedOver(failure.reason().to_owned()));
        }
        Err(failure) => return Err(failure.into()),
    };
    match answer.outcome() {
        StartOutcome::Queued | StartOutcome::Deduped => {
            let run = answer.run.unwrap_or_default();
            let id = run.run_id.parse().map_err(|_| Failure::internal("a started run has no id that can be read"))?;
            Ok(Decided::Started(id))
        }
        // Paused by an operator, who resumes it: the slot waits.
        StartOutcome::Blocked | StartOutcome::ScopeBusy | StartOutcome::Unspecified => Ok(Decided::NotYet),
    }
}
