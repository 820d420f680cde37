//! Starts `inventory.sync` for a tenant.

use std::collections::BTreeSet;

use domain::access::{Capability, Need};
use domain::contract::Registry;
use domain::id::{PolicyType, RequestId, TenantId, WorkspaceId};
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::run::RunType;
use serde_json::{Value, json};
use server::caller::Caller;

use crate::client::{NewItem, NewRun, Started};
use crate::error::Result;
use crate::names::referable_kinds;
use crate::start_reading::start_gated;
use crate::state::State;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SyncInventory {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Known policy types; empty for all.
    pub policy_types: BTreeSet<PolicyType>,
}

/// Starts it.
pub async fn sync_inventory(state: &State, caller: &Caller, request: &SyncInventory) -> Result<Started> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let need = Need::OnTenant(tenant, Capability::TenantInventorySync);
    state.authorise(caller, workspace, &[tenant], &[need]).await?;
    let request_digest = canonical_hash(&json!(["SyncInventory", workspace, tenant, request.policy_types]));
    let items = items(&state.registry, &request.policy_types);
    let selection = selection(items.iter().map(|item| item.policy_type.as_str()));
    let identity = canonical_hash(&selection);
    let run = NewRun {
        run_type: RunType::InventorySync,
        request_id: request.request_id,
        workspace_id: workspace,
        tenant_id: tenant,
        identity,
        request_digest,
        context: json!({ "selection": selection, "selection_hash": identity }),
        items,
    };
    start_gated(state, caller, run, Question::InventorySync).await
}

/// The types to read, foundations first. Types that give names to references are always read along: a normal form made
/// with yesterday's names would differ for no reason of its own.
pub(crate) fn items(registry: &Registry, wanted: &BTreeSet<PolicyType>) -> Vec<NewItem> {
    let along = referable_kinds(registry);
    registry
        .iter()
        .filter(|contract| {
            wanted.is_empty() || wanted.contains(&contract.policy_type) || along.contains(contract.policy_type.as_str())
        })
        .map(|contract| NewItem::of_type(&contract.policy_type.0, &contract.label))
        .collect()
}

/// What a run of these policy types reads, as a sorted set: naming every type and naming none is the same selection.
pub(crate) fn selection<'t>(policy_types: impl IntoIterator<Item = &'t str>) -> Value {
    let types: BTreeSet<&str> = policy_types.into_iter().collect();
    json!({ "policy_types": types })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_names_is_read_along_and_first() {
        let items = items(graph::registry(), &["settingsCatalogPolicy".into()].into());
        let position = |key: &str| items.iter().position(|item| item.policy_type == key);
        assert!(position("roleScopeTag").unwrap() < position("settingsCatalogPolicy").unwrap());
        assert!(position("group").is_some() && position("assignmentFilter").is_some());
        assert!(position("deviceHealthScript").is_none());
    }

    #[test]
    fn naming_every_type_is_the_selection_of_naming_none() {
        let registry = graph::registry();
        let all = registry.iter().map(|contract| contract.policy_type.clone()).collect();
        let (every, none) = (items(registry, &all), items(registry, &BTreeSet::new()));
        let read = |items: &[NewItem]| selection(items.iter().rev().map(|item| item.policy_type.as_str()));
        assert_eq!(
            canonical_hash(&read(&every)),
            canonical_hash(&selection(none.iter().map(|item| &*item.policy_type)))
        );
    }
}
