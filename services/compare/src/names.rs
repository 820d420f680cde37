//! The names of a tenant's referable objects, as last observed.

use std::collections::BTreeSet;

use domain::contract::Registry;
use domain::id::{PolicyType, TenantId, WorkspaceId};
use domain::reference::NameTable;
use sqlx::PgConnection;

use crate::error::Result;
use crate::store;

/// Names read per statement.
const BATCH: i64 = 5_000;

/// The kinds that other objects refer to, by key: what a contract's rules name, and what every assignment and every object
/// with scope tags refers to.
pub fn referable_kinds(registry: &Registry) -> BTreeSet<&str> {
    let always = [PolicyType::GROUP, PolicyType::ASSIGNMENT_FILTER, PolicyType::ROLE_SCOPE_TAG];
    registry
        .iter()
        .flat_map(|contract| contract.references.iter().map(|rule| rule.kind.as_str()))
        .chain(always)
        .filter(|kind| registry.get(kind).is_some())
        .collect()
}

/// The names of the tenant's objects of these kinds.
pub async fn load(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    kinds: &[&str],
) -> Result<NameTable> {
    let mut table = NameTable::new();
    let mut after: Option<(String, String)> = None;
    while !kinds.is_empty() {
        let names = store::subject::names(conn, workspace, tenant, kinds, after.as_ref(), BATCH).await?;
        let full = i64::try_from(names.len()).is_ok_and(|count| count == BATCH);
        after = names.last().map(|last| (last.kind.0.clone(), last.external_id.0.clone()));
        for name in names {
            table.insert_subject(name.kind, name.external_id.as_str(), &name.subject_key, &name.display_name);
        }
        if !full {
            break;
        }
    }
    Ok(table)
}
