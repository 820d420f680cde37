//! One open watch. It is a cursor, a filter and what its actor may see; there is no queue of its own: the transport asks for
//! the next message when the reader has room, and only then is it looked for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::id::WorkspaceId;
use opentelemetry::KeyValue;
use server::Failure;
use tokio::time::{Instant, sleep_until};

use super::feed::{Event, Read};
use super::filter::Filter;
use super::newest::Newest;
use super::position::{Position, Snapshot};
use super::token::{self, Binding, Resume};
use crate::Runs;
use crate::bell::Listener;
use crate::error::{Error, Result};
use crate::metrics;
use crate::run::{Run, SeenRun};
use crate::store;
use crate::store::run::{Horizon, ListPosition};
use crate::visibility::Visibility;

/// Events looked at at once.
const BATCH: usize = 256;
/// Events read at once from the database, for a watch that has fallen behind what is in memory.
const CATCH_UP: i64 = 500;
/// Looks that one message of a LATEST watch may take in.
const MOST_LOOKS: usize = 64;
/// Completed runs read at once for a snapshot.
const PAGE: i64 = 200;
/// Most completed runs of one snapshot. Whoever wants more history lists it; a dashboard that opens does not wait for it.
pub const MOST_COMPLETED: i64 = 1000;
/// A watch does not outlive its last good look at its actor's access for longer than this.
const ACCESS_GRACE: Duration = Duration::from_secs(5);
/// Pause after a look at access that failed.
const ACCESS_RETRY: Duration = Duration::from_millis(300);
/// When the tail has not read for so long, another replica serves better.
const TAIL_GRACE: Duration = Duration::from_secs(10);

/// How changes are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Each change, once.
    All,
    /// Of what happened to a run within this interval, the last only.
    Latest(Duration),
}

/// What a watch sends.
#[derive(Debug, Clone)]
pub enum Message {
    /// Present state of a run.
    Snapshot(Box<SeenRun>),
    /// A change.
    Event(Arc<Event>),
    /// A position without a change.
    Bookmark {
        /// Whether it ends the snapshots.
        initial_end: bool,
    },
}

/// A message and the position after it.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub message: Message,
    pub resume_token: String,
}

/// Where a watch is in its life.
#[derive(Debug)]
pub enum Stage {
    /// Sending the present state.
    Snapshots {
        /// Runs to be sent.
        ready: VecDeque<SeenRun>,
        /// After which completed run to go on reading.
        completed_after: Option<ListPosition>,
        /// How many completed runs may still be read.
        completed_left: i64,
    },
    /// Sending changes.
    Live,
    /// The run that was watched has ended: one bookmark, and it is over.
    RunEnded,
    /// Over.
    Ended,
}

/// What a watch begins with.
#[derive(Debug)]
pub struct Opening {
    pub subject: Arc<str>,
    /// When the caller's token ends.
    pub expires: Instant,
    pub workspace: WorkspaceId,
    /// The run, of a watch of one run.
    pub run: Option<Run>,
    pub filter: Filter,
    pub delivery: Delivery,
    pub binding: Binding,
    pub visibility: Arc<Visibility>,
    pub stage: Stage,
    pub cursor: Position,
    /// What the snapshots have told already, of what lies after the cursor.
    pub seen_before: Option<Snapshot>,
}

/// An open watch.
#[derive(Debug)]
pub struct Watcher {
    runs: Runs,
    opening: Opening,
    bell: Listener,
    /// Events looked at and not sent yet, in order.
    batch: VecDeque<Arc<Event>>,
    /// Where the batch ends: the cursor, once all of it is sent.
    until: Position,
    batch_at: Instant,
    /// LATEST: not looked before.
    next_look: Instant,
    /// LATEST: there was more than one message may take in.
    more: bool,
    bookmark_due: Instant,
    /// Events were looked at and none of them sent.
    passed_over: bool,
    access_due: Instant,
    access_good_at: Instant,
    said_goodbye: bool,
}

impl Watcher {
    /// Opens a watch.
    pub fn open(runs: Runs, opening: Opening) -> Self {
        metrics::WATCHES.add(1, &[]);
        let now = Instant::now();
        Self {
            bell: runs.feed.listen(opening.workspace),
            batch: VecDeque::new(),
            until: opening.cursor,
            batch_at: now,
            next_look: now,
            more: false,
            bookmark_due: now + runs.settings.bookmark_interval,
            passed_over: false,
            access_due: now + runs.settings.access_interval,
            access_good_at: now,
            said_goodbye: false,
            runs,
            opening,
        }
    }

