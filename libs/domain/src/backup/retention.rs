//! Which backup sets a schedule no longer keeps. A set is a list of references: the versions it names are never deleted.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// A set that nobody has finished for so long will not be finished any more: it is an hour longer than its run may take in all.
pub const ABANDONED_AFTER: Duration = Duration::hours(25);
/// The most sets and days a retention may name.
const MOST: u16 = 3_660;

/// How long sets are kept: those that either rule keeps are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest complete sets, so many.
    keep_last: u16,
    /// Sets of the last so many days; 0 when age keeps nothing.
    keep_days: u16,
}

/// Why there can be no such retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// A schedule that keeps nothing makes no backups.
    #[error("must be between 1 and 3660: a schedule keeps at least its newest complete set")]
    KeepLast,
    /// Too many days.
    #[error("must be between 0 and 3660")]
    KeepDays,
}

impl Retention {
    /// A retention within its limits.
    ///
    /// # Errors
    /// See [`RetentionError`].
    pub const fn new(keep_last: u16, keep_days: u16) -> Result<Self, RetentionError> {
        match (keep_last, keep_days) {
            (0, _) => Err(RetentionError::KeepLast),
            (last, _) if last > MOST => Err(RetentionError::KeepLast),
            (_, days) if days > MOST => Err(RetentionError::KeepDays),
            _ => Ok(Self { keep_last, keep_days }),
        }
    }

    /// The newest complete sets that are kept.
    pub const fn keep_last(self) -> u16 {
        self.keep_last
    }

    /// For how many days sets are kept.
    pub const fn keep_days(self) -> u16 {
        self.keep_days
    }
}

/// How far a set got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetState {
    /// Its run is under way.
    InProgress,
    /// It has everything that was asked for.
    Complete,
    /// Something is missing.
    Partial,
}

/// A set of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept<I> {
    /// Which one.
    pub id: I,
    /// How far it got.
    pub state: SetState,
    /// When it was begun.
    pub begun_at: OffsetDateTime,
}

/// The sets that are no longer kept. A set with gaps is no substitute for a complete one: the newest complete sets are counted
/// without it. What is under way is left alone until it counts as abandoned.
pub fn prunable<I: Copy>(sets: &[Kept<I>], now: OffsetDateTime, retention: Retention) -> Vec<I> {
    let mut newest: Vec<&Kept<I>> = sets.iter().collect();
    newest.sort_by_key(|set| std::cmp::Reverse(set.begun_at));
    let mut complete = 0;
    let mut keeps = |set: &Kept<I>| {
        let age = now - set.begun_at;
        let by_age = age <= Duration::days(i64::from(retention.keep_days));
        match set.state {
            SetState::InProgress => age <= ABANDONED_AFTER,
            // Kept while it is newer than the oldest complete set that is kept by number.
            SetState::Partial => by_age || complete < retention.keep_last,
            SetState::Complete => {
                complete = complete.saturating_add(1);
                by_age || complete <= retention.keep_last
            }
        }
    };
    newest.into_iter().filter(|set| !keeps(set)).map(|set| set.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::SetState::{Complete, InProgress, Partial};
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 00:00 UTC);

    /// Sets by age in days.
    fn sets(of: &[(i64, SetState)]) -> Vec<Kept<i64>> {
        of.iter()
            .map(|(days, state)| Kept { id: *days, state: *state, begun_at: NOW - Duration::days(*days) })
            .collect()
    }

    #[test]
    fn what_neither_number_nor_age_keeps_goes() {
        type Case = (&'static [(i64, SetState)], (u16, u16), &'static [i64]);
        let cases: [Case; 7] = [
            (&[(1, Complete), (2, Complete), (3, Complete)], (2, 0), &[3]),
            (&[(3, Complete), (1, Complete), (2, Complete)], (1, 0), &[2, 3]),
            (&[(1, Complete), (2, Complete), (3, Complete)], (1, 2), &[3]),
            (&[(1, Partial), (2, Partial), (3, Complete)], (1, 0), &[]),
            (&[(1, Complete), (2, Partial), (3, Complete)], (1, 0), &[2, 3]),
            (&[(1, InProgress), (8, InProgress), (9, Complete)], (1, 0), &[8]),
            (&[], (1, 0), &[]),
        ];
        for (of, (last, days), gone) in cases {
            let retention = Retention::new(last, days).unwrap();
            assert_eq!(prunable(&sets(of), NOW, retention), gone, "{of:?}");
        }
    }

    #[test]
    fn a_set_is_abandoned_only_when_its_run_must_have_ended() {
        use crate::run::RunType::{BackupScheduleRetry, BackupScheduleRunNow, BackupScheduleScheduled};
        for run_type in [BackupScheduleScheduled, BackupScheduleRunNow, BackupScheduleRetry] {
            assert!(run_type.facts().run_for < ABANDONED_AFTER, "{run_type:?}");
        }
    }

    #[test]
    fn limits_are_limits() {
        assert_eq!(Retention::new(0, 5), Err(RetentionError::KeepLast));
        assert_eq!(Retention::new(3_661, 5), Err(RetentionError::KeepLast));
        assert_eq!(Retention::new(1, 3_661), Err(RetentionError::KeepDays));
        assert!(Retention::new(3_660, 3_660).is_ok());
    }

    proptest! {
        #[test]
        fn the_newest_complete_set_always_stays(
            days in proptest::collection::btree_map(0_i64..4_000, 0_u8..3, 0..40), last in 1_u16..5, keep_days in 0_u16..90,
        ) {
            let state = |state: u8| [InProgress, Complete, Partial][usize::from(state)];
            let of: Vec<_> = days.into_iter().map(|(days, kind)| (days, state(kind))).collect();
            let gone = prunable(&sets(&of), NOW, Retention::new(last, keep_days).unwrap());
            let complete: Vec<i64> = of.iter().filter(|(_, state)| *state == Complete).map(|(days, _)| *days).collect();
            for kept in complete.iter().take(usize::from(last)) {
                prop_assert!(!gone.contains(kept));
            }
            // Pruning again prunes nothing more.
            let left: Vec<_> = of.into_iter().filter(|(days, _)| !gone.contains(days)).collect();
            prop_assert!(prunable(&sets(&left), NOW, Retention::new(last, keep_days).unwrap()).is_empty());
        }
    }
}
