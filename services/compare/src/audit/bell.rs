//! Says that there is something to deliver.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// Only a bell: what is to be delivered stands in the database.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Somebody wrote something down.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Until it rings, or until this has passed.
    pub async fn heard_within(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.0.notified()).await;
    }
}
