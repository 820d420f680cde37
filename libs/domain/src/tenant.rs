//! The lifecycle of a tenant, its connection and the checkpoints of its onboarding: what is so. What that is good for
//! decides [`crate::operability`].

mod onboarding;
pub mod search;
pub mod verification;

pub use onboarding::OnboardingState;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access::UnknownName;

/// Where a tenant is in its life: `draft → onboarding → active ⇄ archived`; cancelling the last resumable onboarding
/// returns it from `onboarding` to `draft`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Registered, nothing set up.
    Draft,
    /// Being set up.
    Onboarding,
    /// In use.
    Active,
    /// Put aside; visible, not worked on.
    Archived,
}

impl Lifecycle {
    /// Every state, in the order of life.
    pub const ALL: [Lifecycle; 4] = [Lifecycle::Draft, Lifecycle::Onboarding, Lifecycle::Active, Lifecycle::Archived];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Draft => "draft",
            Lifecycle::Onboarding => "onboarding",
            Lifecycle::Active => "active",
            Lifecycle::Archived => "archived",
        }
    }

    /// What an event makes of a tenant in this state; `None` when it cannot happen. The database refuses the same
    /// (`tenant_lifecycle`); why it cannot happen says [`crate::operability`].
    pub const fn after(self, event: LifecycleEvent) -> Option<Lifecycle> {
        use LifecycleEvent::{Archive, BeginOnboarding, CancelOnboarding, CompleteOnboarding, Restore};
        match (self, event) {
            (Lifecycle::Draft, BeginOnboarding) => Some(Lifecycle::Onboarding),
            (Lifecycle::Onboarding, CompleteOnboarding) | (Lifecycle::Archived, Restore) => Some(Lifecycle::Active),
            (Lifecycle::Onboarding, CancelOnboarding) => Some(Lifecycle::Draft),
            (Lifecycle::Active, Archive) => Some(Lifecycle::Archived),
            (
                Lifecycle::Draft | Lifecycle::Onboarding | Lifecycle::Active | Lifecycle::Archived,
                BeginOnboarding | CompleteOnboarding | CancelOnboarding | Archive | Restore,
            ) => None,
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lifecycle {
    type Err = UnknownName;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Lifecycle::ALL
            .into_iter()
            .find(|lifecycle| lifecycle.as_str() == value)
            .ok_or_else(|| UnknownName::new("tenant lifecycle", value))
    }
}

/// Something that happens to a tenant's lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleEvent {
    /// Setting up starts.
    BeginOnboarding,
    /// Setting up is done.
    CompleteOnboarding,
    /// The onboarding under way is cancelled; a tenant has one at most.
    CancelOnboarding,
    /// It is put aside.
    Archive,
    /// It comes back into use.
    Restore,
}

impl LifecycleEvent {
    /// Every event.
    pub const ALL: [LifecycleEvent; 5] = [
        LifecycleEvent::BeginOnboarding,
        LifecycleEvent::CompleteOnboarding,
        LifecycleEvent::CancelOnboarding,
        LifecycleEvent::Archive,
        LifecycleEvent::Restore,
    ];
}

/// How far the way to the provider has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// Nothing says how the provider is reached.
    Missing,
    /// It is said, and not known to work: never tried, or the last try failed.
    Unverified,
    /// It worked when it was last tried.
    Verified,
}

impl Connection {
    /// Every state.
    pub const ALL: [Connection; 3] = [Connection::Missing, Connection::Unverified, Connection::Verified];

    /// The name in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Connection::Missing => "missing",
            Connection::Unverified => "unverified",
            Connection::Verified => "verified",
        }
    }
}

/// What is known about a tenant when somebody asks what it is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantFacts {
    /// Where it is in its life. In `onboarding` exactly while an onboarding is under way.
    pub lifecycle: Lifecycle,
    /// Its provider connection.
    pub connection: Connection,
}

/// What has to be done before an onboarding can be completed, in this order. Each is read off the tenant, so that a
/// checkpoint and what it stands for cannot disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checkpoint {
    /// It is known which tenant of the provider it is.
    IdentifyTenant,
    /// It is said how the provider is reached.
    ConnectProvider,
    /// The connection was verified.
    Verify,
    /// It was taken into service.
    Complete,
}

impl Checkpoint {
    /// Every checkpoint, in order.
    pub const ALL: [Checkpoint; 4] =
        [Checkpoint::IdentifyTenant, Checkpoint::ConnectProvider, Checkpoint::Verify, Checkpoint::Complete];

    /// The first that is not reached yet; `None` when all are.
    pub const fn next(facts: TenantFacts) -> Option<Checkpoint> {
        match (facts.lifecycle, facts.connection) {
            // A tenant is recorded with its id at the provider, so the first is reached by being there.
            (Lifecycle::Active | Lifecycle::Archived, _) => None,
            (Lifecycle::Draft | Lifecycle::Onboarding, Connection::Missing) => Some(Checkpoint::ConnectProvider),
            (Lifecycle::Draft | Lifecycle::Onboarding, Connection::Unverified) => Some(Checkpoint::Verify),
            (Lifecycle::Draft | Lifecycle::Onboarding, Connection::Verified) => Some(Checkpoint::Complete),
        }
    }

    /// Whether it is reached.
    pub fn is_reached(self, facts: TenantFacts) -> bool {
        Checkpoint::next(facts).is_none_or(|next| self < next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_answers_every_event_by_the_table() {
        use Lifecycle::{Active, Archived, Draft, Onboarding};
        // Columns in the order of `LifecycleEvent::ALL`: begin, complete, cancel, archive, restore.
        let table = [
            (Draft, [Some(Onboarding), None, None, None, None]),
            (Onboarding, [None, Some(Active), Some(Draft), None, None]),
            (Active, [None, None, None, Some(Archived), None]),
            (Archived, [None, None, None, None, Some(Active)]),
        ];
        for (state, answers) in table {
            for (event, expected) in LifecycleEvent::ALL.into_iter().zip(answers) {
                assert_eq!(state.after(event), expected, "{state} on {event:?}");
            }
        }
    }

    #[test]
    fn checkpoints_are_reached_one_after_the_other() {
        let reached = |lifecycle, connection| {
            let facts = TenantFacts { lifecycle, connection };
            Checkpoint::ALL.into_iter().filter(|checkpoint| checkpoint.is_reached(facts)).count()
        };
        assert_eq!(Connection::ALL.map(|connection| reached(Lifecycle::Onboarding, connection)), [1, 2, 3]);
        assert_eq!(Connection::ALL.map(|connection| reached(Lifecycle::Active, connection)), [4, 4, 4]);
    }

    #[test]
    fn names_read_back() {
        for lifecycle in Lifecycle::ALL {
            assert_eq!(lifecycle.as_str().parse(), Ok(lifecycle));
            assert_eq!(serde_json::to_value(lifecycle).unwrap(), lifecycle.as_str());
        }
        assert!("deleted".parse::<Lifecycle>().is_err());
    }
}
