//! GetUnreadCount: how many notifications the caller has not read, of runs the caller may still see.

use domain::id::WorkspaceId;
use server::{Caller, Failure};

use crate::Runs;
use crate::error::Result;
use crate::store;
use crate::store::notification::Recipient;
use crate::visibility::Visibility;

/// Counts.
pub async fn count(runs: &Runs, caller: &Caller, workspace: WorkspaceId) -> Result<i64> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.may_name(&[]).map_err(Failure::from)?;
    count_for(runs, &user.subject, workspace, &visibility).await
}

/// Counts for somebody whose access was read just now.
pub(crate) async fn count_for(
    runs: &Runs,
    subject: &str,
    workspace: WorkspaceId,
    visibility: &Visibility,
) -> Result<i64> {
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let groups = store::notification::unread(&mut tx, Recipient { workspace, subject }).await?;
    let seen = groups.iter().filter(|(run_type, tenants, _)| visibility.sees(*run_type, tenants).is_ok());
    Ok(seen.map(|(_, _, count)| count).sum())
}
