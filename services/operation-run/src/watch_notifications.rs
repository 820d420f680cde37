//! WatchNotifications: a watch of the runs the caller started, of which only the ends are told. A notification is written in
//! the transaction of the run's last event, so that event stands for it: position, order and resume are those of events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::id::WorkspaceId;
use domain::run::RunStatus;
use server::{Caller, Failure, ambient};
use tokio::time::Instant;

use crate::Runs;
use crate::error::Result;
use crate::get_unread_count::count_for;
use crate::run::SeenRun;
use crate::store;
use crate::store::run::Wanted;
use crate::watch::Position;
use crate::watch::filter::Filter;
use crate::watch::token::{self, Binding, Resume};
use crate::watch::watcher::{Delivery, Message, Opening, Stage, Watcher};
use crate::watch_operation_runs::epoch;

/// An open watch.
#[derive(Debug)]
pub struct NotificationWatch {
    runs: Runs,
    subject: Arc<str>,
    workspace: WorkspaceId,
    watcher: Watcher,
}

/// One message.
#[derive(Debug)]
pub struct Told {
    /// The run that ended; `None`: only the count.
    pub ended: Option<SeenRun>,
    pub unread: i64,
    pub resume_token: String,
}

/// Opens a watch. `resume_token` empty: from now on.
pub async fn watch(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    resume_token: &str,
) -> Result<NotificationWatch> {
    let user = caller.require_user()?;
    let visibility = runs.watch_access.fresh(&user.subject, workspace).await?;
    visibility.may_name(&[]).map_err(Failure::from)?;
    let binding = Binding::of(epoch(runs).await?, ["notifications", &workspace.to_string(), &user.subject]);
    let resume = match resume_token {
        "" => Resume::Snapshots,
        given => token::read(binding, given)?,
    };
    let (stage, cursor, seen_before) = match resume {
        // There are no snapshots to send, only what ends them: the first message, with the count.
        Resume::Snapshots => {
            let nothing = Stage::Snapshots { ready: VecDeque::new(), completed_after: None, completed_left: 0 };
            // From this moment on, exactly: what ended before it is in the count already.
            let mut tx = runs.db.begin(pg::Begin::workspace(workspace.uuid()).snapshot()).await?;
            let (now, log) = store::run_event::snapshot(&mut tx).await?;
            tx.commit().await?;
            store::run_event::make_durable(&mut *runs.db.plain().await?, &log).await?;
            (nothing, Position::before(now.xmin), Some(now))
        }
        Resume::After(cursor, snapshot) => (Stage::Live, cursor, snapshot),
    };
    let wanted = Wanted {
        statuses: vec![RunStatus::Completed],
        initiator_subject: Some(user.subject.to_string()),
        ..Wanted::default()
    };
    let valid_for = Duration::try_from(caller.expires_at - ambient::now()).unwrap_or_default();
    let watcher = Watcher::open(
        runs.clone(),
        Opening {
            subject: Arc::clone(&user.subject),
            expires: Instant::now() + valid_for,
            workspace,
            run: None,
            filter: Filter::Matching(wanted),
            delivery: Delivery::All,
            binding,
            visibility,
            stage,
            cursor,
            seen_before,
        },
    );
    Ok(NotificationWatch { runs: runs.clone(), subject: Arc::clone(&user.subject), workspace, watcher })
}

impl NotificationWatch {
    /// The next message, as soon as there is one; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Told>> {
        loop {
            let delivered = match self.watcher.next().await? {
                Ok(delivered) => delivered,
                Err(error) => return Some(Err(error)),
            };
            let ended = match delivered.message {
                // History brought in from elsewhere ended long ago.
                Message::Event(event) if event.seen.run.imported => continue,
                Message::Event(event) => Some(event.seen.clone()),
                Message::Snapshot(_) | Message::Bookmark { .. } => None,
            };
            let unread = self.unread().await;
            return Some(unread.map(|unread| Told { ended, unread, resume_token: delivered.resume_token }));
        }
    }

    async fn unread(&self) -> Result<i64> {
        let visibility = self.runs.watch_access.recent(&self.subject, self.workspace).await?;
        count_for(&self.runs, &self.subject, self.workspace, &visibility).await
    }
}
