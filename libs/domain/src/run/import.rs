//! History: which completed runs of an older system may be taken in.

use time::OffsetDateTime;

use crate::run::{Counts, RunOutcome};

/// What is checked of a run that is brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFacts {
    /// How it is said to have ended.
    pub outcome: RunOutcome,
    /// Its counts; `None`: not known.
    pub counts: Option<Counts>,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When work on it began, if it did.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub completed_at: OffsetDateTime,
}

/// What is wrong with one of its fields, named as in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportFault {
    /// The field.
    pub field: &'static str,
    /// For people.
    pub why: &'static str,
}

/// Everything that is wrong with it; nothing is, when that is empty.
pub fn import_faults(now: OffsetDateTime, facts: &ImportFacts) -> Vec<ImportFault> {
    let mut faults = Vec::new();
    let mut fault = |field, why| faults.push(ImportFault { field, why });
    if !facts.outcome.is_terminal() {
        fault("outcome", "must say how it ended: only completed runs are taken");
    }
    if facts.completed_at > now {
        fault("complete_time", "is in the future");
    }
    if facts.started_at.is_some_and(|started| started < facts.created_at) {
        fault("start_time", "is before create_time");
    }
    if facts.completed_at < facts.started_at.unwrap_or(facts.created_at) {
        fault("complete_time", "is before start_time or create_time");
    }
    if let Some(counts) = &facts.counts {
        if !counts.is_consistent() {
            let why = "disagree: processed is succeeded + failed + skipped and at most total, and what was created, updated, \
                       deleted and unchanged is at most succeeded";
            fault("summary_counts", why);
        } else if facts.outcome == RunOutcome::Succeeded && counts.succeeded < counts.total {
            fault("summary_counts", "disagree with the outcome: not everything succeeded");
        } else if facts.outcome == RunOutcome::PartiallySucceeded && counts.succeeded == 0 {
            fault("summary_counts", "disagree with the outcome: nothing succeeded");
        } else if facts.outcome == RunOutcome::Blocked && counts.succeeded > 0 {
            fault("summary_counts", "disagree with the outcome: a blocked run changes nothing");
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    fn good() -> ImportFacts {
        let counts = Counts { total: 3, processed: 3, succeeded: 3, created: 1, ..Counts::default() };
        ImportFacts {
            outcome: RunOutcome::Succeeded,
            counts: Some(counts),
            created_at: NOW - Duration::hours(3),
            started_at: Some(NOW - Duration::hours(2)),
            completed_at: NOW,
        }
    }

    #[test]
    fn what_a_completed_run_can_be_is_taken() {
        let partly = Counts { total: 3, processed: 2, succeeded: 1, failed: 1, ..Counts::default() };
        for facts in [
            good(),
            ImportFacts { counts: None, started_at: None, ..good() },
            ImportFacts { outcome: RunOutcome::Cancelled, counts: Some(partly), ..good() },
            ImportFacts { outcome: RunOutcome::PartiallySucceeded, counts: Some(partly), ..good() },
            ImportFacts { outcome: RunOutcome::Failed, counts: Some(partly), ..good() },
            ImportFacts { created_at: NOW, started_at: Some(NOW), ..good() },
        ] {
            assert_eq!(import_faults(NOW, &facts), [], "{facts:?}");
        }
    }

    #[test]
    fn each_fault_is_told_by_its_field() {
        let moment = Duration::milliseconds(1);
        let none = Counts { total: 3, processed: 3, failed: 3, ..Counts::default() };
        let odd = Counts { processed: 2, ..none };
        for (facts, fields) in [
            (ImportFacts { outcome: RunOutcome::Pending, ..good() }, vec!["outcome"]),
            (ImportFacts { completed_at: NOW + moment, ..good() }, vec!["complete_time"]),
            (ImportFacts { started_at: Some(NOW - Duration::hours(4)), ..good() }, vec!["start_time"]),
            (ImportFacts { completed_at: NOW - Duration::hours(2) - moment, ..good() }, vec!["complete_time"]),
            (ImportFacts { counts: Some(odd), ..good() }, vec!["summary_counts"]),
            (ImportFacts { counts: Some(none), ..good() }, vec!["summary_counts"]),
            (
                ImportFacts { outcome: RunOutcome::PartiallySucceeded, counts: Some(none), ..good() },
                vec!["summary_counts"],
            ),
            (ImportFacts { outcome: RunOutcome::Blocked, ..good() }, vec!["summary_counts"]),
            (
                ImportFacts { outcome: RunOutcome::Pending, counts: Some(odd), completed_at: NOW + moment, ..good() },
                vec!["outcome", "complete_time", "summary_counts"],
            ),
        ] {
            let told: Vec<&str> = import_faults(NOW, &facts).iter().map(|fault| fault.field).collect();
            assert_eq!(told, fields, "{facts:?}");
        }
    }
}
