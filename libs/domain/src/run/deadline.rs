//! Deadlines: how long a run may wait in the queue, and how long it may take in all.
//!
//! Both are moments of the database's clock, set when the run is started. The queue deadline counts until a worker first
//! takes the run; from then on the run deadline does. Their clock stands still while the run's type is paused: whoever
//! pauses a queue expects to find it as it was. It does not stand still for anything else: not while the run waits to be
//! tried again, not when the provider asks to wait, not when its tenant is archived.

use time::{Duration, OffsetDateTime};

use crate::run::{Failure, RunReason, RunStatus};

/// The stable code of a run that was ended because its time was over.
pub const TIMED_OUT: &str = RunReason::TimedOut.as_str();

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// No worker had taken the run by then.
    Queue,
    /// The run was not over by then.
    Run,
}

impl Deadline {
    /// Why the run ends, for people.
    pub fn failure(self) -> Failure {
        let sentence = match self {
            Deadline::Queue => {
                "No worker took it up in time; nothing was done. Start it again when its workers are back."
            }
            Deadline::Run => "It was not done in time and was ended; what was done until then stays.",
        };
        Failure::new(TIMED_OUT, sentence)
    }

    /// Its name in logs and measurements.
    pub const fn as_str(self) -> &'static str {
        match self {
            Deadline::Queue => "queue",
            Deadline::Run => "run",
        }
    }
}

/// What telling whether a run's time is over takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineFacts {
    /// Where it is.
    pub status: RunStatus,
    /// Whether a worker has ever taken it.
    pub started: bool,
    /// Until when it may be taken up; `None`: no limit.
    pub queue_deadline: Option<OffsetDateTime>,
    /// Until when it must be over; `None`: no limit.
    pub run_deadline: Option<OffsetDateTime>,
    /// For how long its type has been paused since it was created.
    pub paused_for: Duration,
}

/// The deadline that has passed, if one has. A deadline is over at its very moment.
pub fn deadline_passed(now: OffsetDateTime, facts: &DeadlineFacts) -> Option<Deadline> {
    let over = |deadline: Option<OffsetDateTime>| deadline.is_some_and(|deadline| deadline + facts.paused_for <= now);
    match facts.status {
        RunStatus::Completed => None,
        RunStatus::Queued if !facts.started && over(facts.queue_deadline) => Some(Deadline::Queue),
        RunStatus::Queued | RunStatus::Running => over(facts.run_deadline).then_some(Deadline::Run),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    #[test]
    fn deadlines_by_table() {
        let moment = Duration::milliseconds(1);
        let queued = DeadlineFacts {
            status: RunStatus::Queued,
            started: false,
            queue_deadline: Some(NOW + moment),
            run_deadline: Some(NOW + Duration::hours(1)),
            paused_for: Duration::ZERO,
        };
        let late = DeadlineFacts { queue_deadline: Some(NOW), ..queued };
        let very_late = DeadlineFacts { run_deadline: Some(NOW), ..late };
        let running = |facts| DeadlineFacts { status: RunStatus::Running, started: true, ..facts };
        for (facts, expected) in [
            (queued, None),
            (late, Some(Deadline::Queue)),
            (very_late, Some(Deadline::Queue)),
            // Taken up once, it has made its queue deadline.
            (DeadlineFacts { started: true, ..late }, None),
            (DeadlineFacts { started: true, ..very_late }, Some(Deadline::Run)),
            (running(late), None),
            (running(very_late), Some(Deadline::Run)),
            // The clock stood still for a moment.
            (DeadlineFacts { paused_for: moment, ..late }, None),
            (DeadlineFacts { paused_for: moment, ..running(very_late) }, None),
            (DeadlineFacts { status: RunStatus::Completed, ..very_late }, None),
            (DeadlineFacts { queue_deadline: None, run_deadline: None, ..very_late }, None),
        ] {
            assert_eq!(deadline_passed(NOW, &facts), expected, "{facts:?}");
        }
    }
}
