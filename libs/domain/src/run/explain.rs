//! Why a run is not running, or not moving: everything that is known to hold it up, the weightiest first, as closed codes
//! with a sentence each. Explaining decides nothing; it tells what other decisions look at.

use time::{Duration, OffsetDateTime};

use crate::id::RunId;
use crate::run::{
    ControlScope, Deadline, DeadlineFacts, Failure, Pause, RunOutcome, RunStatus, RunType, deadline_passed,
};

/// After so long without a request for runs of a type there is no worker for it. Workers ask at least every half minute.
pub const WORKERS_SILENT_AFTER: Duration = Duration::seconds(60);
/// How long a run of a short type may go without progress before it is mentioned.
const SHORTEST_PATIENCE: Duration = Duration::minutes(2);
/// Releases for one of these reasons, and for those the provider gave, are told as such.
const PROVIDER_PREFIX: &str = "PROVIDER_";

/// What holds a run up, or that nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hindrance {
    /// It is over.
    Ended,
    /// Its time is over; it is about to be ended.
    DeadlinePassed,
    /// Its type is paused everywhere.
    PausedEverywhere,
    /// Its type is paused in its workspace.
    PausedInWorkspace,
    /// The provider asked to wait, or its budget is used up.
    ProviderBackoff,
    /// It failed, or was left by its worker, and waits a while before it is tried again.
    RetryBackoff,
    /// Nobody asks for runs of its type.
    NoCapableWorker,
    /// Runs that were queued before it come first.
    AheadInQueue,
    /// Nothing: the next worker that asks takes it.
    AboutToStart,
    /// Its worker has fallen silent; it will be taken from it.
    LeaseExpired,
    /// It was asked to stop and has not yet.
    StopRequested,
    /// Its worker lives, but no item has got an outcome for longer than usual.
    NoProgress,
    /// Nothing: it is being worked on.
    InProgress,
}

/// What explaining takes.
#[derive(Debug, Clone)]
pub struct ExplainFacts {
    /// What it is.
    pub run_type: RunType,
    /// Where it is.
    pub status: RunStatus,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it ended.
    pub completed_at: Option<OffsetDateTime>,
    /// Why it was given up, if it was.
    pub given_up: Option<Failure>,
    /// How long it may wait and take.
    pub deadlines: DeadlineFacts,
    /// Since when it has been queued.
    pub queued_since: OffsetDateTime,
    /// No claim before this moment.
    pub not_before: OffsetDateTime,
    /// Why it last went back to the queue.
    pub release_reason: Option<String>,
    /// Pauses of its type that reach it.
    pub pauses: Vec<Pause>,
    /// When a worker last asked for runs of its type.
    pub workers_heard_at: Option<OffsetDateTime>,
    /// Whether other runs of its type are in the hands of workers that live.
    pub others_running: bool,
    /// Whether runs of its type that may be claimed were queued before it.
    pub ahead: bool,
    /// The one directly before it, if whoever asks may see it.
    pub run_ahead: Option<RunId>,
    /// When it was first claimed.
    pub started_at: Option<OffsetDateTime>,
    /// Until when its worker holds it.
    pub lease_until: Option<OffsetDateTime>,
    /// When an item last got an outcome.
    pub progressed_at: Option<OffsetDateTime>,
    /// When it was asked to stop.
    pub stop_requested_at: Option<OffsetDateTime>,
}

/// One thing that is known about why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub hindrance: Hindrance,
    /// For people.
    pub sentence: String,
    /// Since when.
    pub since: Option<OffsetDateTime>,
    /// Until when, where that is known.
    pub until: Option<OffsetDateTime>,
    /// The run in the way.
    pub run: Option<RunId>,
    /// Who is behind it, where somebody is.
    pub by: Option<String>,
}

impl Explanation {
    fn new(hindrance: Hindrance, sentence: impl Into<String>) -> Self {
        Self { hindrance, sentence: sentence.into(), since: None, until: None, run: None, by: None }
    }

    fn since(self, since: Option<OffsetDateTime>) -> Self {
        Self { since, ..self }
    }

    fn until(self, until: OffsetDateTime) -> Self {
        Self { until: Some(until), ..self }
    }
}

/// Whether the run gets on without anything having to change: it is being worked on, or about to be.
pub fn is_moving(explanations: &[Explanation]) -> bool {
    explanations.iter().all(|known| matches!(known.hindrance, Hindrance::InProgress | Hindrance::AboutToStart))
}

/// Everything that holds the run up; if nothing does, that. Never empty. `now` is the database's clock.
pub fn explain(now: OffsetDateTime, facts: &ExplainFacts) -> Vec<Explanation> {
    match facts.status {
        RunStatus::Completed => {
            let told = match &facts.given_up {
                Some(why) => format!("It has ended as {} ({}): {}", facts.outcome, why.code, why.message),
                None => format!("It has ended as {}.", facts.outcome),
            };
            vec![Explanation::new(Hindrance::Ended, told).since(facts.completed_at)]
        }
        RunStatus::Queued => queued(now, facts),
        RunStatus::Running => running(now, facts),
    }
}

