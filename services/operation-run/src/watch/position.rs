//! Where an event is.
//!
//! Events are ordered by the transaction that wrote them, then by a sequence within. The sequence alone is not an order to
//! read by: it is drawn before the commit, and commits overtake one another. Below the oldest transaction still writing
//! (`xmin`) everything has ended and is visible, and nothing will ever be added: that prefix is final, and only that prefix
//! is delivered.
//!
//! A transaction that waited for a run's row may have a lower number than the one that went ahead of it. So the events of a
//! run never go back: each takes the number of its predecessor when that is higher (migration 0012 says why that is safe).

use std::str::FromStr;

/// The place of an event, or between events. "After p" means every event whose place is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The transaction that wrote it, or a later one that had ended by then (xid8; 2^63 of them would take for ever).
    pub xid: i64,
    /// The sequence; events have 1 and above.
    pub seq: i64,
}

impl Position {
    /// Before everything that this transaction or a later one writes.
    pub const fn before(xid: i64) -> Self {
        Self { xid, seq: 0 }
    }
}

/// What a transaction of the database sees: PostgreSQL's `pg_snapshot`, `xmin:xmax:xip,...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Every transaction below has ended.
    pub xmin: i64,
    /// No transaction at or above has ended.
    pub xmax: i64,
    /// Those between that had not ended, ascending.
    pub running: Vec<i64>,
}

impl Snapshot {
    /// Whether it sees what this transaction wrote.
    pub fn sees(&self, xid: i64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }
}

/// The text is no `pg_snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pg_snapshot")]
pub struct NotASnapshot(String);

impl FromStr for Snapshot {
    type Err = NotASnapshot;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || NotASnapshot(text.to_owned());
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(running), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let number = |part: &str| part.parse::<i64>().map_err(|_| refused());
        let running = running.split(',').filter(|xid| !xid.is_empty()).map(number).collect::<Result<_, _>>()?;
        Ok(Self { xmin: number(xmin)?, xmax: number(xmax)?, running })
    }
}

impl std::fmt::Display for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (index, xid) in self.running.iter().enumerate() {
            write!(f, "{}{xid}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_back_and_tells_what_it_sees() {
        let snapshot: Snapshot = "10:20:10,14,15".parse().unwrap();
        assert_eq!(snapshot.to_string(), "10:20:10,14,15");
        let seen: Vec<i64> = (8..22).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 16, 17, 18, 19]);
        let idle: Snapshot = "10:10:".parse().unwrap();
        assert_eq!(idle.to_string(), "10:10:");
        assert!(idle.sees(9) && !idle.sees(10));
        for bad in ["", "10", "10:20", "a:b:", "10:20:x", "1:2:3:4"] {
            assert!(bad.parse::<Snapshot>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_transaction_comes_before_the_sequence() {
        assert!(Position { xid: 2, seq: 1 } > Position { xid: 1, seq: 9 });
        assert!(Position { xid: 2, seq: 1 } > Position::before(2));
    }
}
