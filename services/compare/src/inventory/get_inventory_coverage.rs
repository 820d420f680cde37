//! Returns how current and complete the evidence of a tenant is.

use std::collections::BTreeMap;

use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use super::authorise_view;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::coverage::Coverage;

/// The coverage of one known type; `None` when it was never read.
#[derive(Debug, Clone)]
pub struct TypeCoverage {
    /// The type.
    pub policy_type: String,
    /// How its newest read went.
    pub coverage: Option<Coverage>,
}

/// Every known policy type, by key.
pub async fn get_inventory_coverage(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Vec<TypeCoverage>> {
    authorise_view(state, caller, workspace, tenant).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let stored = store::coverage::list(&mut tx, workspace, &[tenant]).await?;
    let mut types: BTreeMap<String, Option<Coverage>> =
        state.registry.iter().map(|contract| (contract.policy_type.0.clone(), None)).collect();
    for (_, coverage) in stored {
        // A type this release no longer knows is not shown.
        if let Some(known) = types.get_mut(coverage.policy_type.as_str()) {
            *known = Some(coverage);
        }
    }
    Ok(types.into_iter().map(|(policy_type, coverage)| TypeCoverage { policy_type, coverage }).collect())
}
