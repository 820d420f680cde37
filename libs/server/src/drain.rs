//! The stages of going down, as tokens that everybody concerned can wait for.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long handlers have to end their streams themselves before the chassis does it.
const OWN_WORDS: Duration = Duration::from_secs(1);

/// 1. requested: not ready any more, everything else goes on. 2. streams end: no new work, streams and workers end by
///    themselves. 3. cut: streams that are still open are ended from outside.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    requested: CancellationToken,
    ends_streams: CancellationToken,
    cut: CancellationToken,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            requested: CancellationToken::new(),
            ends_streams: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    pub(crate) fn request(&self) {
        self.requested.cancel();
    }

    pub(crate) async fn requested(&self) {
        self.requested.cancelled().await;
    }

    pub(crate) fn ends_streams(&self) -> CancellationToken {
        self.ends_streams.clone()
    }

    pub(crate) fn cut(&self) -> CancellationToken {
        self.cut.clone()
    }

    /// Ends streams: by their own handlers first, then from outside.
    pub(crate) fn end_streams(&self) {
        self.ends_streams.cancel();
        let cut = self.cut.clone();
        tokio::spawn(async move {
            tokio::time::sleep(OWN_WORDS).await;
            cut.cancel();
        });
    }
}

/// Resolves with the first SIGTERM or SIGINT, and on each poll after it with the next one.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        // An error means that no signal will ever come.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