fn queued(now: OffsetDateTime, facts: &ExplainFacts) -> Vec<Explanation> {
    let mut known: Vec<Explanation> = facts.pauses.iter().map(paused).collect();
    known.sort_by_key(|explanation| explanation.hindrance);
    known.extend(late(now, facts, "Its time is over; it is about to be ended."));
    if let Some(at) = facts.stop_requested_at {
        let told = "It was asked to stop; a worker looks first at what may have been written.";
        known.push(Explanation::new(Hindrance::StopRequested, told).since(Some(at)));
    }
    if facts.not_before > now {
        known.push(backoff(facts).since(Some(facts.queued_since)).until(facts.not_before));
    }
    let silent = facts.workers_heard_at.is_none_or(|at| now - at > WORKERS_SILENT_AFTER);
    // A worker with its hands full does not ask.
    if silent && !facts.others_running {
        let told = "No worker that can do this has asked for work; none may be running.";
        known.push(Explanation::new(Hindrance::NoCapableWorker, told).since(facts.workers_heard_at));
    }
    if facts.ahead {
        let told = "Operations of the same type that were queued before it come first.";
        let ahead = Explanation::new(Hindrance::AheadInQueue, told).since(Some(facts.queued_since));
        known.push(Explanation { run: facts.run_ahead, ..ahead });
    }
    if known.is_empty() {
        let told = "Nothing is in the way: the next worker that asks takes it.";
        known.push(Explanation::new(Hindrance::AboutToStart, told).since(Some(facts.queued_since)));
    }
    known
}

fn late(now: OffsetDateTime, facts: &ExplainFacts, told: &str) -> Option<Explanation> {
    let late = match deadline_passed(now, &facts.deadlines)? {
        Deadline::Queue => facts.deadlines.queue_deadline,
        Deadline::Run => facts.deadlines.run_deadline,
    };
    let since = late.map(|deadline| deadline + facts.deadlines.paused_for);
    Some(Explanation::new(Hindrance::DeadlinePassed, told).since(since))
}

fn paused(pause: &Pause) -> Explanation {
    let hindrance = match pause.scope {
        ControlScope::Workspace(_) => Hindrance::PausedInWorkspace,
        ControlScope::Everywhere => Hindrance::PausedEverywhere,
    };
    let by = Some(pause.paused_by.name().to_owned());
    Explanation { by, ..Explanation::new(hindrance, pause.sentence()).since(Some(pause.paused_at)) }
}

fn backoff(facts: &ExplainFacts) -> Explanation {
    match facts.release_reason.as_deref() {
        Some(reason) if reason.starts_with(PROVIDER_PREFIX) => Explanation::new(
            Hindrance::ProviderBackoff,
            format!("The provider asked to wait before going on ({reason})."),
        ),
        Some(reason) => {
            let told = format!("It went back to the queue ({reason}) and waits a while before it is tried again.");
            Explanation::new(Hindrance::RetryBackoff, told)
        }
        None => Explanation::new(Hindrance::RetryBackoff, "It waits a while before it is tried."),
    }
}

