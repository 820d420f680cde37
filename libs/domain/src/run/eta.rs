//! When a run will probably begin and end, from how long others of its type took. Where there is nothing to go by, nothing is
//! said: a guess that looks like a measurement is worse than none.

use time::{Duration, OffsetDateTime};

use crate::run::{Counts, RunStatus};

/// Fewer runs than this are no evidence.
pub const FEWEST_SAMPLES: usize = 3;
/// With so many runs before it nobody knows.
pub const MOST_AHEAD: u32 = 1000;

/// What an estimate takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtaFacts {
    /// Where the run is.
    pub status: RunStatus,
    /// Whether it gets on at all: it is not paused, a worker is there, nobody has asked it to stop, its time is not over.
    pub gets_on: bool,
    /// No claim before this moment.
    pub not_before: OffsetDateTime,
    /// When work on it began.
    pub started_at: Option<OffsetDateTime>,
    /// How far it is.
    pub counts: Counts,
    /// How many runs of its type that may be claimed were queued before it.
    pub ahead: u32,
    /// How many others of its type are being worked on.
    pub running: u32,
    /// How long those of its type took that ended lately, from claim to end.
    pub samples: Vec<Duration>,
}

/// When it will probably begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eta {
    /// `None`: it has begun.
    pub start: Option<OffsetDateTime>,
    /// When it ends.
    pub complete: OffsetDateTime,
    /// How many runs this was measured on.
    pub samples: usize,
}

/// The estimate, if there is evidence for one.
pub fn eta(now: OffsetDateTime, facts: &EtaFacts) -> Option<Eta> {
    let samples = facts.samples.len();
    if !facts.gets_on || samples < FEWEST_SAMPLES {
        return None;
    }
    let usual = median(&facts.samples);
    match facts.status {
        RunStatus::Completed => None,
        RunStatus::Running => {
            let elapsed = now - facts.started_at?;
            let left = match facts.counts.progress().filter(|_| facts.counts.processed > 0) {
                // Its own pace is the best evidence.
                Some(done) => elapsed * ((1.0 - done) / done),
                None if elapsed < usual => usual - elapsed,
                // It takes longer than others did, and says nothing.
                None => return None,
            };
            Some(Eta { start: None, complete: now + left, samples })
        }
        RunStatus::Queued if facts.ahead >= MOST_AHEAD => None,
        RunStatus::Queued => {
            // As many are worked on at a time as are now. A worker with its hands empty takes the first at once.
            let turns = if facts.running > 0 { facts.ahead + 1 } else { facts.ahead };
            let wait = usual * (f64::from(turns) / f64::from(facts.running.max(1)));
            let start = now.max(facts.not_before) + wait;
            Some(Eta { start: Some(start), complete: start + usual, samples })
        }
    }
}

fn median(samples: &[Duration]) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
    const MINUTE: Duration = Duration::MINUTE;

    fn queued() -> EtaFacts {
        EtaFacts {
            status: RunStatus::Queued,
            gets_on: true,
            not_before: NOW - MINUTE,
            started_at: None,
            counts: Counts::default(),
            ahead: 0,
            running: 0,
            // One that took very long does not count for more than the others.
            samples: vec![MINUTE * 2, MINUTE, MINUTE * 600],
        }
    }

    fn running() -> EtaFacts {
        EtaFacts { status: RunStatus::Running, started_at: Some(NOW - MINUTE), ..queued() }
    }

    fn in_minutes(facts: &EtaFacts) -> Option<(Option<i64>, i64)> {
        let minutes = |at: OffsetDateTime| (at - NOW).whole_minutes();
        eta(NOW, facts).map(|eta| (eta.start.map(minutes), minutes(eta.complete)))
    }

    #[test]
    fn estimates_by_table() {
        let half = Counts { total: 4, processed: 2, succeeded: 2, ..Counts::default() };
        for (facts, expected) in [
            (queued(), Some((Some(0), 2))),
            (EtaFacts { not_before: NOW + MINUTE * 5, ..queued() }, Some((Some(5), 7))),
            (EtaFacts { ahead: 3, ..queued() }, Some((Some(6), 8))),
            (EtaFacts { ahead: 3, running: 2, ..queued() }, Some((Some(4), 6))),
            (EtaFacts { running: 1, ..queued() }, Some((Some(2), 4))),
            (running(), Some((None, 1))),
            (EtaFacts { counts: half, started_at: Some(NOW - MINUTE * 9), ..running() }, Some((None, 9))),
            // No evidence, no estimate.
            (EtaFacts { samples: vec![MINUTE; 2], ..queued() }, None),
            (EtaFacts { ahead: MOST_AHEAD, ..queued() }, None),
            (EtaFacts { gets_on: false, ..queued() }, None),
            (EtaFacts { started_at: Some(NOW - MINUTE * 3), ..running() }, None),
            (EtaFacts { status: RunStatus::Completed, ..running() }, None),
        ] {
            assert_eq!(in_minutes(&facts), expected, "{facts:?}");
        }
    }
}