    /// The next message, as soon as there is one; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Delivered>> {
        let message = match self.step().await {
            Ok(Some(message)) => message,
            Ok(None) => {
                self.opening.stage = Stage::Ended;
                return None;
            }
            Err(error) => {
                self.opening.stage = Stage::Ended;
                let failure = Failure::from(error);
                metrics::ENDED.add(1, &[KeyValue::new("reason", failure.reason().to_owned())]);
                return Some(Err(failure.into()));
            }
        };
        metrics::MESSAGES.add(1, &[]);
        self.bookmark_due = Instant::now() + self.runs.settings.bookmark_interval;
        Some(Ok(Delivered { resume_token: self.token(&message), message }))
    }

    fn token(&self, message: &Message) -> String {
        let Opening { binding, cursor, seen_before, .. } = &self.opening;
        let resume = match message {
            // Cut in the middle of the snapshots, a watch sends them again: they are the present state, whenever.
            Message::Snapshot(_) => Resume::Snapshots,
            _ => Resume::After(*cursor, seen_before.clone()),
        };
        token::issue(*binding, &resume)
    }

    async fn step(&mut self) -> Result<Option<Message>> {
        loop {
            self.check_caller().await?;
            match &mut self.opening.stage {
                Stage::Ended => return Ok(None),
                Stage::RunEnded => {
                    self.opening.stage = Stage::Ended;
                    return Ok(Some(Message::Bookmark { initial_end: false }));
                }
                Stage::Snapshots { .. } if self.runs.drain.is_cancelled() => return Err(Failure::draining().into()),
                Stage::Snapshots { .. } => return self.snapshot().await.map(Some),
                Stage::Live => {
                    if let Some(message) = self.live().await? {
                        return Ok(Some(message));
                    }
                }
            }
        }
    }

    /// The next run of the present state, or the bookmark that ends it.
    async fn snapshot(&mut self) -> Result<Message> {
        loop {
            let Stage::Snapshots { ready, completed_left, .. } = &mut self.opening.stage else {
                return Ok(Message::Bookmark { initial_end: true });
            };
            if let Some(seen) = ready.pop_front() {
                if let Some(run) = &mut self.opening.run {
                    // As the snapshot has it: it may have ended since it was looked up.
                    *run = seen.run.clone();
                }
                if self.opening.visibility.shows(&seen.run) {
                    return Ok(Message::Snapshot(Box::new(seen)));
                }
            } else if *completed_left > 0 {
                self.read_completed().await?;
            } else {
                let over = self.opening.run.as_ref().is_some_and(Run::is_terminal);
                self.opening.stage = if over { Stage::Ended } else { Stage::Live };
                return Ok(Message::Bookmark { initial_end: true });
            }
        }
    }

    /// Reads the next completed runs. They never change, so they need not be held in memory, nor the database's snapshot
    /// held open, while a reader takes its time.
    async fn read_completed(&mut self) -> Result<()> {
        let Opening { workspace, filter, visibility, seen_before, stage, .. } = &mut self.opening;
        let Stage::Snapshots { ready, completed_after, completed_left } = stage else { return Ok(()) };
        let (Filter::Matching(wanted), Some(snapshot)) = (&*filter, &*seen_before) else {
            *completed_left = 0;
            return Ok(());
        };
        let horizon = Horizon { types: visibility.types(), tenants: visibility.entitled_to() };
        let mut tx = self.runs.db.workspace(workspace.uuid()).await?;
        let (snapshot, after) = (snapshot.to_string(), *completed_after);
        let most = PAGE.min(*completed_left);
        let page = store::run::completed_page(&mut tx, *workspace, wanted, &horizon, &snapshot, after, most).await?;
        let full = i64::try_from(page.len()).is_ok_and(|read| read == most);
        *completed_left = if full { *completed_left - most } else { 0 };
        *completed_after = page.last().and_then(ListPosition::of_ended).or(after);
        ready.extend(page);
        Ok(())
    }

    /// The next change or bookmark; `None` to look again.
    async fn live(&mut self) -> Result<Option<Message>> {
        let now = Instant::now();
        if let Delivery::Latest(interval) = self.opening.delivery
            && now.duration_since(self.batch_at) > interval
        {
            // The reader took its time: what is left of the batch may be old by now. Nothing of it is lost, the cursor has
            // not passed it.
            self.batch.clear();
            self.until = self.opening.cursor;
        }
        if let Some(message) = self.take() {
            return Ok(Some(message));
        }
        if self.runs.drain.is_cancelled() {
            if std::mem::replace(&mut self.said_goodbye, true) {
                return Err(Failure::draining().into());
            }
            return Ok(Some(Message::Bookmark { initial_end: false }));
        }
        let bookmark_is_due = now >= self.bookmark_due;
        let may_look = self.opening.delivery == Delivery::All || now >= self.next_look;
        // Others' events may come without end: they do not keep the bookmark from coming.
        if may_look && !(bookmark_is_due && self.passed_over) && self.gather().await? {
            return Ok(None);
        }
        if bookmark_is_due {
            if self.runs.feed.age() > TAIL_GRACE {
                return Err(Failure::unavailable("the stream of events").into());
            }
            self.passed_over = false;
            return Ok(Some(Message::Bookmark { initial_end: false }));
        }
        self.wait().await;
        Ok(None)
    }

    /// The next event of the batch that concerns this watch. The cursor passes those that do not.
    fn take(&mut self) -> Option<Message> {
        while let Some(event) = self.batch.pop_front() {
            self.move_to(event.position);
            if self.wants(&event) {
                if matches!(self.opening.filter, Filter::Run(_)) && event.seen.run.is_terminal() {
                    self.opening.stage = Stage::Ended;
                }
                self.passed_over = false;
                return Some(Message::Event(event));
            }
            self.passed_over = true;
        }
        self.move_to(self.until.max(self.opening.cursor));
        None
    }

    fn move_to(&mut self, position: Position) {
        self.opening.cursor = position;
        // Beyond what the snapshot knew of, it has nothing to say.
        if self.opening.seen_before.as_ref().is_some_and(|snapshot| position.xid >= snapshot.xmax) {
            self.opening.seen_before = None;
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let Opening { seen_before, filter, visibility, .. } = &self.opening;
        let told = seen_before.as_ref().is_some_and(|snapshot| snapshot.sees(event.written_by));
        !told && filter.concerns(event) && visibility.shows(&event.seen.run)
    }

    /// Looks for events after the cursor. False: there was nothing, wait.
    async fn gather(&mut self) -> Result<bool> {
        self.bell.heard();
        let began_at = self.opening.cursor;
        let (mut events, mut until) = self.look(began_at).await?;
        if let Delivery::Latest(interval) = self.opening.delivery {
            let mut newest = Newest::default();
            newest.add(events.into_iter().filter(|event| self.wants(event)));
            self.more = true;
            for _ in 1..MOST_LOOKS {
                let (events, further) = self.look(until).await?;
                if further == until {
                    self.more = false;
                    break;
                }
                newest.add(events.into_iter().filter(|event| self.wants(event)));
                until = further;
            }
            events = newest.in_order();
            if !events.is_empty() {
                self.next_look = Instant::now() + interval;
            }
        }
        self.batch_at = Instant::now();
        self.batch = events.into();
        self.until = until;
        if self.batch.is_empty() {
            self.move_to(until);
            // Nothing for us up to here, perhaps many times over: let the others run in between.
            tokio::task::yield_now().await;
        }
        Ok(until > began_at)
    }

    /// Events of the workspace after a position, in order, and how far that reaches.
    async fn look(&self, after: Position) -> Result<(Vec<Arc<Event>>, Position)> {
        let Opening { binding, workspace, filter, .. } = &self.opening;
        let head = match self.runs.feed.read(binding.epoch, *workspace, after, BATCH) {
            Read::Events { events, until } => return Ok((events, until)),
            Read::OtherEpoch => return Err(Error::CursorEpoch),
            Read::Older { head } => head,
        };
        metrics::CAUGHT_UP.add(1, &[]);
        // Those who have fallen behind take turns, so that they do not take the database from everybody else.
        let turn = self.runs.catch_up.acquire().await;
        let run = match filter {
            Filter::Run(id) => Some(*id),
            Filter::Matching(_) => None,
        };
        let mut tx = self.runs.db.workspace(workspace.uuid()).await?;
        let events = store::run_event::between(&mut tx, *workspace, run, after, head, CATCH_UP).await?;
        drop((tx, turn));
        let full = i64::try_from(events.len()).is_ok_and(|read| read == CATCH_UP);
        let until = events.last().filter(|_| full).map_or(head, |last| last.position);
        Ok((events.into_iter().map(Arc::new).collect(), until))
    }

    /// Waits for something to do.
    async fn wait(&mut self) {
        let Self { bell, next_look, more, .. } = self;
        let due = self.bookmark_due.min(self.access_due).min(self.opening.expires);
        let latest = self.opening.delivery != Delivery::All;
        let news = async {
            if latest {
                sleep_until(*next_look).await;
            }
            if !*more {
                bell.rung().await;
            }
        };
        tokio::select! {
            () = self.runs.drain.cancelled() => {}
            () = sleep_until(due) => {}
            () = news => {}
        }
    }

    /// Whether the caller's token is still good, and, every few seconds, what its actor may see now.
    async fn check_caller(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= self.opening.expires {
            return Err(Failure::stream_expired().into());
        }
        if now < self.access_due {
            return Ok(());
        }
        match self.runs.watch_access.recent(&self.opening.subject, self.opening.workspace).await {
            Ok(visibility) => {
                self.opening.visibility = visibility;
                self.access_good_at = now;
                self.access_due = now + self.runs.settings.access_interval;
            }
            Err(_) if self.access_good_at.elapsed() < ACCESS_GRACE => self.access_due = now + ACCESS_RETRY,
            Err(error) => return Err(error),
        }
        let Opening { filter, visibility, run, .. } = &self.opening;
        match (filter, run) {
            (Filter::Run(_), Some(run)) => visibility.check(run).map_err(Failure::from)?,
            (Filter::Run(_), None) => {}
            (Filter::Matching(wanted), _) => visibility.may_name(&wanted.tenants).map_err(Failure::from)?,
        }
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        metrics::WATCHES.add(-1, &[]);
    }
}
