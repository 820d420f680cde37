//! The moment by which a call must have ended, and its form on the wire (`grpc-timeout`).

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

/// The header that carries the time left.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// The moment by which the call must have ended. The chassis puts it into the extensions of every request that has one;
/// a handler bounds its own waits by it (a statement timeout, a poll).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment `left` from now.
    pub fn after(left: Duration) -> Self {
        Self(Instant::now() + left)
    }

    /// The deadline of this request, if it has one.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }

    /// The time left, zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The moment on tokio's clock.
    pub fn instant(self) -> Instant {
        self.0
    }
}

/// Reads `grpc-timeout`: up to eight digits and one of `H M S m u n`. `None` when absent or not of that form: a caller
/// that cannot say its deadline is treated like one that has none, as other gRPC servers do.
pub(crate) fn read_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes `grpc-timeout` in the finest unit whose number has at most eight digits.
pub(crate) fn write_timeout(headers: &mut HeaderMap, left: Duration) {
    const MOST: u128 = 99_999_999;
    let text = [(left.as_nanos(), 'n'), (left.as_micros(), 'u'), (left.as_millis(), 'm')]
        .into_iter()
        .find(|(number, _)| *number <= MOST)
        .map_or_else(
            || format!("{}S", u128::from(left.as_secs()).min(MOST)),
            |(number, unit)| format!("{number}{unit}"),
        );
    headers.insert(GRPC_TIMEOUT, HeaderValue::from_str(&text).expect("digits and a letter are a header value"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        read_timeout(&HeaderMap::from_iter([(GRPC_TIMEOUT.parse().unwrap(), HeaderValue::from_str(text).unwrap())]))
    }

    #[test]
    fn the_wire_form_is_read_strictly() {
        assert_eq!(read("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "S", "10", "100000000S", "-1S", "1 S", "1s", "1.5S", "+1S"] {
            assert_eq!(read(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn what_is_written_reads_back_never_longer() {
        for left in [0, 1, 99_999_999, 100_000_000, 123_456_789_012, 5_000_000_000_000_000, 86_400_000_000_000_000] {
            let left = Duration::from_nanos(left);
            let mut headers = HeaderMap::new();
            write_timeout(&mut headers, left);
            let back = read_timeout(&headers).unwrap();
            assert!(back <= left && left - back < Duration::from_secs(1), "{left:?} became {back:?}");
        }
    }
}
