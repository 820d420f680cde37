//! What a schedule says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{CatchUp, Overlap, Retention, Timing, TimingError};
use crate::id::PolicyType;

/// What a schedule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name for people.
    pub name: String,
    /// Five fields; see [`Timing`].
    pub cron: String,
    /// Name of a zone.
    pub time_zone: String,
    /// What is backed up; empty for everything.
    pub policy_types: BTreeSet<PolicyType>,
    /// What becomes of missed times.
    pub catch_up: CatchUp,
    /// What happens when backups overlap.
    pub overlap: Overlap,
    /// How long sets are kept.
    pub retention: Retention,
}

impl Plan {
    /// When it fires.
    ///
    /// # Errors
    /// See [`Timing::parse`].
    pub fn timing(&self) -> Result<Timing, TimingError> {
        Timing::parse(&self.cron, &self.time_zone)
    }
}
