//! How many requests may be under way at once: halved on a refusal, one more after a run of answers.

use std::time::Duration;

use tokio::time::Instant;

/// The bounds of the concurrency budget of one family on one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Requests at once to begin with.
    pub start: usize,
    /// Never more than this.
    pub max: usize,
    /// Answers in a row, per request allowed, before one more is allowed.
    pub grow_after: usize,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self { start: 6, max: 16, grow_after: 4 }
    }
}

/// When a refusal names no wait, the family still pauses this long.
const UNNAMED_PAUSE: Duration = Duration::from_millis(250);
/// No single answer may silence a tenant longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Budget {
    limits: BudgetLimits,
    allowed: usize,
    under_way: usize,
    answered_in_a_row: usize,
    not_before: Option<Instant>,
}

impl Budget {
    pub(super) fn new(limits: BudgetLimits) -> Self {
        let allowed = limits.start.clamp(1, limits.max.max(1));
        Self { limits, allowed, under_way: 0, answered_in_a_row: 0, not_before: None }
    }

    pub(super) fn not_before(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| *at > now)
    }

    pub(super) fn acquire(&mut self) -> bool {
        let free = self.under_way < self.allowed;
        self.under_way += usize::from(free);
        free
    }

    pub(super) fn release(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    pub(super) fn succeeded(&mut self) {
        self.answered_in_a_row += 1;
        if self.answered_in_a_row >= self.limits.grow_after.saturating_mul(self.allowed) {
            self.answered_in_a_row = 0;
            self.allowed = (self.allowed + 1).min(self.limits.max.max(1));
        }
    }

    pub(super) fn throttled(&mut self, now: Instant, wait: Option<Duration>) {
        let at = now + wait.unwrap_or(UNNAMED_PAUSE).min(LONGEST_PAUSE);
        // Requests of the same moment are refused together; they are one refusal, not several.
        if self.not_before(now).is_none() {
            self.allowed = (self.allowed / 2).max(1);
        }
        self.answered_in_a_row = 0;
        self.not_before = Some(self.not_before.map_or(at, |known| known.max(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_once_per_refusal_and_grows_slowly() {
        let mut budget = Budget::new(BudgetLimits { start: 8, max: 9, grow_after: 2 });
        let now = Instant::now();
        budget.throttled(now, Some(Duration::from_secs(1)));
        budget.throttled(now, Some(Duration::from_secs(3)));
        assert_eq!(budget.allowed, 4);
        assert_eq!(budget.not_before(now), Some(now + Duration::from_secs(3)));
        let later = now + Duration::from_secs(3);
        assert_eq!(budget.not_before(later), None);
        for _ in 0..7 {
            budget.succeeded();
        }
        assert_eq!(budget.allowed, 4);
        budget.succeeded();
        assert_eq!(budget.allowed, 5);
        for _ in 0..1000 {
            budget.succeeded();
        }
        assert_eq!(budget.allowed, 9);
        for _ in 0..10 {
            budget.throttled(later, None);
        }
        assert!(budget.allowed >= 1);
        assert!(budget.not_before(later).is_some_and(|at| at <= later + LONGEST_PAUSE));
    }

    #[test]
    fn places_are_counted() {
        let mut budget = Budget::new(BudgetLimits { start: 2, max: 2, grow_after: 1 });
        assert!(budget.acquire() && budget.acquire() && !budget.acquire());
        budget.release();
        assert!(budget.acquire());
    }
}
