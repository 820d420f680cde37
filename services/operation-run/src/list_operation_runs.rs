//! ListOperationRuns: the runs of a workspace that the caller may see, newest first.

use domain::id::{RunId, WorkspaceId};
use domain::run::RunStatus;
use serde::{Deserialize, Serialize};
use server::fields::{Page, PageToken};
use server::{Caller, Failure};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::run::SeenRun;
use crate::store;
use crate::store::run::{Horizon, ListPosition, Wanted};
use crate::visibility::Visibility;

/// How many runs are read at once, and how often, to fill a page for an actor who may not see most of them. After that
/// the page is returned as it is, with a token to go on.
const CHUNK: i64 = 500;
const CHUNKS: usize = 20;

/// The place after which a page goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    /// Microseconds since 1970.
    created_at_us: i64,
    id: Uuid,
}

impl Cursor {
    fn of(position: ListPosition) -> Self {
        let created_at_us = i64::try_from(position.at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        Self { created_at_us, id: position.id.uuid() }
    }

    fn position(&self) -> Result<ListPosition> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.created_at_us) * 1000)
            .map_err(|_| Failure::invalid_argument("page_token", "holds no time"))?;
        Ok(ListPosition { at, id: RunId(self.id) })
    }
}

/// One page and the token of the next, empty at the end. `tokens` issues those of this request.
pub async fn list(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    wanted: &Wanted,
    page: Page<Cursor>,
    tokens: PageToken,
) -> Result<(Vec<SeenRun>, String)> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.may_name(&wanted.tenants).map_err(Failure::from)?;
    let horizon = Horizon { types: visibility.types(), tenants: visibility.entitled_to() };

    let active_only = wanted.stuck || !wanted.statuses.is_empty() && !wanted.statuses.contains(&RunStatus::Completed);
    let mut after = page.after.as_ref().map(Cursor::position).transpose()?;
    let mut shown = Vec::new();
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    for _ in 0..CHUNKS {
        let limit = CHUNK.min(page.fetch());
        // The active ones are few and have an index of their own.
        let read = match active_only {
            true => store::run::active_page(&mut tx, workspace, wanted, &horizon, after, limit).await?,
            false => store::run::page(&mut tx, workspace, wanted, &horizon, after, limit).await?,
        };
        let at_the_end = i64::try_from(read.len()).is_ok_and(|read| read < limit);
        after = read.last().map(ListPosition::of).or(after);
        shown.extend(read.into_iter().filter(|seen| visibility.shows(&seen.run)));
        if at_the_end || shown.len() > page.size as usize {
            let next = page.cut(&mut shown, |last| Cursor::of(ListPosition::of(last)));
            return Ok((shown, next));
        }
    }
    // Short of a page, but not at the end: the next one goes on where reading stopped.
    let next = after.map(|after| tokens.issue(&Cursor::of(after))).unwrap_or_default();
    Ok((shown, next))
}
