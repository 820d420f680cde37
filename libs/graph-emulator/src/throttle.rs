//! The published limits, when a tenant shall keep them: writes per app and tenant in a sliding window, and Conditional Access with
//! one request a second for all apps together, which says no `Retry-After`.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::call::{Call, Refusal};
use crate::faults;

/// Limits that every tenant of the emulator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Writes that one app may send to one tenant within the window.
    pub writes: usize,
    /// All requests that one app may send to one tenant within the window.
    pub requests: usize,
    /// Length of the window in seconds.
    pub window_s: u32,
    /// Conditional Access: requests per second and tenant, all apps together.
    pub conditional_access_per_s: usize,
}

impl Default for Limits {
    /// The limits Microsoft documents for Intune and Conditional Access.
    fn default() -> Self {
        Self { writes: 100, requests: 1000, window_s: 20, conditional_access_per_s: 1 }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    seen: HashMap<String, VecDeque<OffsetDateTime>>,
}

impl Throttle {
    /// Counts the call, or refuses it.
    pub(crate) fn admit(&mut self, limits: &Limits, call: &Call) -> Result<(), Refusal> {
        let window = Duration::seconds(i64::from(limits.window_s));
        let path = call.path.trim_start_matches('/').to_ascii_lowercase();
        if path.starts_with("identity/conditionalaccess") {
            let key = format!("ca {}", call.tenant);
            return self
                .take(key, limits.conditional_access_per_s, Duration::SECOND, call.now)
                .map_err(|_| faults::throttled());
        }
        let app = format!("{} {}", call.tenant, call.app.client_id);
        let mut wait = self.take(format!("any {app}"), limits.requests, window, call.now);
        if call.writes() {
            wait = wait.and_then(|()| self.take(format!("write {app}"), limits.writes, window, call.now));
        }
        wait.map_err(|wait| {
            let seconds = wait.whole_seconds() + 1;
            faults::throttled().header("retry-after", seconds.to_string())
        })
    }

    /// `Err` says how long until there is room.
    fn take(&mut self, key: String, limit: usize, window: Duration, now: OffsetDateTime) -> Result<(), Duration> {
        let seen = self.seen.entry(key).or_default();
        while seen.front().is_some_and(|oldest| *oldest + window <= now) {
            seen.pop_front();
        }
        match seen.front() {
            Some(oldest) if seen.len() >= limit => Err(*oldest + window - now),
            _ => {
                seen.push_back(now);
                Ok(())
            }
        }
    }
}
