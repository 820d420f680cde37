//! The preflight of a selection: what is read beyond a compare, and the decision.

use std::collections::{BTreeMap, BTreeSet};

use domain::compare::{CompareState, Comparison, SubjectRow};
use domain::id::{PolicyType, TenantId};
use domain::preflight::{self, Captured, Captures, Evidence, Preflight, Side, TargetTenant};
use domain::reference::NameTable;
use server::caller::Caller;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Selected;
use super::gather::{CoverageByType, Gathered, begin, gather};
use crate::error::Result;
use crate::names;
use crate::state::State;
use crate::store;

/// A preflight with what it was derived from.
#[derive(Debug)]
pub(super) struct Judged {
    /// What was read.
    pub(super) gathered: Gathered,
    /// What was decided.
    pub(super) preflight: Preflight,
}

/// Derives the preflight of a selection at `now`. Everything is read at one moment.
pub(super) async fn judge(state: &State, caller: &Caller, selected: &Selected, now: OffsetDateTime) -> Result<Judged> {
    let mut tx = begin(state, caller, selected).await?;
    let gathered = gather(&mut tx, state, selected).await?;
    let comparison = gathered.compare(selected);
    let source_captures = captures(&mut tx, selected, gathered.source.id, source_rows(&comparison)).await?;
    let target_captures = captures(&mut tx, selected, gathered.target.id, target_rows(&comparison)).await?;
    // Only the kinds that candidates refer to: a tenant may have very many groups and few that matter.
    let kinds = referred_kinds(&comparison, &source_captures, selected.selection.include_assignments);
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let target_names = names::load(&mut tx, selected.workspace_id, gathered.target.id, &kinds).await?;
    let denied = store::provider_connection::denied_types(&mut tx, selected.workspace_id, gathered.target.id).await?;
    drop(tx);
    let preflight = decide(
        state,
        selected,
        &gathered,
        &comparison,
        &source_captures,
        &target_captures,
        &target_names,
        &denied,
        now,
    );
    drop(comparison);
    Ok(Judged { gathered, preflight })
}

#[expect(clippy::too_many_arguments, reason = "each is one thing the decision rests on, and it is called once")]
fn decide(
    state: &State,
    selected: &Selected,
    gathered: &Gathered,
    comparison: &Comparison<'_>,
    source_captures: &Captures,
    target_captures: &Captures,
    target_names: &NameTable,
    denied_types: &BTreeSet<PolicyType>,
    now: OffsetDateTime,
) -> Preflight {
    let (source_coverage, target_coverage) = (coverage(&gathered.source_coverage), coverage(&gathered.target_coverage));
    preflight::preflight(&Evidence {
        selection: &selected.selection,
        comparison,
        registry: &state.registry,
        source: Side { tenant_name: &gathered.source.name, coverage: &source_coverage, captures: source_captures },
        target: Side { tenant_name: &gathered.target.name, coverage: &target_coverage, captures: target_captures },
        source_tenant: gathered.source.facts(),
        target_tenant: TargetTenant { facts: gathered.target.facts(), denied_types },
        target_names,
        staleness_limit: state.stale_after,
        now,
    })
}

fn coverage(stored: &CoverageByType) -> BTreeMap<PolicyType, preflight::Coverage> {
    let decided = |coverage: &store::coverage::Coverage| preflight::Coverage {
        state: coverage.state,
        observed_at: coverage.observed_at,
        approval_required: coverage.approval_required,
    };
    stored.iter().map(|(policy_type, coverage)| (policy_type.clone(), decided(coverage))).collect()
}

/// The source's objects that could be promoted.
fn source_rows<'c>(comparison: &'c Comparison<'_>) -> impl Iterator<Item = &'c SubjectRow> {
    candidates(comparison).flat_map(|subject| subject.source.iter().copied())
}

/// The target's objects they would change.
fn target_rows<'c>(comparison: &'c Comparison<'_>) -> impl Iterator<Item = &'c SubjectRow> {
    candidates(comparison).flat_map(|subject| subject.target.iter().copied())
}

fn candidates<'c, 'r>(
    comparison: &'c Comparison<'r>,
) -> impl Iterator<Item = &'c domain::compare::ComparedSubject<'r>> {
    comparison.subjects.iter().filter(|subject| subject.state != CompareState::Identical && !subject.source.is_empty())
}

async fn captures(
    conn: &mut PgConnection,
    selected: &Selected,
    tenant: TenantId,
    rows: impl Iterator<Item = &SubjectRow>,
) -> Result<Captures> {
    let (types, ids): (Vec<&str>, Vec<&str>) =
        rows.map(|row| (row.policy_type.as_str(), row.external_id.as_str())).unzip();
    let mut captures = Captures::new();
    if types.is_empty() {
        return Ok(captures);
    }
    for behind in store::subject::behind(conn, selected.workspace_id, tenant, &types, &ids).await? {
        let captured =
            Captured { facts: behind.facts, version: Some(behind.version_id), observed_at: behind.observed_at };
        captures.insert(behind.policy_type, behind.external_id, captured);
    }
    Ok(captures)
}

/// The kinds that what would be promoted refers to. Assignments count when they are promoted along: they refer to groups, of which
/// a tenant may have very many.
fn referred_kinds(comparison: &Comparison<'_>, captures: &Captures, include_assignments: bool) -> BTreeSet<PolicyType> {
    let captured = source_rows(comparison).filter_map(|row| captures.get(row));
    captured
        .flat_map(|captured| {
            let facts = &captured.facts;
            let assigned = if include_assignments { facts.assignment_references.as_slice() } else { &[] };
            facts.references.iter().chain(assigned)
        })
        .map(|reference| reference.kind.clone())
        .collect()
}
