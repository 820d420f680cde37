//! Measured times and how they are shown.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Calls before the measured ones: connections, caches, plans.
const WARM_UP: usize = 3;
/// Measured calls.
const CALLS: usize = 30;

/// Times of the same thing, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Of these.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Of so many calls, one after the other.
    pub(crate) async fn measure<F: Future<Output = Result<()>>>(mut call: impl FnMut() -> F) -> Result<Self> {
        let mut times = Vec::with_capacity(CALLS);
        for number in 0..WARM_UP + CALLS {
            let began = Instant::now();
            call().await?;
            if number >= WARM_UP {
                times.push(began.elapsed());
            }
        }
        Ok(Self::of(times))
    }

    /// The time that this share of all did not pass.
    fn share(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default()
    }

    /// One line of a table.
    pub(crate) fn show(&self, what: &str) {
        let (half, most) = (millis(self.share(50)), millis(self.share(99)));
        println!("  {what:<58} p50 {half:>9.2} ms   p99 {most:>9.2} ms   ({} times)", self.0.len());
    }
}

/// One line of a table: how many a second.
pub(crate) fn show_rate(what: &str, number: usize, within: Duration) {
    println!("  {what:<58} {:>9.0} /s   ({number} in {:.2} s)", rate(number, within), within.as_secs_f64());
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]
fn rate(number: usize, within: Duration) -> f64 {
    number as f64 / within.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
