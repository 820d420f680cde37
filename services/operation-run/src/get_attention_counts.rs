//! GetAttentionCounts: what of a workspace wants attention, as far as the caller may see it.

use std::time::Duration;

use domain::id::{TenantId, WorkspaceId};
use server::{Caller, Failure};

use crate::Runs;
use crate::error::Result;
use crate::store;
use crate::store::run::Horizon;
use crate::store::run::attention::Attention;
use crate::visibility::Visibility;

/// Counts active runs, and those that ended within `window`.
pub async fn counts(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    tenants: &[TenantId],
    window: Duration,
) -> Result<Attention> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.may_name(tenants).map_err(Failure::from)?;
    let horizon = Horizon { types: visibility.types(), tenants: visibility.entitled_to() };
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let groups = store::run::attention::by_tenants(&mut tx, workspace, tenants, &horizon, window).await?;
    let seen = groups.into_iter().filter(|group| visibility.sees(group.run_type, &group.tenants).is_ok());
    Ok(seen.fold(Attention::default(), |sum, group| sum + group.counts))
}
