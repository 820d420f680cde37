//! WatchOperationRuns: opens a watch. What happens from then on is in [`crate::watch::watcher`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::id::{RunId, WorkspaceId};
use domain::run::RunStatus;
use server::{Caller, Failure, ambient};
use tokio::time::{Instant, sleep};

use crate::Runs;
use crate::error::{Error, Result};
use crate::get_operation_run::NO_WORKSPACE;
use crate::run::SeenRun;
use crate::store;
use crate::store::run::{Horizon, ListPosition, Wanted};
use crate::visibility::Visibility;
use crate::watch::filter::Filter;
use crate::watch::token::{self, Binding, Resume};
use crate::watch::watcher::{Delivery, MOST_COMPLETED, Opening, Stage, Watcher};
use crate::watch::{Position, Snapshot};

/// How long a watch waits for a process that has just started to read its first events.
const TAIL_WAIT: Duration = Duration::from_secs(5);
/// Runs read at once.
const PAGE: i64 = 500;
/// Most active runs of one snapshot. They are held in memory until they are sent; completed ones are read as they go.
const MOST_ACTIVE: usize = 20_000;

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The workspace; may be left out when a run is named.
    pub workspace: Option<WorkspaceId>,
    /// Only this run.
    pub run: Option<RunId>,
    /// Which runs, when none is named.
    pub wanted: Wanted,
    /// Where to go on; empty to begin with snapshots.
    pub resume_token: String,
    /// How changes are delivered.
    pub delivery: Delivery,
}

/// Opens a watch.
pub async fn watch(runs: &Runs, caller: &Caller, watch: Watch) -> Result<Watcher> {
    let user = caller.require_user()?;
    let (workspace, run) = match watch.run {
        Some(id) => {
            let mut tx = runs.db.system().await?;
            let seen = store::run::find(&mut tx, id).await?;
            let seen = seen.filter(|seen| watch.workspace.is_none_or(|workspace| workspace == seen.run.workspace_id));
            // Without a run as with a hidden one, access is read: the time it takes must not tell them apart.
            (seen.as_ref().map_or(NO_WORKSPACE, |seen| seen.run.workspace_id), seen)
        }
        None => (watch.workspace.ok_or_else(|| Failure::invalid_argument("workspace_id", "is required"))?, None),
    };
    let filter = match watch.run {
        Some(id) => Filter::Run(id),
        None => Filter::Matching(watch.wanted),
    };
    let visibility = runs.watch_access.fresh(&user.subject, workspace).await?;
    match (&filter, &run) {
        (Filter::Matching(wanted), _) => visibility.may_name(&wanted.tenants).map_err(Failure::from)?,
        (Filter::Run(_), Some(seen)) => visibility.check(&seen.run).map_err(Failure::from)?,
        (Filter::Run(_), None) => return Err(Failure::not_found().into()),
    }

    let epoch = epoch(runs).await?;
    let parts = std::iter::once(workspace.to_string()).chain(filter.binding());
    let binding = Binding::of(epoch, parts);
    let resume = match watch.resume_token.as_str() {
        "" => Resume::Snapshots,
        given => token::read(binding, given)?,
    };
    let (stage, cursor, seen_before) = match resume {
        Resume::Snapshots => begin(runs, workspace, &filter, &visibility).await?,
        Resume::After(cursor, snapshot) => {
            let stage = go_on(runs, run.as_ref(), cursor, snapshot.as_ref()).await?;
            (stage, cursor, snapshot)
        }
    };
    let valid_for = Duration::try_from(caller.expires_at - ambient::now()).unwrap_or_default();
    Ok(Watcher::open(
        runs.clone(),
        Opening {
            subject: Arc::clone(&user.subject),
            expires: Instant::now() + valid_for,
            workspace,
            run: run.map(|seen| seen.run),
            filter,
            delivery: watch.delivery,
            binding,
            visibility,
            stage,
            cursor,
            seen_before,
        },
    ))
}

