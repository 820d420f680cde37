//! How often one item is written before it is given up.

use domain::plan::{Found, TargetNow};

/// Writes after which the target was still as before. More means that the provider neither accepts nor refuses.
const MOST_IN_VAIN: u32 = 3;
/// Writes in all: an object made of many parts may need one for each when no reply arrives.
const MOST: u32 = 30;

/// The writes of one item in one attempt.
#[derive(Debug, Default)]
pub(crate) struct Effort {
    writes: u32,
    in_vain: u32,
    /// The target before the last write.
    before: Option<(Option<Found>, Vec<Found>)>,
}

impl Effort {
    /// Whether to write once more, the target being as it is now.
    pub(crate) fn allows_another(&mut self, now: &TargetNow) -> bool {
        let seen = Some((now.expected.clone(), now.matches.clone()));
        if self.before != seen {
            self.in_vain = 0;
            self.before = seen;
        }
        let allowed = self.writes < MOST && self.in_vain < MOST_IN_VAIN;
        self.writes += 1;
        self.in_vain += 1;
        allowed
    }
}

#[cfg(test)]
mod tests {
    use domain::id::{ExternalId, Hash};

    use super::*;

    fn target(hash: u8) -> TargetNow {
        let found = Found { external_id: ExternalId::new("1"), hash: Hash::from_slice(&[hash; 32]).unwrap() };
        TargetNow { expected: None, matches: vec![found], absence_settled: true }
    }

    #[test]
    fn what_does_not_change_the_target_is_given_up_soon_and_what_does_is_not() {
        let mut effort = Effort::default();
        let tried: Vec<bool> = (0..4).map(|_| effort.allows_another(&target(0))).collect();
        assert_eq!(tried, [true, true, true, false]);

        let mut effort = Effort::default();
        assert!((0..10).all(|part| effort.allows_another(&target(part))));
        assert_eq!((10..100).filter(|part| effort.allows_another(&target(*part))).count(), 20, "but not for ever");
    }
}
