//! What the actor of an open watch may see now. Watches of the same actor share one look at the database per second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::WorkspaceId;
use server::AccessReader;
use tokio::time::Instant;

use crate::error::Result;
use crate::visibility::Visibility;

/// How old an answer may be that another watch has got.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// Answers kept before the old ones are thrown out.
const MOST_KEPT: usize = 1024;

type Key = (Arc<str>, WorkspaceId);

/// Reads access for open watches.
#[derive(Debug)]
pub struct WatchAccess {
    reader: AccessReader,
    known: Mutex<HashMap<Key, (Instant, Arc<Visibility>)>>,
}

impl WatchAccess {
    /// Reads through `reader`.
    pub fn new(reader: AccessReader) -> Self {
        Self { reader, known: Mutex::default() }
    }

    /// What the actor may see, as of now.
    pub async fn fresh(&self, subject: &Arc<str>, workspace: WorkspaceId) -> Result<Arc<Visibility>> {
        let asked_at = Instant::now();
        let visibility = Arc::new(Visibility::of(self.reader.facts(subject, workspace).await?));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KEPT {
            known.retain(|_, (at, _)| at.elapsed() < SHARED_FOR);
        }
        known.insert((Arc::clone(subject), workspace), (asked_at, Arc::clone(&visibility)));
        Ok(visibility)
    }

    /// What the actor may see, as of at most a second ago.
    pub async fn recent(&self, subject: &Arc<str>, workspace: WorkspaceId) -> Result<Arc<Visibility>> {
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&(Arc::clone(subject), workspace)).filter(|(at, _)| at.elapsed() < SHARED_FOR).cloned()
        };
        match known {
            Some((_, visibility)) => Ok(visibility),
            None => self.fresh(subject, workspace).await,
        }
    }
}
