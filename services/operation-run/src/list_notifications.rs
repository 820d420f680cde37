//! ListNotifications: that runs have ended, for whoever started them and may still see them.

use domain::id::{RunId, WorkspaceId};
use serde::{Deserialize, Serialize};
use server::fields::{Page, PageToken};
use server::{Caller, Failure};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::store;
use crate::store::notification::{Notification, Recipient};
use crate::store::run::{Horizon, ListPosition};
use crate::visibility::Visibility;

/// The notification after which a page goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    /// Microseconds since 1970.
    at_us: i64,
    id: Uuid,
}

impl Cursor {
    fn of(notification: &Notification) -> Self {
        let at_us = i64::try_from(notification.created_at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        Self { at_us, id: notification.seen.run.id.uuid() }
    }

    fn position(&self) -> Result<ListPosition> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.at_us) * 1000)
            .map_err(|_| Failure::invalid_argument("page_token", "holds no time"))?;
        Ok(ListPosition { at, id: RunId(self.id) })
    }
}

/// One page and the token of the next, empty at the end. A page may be short, or even empty, with a token to go on: what the
/// caller may no longer see is left out of it.
pub async fn list(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    unread_only: bool,
    page: Page<Cursor>,
    tokens: PageToken,
) -> Result<(Vec<Notification>, String)> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.may_name(&[]).map_err(Failure::from)?;
    let horizon = Horizon { types: visibility.types(), tenants: visibility.entitled_to() };
    let after = page.after.as_ref().map(Cursor::position).transpose()?;
    let of = Recipient { workspace, subject: &user.subject };
    let limit = i64::from(page.size);
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let mut read = store::notification::page(&mut tx, of, unread_only, &horizon, after, limit).await?;
    let full = i64::try_from(read.len()).is_ok_and(|read| read == limit);
    let next = read.last().filter(|_| full).map(|last| tokens.issue(&Cursor::of(last))).unwrap_or_default();
    read.retain(|notification| visibility.shows(&notification.seen.run));
    Ok((read, next))
}
