//! A sliding window: never more than so many requests in any stretch of so long. Chosen over a token bucket because a bucket
//! of the published size admits nearly twice that size across one window.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::Rate;

#[derive(Debug)]
pub(super) struct Window {
    rate: Rate,
    /// When each of the last requests left, oldest first; at most `rate.count`.
    sent: VecDeque<Instant>,
}

impl Window {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, sent: VecDeque::new() }
    }

    /// When `cost` more requests may leave, or `None` for now.
    pub(super) fn not_before(&mut self, now: Instant, cost: usize) -> Option<Instant> {
        while self.sent.front().is_some_and(|oldest| *oldest + self.rate.per <= now) {
            self.sent.pop_front();
        }
        // A batch larger than the whole window would wait for ever; it goes when the window is empty.
        let cost = cost.min(self.rate.count);
        let excess = (self.sent.len() + cost).checked_sub(self.rate.count).filter(|excess| *excess > 0)?;
        self.sent.get(excess - 1).map(|last_to_leave| *last_to_leave + self.rate.per)
    }

    /// Counts `cost` requests leaving now.
    pub(super) fn record(&mut self, now: Instant, cost: usize) {
        self.sent.extend(std::iter::repeat_n(now, cost.min(self.rate.count)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_stretch_holds_more_than_the_rate() {
        let per = Duration::from_secs(10);
        let mut window = Window::new(Rate { count: 4, per });
        let start = Instant::now();
        let mut now = start;
        let mut sent = Vec::new();
        for step in 0..40_u64 {
            if let Some(at) = window.not_before(now, 1) {
                now = at;
            }
            window.record(now, 1);
            sent.push(now);
            now += Duration::from_millis(step * 37 % 900);
        }
        for (i, from) in sent.iter().enumerate() {
            let within = sent[i..].iter().take_while(|t| **t < *from + per).count();
            assert!(within <= 4);
        }
    }

    #[test]
    fn a_batch_waits_for_room_for_all_of_it() {
        let per = Duration::from_secs(10);
        let mut window = Window::new(Rate { count: 4, per });
        let start = Instant::now();
        window.record(start, 1);
        window.record(start + Duration::from_secs(1), 2);
        let now = start + Duration::from_secs(2);
        assert_eq!(window.not_before(now, 1), None);
        assert_eq!(window.not_before(now, 2), Some(start + per));
        assert_eq!(window.not_before(now, 3), Some(start + Duration::from_secs(11)));
        assert_eq!(window.not_before(now, 99), Some(start + Duration::from_secs(11)));
        assert_eq!(window.not_before(start + Duration::from_secs(12), 99), None);
    }
}
