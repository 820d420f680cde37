//! The term of a lease by our own clock.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Until when a lease is ours by our own clock. Shared by everybody who works under it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LocalTerm(Arc<Mutex<Option<Instant>>>);

impl LocalTerm {
    pub(crate) fn lasts_until(&self, expiry: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(expiry);
    }

    pub(crate) fn expiry(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has passed, or has never begun.
    pub(crate) fn is_over(&self) -> bool {
        self.expiry().is_none_or(|expiry| Instant::now() >= expiry)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TERM: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_term_is_over_by_our_own_clock() {
        let term = LocalTerm::default();
        assert!(term.is_over(), "it has not begun");
        term.lasts_until(Instant::now() + TERM);
        let shared = term.clone();
        tokio::time::advance(TERM - Duration::from_millis(1)).await;
        assert!(!shared.is_over());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(shared.is_over());
    }
}
