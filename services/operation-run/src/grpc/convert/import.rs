//! Runs of an older system: read, and checked to the last field before anything is written.

use std::collections::HashSet;

use domain::id::{Hash, RunId, WorkspaceId};
use domain::run::counts::FailureLine;
use domain::run::{Counts, ImportFacts, RunOutcome, RunTenants, import_faults};
use pb::operation as proto;
use prost::Message as _;
use server::failure::FieldViolation;
use server::{Failure, ambient, fields};
use time::OffsetDateTime;

use super::run::parse_outcome;
use super::{parse_object, parse_reason, parse_run_type, to_run};
use crate::import_operation_runs::{Import, Imported};
use crate::store::run::import::ImportedRun;

/// Most runs of one request.
const MOST_RUNS: usize = 500;
/// Longest id of an older system, in characters.
const LONGEST_EXTERNAL_ID: usize = 200;
/// Largest context of a run, in bytes of JSON.
const MOST_CONTEXT_BYTES: usize = 64 << 10;
/// Most reasons of a failure summary: those of a run of our own, and one for the rest.
const MOST_REASONS: usize = 31;
/// Most faults that one answer tells.
const MOST_FAULTS: usize = 20;

/// What is to be brought in. Every run is looked at, so that one answer tells all that is wrong, up to 20 faults.
pub fn parse_import(request: proto::ImportOperationRunsRequest) -> Result<Import, Failure> {
    let id = fields::id("request_id", &request.request_id)?;
    let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
    if !(1..=MOST_RUNS).contains(&request.runs.len()) {
        return Err(Failure::invalid_argument("runs", format!("must have 1 to {MOST_RUNS} entries")));
    }
    let now = ambient::now();
    let (mut runs, mut faults, mut external_ids) = (Vec::new(), Vec::new(), HashSet::new());
    for (index, run) in request.runs.iter().enumerate() {
        if !run.external_id.is_empty() && !external_ids.insert(&run.external_id) {
            let field = format!("runs[{index}].external_id");
            faults.push(FieldViolation { field, why: "is the id of an earlier entry".into() });
        }
        match parse_run(now, index, run, &mut faults) {
            Ok(run) => runs.push(run),
            Err(failure) => faults.extend(failure.violations().iter().cloned()),
        }
    }
    if faults.is_empty() {
        return Ok(Import { request: id, workspace, runs });
    }
    faults.truncate(MOST_FAULTS);
    Err(Failure::invalid_arguments(faults))
}

fn parse_run(
    now: OffsetDateTime,
    index: usize,
    run: &proto::HistoricalRun,
    faults: &mut Vec<FieldViolation>,
) -> Result<ImportedRun, Failure> {
    let at = |field: &str| format!("runs[{index}].{field}");
    let run_type = parse_run_type(&at("type"), &run.r#type)?;
    let tenants = RunTenants {
        tenant: fields::optional_id(&at("tenant_id"), &run.tenant_id)?,
        related: fields::ids(&at("related_tenant_ids"), &run.related_tenant_ids)?,
    };
    if !tenants.fits(run_type) {
        return Err(Failure::invalid_argument(at("tenant_id"), "the tenants do not fit the type"));
    }
    let facts = ImportFacts {
        outcome: parse_outcome(&at("outcome"), run.outcome)?,
        counts: run.summary_counts.as_ref().map(|counts| parse_counts(&at("summary_counts"), counts)).transpose()?,
        created_at: fields::time(&at("create_time"), run.create_time.as_ref())?,
        started_at: fields::optional_time(&at("start_time"), run.start_time.as_ref())?,
        completed_at: fields::time(&at("complete_time"), run.complete_time.as_ref())?,
    };
    let found = import_faults(now, &facts);
    faults.extend(found.iter().map(|fault| FieldViolation { field: at(fault.field), why: fault.why.into() }));
    let subject = fields::optional_text(&at("initiator_subject"), &run.initiator_subject, 255)?;
    Ok(ImportedRun {
        id: RunId(ambient::fresh_id()),
        external_id: fields::text(&at("external_id"), &run.external_id, LONGEST_EXTERNAL_ID)?.to_owned(),
        run_type,
        tenants,
        outcome: facts.outcome,
        counts: facts.counts,
        failure_summary: parse_failure_summary(&at("failure_summary"), &run.failure_summary, facts.outcome)?,
        initiator_subject: subject.map(str::to_owned),
        initiator_name: fields::text(&at("initiator_name"), &run.initiator_name, 255)?.to_owned(),
        context: parse_object(&at("context"), run.context.as_ref(), MOST_CONTEXT_BYTES)?,
        created_at: facts.created_at,
        started_at: facts.started_at,
        completed_at: facts.completed_at,
        content: Hash::of(run.encode_to_vec()),
    })
}

fn parse_counts(field: &str, counts: &proto::SummaryCounts) -> Result<Counts, Failure> {
    let count = |name: &str, value: Option<i32>| {
        u64::try_from(value.unwrap_or(0))
            .map_err(|_| Failure::invalid_argument(format!("{field}.{name}"), "must not be negative"))
    };
    if counts.total.is_none() {
        return Err(Failure::invalid_argument(format!("{field}.total"), "is required where there are counts"));
    }
    Ok(Counts {
        total: count("total", counts.total)?,
        processed: count("processed", counts.processed)?,
        succeeded: count("succeeded", counts.succeeded)?,
        failed: count("failed", counts.failed)?,
        skipped: count("skipped", counts.skipped)?,
        created: count("created", counts.created)?,
        updated: count("updated", counts.updated)?,
        deleted: count("deleted", counts.deleted)?,
        unchanged: count("unchanged", counts.unchanged)?,
    })
}

fn parse_failure_summary(
    field: &str,
    lines: &[proto::FailureSummary],
    outcome: RunOutcome,
) -> Result<Vec<FailureLine>, Failure> {
    if lines.len() > MOST_REASONS {
        return Err(Failure::invalid_argument(field, format!("must have at most {MOST_REASONS} entries")));
    }
    if outcome == RunOutcome::Succeeded && !lines.is_empty() {
        return Err(Failure::invalid_argument(field, "a run that succeeded has none"));
    }
    let line = |(index, line): (usize, &proto::FailureSummary)| {
        let at = |name: &str| format!("{field}[{index}].{name}");
        Ok(FailureLine {
            code: parse_reason(&at("code"), &line.code)?,
            message: fields::optional_text(&at("message"), &line.message, 500)?.unwrap_or_default().to_owned(),
            count: u64::try_from(line.count.unwrap_or(0))
                .map_err(|_| Failure::invalid_argument(at("count"), "must not be negative"))?,
        })
    };
    lines.iter().enumerate().map(line).collect()
}

/// The runs as they are sent.
pub fn to_import_response(imported: &[Imported]) -> Result<proto::ImportOperationRunsResponse, Failure> {
    let result = |imported: &Imported| {
        Ok(proto::ImportResult { run: Some(to_run(&imported.seen)?), already_imported: !imported.new })
    };
    let results = imported.iter().map(result).collect::<Result<_, Failure>>()?;
    Ok(proto::ImportOperationRunsResponse { results })
}
