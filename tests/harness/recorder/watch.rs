//! What one subscriber was told, across all its streams, judged by what a watch promises:
//!
//! - *ordered*: positions rise, and so do the revisions of a run;
//! - *unique*: no event and no snapshot comes twice;
//! - *reliable*: no revision of a run is left out (LATEST: none of its ends), and a new run is told of from its first one;
//! - *atomic*: what is told of a revision is what the database holds of it, whole;
//! - *bookmarkable*: nothing that lies at or before a bookmark comes after it;
//! - *resumable*: all of this also where a stream was cut and taken up again, on any replica;
//! - *filter*: nothing comes that was not asked for;
//! - revisions are dense, and nothing comes after a run's end.

use std::collections::{BTreeSet, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pb::operation::{OperationRun, OperationRunStatus};

use super::Violation;

/// What is watched, and how.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Runs of this workspace; any when empty.
    pub workspace_id: String,
    /// This run only, unless empty.
    pub run_id: String,
    /// Runs of these types only, unless empty.
    pub types: Vec<String>,
    /// Whether superseded states may be passed over.
    pub latest: bool,
}

impl Wanted {
    fn admits(&self, state: &State) -> bool {
        (self.workspace_id.is_empty() || self.workspace_id == state.workspace_id)
            && (self.run_id.is_empty() || self.run_id == state.run_id)
            && (self.types.is_empty() || self.types.contains(&state.run_type))
    }
}

/// A run as it was told, in what can be compared with the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its workspace.
    pub workspace_id: String,
    /// Which run.
    pub run_id: String,
    /// Its type.
    pub run_type: String,
    /// The revision this is.
    pub revision: i64,
    /// By its name in the table.
    pub status: String,
    /// By its name in the table.
    pub outcome: String,
    /// How many items have an outcome.
    pub processed: i32,
}

