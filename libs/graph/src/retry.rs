//! When a failed call is made again, and after how long. Decisions over values: status, headers and chance are arguments.

use std::time::Duration;

use http::HeaderMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How often and how long one call is repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// The wait before the second attempt when the provider names none; grows with the square of the attempt.
    pub base: Duration,
    /// The longest wait chosen here, jitter excluded.
    pub cap: Duration,
    /// A provider asking for more than this ends the call: a worker has better things to do than to sleep.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            patience: Duration::from_secs(120),
        }
    }
}

impl RetryPolicy {
    /// The wait before attempt `attempt + 1` (`attempt` counts from 1), or `None` when the call ends here.
    /// `Retry-After` is a minimum, lengthened by up to a quarter so that callers told the same do not return together;
    /// without one the wait is quadratic, between half and the whole of its value. `chance` is in `[0, 1)`.
    #[must_use]
    pub fn wait(&self, attempt: u32, retry_after: Option<Duration>, chance: f64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        match retry_after {
            Some(asked) if asked > self.patience => None,
            Some(asked) => Some(asked.mul_f64(1.0 + 0.25 * chance)),
            None => {
                let grown = self.base.saturating_mul(attempt.saturating_mul(attempt)).min(self.cap);
                Some(grown.mul_f64(0.5 + 0.5 * chance))
            }
        }
    }
}

/// What repeating a request would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Changes nothing: repeated after any transient failure.
    Read,
    /// Sets a state (PUT, PATCH): repeated when the provider answered 429, 502, 503 or 504, since doing it twice is doing it
    /// once. A cut connection or a timeout is handed to the caller: somebody else may have written in between.
    Set,
    /// Adds something (POST): repeated on 429 only. Graph has no idempotency key, so any other doubt is the caller's to
    /// resolve by reading.
    Add,
}

impl Effect {
    /// Whether an answer with this status may be followed by the same request again.
    pub(crate) fn repeats_on(self, status: u16) -> bool {
        match self {
            Self::Read => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Set => matches!(status, 429 | 502 | 503 | 504),
            Self::Add => status == 429,
        }
    }
}

/// `Retry-After` of an answer: whole seconds, fractional seconds (Graph sends `2.128`) or an HTTP date, which is measured
/// against the answer's own `Date` so that no clock of ours takes part.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(text, headers.get(http::header::DATE).and_then(|d| d.to_str().ok()))
}

/// See [`retry_after`]; batch items carry the header as a JSON field.
pub(crate) fn parse_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    let from = OffsetDateTime::parse(date?.trim(), &Rfc2822).ok()?;
    (until - from).max(time::Duration::ZERO).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_retry_after_is_read() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (text, want) in [
            ("3", Some(Duration::from_secs(3))),
            (" 0 ", Some(Duration::ZERO)),
            ("2.128", Some(Duration::from_millis(2128))),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(Duration::from_secs(10))),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(Duration::ZERO)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(text, date), want, "{text}");
        }
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", None), None);
    }

    #[test]
    fn waits_are_bounded_below_by_the_provider_and_above_by_patience() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(8);
        assert_eq!(policy.wait(1, Some(asked), 0.0), Some(asked));
        assert_eq!(policy.wait(1, Some(asked), 1.0), Some(Duration::from_secs(10)));
        assert_eq!(policy.wait(1, Some(Duration::from_secs(121)), 0.0), None);
        assert_eq!(policy.wait(policy.max_attempts, Some(asked), 0.0), None);
        assert_eq!(policy.wait(1, None, 1.0), Some(Duration::from_millis(500)));
        assert_eq!(policy.wait(3, None, 0.0), Some(Duration::from_millis(2250)));
        let endless = RetryPolicy { max_attempts: u32::MAX, ..policy };
        assert_eq!(endless.wait(1_000_000, None, 1.0), Some(policy.cap));
    }

    #[test]
    fn an_addition_is_repeated_only_when_it_was_surely_refused() {
        for status in [408, 500, 502, 503, 504] {
            assert!(!Effect::Add.repeats_on(status), "{status}");
            assert!(Effect::Read.repeats_on(status), "{status}");
        }
        assert!(Effect::Add.repeats_on(429));
        assert!(Effect::Set.repeats_on(504) && !Effect::Set.repeats_on(500));
        assert!(!Effect::Read.repeats_on(404));
    }
}
