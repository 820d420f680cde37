//! The lifecycle of a tenant, and whether it can take part in a promotion. One authority: whoever needs to know asks here.

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

    /// What an event makes of a tenant in this state, or why it cannot happen.
    pub fn after(self, event: LifecycleEvent) -> Result<Lifecycle, TenantReason> {
        use LifecycleEvent::{Archive, BeginOnboarding, CancelLastOnboarding, CompleteOnboarding, Restore};
        match (self, event) {
            (Lifecycle::Draft, BeginOnboarding) => Ok(Lifecycle::Onboarding),
            (Lifecycle::Onboarding, CompleteOnboarding) => Ok(Lifecycle::Active),
            (Lifecycle::Onboarding, CancelLastOnboarding) => Ok(Lifecycle::Draft),
            (Lifecycle::Active, Archive) => Ok(Lifecycle::Archived),
            (Lifecycle::Archived, Restore) => Ok(Lifecycle::Active),
            (Lifecycle::Archived, Archive) => Err(TenantReason::AlreadyArchived),
            (_, Restore) => Err(TenantReason::NotArchived),
            _ => Err(TenantReason::LifecycleMismatch),
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
    /// The last onboarding that could be resumed is cancelled.
    CancelLastOnboarding,
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
        LifecycleEvent::CancelLastOnboarding,
        LifecycleEvent::Archive,
        LifecycleEvent::Restore,
    ];
}

/// Why something cannot be done with a tenant in its present state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TenantReason {
    /// The lifecycle does not allow it.
    #[error("The tenant's lifecycle does not allow this; only an active tenant takes part in promotions.")]
    LifecycleMismatch,
    /// Archiving an archived tenant.
    #[error("The tenant is archived already.")]
    AlreadyArchived,
    /// Restoring a tenant that is not archived.
    #[error("The tenant is not archived.")]
    NotArchived,
    /// Without a connection nothing can be written.
    #[error("The tenant has no provider connection; add one and verify it.")]
    ProviderConnectionMissing,
}

impl TenantReason {
    /// The machine reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            TenantReason::LifecycleMismatch => "LIFECYCLE_MISMATCH",
            TenantReason::AlreadyArchived => "ALREADY_ARCHIVED",
            TenantReason::NotArchived => "NOT_ARCHIVED",
            TenantReason::ProviderConnectionMissing => "PROVIDER_CONNECTION_MISSING",
        }
    }
}

/// What is known about a tenant when somebody asks what can be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantFacts {
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Whether it has a provider connection that may be used.
    pub has_provider_connection: bool,
}

/// Whether content of this tenant may be promoted elsewhere. Its captured content is read, never its provider, so it
/// takes no connection.
pub fn may_be_promotion_source(facts: &TenantFacts) -> Result<(), TenantReason> {
    match facts.lifecycle {
        Lifecycle::Active => Ok(()),
        _ => Err(TenantReason::LifecycleMismatch),
    }
}

/// Whether content may be promoted into this tenant.
pub fn may_be_promotion_target(facts: &TenantFacts) -> Result<(), TenantReason> {
    match (facts.lifecycle, facts.has_provider_connection) {
        (Lifecycle::Active, true) => Ok(()),
        (Lifecycle::Active, false) => Err(TenantReason::ProviderConnectionMissing),
        _ => Err(TenantReason::LifecycleMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_answers_every_event_by_the_table() {
        use Lifecycle::{Active, Archived, Draft, Onboarding};
        use TenantReason::{AlreadyArchived, LifecycleMismatch, NotArchived};
        // Columns in the order of `LifecycleEvent::ALL`: begin, complete, cancel, archive, restore.
        let mismatch = Err(LifecycleMismatch);
        let table = [
            (Draft, [Ok(Onboarding), mismatch, mismatch, mismatch, Err(NotArchived)]),
            (Onboarding, [mismatch, Ok(Active), Ok(Draft), mismatch, Err(NotArchived)]),
            (Active, [mismatch, mismatch, mismatch, Ok(Archived), Err(NotArchived)]),
            (Archived, [mismatch, mismatch, mismatch, Err(AlreadyArchived), Ok(Active)]),
        ];
        for (state, answers) in table {
            for (event, expected) in LifecycleEvent::ALL.into_iter().zip(answers) {
                assert_eq!(state.after(event), expected, "{state} on {event:?}");
            }
        }
    }

    #[test]
    fn only_active_tenants_take_part_in_promotions() {
        for lifecycle in Lifecycle::ALL {
            for has_provider_connection in [false, true] {
                let facts = TenantFacts { lifecycle, has_provider_connection };
                let active = lifecycle == Lifecycle::Active;
                assert_eq!(may_be_promotion_source(&facts).is_ok(), active);
                assert_eq!(may_be_promotion_target(&facts).is_ok(), active && has_provider_connection);
            }
        }
        let unconnected = TenantFacts { lifecycle: Lifecycle::Active, has_provider_connection: false };
        assert_eq!(may_be_promotion_target(&unconnected), Err(TenantReason::ProviderConnectionMissing));
    }

    #[test]
    fn names_read_back() {
        for lifecycle in Lifecycle::ALL {
            assert_eq!(lifecycle.as_str().parse(), Ok(lifecycle));
            assert_eq!(serde_json::to_value(lifecycle).unwrap(), lifecycle.as_str());
        }
        assert!("deleted".parse::<Lifecycle>().is_err());
        assert_eq!(serde_json::to_value(TenantReason::LifecycleMismatch).unwrap(), "LIFECYCLE_MISMATCH");
    }
}
