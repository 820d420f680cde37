//! Operational controls: a type of runs that is paused, in one workspace or everywhere.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::WorkspaceId;
use crate::run::RunType;

/// The stable reason of a start that is blocked by an operational control.
pub const OPERATION_TYPE_PAUSED: &str = "OPERATION_TYPE_PAUSED";

/// How far a control reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlScope {
    /// One workspace.
    Workspace(WorkspaceId),
    /// Every workspace of the installation.
    Everywhere,
}

/// Who paused something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// A person.
    User {
        /// The `sub` of the token.
        subject: String,
        /// For people.
        name: String,
    },
    /// A service of the installation's operators, by its client id.
    Service(String),
}

impl PausedBy {
    /// The `sub` of a person, the client id of a service.
    pub fn subject(&self) -> &str {
        match self {
            PausedBy::User { subject, .. } => subject,
            PausedBy::Service(name) => name,
        }
    }

    /// For people.
    pub fn name(&self) -> &str {
        match self {
            PausedBy::User { name, .. } | PausedBy::Service(name) => name,
        }
    }
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// How far it reaches.
    pub scope: ControlScope,
    /// What is paused.
    #[serde(with = "crate::run::by_name")]
    pub run_type: RunType,
    /// Why, in the words of whoever paused it.
    pub reason: String,
    /// By whom.
    pub paused_by: PausedBy,
    /// Since when, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub paused_at: OffsetDateTime,
}

impl Pause {
    /// What somebody is told whose work is held up by it.
    pub fn sentence(&self) -> String {
        let at = self.paused_at;
        let place = match self.scope {
            ControlScope::Workspace(_) => "in this workspace",
            ControlScope::Everywhere => "everywhere",
        };
        format!(
            "{} is paused {place} by {} since {} {:02}:{:02} UTC: {}",
            self.run_type.label(),
            self.paused_by.name(),
            at.date(),
            at.hour(),
            at.minute(),
            self.reason
        )
    }
}
