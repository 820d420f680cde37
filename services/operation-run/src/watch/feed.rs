//! The newest events in memory, shared by all watchers of this replica. One writes (the tail), everybody reads; a watcher is
//! only a position in it, so a slow one costs nothing and delays nobody.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use domain::id::WorkspaceId;
use tokio::time::Instant;

use super::position::Position;
use crate::bell::{Bell, Listener};
use crate::run::SeenRun;

/// How long events stay in memory when there is room: longer than a bookmark is apart and a client takes to come back.
const KEPT_FOR: Duration = Duration::from_secs(120);

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was queued.
    Queued,
    /// A worker took it.
    Started,
    /// It went back to the queue.
    Requeued,
    /// Items got outcomes.
    Progressed,
    /// It was asked to stop.
    CancelRequested,
    /// It ended.
    Completed,
}

impl EventKind {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Queued => "queued",
            EventKind::Started => "started",
            EventKind::Requeued => "requeued",
            EventKind::Progressed => "progressed",
            EventKind::CancelRequested => "cancel_requested",
            EventKind::Completed => "completed",
        }
    }
}

/// A change of a run.
#[derive(Debug)]
pub struct Event {
    /// Where it is.
    pub position: Position,
    /// The transaction that wrote it: tells whether a snapshot had seen it.
    pub written_by: i64,
    /// What happened.
    pub kind: EventKind,
    /// The run after it, at that moment.
    pub seen: SeenRun,
    /// What the edge makes of it: made once, for all watchers.
    pub rendered: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// The newest events.
#[derive(Debug)]
pub struct Feed {
    capacity: usize,
    state: RwLock<State>,
    bells: Mutex<HashMap<WorkspaceId, Arc<Bell>>>,
}

#[derive(Debug)]
struct State {
    /// `None` until the tail has read for the first time.
    epoch: Option<u64>,
    /// Everything after it, up to `head`, is here.
    floor: Position,
    /// Everything up to it is final and has been read.
    head: Position,
    /// In order, with the moment of arrival.
    events: VecDeque<(Instant, Arc<Event>)>,
    /// The same, by workspace: narrow watchers do not search through everybody's.
    by_workspace: HashMap<WorkspaceId, VecDeque<Arc<Event>>>,
    /// When the tail last knew that `head` was the head.
    fresh_at: Instant,
}

/// What there is after a position.
#[derive(Debug)]
pub enum Read {
    /// These events, in order; nothing else of the workspace lies up to `until`.
    Events {
        /// At most as many as asked for.
        events: Vec<Arc<Event>>,
        /// Where to go on.
        until: Position,
    },
    /// The position is older than what is in memory; everything up to `head` is in the database.
    Older {
        /// Up to where the database may be read: what lies beyond is not final.
        head: Position,
    },
    /// The history of the database is another one by now.
    OtherEpoch,
}

impl Feed {
    /// An empty feed that keeps at most `capacity` events.
    pub fn new(capacity: usize) -> Self {
        let nowhere = Position::before(0);
        Self {
            capacity,
            state: RwLock::new(State {
                epoch: None,
                floor: nowhere,
                head: nowhere,
                events: VecDeque::new(),
                by_workspace: HashMap::new(),
                fresh_at: Instant::now(),
            }),
            bells: Mutex::default(),
        }
    }

    /// Begins at `head` in this history. The same history as before changes nothing; another one forgets everything.
    pub fn begin(&self, epoch: u64, head: Position) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.epoch != Some(epoch) {
            state.epoch = Some(epoch);
            (state.floor, state.head) = (head, head);
            state.events.clear();
            state.by_workspace.clear();
        }
        state.fresh_at = Instant::now();
        drop(state);
        self.ring_all();
    }

    /// Where the tail goes on.
    pub fn head(&self) -> Position {
        self.state.read().unwrap_or_else(PoisonError::into_inner).head
    }

    /// Takes in what the tail has read: all events after the head, up to the new head.
    pub fn extend(&self, events: Vec<Event>, head: Position) {
        let now = Instant::now();
        let mut touched: Vec<WorkspaceId> = events.iter().map(|event| event.seen.run.workspace_id).collect();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let event = Arc::new(event);
            let of_workspace = state.by_workspace.entry(event.seen.run.workspace_id).or_default();
            of_workspace.push_back(Arc::clone(&event));
            state.events.push_back((now, event));
        }
        state.head = head.max(state.head);
        state.fresh_at = now;
        while state.events.len() > self.capacity
            || state.events.front().is_some_and(|(at, _)| now.duration_since(*at) > KEPT_FOR)
        {
            state.forget_oldest();
        }
        drop(state);
        touched.sort_unstable();
        touched.dedup();
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        touched.iter().filter_map(|workspace| bells.get(workspace)).for_each(|bell| bell.ring());
    }

    /// Events of a workspace after a position, at most `limit`.
    pub fn read(&self, epoch: u64, workspace: WorkspaceId, after: Position, limit: usize) -> Read {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.epoch != Some(epoch) {
            return Read::OtherEpoch;
        }
        if after < state.floor {
            return Read::Older { head: state.head };
        }
        // A position ahead of us comes from a replica that is: we wait for what follows it, and serve nothing older.
        let everything = after.max(state.head);
        let Some(of_workspace) = state.by_workspace.get(&workspace) else {
            return Read::Events { events: Vec::new(), until: everything };
        };
        let first = of_workspace.partition_point(|event| event.position <= after);
        let events: Vec<Arc<Event>> = of_workspace.iter().skip(first).take(limit).cloned().collect();
        let cut = first + events.len() < of_workspace.len();
        let until = events.last().filter(|_| cut).map_or(everything, |last| last.position);
        Read::Events { events, until }
    }

    /// The present history; `None` until the tail has read for the first time.
    pub fn epoch(&self) -> Option<u64> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).epoch
    }

    /// How long ago the tail last knew that its head was the head.
    pub fn age(&self) -> Duration {
        self.state.read().unwrap_or_else(PoisonError::into_inner).fresh_at.elapsed()
    }

    /// How many events are in memory.
    pub fn len(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).events.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hears of new events of a workspace.
    pub fn listen(&self, workspace: WorkspaceId) -> Listener {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        // Workspaces that nobody watches any more: looked for when somebody comes, so that they do not pile up.
        bells.retain(|other, bell| *other == workspace || bell.has_listeners());
        bells.entry(workspace).or_default().listen()
    }

    fn ring_all(&self) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.values().for_each(|bell| bell.ring());
    }
}

impl State {
    fn forget_oldest(&mut self) {
        let Some((_, oldest)) = self.events.pop_front() else { return };
        self.floor = oldest.position;
        let workspace = oldest.seen.run.workspace_id;
        if let Some(of_workspace) = self.by_workspace.get_mut(&workspace) {
            of_workspace.pop_front();
            if of_workspace.is_empty() {
                self.by_workspace.remove(&workspace);
            }
        }
    }
}
