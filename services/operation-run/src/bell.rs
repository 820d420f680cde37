//! A bell that says "look again". It carries nothing: what there is to see is in the database.

use tokio::sync::watch;

/// Rung by whoever changed something, heard by everybody who listens.
#[derive(Debug)]
pub struct Bell(watch::Sender<()>);

impl Bell {
    /// A bell nobody listens to yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Wakes everybody who listens.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// Hears every ring from now on.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }

    /// Whether anybody listens.
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

/// One who listens. Rings between [`heard`](Self::heard) and [`rung`](Self::rung) are not lost.
#[derive(Debug)]
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// Forgets earlier rings: called before looking.
    pub fn heard(&mut self) {
        self.0.mark_unchanged();
    }

    /// Waits for a ring after the last [`heard`](Self::heard). For ever, when the bell is gone.
    pub async fn rung(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}
