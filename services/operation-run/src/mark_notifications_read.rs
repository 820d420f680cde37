//! MarkNotificationsRead: the caller has seen them. Doing so again changes nothing, so no request id is needed.

use domain::id::{RunId, WorkspaceId};
use server::{Caller, Failure};
use time::OffsetDateTime;

use crate::Runs;
use crate::error::Result;
use crate::get_unread_count::count_for;
use crate::store;
use crate::store::notification::Recipient;
use crate::visibility::Visibility;

/// Marks the notifications of these runs, or all up to a moment; returns how many are unread then.
pub async fn mark(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    of_runs: &[RunId],
    through: Option<OffsetDateTime>,
) -> Result<i64> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.may_name(&[]).map_err(Failure::from)?;
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let of = Recipient { workspace, subject: &user.subject };
    store::notification::mark_read(&mut tx, of, of_runs, through).await?;
    tx.commit().await?;
    count_for(runs, &user.subject, workspace, &visibility).await
}
