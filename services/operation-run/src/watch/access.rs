//! What the actor of an open watch may see now. Watches of the same actor share one look at the database per second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::WorkspaceId;
use server::AccessReader;
use tokio::time::Instant;

use super::shared_look::SharedLook;
use crate::error::Result;
use crate::visibility::Visibility;

/// How old an answer may be that another watch has got.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// Actors whose looks are kept before those that nobody uses are thrown out.
const MOST_KEPT: usize = 1024;

type Key = (Arc<str>, WorkspaceId);
type Look = Arc<SharedLook<Arc<Visibility>>>;

/// Reads access for open watches.
#[derive(Debug)]
pub struct WatchAccess {
    reader: AccessReader,
    looks: Mutex<HashMap<Key, Look>>,
}

impl WatchAccess {
    /// Reads through `reader`.
    pub fn new(reader: AccessReader) -> Self {
        Self { reader, looks: Mutex::default() }
    }

    /// What the actor may see, as of now.
    pub async fn fresh(&self, subject: &Arc<str>, workspace: WorkspaceId) -> Result<Arc<Visibility>> {
        let asked_at = Instant::now();
        let visibility = self.read(subject, workspace).await?;
        self.look_of(subject, workspace).learn(asked_at, Arc::clone(&visibility));
        Ok(visibility)
    }

    /// What the actor may see, as of at most a second ago.
    pub async fn recent(&self, subject: &Arc<str>, workspace: WorkspaceId) -> Result<Arc<Visibility>> {
        let look = self.look_of(subject, workspace);
        look.share(SHARED_FOR, || self.read(subject, workspace)).await
    }

    async fn read(&self, subject: &str, workspace: WorkspaceId) -> Result<Arc<Visibility>> {
        Ok(Arc::new(Visibility::of(self.reader.facts(subject, workspace).await?)))
    }

    fn look_of(&self, subject: &Arc<str>, workspace: WorkspaceId) -> Look {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= MOST_KEPT {
            looks.retain(|_, look| Arc::strong_count(look) > 1 || look.is_within(SHARED_FOR));
        }
        Arc::clone(looks.entry((Arc::clone(subject), workspace)).or_default())
    }
}
