//! Everything a compare rests on, read at one moment.

use std::collections::BTreeMap;

use domain::compare::{Comparison, compare};
use domain::id::PolicyType;
use server::caller::Caller;
use sqlx::PgConnection;

use super::{EvidenceAge, Selected, governed_types};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::coverage::Coverage;
use crate::store::subject::{Reach, Sides};
use crate::store::tenant::Tenant;

/// The coverage of a tenant by policy type.
pub(super) type CoverageByType = BTreeMap<PolicyType, Coverage>;

/// What a compare rests on.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The source tenant.
    pub(super) source: Tenant,
    /// The target tenant.
    pub(super) target: Tenant,
    /// What the newest sync of the source could see.
    pub(super) source_coverage: CoverageByType,
    /// What the newest sync of the target could see.
    pub(super) target_coverage: CoverageByType,
    /// Identity and hashes of both sides.
    pub(super) sides: Sides,
    /// Age of the source's evidence.
    pub(super) source_evidence: EvidenceAge,
    /// Age of the target's evidence.
    pub(super) target_evidence: EvidenceAge,
}

impl Gathered {
    /// The decision, over what was read.
    pub(super) fn compare(&self, selected: &Selected) -> Comparison<'_> {
        compare(&self.sides.source, &self.sides.target, &selected.selection)
    }
}

/// A transaction in which every statement sees the same moment: a sync may be writing meanwhile. No statement outlives the
/// caller's patience.
pub(super) async fn begin(state: &State, caller: &Caller, selected: &Selected) -> Result<pg::Tx> {
    let begin = pg::Begin::workspace(selected.workspace_id.uuid()).snapshot();
    let begin = match &caller.deadline {
        Some(deadline) => begin.statement_timeout(deadline.remaining()),
        None => begin,
    };
    Ok(state.db.begin(begin).await?)
}

/// Reads it all.
pub(super) async fn gather(conn: &mut PgConnection, state: &State, selected: &Selected) -> Result<Gathered> {
    let (workspace, selection) = (selected.workspace_id, &selected.selection);
    let (source, target) =
        store::tenant::find_pair(conn, workspace, selection.source, selection.target).await?.ok_or(Error::NotFound)?;
    let types = governed_types(&state.registry, selection);
    let (mut source_coverage, mut target_coverage) = (CoverageByType::new(), CoverageByType::new());
    for (tenant, coverage) in store::coverage::list(conn, workspace, &[source.id, target.id]).await? {
        let side = if tenant == source.id { &mut source_coverage } else { &mut target_coverage };
        side.insert(coverage.policy_type.clone(), coverage);
    }
    let reach = Reach {
        policy_types: &types.iter().copied().collect::<Vec<_>>(),
        subject_keys: &selection.filter.subject_keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(),
    };
    let sides = store::subject::sides(conn, workspace, source.id, target.id, &reach).await?;
    Ok(Gathered {
        source_evidence: EvidenceAge::of(source.id, &types, &source_coverage),
        target_evidence: EvidenceAge::of(target.id, &types, &target_coverage),
        source,
        target,
        source_coverage,
        target_coverage,
        sides,
    })
}
