//! When an absent object may be believed to be absent.
//!
//! The provider answers reads from copies that lag its writes (a created Entra object can be missing for more than 30
//! seconds, an Intune list can lag a create), and a request whose connection broke may still be under way. So after a
//! create whose outcome is unknown, one read that does not find the object proves nothing, and creating again would make
//! a second one.

use time::Duration;

use crate::contract::Family;

/// How often, and for how long after the attempt, an object must have been looked for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettleRule {
    /// Reads that did not find it, at least.
    pub min_reads: u32,
    /// Time since the attempt, at least.
    pub window: Duration,
}

impl SettleRule {
    /// Intune: lists lag by seconds.
    pub const INTUNE: SettleRule = SettleRule { min_reads: 3, window: Duration::seconds(30) };
    /// Entra and Conditional Access: replicas lag by half a minute and more.
    pub const ENTRA: SettleRule = SettleRule { min_reads: 5, window: Duration::seconds(90) };

    /// The rule for a family of types.
    pub const fn of(family: Family) -> Self {
        match family {
            Family::Intune => Self::INTUNE,
            Family::ConditionalAccess | Family::Directory => Self::ENTRA,
        }
    }
}

/// How an object has been looked for so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Reads in a row that did not find it, the present one included.
    pub reads: u32,
    /// Time since the write was attempted: since its intent was recorded, by the database's clock.
    pub since_attempt: Duration,
}

impl Absence {
    /// Whether the object may be believed to be absent.
    pub fn is_settled(&self, rule: &SettleRule) -> bool {
        self.reads >= rule.min_reads && self.since_attempt >= rule.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_takes_both_reads_and_time() {
        let rule = SettleRule { min_reads: 3, window: Duration::seconds(30) };
        let table = [
            (0, 0, false),
            (3, 29, false),
            (2, 30, false),
            (2, 3600, false),
            (100, 1, false),
            (3, 30, true),
            (4, 31, true),
        ];
        for (reads, seconds, settled) in table {
            let absence = Absence { reads, since_attempt: Duration::seconds(seconds) };
            assert_eq!(absence.is_settled(&rule), settled, "{reads} reads, {seconds} s");
        }
    }

    #[test]
    fn entra_is_given_more_time_than_intune() {
        let absence = Absence { reads: 3, since_attempt: Duration::seconds(30) };
        assert!(absence.is_settled(&SettleRule::of(Family::Intune)));
        assert!(!absence.is_settled(&SettleRule::of(Family::ConditionalAccess)));
        assert!(!absence.is_settled(&SettleRule::of(Family::Directory)));
    }
}
