//! Remembers, for explanations, that somebody asks for runs of a type. Every few seconds is enough: claims are frequent, and
//! a row that every one of them wrote would be in their way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::run::RunType;
use tokio::time::Instant;

use crate::Runs;
use crate::store;

/// How often one process writes it down.
const NOTED_EVERY: Duration = Duration::from_secs(5);

/// What this process has written down, and when.
#[derive(Debug, Default)]
pub struct ClaimsHeard(Mutex<HashMap<RunType, Instant>>);

impl ClaimsHeard {
    /// Those of the types whose turn it is. They count as written down.
    fn due(&self, types: &[RunType]) -> Vec<RunType> {
        let now = Instant::now();
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for run_type in types {
            if noted.get(run_type).is_none_or(|at| now.duration_since(*at) >= NOTED_EVERY) {
                noted.insert(*run_type, now);
                due.push(*run_type);
            }
        }
        due
    }
}

/// Writes down that a worker asks for these types, when it is time to. A claim does not fail of it.
pub(crate) async fn note(runs: &Runs, types: &[RunType], worker: &str) {
    let due = runs.claims_heard.due(types);
    if due.is_empty() {
        return;
    }
    let noted = async {
        let mut connection = runs.db.plain().await?;
        store::claim_heard::note(&mut connection, &due, worker).await
    };
    if let Err(error) = noted.await {
        tracing::warn!(error = &error as &dyn std::error::Error, "it could not be noted that a worker asks for work");
    }
}
