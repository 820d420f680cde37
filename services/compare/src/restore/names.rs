//! The names of a tenant that content is restored to: of what it has, and of what is gone.

use std::collections::BTreeSet;

use domain::contract::Registry;
use domain::id::{PolicyType, TenantId, WorkspaceId};
use domain::identity::name_in_key;
use domain::reference::NameTable;
use sqlx::PgConnection;

use crate::error::Result;
use crate::names;
use crate::store;

/// Names read per statement.
const BATCH: i64 = 5_000;

/// The kinds that objects of these types refer to.
pub(super) fn referred_kinds<'r>(
    registry: &'r Registry,
    policy_types: &BTreeSet<&PolicyType>,
    include_assignments: bool,
) -> Vec<&'r str> {
    let assigned = [PolicyType::GROUP, PolicyType::ASSIGNMENT_FILTER].into_iter().filter(|_| include_assignments);
    let contracts = policy_types.iter().filter_map(|policy_type| registry.get(policy_type.as_str()));
    let kinds: BTreeSet<&str> = contracts
        .flat_map(|contract| contract.references.iter().map(|rule| rule.kind.as_str()))
        .chain([PolicyType::ROLE_SCOPE_TAG])
        .chain(assigned)
        .filter(|kind| registry.get(kind).is_some())
        .collect();
    kinds.into_iter().collect()
}

/// The table, keeping ids, with the names of what is gone recalled as they were last known.
pub(super) async fn load(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    kinds: &[&str],
) -> Result<NameTable> {
    let mut table = names::load(conn, workspace, tenant, kinds).await?.keeping_ids();
    let mut after: Option<(String, String)> = None;
    while !kinds.is_empty() {
        let gone = store::restore::gone_names(conn, workspace, tenant, kinds, after.as_ref(), BATCH).await?;
        let full = i64::try_from(gone.len()).is_ok_and(|count| count == BATCH);
        after = gone.last().map(|last| (last.kind.0.clone(), last.external_id.0.clone()));
        for gone in gone {
            let name = name_in_key(&gone.kind, &gone.subject_key).to_owned();
            table.recall(gone.kind, gone.external_id.as_str(), &name, &gone.display_name);
        }
        if !full {
            break;
        }
    }
    Ok(table)
}