/// The history that positions belong to, as soon as it is known.
pub(crate) async fn epoch(runs: &Runs) -> Result<u64> {
    let deadline = Instant::now() + TAIL_WAIT;
    loop {
        match runs.feed.epoch() {
            Some(epoch) => return Ok(epoch),
            None if Instant::now() < deadline => sleep(Duration::from_millis(10)).await,
            None => return Err(Failure::unavailable("the stream of events").into()),
        }
    }
}

/// The present state and the moment it is of, in one snapshot of the database. What that snapshot has not seen follows as
/// events: nothing is missed and nothing comes twice.
async fn begin(
    runs: &Runs,
    workspace: WorkspaceId,
    filter: &Filter,
    visibility: &Visibility,
) -> Result<(Stage, Position, Option<Snapshot>)> {
    let mut tx = runs.db.begin(pg::Begin::workspace(workspace.uuid()).snapshot()).await?;
    let (snapshot, log) = store::run_event::snapshot(&mut tx).await?;
    let (active, completed_too) = match filter {
        Filter::Run(id) => (store::run::find(&mut tx, *id).await?.into_iter().collect(), false),
        Filter::Matching(wanted) => {
            let active = match wants(wanted, &[RunStatus::Queued, RunStatus::Running]) {
                true => active(&mut tx, workspace, wanted, visibility).await?,
                false => VecDeque::new(),
            };
            (active, wants(wanted, &[RunStatus::Completed]))
        }
    };
    tx.commit().await?;
    store::run_event::make_durable(&mut *runs.db.plain().await?, &log).await?;
    let completed_left = if completed_too { MOST_COMPLETED } else { 0 };
    let stage = Stage::Snapshots { ready: active, completed_after: None, completed_left };
    Ok((stage, Position::before(snapshot.xmin), Some(snapshot)))
}

fn wants(wanted: &Wanted, any_of: &[RunStatus]) -> bool {
    wanted.statuses.is_empty() || any_of.iter().any(|status| wanted.statuses.contains(status))
}

/// The active runs that the actor may see.
async fn active(
    tx: &mut pg::Tx,
    workspace: WorkspaceId,
    wanted: &Wanted,
    visibility: &Visibility,
) -> Result<VecDeque<SeenRun>> {
    let horizon = Horizon { types: visibility.types(), tenants: visibility.entitled_to() };
    let (mut active, mut after) = (VecDeque::new(), None);
    loop {
        let page = store::run::active_page(tx, workspace, wanted, &horizon, after, PAGE).await?;
        let last_page = i64::try_from(page.len()).is_ok_and(|read| read < PAGE);
        after = page.last().map(ListPosition::of).or(after);
        active.extend(page.into_iter().filter(|seen| visibility.shows(&seen.run)));
        if active.len() > MOST_ACTIVE {
            let why = format!("more than {MOST_ACTIVE} active runs match: narrow the filter");
            return Err(Failure::resource_exhausted("SNAPSHOT_TOO_LARGE", why).into());
        }
        if last_page {
            return Ok(active);
        }
    }
}

/// Where a resumed watch stands. A watch of one run whose end it has already told is over.
async fn go_on(runs: &Runs, run: Option<&SeenRun>, cursor: Position, snapshot: Option<&Snapshot>) -> Result<Stage> {
    let Some(run) = run.map(|seen| &seen.run).filter(|run| run.is_terminal()) else { return Ok(Stage::Live) };
    let mut tx = runs.db.workspace(run.workspace_id.uuid()).await?;
    let end = store::run_event::position_of(&mut tx, run.workspace_id, run.id, run.rev).await?;
    if end.is_none() && cursor < store::run_event::floor(&mut tx).await? {
        return Err(Error::CursorCompacted);
    }
    let told =
        |(end, written_by)| end <= cursor || snapshot.is_some_and(|snapshot: &Snapshot| snapshot.sees(written_by));
    // An end that is no longer kept is older than the floor, and so than the cursor.
    Ok(if end.is_none_or(told) { Stage::RunEnded } else { Stage::Live })
}