impl State {
    /// Of a run on the wire.
    pub fn of(run: &OperationRun) -> Self {
        let bare = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_lowercase();
        Self {
            workspace_id: run.workspace_id.clone(),
            run_id: run.run_id.clone(),
            run_type: run.r#type.clone(),
            revision: run.revision,
            status: bare(run.status().as_str_name(), "OPERATION_RUN_STATUS_"),
            outcome: bare(run.outcome().as_str_name(), "OPERATION_RUN_OUTCOME_"),
            processed: run.summary_counts.unwrap_or_default().processed(),
        }
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.status == "completed"
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Present state of a run.
    Snapshot(State),
    /// A change.
    Event(State),
    /// A position without a change.
    Bookmark {
        /// Whether it ends the snapshots.
        initial_end: bool,
    },
}

impl Told {
    /// Of a message on the wire.
    pub fn of(message: &pb::operation::watch_operation_runs_response::Message) -> Result<Self, Violation> {
        use pb::operation::watch_operation_runs_response::Message as Of;
        Ok(match message {
            Of::Snapshot(run) => Self::Snapshot(State::of(run)),
            Of::Event(event) => {
                let run = event.run.as_ref().ok_or_else(|| Violation::new("an event carries its run", &event.kind))?;
                if (run.status() == OperationRunStatus::Completed) != (event.kind == "completed") {
                    return Err(Violation::new("an event says what happened", format!("{event:?}")));
                }
                Self::Event(State::of(run))
            }
            Of::Bookmark(bookmark) => Self::Bookmark { initial_end: bookmark.initial_end },
        })
    }
}

/// Where a token goes on, if it says so: opaque to whoever watches, and looked into by whoever judges.
pub fn position_in(token: &str) -> Option<(i64, i64)> {
    // Version, epoch and binding come first; what a snapshot had seen may follow.
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let number = |at: usize| bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map(i64::from_be_bytes);
    Some((number(17)?, number(25)?))
}

/// One subscriber.
#[derive(Debug, Clone)]
pub struct Subscription {
    wanted: Wanted,
    /// The snapshots came to their end: they are not sent again.
    begun: bool,
    /// Snapshots of the present stream.
    shown: HashSet<String>,
    runs: HashMap<String, State>,
    events: Vec<State>,
    position: Option<(i64, i64)>,
    cuts: usize,
    messages: usize,
}

impl Subscription {
    /// To this.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            begun: false,
            shown: HashSet::new(),
            runs: HashMap::new(),
            events: Vec::new(),
            position: None,
            cuts: 0,
            messages: 0,
        }
    }

    /// The stream broke; another one goes on with the last token, anywhere.
    pub fn cut(&mut self) {
        self.cuts += 1;
        self.shown.clear();
        if !self.begun {
            self.runs.clear();
        }
    }

    /// Takes the next message and the token after it.
    pub fn take(&mut self, told: Told, token: &str) -> Result<(), Violation> {
        self.messages += 1;
        let at = position_in(token);
        match told {
            Told::Snapshot(state) => self.snapshot(state),
            Told::Event(state) => self.event(state, at),
            Told::Bookmark { initial_end } => self.bookmark(initial_end, at),
        }
    }

    fn snapshot(&mut self, state: State) -> Result<(), Violation> {
        if self.begun {
            return Err(shown("snapshots come once", &state));
        }
        if !self.wanted.admits(&state) {
            return Err(shown("nothing comes that was not asked for", &state));
        }
        if !self.shown.insert(state.run_id.clone()) {
            return Err(shown("a snapshot comes once", &state));
        }
        self.runs.insert(state.run_id.clone(), state);
        Ok(())
    }

    fn event(&mut self, state: State, at: Option<(i64, i64)>) -> Result<(), Violation> {
        if !self.begun {
            return Err(shown("events come after the snapshots", &state));
        }
        if !self.wanted.admits(&state) {
            return Err(shown("nothing comes that was not asked for", &state));
        }
        if !self.wanted.latest && self.position.is_some() && at <= self.position {
            return Err(shown("positions rise, past every bookmark", &state));
        }
        self.position = at.max(self.position);
        let dense = !self.wanted.latest;
        match self.runs.get(&state.run_id) {
            None if dense && state.revision != 1 => {
                return Err(shown("a new run is told of from its beginning", &state));
            }
            None => {}
            Some(last) => {
                let both = |rule| Err(Violation::new(rule, format!("{last:?} then {state:?}")));
                if state.revision <= last.revision {
                    return both("no event comes twice");
                }
                if last.is_over() {
                    return both("nothing comes after the end");
                }
                if dense && state.revision != last.revision + 1 {
                    return both("no revision is left out");
                }
                if state.processed < last.processed {
                    return both("progress does not go back");
                }
            }
        }
        self.runs.insert(state.run_id.clone(), state.clone());
        self.events.push(state);
        Ok(())
    }

    fn bookmark(&mut self, initial_end: bool, at: Option<(i64, i64)>) -> Result<(), Violation> {
        if initial_end && self.begun {
            return Err(Violation::new("the snapshots end once", format!("{at:?}")));
        }
        if self.begun && !self.wanted.latest && at < self.position {
            return Err(Violation::new("a bookmark does not go back", format!("{at:?} after {:?}", self.position)));
        }
        self.begun |= initial_end;
        self.position = at.max(self.position);
        Ok(())
    }

    /// Compares what was told with all events of the database, in their order, once nothing happens any more.
    pub fn against(&self, truth: &[State]) -> Result<(), Violation> {
        let place: HashMap<(&str, i64), usize> =
            truth.iter().enumerate().map(|(at, state)| ((state.run_id.as_str(), state.revision), at)).collect();
        let mut last = None;
        for state in &self.events {
            let Some(at) = place.get(&(state.run_id.as_str(), state.revision)) else {
                return Err(shown("what was told has happened", state));
            };
            if truth[*at] != *state {
                return Err(Violation::new("what was told is what happened", format!("{state:?}: {:?}", truth[*at])));
            }
            if !self.wanted.latest && last.is_some_and(|last| last >= *at) {
                return Err(shown("events come in the order of the database", state));
            }
            last = Some(*at);
        }
        let newest: HashMap<&str, &State> = truth.iter().map(|state| (state.run_id.as_str(), state)).collect();
        for (run_id, known) in &self.runs {
            match newest.get(run_id.as_str()) {
                Some(newest) if newest.revision == known.revision => {}
                newest => return Err(Violation::new("the newest is told", format!("{known:?}: {newest:?}"))),
            }
        }
        // Whoever was told of anything is told of every run that came into being later.
        let first = self.events.first().and_then(|state| place.get(&(state.run_id.as_str(), state.revision)));
        let later: BTreeSet<&str> = truth[first.map_or(truth.len(), |at| *at)..]
            .iter()
            .filter(|state| state.revision == 1 && self.wanted.admits(state))
            .map(|state| state.run_id.as_str())
            .collect();
        match later.into_iter().find(|run_id| !self.runs.contains_key(*run_id)) {
            Some(missed) => Err(Violation::new("every new run is told of", missed)),
            None => Ok(()),
        }
    }

    /// Whether the snapshots came to their end.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The last state told of a run.
    pub fn last(&self, run_id: &str) -> Option<&State> {
        self.runs.get(run_id)
    }

    /// How many events came, how many messages, and how often it was cut.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.events.len(), self.messages, self.cuts)
    }
}

