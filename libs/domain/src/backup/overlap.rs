//! What happens when a backup is due while the one before is still under way.

use serde::{Deserialize, Serialize};

/// The schedule's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlap {
    /// The new one is passed over.
    Skip,
    /// The new one runs beside it.
    Allow,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The backup starts.
    Start,
    /// The backup is passed over, because the one before is still active.
    PassOver,
}

/// Decides whether a due backup starts.
pub const fn turn(overlap: Overlap, one_is_active: bool) -> Turn {
    match (overlap, one_is_active) {
        (Overlap::Skip, true) => Turn::PassOver,
        (Overlap::Skip, false) | (Overlap::Allow, _) => Turn::Start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_one_and_only_when_asked_for_is_in_the_way() {
        for (overlap, active, then) in [
            (Overlap::Skip, true, Turn::PassOver),
            (Overlap::Skip, false, Turn::Start),
            (Overlap::Allow, true, Turn::Start),
            (Overlap::Allow, false, Turn::Start),
        ] {
            assert_eq!(turn(overlap, active), then, "{overlap:?} {active}");
        }
    }
}
