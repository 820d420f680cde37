//! Runs, their filters and their leases.

use domain::run::{Counts, Freshness, RunOutcome, RunStatus, canonical_link};
use pb::operation as proto;
use server::Failure;
use server::fields::{self, to_timestamp};
use server::structure::to_struct;
use server::telemetry::trace_id_in;

use super::parse_run_types;
use crate::run::SeenRun;
use crate::store::run::Wanted;
use crate::store::run::lease::Held;

/// Most entries of one list of a filter.
const MOST_OF_A_FILTER: usize = 500;

/// Which runs.
pub fn parse_wanted(field: &str, filter: Option<proto::RunFilter>) -> Result<Wanted, Failure> {
    let filter = filter.unwrap_or_default();
    let at = |name: &str| format!("{field}.{name}");
    for (name, length) in [
        ("types", filter.types.len()),
        ("tenant_ids", filter.tenant_ids.len()),
        ("statuses", filter.statuses.len()),
        ("outcomes", filter.outcomes.len()),
    ] {
        if length > MOST_OF_A_FILTER {
            return Err(Failure::invalid_argument(at(name), format!("must have at most {MOST_OF_A_FILTER} entries")));
        }
    }
    let initiator = fields::optional_text(&at("initiator_subject"), &filter.initiator_subject, 255)?;
    let created_from = fields::optional_time(&at("created_from"), filter.created_from.as_ref())?;
    let created_before = fields::optional_time(&at("created_before"), filter.created_before.as_ref())?;
    if created_from.zip(created_before).is_some_and(|(from, before)| from >= before) {
        return Err(Failure::invalid_argument(at("created_before"), "must be after created_from"));
    }
    Ok(Wanted {
        types: parse_run_types(&at("types"), &filter.types)?,
        tenants: fields::ids(&at("tenant_ids"), &filter.tenant_ids)?,
        statuses: parse_each(&at("statuses"), &filter.statuses, parse_status)?,
        outcomes: parse_each(&at("outcomes"), &filter.outcomes, parse_outcome)?,
        initiator_subject: initiator.map(str::to_owned),
        created_from,
        created_before,
        stuck: filter.stuck,
        imported: filter.imported,
    })
}

fn parse_each<T>(
    field: &str,
    values: &[i32],
    parse: impl Fn(&str, i32) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    values.iter().enumerate().map(|(index, value)| parse(&format!("{field}[{index}]"), *value)).collect()
}

fn parse_status(field: &str, value: i32) -> Result<RunStatus, Failure> {
    use proto::OperationRunStatus as Wire;
    match fields::choice(field, value)? {
        Wire::Queued => Ok(RunStatus::Queued),
        Wire::Running => Ok(RunStatus::Running),
        Wire::Completed => Ok(RunStatus::Completed),
        Wire::Unspecified => Err(Failure::invalid_argument(field, "is required")),
    }
}

/// An outcome of a run.
pub(super) fn parse_outcome(field: &str, value: i32) -> Result<RunOutcome, Failure> {
    use proto::OperationRunOutcome as Wire;
    match fields::choice(field, value)? {
        Wire::Pending => Ok(RunOutcome::Pending),
        Wire::Succeeded => Ok(RunOutcome::Succeeded),
        Wire::PartiallySucceeded => Ok(RunOutcome::PartiallySucceeded),
        Wire::Blocked => Ok(RunOutcome::Blocked),
        Wire::Failed => Ok(RunOutcome::Failed),
        Wire::Cancelled => Ok(RunOutcome::Cancelled),
        Wire::Unspecified => Err(Failure::invalid_argument(field, "is required")),
    }
}

