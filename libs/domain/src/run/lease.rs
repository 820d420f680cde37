//! Time and runs: what becomes of a run whose worker fell silent, and how fresh a run looks to somebody watching.
//!
//! `now` is always the database's clock, so that workers' clocks do not matter.

use time::{Duration, OffsetDateTime};

use crate::run::deadline::TIMED_OUT;
use crate::run::{RunOutcome, RunReason, RunStatus};

/// The stable code of a run given up because its workers kept falling silent without getting anything done.
pub const ATTEMPTS_EXHAUSTED: &str = RunReason::AttemptsExhausted.as_str();

/// The codes of runs that were given up, rather than ended by a worker.
pub const GIVEN_UP: [&str; 2] = [ATTEMPTS_EXHAUSTED, TIMED_OUT];

/// How long a queued run may wait before it looks stale.
pub const QUEUED_LOOKS_STALE_AFTER: Duration = Duration::minutes(2);

/// What deciding about a silent worker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseFacts {
    /// Where the run is.
    pub status: RunStatus,
    /// Until when its worker holds it; set while `running`.
    pub lease_until: Option<OffsetDateTime>,
    /// Whether somebody asked it to stop.
    pub cancel_requested: bool,
    /// Whether an item has a recorded intent and no outcome.
    pub item_in_flight: bool,
    /// Claims in a row, this one included, during which no item got an outcome.
    pub attempts_without_progress: u32,
    /// The type's limit for those.
    pub max_attempts_without_progress: u32,
    /// Whether the run's own time is over.
    pub timed_out: bool,
}

/// What to do with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescueVerdict {
    /// Its worker still holds it, or it has none: leave it alone.
    NotDue,
    /// Put it back: another worker goes on where this one stopped.
    Requeue,
    /// Give it up, with this code.
    Fail(&'static str),
    /// It was asked to stop: it is over.
    Cancelled,
}

/// Decides about a run whose lease may have run out. The stop somebody asked for beats another attempt, except that a
/// write that may have happened is first looked at by another worker, as long as there is time for one.
pub fn rescue(now: OffsetDateTime, facts: &LeaseFacts) -> RescueVerdict {
    let expired = facts.lease_until.is_none_or(|until| until < now);
    if facts.status != RunStatus::Running || !expired {
        return RescueVerdict::NotDue;
    }
    let attempts_left = facts.attempts_without_progress < facts.max_attempts_without_progress;
    match (facts.cancel_requested, facts.item_in_flight, attempts_left) {
        (true, true, true) if !facts.timed_out => RescueVerdict::Requeue,
        (true, ..) => RescueVerdict::Cancelled,
        (false, ..) if facts.timed_out => RescueVerdict::Fail(TIMED_OUT),
        (false, _, true) => RescueVerdict::Requeue,
        (false, _, false) => RescueVerdict::Fail(ATTEMPTS_EXHAUSTED),
    }
}

/// How a run looks to somebody watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Active, and there is a sign of life.
    FreshActive,
    /// Active, but overdue: nobody picks it up or its worker fell silent.
    LikelyStale,
    /// Over, because it was given up.
    ReconciledFailed,
    /// Over in the ordinary way.
    TerminalNormal,
}

/// What telling the freshness of a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshnessFacts {
    /// Where the run is.
    pub status: RunStatus,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Whether it was given up, for one of [`GIVEN_UP`].
    pub reconciled: bool,
    /// Since when it has been waiting; set while `queued`.
    pub queued_since: OffsetDateTime,
    /// Until when its worker holds it; set while `running`.
    pub lease_until: Option<OffsetDateTime>,
    /// Whether it waits for a reason that is known: its type is paused, or another mutation of its target is active.
    pub held: bool,
}

/// Tells how fresh a run looks.
pub fn freshness(now: OffsetDateTime, facts: &FreshnessFacts) -> Freshness {
    let overdue = match facts.status {
        RunStatus::Completed if facts.reconciled && facts.outcome == RunOutcome::Failed => {
            return Freshness::ReconciledFailed;
        }
        RunStatus::Completed => return Freshness::TerminalNormal,
        RunStatus::Queued => !facts.held && now - facts.queued_since > QUEUED_LOOKS_STALE_AFTER,
        RunStatus::Running => facts.lease_until.is_none_or(|until| until < now),
    };
    if overdue { Freshness::LikelyStale } else { Freshness::FreshActive }
}
