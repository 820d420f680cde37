//! Limits of calls, of one process.

use std::time::Duration;

use crate::pacing::PacingLimits;
use crate::retry::RetryPolicy;

/// Limits of all calls of a process. The defaults are meant for Microsoft's Graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// From sending a request to the last byte of its answer.
    pub timeout: Duration,
    /// From nothing to an open connection, TLS included.
    pub connect_timeout: Duration,
    /// Bytes of one answer. A batch of twenty scripts is the largest thing read.
    pub max_body_bytes: usize,
    /// Pages of one listing; at 25 a page the default is 50,000 objects.
    pub max_pages: usize,
    /// Repetition of failed calls.
    pub retry: RetryPolicy,
    /// Pace per tenant.
    pub pacing: PacingLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            max_body_bytes: 64 * 1024 * 1024,
            max_pages: 2_000,
            retry: RetryPolicy::default(),
            pacing: PacingLimits::default(),
        }
    }
}