/// A run as it is sent.
pub fn to_run(seen: &SeenRun) -> Result<proto::OperationRun, Failure> {
    let run = &seen.run;
    let counts = run.counts();
    let failure_summary = run.failure_summary.iter().map(|line| proto::FailureSummary {
        code: line.code.clone(),
        message: line.message.clone(),
        count: Some(number(line.count)),
    });
    Ok(proto::OperationRun {
        run_id: run.id.to_string(),
        workspace_id: run.workspace_id.to_string(),
        tenant_id: run.tenant_id.map(|tenant| tenant.to_string()).unwrap_or_default(),
        related_tenant_ids: run.related_tenant_ids.iter().map(ToString::to_string).collect(),
        r#type: run.run_type.to_string(),
        label: run.run_type.label().to_owned(),
        status: to_status(run.status).into(),
        outcome: to_outcome(run.outcome).into(),
        summary_counts: Some(to_counts(&counts, run.total.is_some())),
        failure_summary: failure_summary.collect(),
        initiator_subject: run.initiator_subject.clone().unwrap_or_default(),
        initiator_name: run.initiator_name.clone(),
        context: Some(to_struct(&serde_json::Value::Object(run.context.clone()))?),
        create_time: Some(to_timestamp(run.created_at)),
        start_time: run.started_at.map(to_timestamp),
        complete_time: run.completed_at.map(to_timestamp),
        update_time: Some(to_timestamp(run.updated_at)),
        attempt: i32::try_from(run.attempt).unwrap_or(i32::MAX),
        cancel_request_time: run.cancel_requested_at.map(to_timestamp),
        link: canonical_link(run.id),
        revision: run.rev,
        freshness: to_freshness(seen.freshness()).into(),
        progress_percent: run.total.and(counts.progress()).map(percent),
        imported: run.imported,
        external_id: run.external_id.clone().unwrap_or_default(),
        queue_deadline: run.queue_deadline.map(|at| to_timestamp(at + run.deadlines().paused_for)),
        run_deadline: run.run_deadline.map(|at| to_timestamp(at + run.deadlines().paused_for)),
        start_trace_id: trace_id(run.start_traceparent.as_deref()),
        work_trace_id: trace_id(run.work_traceparent.as_deref()),
    })
}

/// Counts as they are sent; `total` is absent while it is not known.
pub fn to_counts(counts: &Counts, total_is_known: bool) -> proto::SummaryCounts {
    proto::SummaryCounts {
        total: total_is_known.then(|| number(counts.total)),
        processed: Some(number(counts.processed)),
        succeeded: Some(number(counts.succeeded)),
        failed: Some(number(counts.failed)),
        skipped: Some(number(counts.skipped)),
        created: Some(number(counts.created)),
        updated: Some(number(counts.updated)),
        deleted: Some(number(counts.deleted)),
        unchanged: Some(number(counts.unchanged)),
    }
}

/// A claimed run as its worker gets it.
pub fn to_claimed_run(held: &Held) -> Result<proto::ClaimedRun, Failure> {
    let run = &held.seen.run;
    Ok(proto::ClaimedRun {
        run: Some(to_run(&held.seen)?),
        lease: Some(proto::Lease { run_id: run.id.to_string(), fence: run.fence }),
        lease_ttl: prost_types::Duration::try_from(held.ttl).ok(),
        start_traceparent: run.start_traceparent.clone().unwrap_or_default(),
        earlier_traceparent: run.work_traceparent.clone().unwrap_or_default(),
        cancel_requested: run.cancel_requested_at.is_some(),
    })
}

fn trace_id(traceparent: Option<&str>) -> String {
    traceparent.and_then(trace_id_in).unwrap_or_default().to_owned()
}

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Rounded down, so that 100 means all.
#[expect(clippy::cast_possible_truncation, reason = "between 0 and 100")]
fn percent(progress: f64) -> i32 {
    (progress * 100.0).floor() as i32
}

const fn to_status(status: RunStatus) -> proto::OperationRunStatus {
    match status {
        RunStatus::Queued => proto::OperationRunStatus::Queued,
        RunStatus::Running => proto::OperationRunStatus::Running,
        RunStatus::Completed => proto::OperationRunStatus::Completed,
    }
}

/// An outcome as it is sent.
pub const fn to_outcome(outcome: RunOutcome) -> proto::OperationRunOutcome {
    match outcome {
        RunOutcome::Pending => proto::OperationRunOutcome::Pending,
        RunOutcome::Succeeded => proto::OperationRunOutcome::Succeeded,
        RunOutcome::PartiallySucceeded => proto::OperationRunOutcome::PartiallySucceeded,
        RunOutcome::Blocked => proto::OperationRunOutcome::Blocked,
        RunOutcome::Failed => proto::OperationRunOutcome::Failed,
        RunOutcome::Cancelled => proto::OperationRunOutcome::Cancelled,
    }
}

const fn to_freshness(freshness: Freshness) -> proto::RunFreshness {
    match freshness {
        Freshness::FreshActive => proto::RunFreshness::FreshActive,
        Freshness::LikelyStale => proto::RunFreshness::LikelyStale,
        Freshness::ReconciledFailed => proto::RunFreshness::ReconciledFailed,
        Freshness::TerminalNormal => proto::RunFreshness::TerminalNormal,
    }
}
