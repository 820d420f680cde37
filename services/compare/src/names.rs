//! The names of a tenant's referable objects, as last observed.

use std::collections::BTreeSet;

use domain::contract::Registry;
use domain::id::{PolicyType, TenantId, WorkspaceId};
use domain::reference::NameTable;
use serde_json::Value;
use sqlx::PgConnection;

use crate::error::Result;
use crate::store;

/// No id is longer than this.
const MAX_ID_BYTES: usize = 512;
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

/// The names that reading `content` can need: of every object it may refer to, and of the namesakes of those, because a name
/// carries only while it is the only one. Few, where a tenant may have very many.
pub async fn mentioned(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    kinds: &[&str],
    content: &Value,
) -> Result<NameTable> {
    let mut ids = BTreeSet::new();
    collect_ids(content, &mut ids);
    let ids: Vec<String> = ids.into_iter().collect();
    let mut table = NameTable::new();
    for name in store::subject::names_of(conn, workspace, tenant, kinds, &ids).await? {
        table.insert_subject(name.kind, name.external_id.as_str(), &name.subject_key, &name.display_name);
    }
    Ok(table)
}

/// Every text that could be an id; ids are compared without regard to case.
fn collect_ids(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() <= MAX_ID_BYTES => drop(ids.insert(text.trim().to_lowercase())),
        Value::Array(elements) => elements.iter().for_each(|element| collect_ids(element, ids)),
        Value::Object(fields) => fields.values().for_each(|field| collect_ids(field, ids)),
        _ => {}
    }
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
            if name.missing {
                table.doubt(name.kind.clone(), name.external_id.as_str());
            }
            table.insert_subject(name.kind, name.external_id.as_str(), &name.subject_key, &name.display_name);
        }
        if !full {
            break;
        }
    }
    Ok(table)
}