fn shown(rule: &'static str, state: &State) -> Violation {
    Violation::new(rule, format!("{state:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(run: &str, revision: i64) -> State {
        State {
            workspace_id: "w".into(),
            run_id: run.into(),
            run_type: "sync".into(),
            revision,
            status: if revision == 3 { "completed" } else { "running" }.into(),
            outcome: if revision == 3 { "succeeded" } else { "pending" }.into(),
            processed: i32::try_from(revision).unwrap(),
        }
    }

    fn token(xid: i64) -> String {
        let mut bytes = vec![0; 17];
        bytes.extend(xid.to_be_bytes());
        bytes.extend(0_i64.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    enum Step {
        Take(Told, i64),
        Cut,
    }

    fn snapshot(run: &str, revision: i64) -> Step {
        Step::Take(Told::Snapshot(state(run, revision)), 1)
    }

    fn event(run: &str, revision: i64, at: i64) -> Step {
        Step::Take(Told::Event(state(run, revision)), at)
    }

    fn bookmark(at: i64) -> Step {
        Step::Take(Told::Bookmark { initial_end: false }, at)
    }

    fn begun() -> Step {
        Step::Take(Told::Bookmark { initial_end: true }, 1)
    }

    fn watched(latest: bool, steps: Vec<Step>) -> Result<Subscription, &'static str> {
        let wanted = Wanted { workspace_id: "w".into(), types: vec!["sync".into()], latest, ..Default::default() };
        let mut subscription = Subscription::new(wanted);
        for step in steps {
            match step {
                Step::Take(told, at) => subscription.take(told, &token(at)).map_err(|violation| violation.rule)?,
                Step::Cut => subscription.cut(),
            }
        }
        Ok(subscription)
    }

    fn truth() -> Vec<State> {
        [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2), ("b", 3)].map(|(run, revision)| state(run, revision)).into()
    }

    fn good() -> Vec<Step> {
        let cut_among_snapshots = [snapshot("a", 1), Step::Cut, snapshot("a", 2), begun()];
        let live = [event("b", 1, 4), bookmark(4), Step::Cut, event("a", 3, 5), event("b", 2, 6), event("b", 3, 7)];
        cut_among_snapshots.into_iter().chain(live).collect()
    }

    #[test]
    fn a_subscriber_that_was_cut_anywhere_and_missed_nothing_is_content() {
        let subscription = watched(false, good()).unwrap();
        assert_eq!(subscription.against(&truth()), Ok(()));
        assert_eq!(subscription.counts(), (4, 8, 2));
        let dashboard =
            watched(true, vec![snapshot("a", 2), begun(), event("b", 2, 6), event("a", 3, 5), event("b", 3, 7)]);
        assert_eq!(dashboard.unwrap().against(&truth()), Ok(()));
    }

    #[test]
    fn bad_streams_are_refused_by_their_rule() {
        let mut other = state("a", 1);
        other.run_type = "backup".into();
        let mut back = state("a", 2);
        back.processed = 0;
        let of = |told: Told| Step::Take(told, 9);
        for (steps, rule) in [
            (vec![snapshot("a", 1), snapshot("a", 1)], "a snapshot comes once"),
            (vec![begun(), snapshot("a", 1)], "snapshots come once"),
            (vec![begun(), Step::Cut, begun()], "the snapshots end once"),
            (vec![event("a", 1, 2)], "events come after the snapshots"),
            (vec![of(Told::Snapshot(other.clone()))], "nothing comes that was not asked for"),
            (vec![begun(), of(Told::Event(other))], "nothing comes that was not asked for"),
            (vec![begun(), event("a", 2, 2)], "a new run is told of from its beginning"),
            (vec![snapshot("a", 1), begun(), event("a", 3, 2)], "no revision is left out"),
            (vec![snapshot("a", 1), begun(), event("a", 2, 2), Step::Cut, event("a", 2, 3)], "no event comes twice"),
            (vec![snapshot("a", 3), begun(), event("a", 4, 2)], "nothing comes after the end"),
            (vec![begun(), bookmark(5), event("a", 1, 5)], "positions rise, past every bookmark"),
            (vec![begun(), event("a", 1, 4), event("b", 1, 3)], "positions rise, past every bookmark"),
            (vec![begun(), event("a", 1, 4), Step::Cut, bookmark(3)], "a bookmark does not go back"),
            (vec![snapshot("a", 1), begun(), of(Told::Event(back))], "progress does not go back"),
        ] {
            assert_eq!(watched(false, steps).map(drop), Err(rule));
        }
        let twice = vec![snapshot("a", 1), begun(), event("a", 2, 2), event("a", 2, 3)];
        assert_eq!(watched(true, twice).map(drop), Err("no event comes twice"));
    }

    #[test]
    fn what_the_database_says_otherwise_is_refused() {
        let judged = |steps: Vec<Step>, truth: Vec<State>| {
            watched(false, steps).unwrap().against(&truth).map_err(|violation| violation.rule)
        };
        let mut without = truth();
        without.retain(|state| (state.run_id.as_str(), state.revision) != ("b", 1));
        assert_eq!(judged(good(), without), Err("what was told has happened"));
        let mut changed = truth();
        changed[3].outcome = "failed".into();
        assert_eq!(judged(good(), changed), Err("what was told is what happened"));
        let mut reordered = truth();
        reordered.swap(2, 3);
        assert_eq!(judged(good(), reordered), Err("events come in the order of the database"));
        let mut unfinished = good();
        unfinished.pop();
        assert_eq!(judged(unfinished, truth()), Err("the newest is told"));
        let mut more = truth();
        more.push(state("c", 1));
        assert_eq!(judged(good(), more), Err("every new run is told of"));
        // A dashboard that missed an end.
        let dashboard = watched(true, vec![begun(), event("b", 1, 4), event("a", 3, 5)]).unwrap();
        assert_eq!(dashboard.against(&truth()).map_err(|violation| violation.rule), Err("the newest is told"));
    }
}