fn running(now: OffsetDateTime, facts: &ExplainFacts) -> Vec<Explanation> {
    let told = "Its time is over; it ends after the item it is at, or when its worker does not stop, with its lease.";
    let mut known: Vec<Explanation> = late(now, facts, told).into_iter().collect();
    if facts.lease_until.is_none_or(|until| until < now) {
        let told = "Its worker has fallen silent; the run is taken from it and tried again, or given up.";
        known.push(Explanation::new(Hindrance::LeaseExpired, told).since(facts.lease_until));
    }
    if let Some(at) = facts.stop_requested_at {
        let told = "It was asked to stop; it ends after the item it is at.";
        known.push(Explanation::new(Hindrance::StopRequested, told).since(Some(at)));
    }
    let last = facts.progressed_at.max(facts.started_at);
    let patience = facts.run_type.facts().expected_duration.max(SHORTEST_PATIENCE);
    if last.is_some_and(|last| now - last > patience) {
        let told = "Its worker is alive, but no item has got an outcome for longer than usual.";
        known.push(Explanation::new(Hindrance::NoProgress, told).since(last));
    }
    if known.is_empty() {
        known.push(Explanation::new(Hindrance::InProgress, "It is being worked on.").since(facts.started_at));
    }
    known
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::id::WorkspaceId;
    use crate::run::PausedBy;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    fn waiting() -> ExplainFacts {
        ExplainFacts {
            run_type: RunType::PromotionExecute,
            status: RunStatus::Queued,
            outcome: RunOutcome::Pending,
            completed_at: None,
            given_up: None,
            deadlines: DeadlineFacts {
                status: RunStatus::Queued,
                started: false,
                queue_deadline: Some(NOW + Duration::hours(1)),
                run_deadline: Some(NOW + Duration::hours(2)),
                paused_for: Duration::ZERO,
            },
            queued_since: NOW - Duration::seconds(5),
            not_before: NOW - Duration::seconds(5),
            release_reason: None,
            pauses: Vec::new(),
            workers_heard_at: Some(NOW - Duration::seconds(3)),
            others_running: false,
            ahead: false,
            run_ahead: None,
            started_at: None,
            lease_until: None,
            progressed_at: None,
            stop_requested_at: None,
        }
    }

    fn working() -> ExplainFacts {
        ExplainFacts {
            status: RunStatus::Running,
            deadlines: DeadlineFacts { status: RunStatus::Running, started: true, ..waiting().deadlines },
            started_at: Some(NOW - Duration::seconds(30)),
            lease_until: Some(NOW + Duration::seconds(20)),
            ..waiting()
        }
    }

    fn late(facts: ExplainFacts) -> ExplainFacts {
        let deadlines = DeadlineFacts { queue_deadline: Some(NOW), run_deadline: Some(NOW), ..facts.deadlines };
        ExplainFacts { deadlines, ..facts }
    }

    fn pause(scope: ControlScope) -> Pause {
        Pause {
            scope,
            run_type: RunType::PromotionExecute,
            reason: "Provider in trouble".into(),
            paused_by: PausedBy::User { subject: "ada".into(), name: "Ada".into() },
            paused_at: NOW - Duration::minutes(7),
        }
    }

    fn codes(facts: &ExplainFacts) -> Vec<Hindrance> {
        explain(NOW, facts).into_iter().map(|known| known.hindrance).collect()
    }

    #[test]
    fn each_hindrance_has_its_code() {
        use Hindrance::*;
        let workspace = ControlScope::Workspace(WorkspaceId(Uuid::from_u128(1)));
        let later = NOW + Duration::minutes(1);
        let long_ago = NOW - Duration::hours(1);
        for (facts, expected) in [
            (waiting(), vec![AboutToStart]),
            (
                ExplainFacts { pauses: vec![pause(workspace), pause(ControlScope::Everywhere)], ..waiting() },
                vec![PausedEverywhere, PausedInWorkspace],
            ),
            (
                ExplainFacts { not_before: later, release_reason: Some("PROVIDER_THROTTLED".into()), ..waiting() },
                vec![ProviderBackoff],
            ),
            (
                ExplainFacts { not_before: later, release_reason: Some("WORK_FAILED".into()), ..waiting() },
                vec![RetryBackoff],
            ),
            // A reason of long ago explains nothing.
            (ExplainFacts { release_reason: Some("PROVIDER_THROTTLED".into()), ..waiting() }, vec![AboutToStart]),
            (ExplainFacts { workers_heard_at: None, ..waiting() }, vec![NoCapableWorker]),
            (ExplainFacts { workers_heard_at: Some(long_ago), ..waiting() }, vec![NoCapableWorker]),
            (
                ExplainFacts { workers_heard_at: Some(long_ago), others_running: true, ahead: true, ..waiting() },
                vec![AheadInQueue],
            ),
            (ExplainFacts { stop_requested_at: Some(long_ago), ..waiting() }, vec![StopRequested]),
            (working(), vec![InProgress]),
            (late(waiting()), vec![DeadlinePassed]),
            (ExplainFacts { stop_requested_at: Some(NOW), ..late(working()) }, vec![DeadlinePassed, StopRequested]),
            (ExplainFacts { lease_until: Some(long_ago), ..working() }, vec![LeaseExpired]),
            (ExplainFacts { stop_requested_at: Some(NOW), ..working() }, vec![StopRequested]),
            (ExplainFacts { started_at: Some(long_ago), ..working() }, vec![NoProgress]),
            (ExplainFacts { started_at: Some(long_ago), progressed_at: Some(NOW), ..working() }, vec![InProgress]),
            (ExplainFacts { status: RunStatus::Completed, outcome: RunOutcome::Failed, ..working() }, vec![Ended]),
        ] {
            assert_eq!(codes(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn only_what_gets_on_by_itself_moves() {
        let moving = |facts: &ExplainFacts| is_moving(&explain(NOW, facts));
        assert!(moving(&waiting()) && moving(&working()));
        assert!(!moving(&ExplainFacts { pauses: vec![pause(ControlScope::Everywhere)], ..waiting() }));
        assert!(!moving(&ExplainFacts { status: RunStatus::Completed, ..working() }));
    }

    #[test]
    fn what_was_given_up_says_why() {
        let given_up = Some(Deadline::Queue.failure());
        let ended = ExplainFacts { status: RunStatus::Completed, outcome: RunOutcome::Failed, given_up, ..waiting() };
        let told = &explain(NOW, &ended)[0].sentence;
        assert!(told.starts_with("It has ended as failed (TIMED_OUT): No worker took it up in time"), "{told}");
    }

    #[test]
    fn a_pause_is_told_with_who_since_when_and_why() {
        let told = explain(NOW, &ExplainFacts { pauses: vec![pause(ControlScope::Everywhere)], ..waiting() });
        assert_eq!(
            told[0].sentence,
            "Cross-tenant promotion is paused everywhere by Ada since 2026-01-01 11:53 UTC: Provider in trouble"
        );
        assert_eq!((told[0].since, told[0].by.as_deref()), (Some(NOW - Duration::minutes(7)), Some("Ada")));
    }
}
