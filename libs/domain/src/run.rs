//! Operation runs: the one truth about work that was asked for.
//!
//! A run is `queued`, then `running` under a lease, then `completed` for ever. What it did is the outcome of its items;
//! counts and the outcome of the run are derived from them and cannot disagree with them.
//!
//! - [`catalogue`]: what is known beforehand about each type of run, as data
//! - [`control`]: types that are paused
//! - [`counts`]: items and what is derived from them
//! - [`deadline`]: how long a run may wait, and how long it may take
//! - [`state`]: the state machine
//! - [`lease`]: what becomes of a run whose worker fell silent, and how fresh a run looks
//! - [`eta`]: when a run will probably begin and end
//! - [`explain`]: why a run is not running, or not moving
//! - [`identity`]: when two requests ask for the same run
//! - [`import`]: which runs of an older system may be taken in
//! - [`notification`]: what somebody is told when a run has ended
//! - [`reason`]: the codes that a run can end with by a decision of ours
//! - [`viewer`]: the banner above a run, and what may be done from there
//! - [`visibility`]: who may see a run

pub mod catalogue;
pub mod control;
pub mod counts;
pub mod deadline;
pub mod eta;
pub mod explain;
pub mod identity;
pub mod import;
pub mod lease;
pub mod notification;
pub mod reason;
pub mod state;
pub mod viewer;
pub mod visibility;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use catalogue::{IdentityRule, RunType, RunTypeFacts};
pub use control::{ControlScope, OPERATION_TYPE_PAUSED, Pause, PausedBy};
pub use counts::{Counts, Failure, ItemEffect, ItemOutcome, ItemState, failure_summary, outcome_of};
pub use deadline::{Deadline, DeadlineFacts, deadline_passed};
pub use eta::{Eta, EtaFacts, eta};
pub use explain::{ExplainFacts, Explanation, Hindrance, explain, is_moving};
pub use identity::identity_hash;
pub use import::{ImportFacts, ImportFault, import_faults};
pub use lease::{Freshness, LeaseFacts, RescueVerdict, freshness, rescue};
pub use notification::notification_title;
pub use reason::RunReason;
pub use state::{RunEvent, RunState, TransitionRefused, transition};
pub use viewer::{Banner, FollowUp, TenantSeen, ViewerContext, ViewerFacts, viewer_context};
pub use visibility::{RunTenants, ViewNeeds, view_needs};

use crate::access::UnknownName;
use crate::id::RunId;

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted, waiting for a worker.
    Queued,
    /// Held by a worker under a lease.
    Running,
    /// Over. Nothing changes any more.
    Completed,
}

/// How a run ended; `pending` until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Not over yet.
    Pending,
    /// Every item succeeded.
    Succeeded,
    /// Some items succeeded, others failed or were skipped.
    PartiallySucceeded,
    /// It could not start: something it needs was not in place.
    Blocked,
    /// No item succeeded, or the run itself failed.
    Failed,
    /// Stopped on request before everything was done.
    Cancelled,
}

macro_rules! wire_names {
    ($type:ident, $noun:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            /// Every member, in the order of declaration.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                match value {
                    $($name => Ok($type::$variant),)+
                    _ => Err(UnknownName::new($noun, value)),
                }
            }
        }
    };
}

wire_names!(RunStatus, "run status", Queued => "queued", Running => "running", Completed => "completed");
wire_names!(RunOutcome, "run outcome", Pending => "pending", Succeeded => "succeeded",
    PartiallySucceeded => "partially_succeeded", Blocked => "blocked", Failed => "failed", Cancelled => "cancelled");
wire_names!(ItemState, "item state", Pending => "pending", Succeeded => "succeeded", Failed => "failed",
    Skipped => "skipped");
wire_names!(ItemEffect, "item effect", Created => "created", Updated => "updated", Deleted => "deleted",
    Unchanged => "unchanged");
wire_names!(RunType, "run type",
    InventorySync => "inventory.sync",
    DirectoryGroupsSync => "directory_groups.sync",
    DirectoryRoleDefinitionsSync => "directory_role_definitions.sync",
    BackupScheduleScheduled => "backup_schedule.scheduled",
    BackupScheduleRunNow => "backup_schedule.run_now",
    BackupScheduleRetry => "backup_schedule.retry",
    RestoreExecute => "restore.execute",
    ProviderConnectionVerify => "provider_connection.verify",
    PromotionExecute => "promotion.execute");
wire_names!(IdentityRule, "identity rule", WhileActive => "while_active", Unique => "unique", Forever => "forever");
wire_names!(Freshness, "freshness", FreshActive => "fresh_active", LikelyStale => "likely_stale",
    ReconciledFailed => "reconciled_failed", TerminalNormal => "terminal_normal");

impl RunOutcome {
    /// Whether it is the outcome of a completed run.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, RunOutcome::Pending)
    }
}

/// A run type in JSON: its name on the wire.
mod by_name {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::RunType;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(run_type: &RunType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(run_type.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RunType, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The one link to a run, relative to the console's address. It names no tenant: the viewer needs no tenant context.
pub fn canonical_link(run: RunId) -> String {
    format!("/admin/operations/{run}")
}

#[cfg(test)]
mod tests;
