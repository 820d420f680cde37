//! Why not, and what would help.

use super::question::Question;
use crate::access::Capability;

/// Why the answer is no. Each has its own way out, so that an operator is never left guessing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not a member, not entitled, or there is no such tenant: the three look the same.
    NotEntitled,
    /// The actor lacks a capability.
    CapabilityMissing,
    /// The question has no place in this lane.
    WrongLane,
    /// The tenant's state of life does not allow it.
    LifecycleMismatch,
    /// Only active tenants can be selected.
    NotSelectorEligible,
    /// What was remembered is no longer selectable.
    StaleRememberedContext,
    /// It is archived already.
    AlreadyArchived,
    /// It is not archived.
    NotArchived,
    /// There is no onboarding to go on with.
    OnboardingNotResumable,
    /// A checkpoint of the onboarding is still open.
    OnboardingIncomplete,
    /// Nothing says how the provider is reached.
    ProviderConnectionMissing,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 11] = [
        Reason::NotEntitled,
        Reason::CapabilityMissing,
        Reason::WrongLane,
        Reason::LifecycleMismatch,
        Reason::NotSelectorEligible,
        Reason::StaleRememberedContext,
        Reason::AlreadyArchived,
        Reason::NotArchived,
        Reason::OnboardingNotResumable,
        Reason::OnboardingIncomplete,
        Reason::ProviderConnectionMissing,
    ];

    /// The machine reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::NotEntitled => "NOT_ENTITLED",
            Reason::CapabilityMissing => "CAPABILITY_MISSING",
            Reason::WrongLane => "WRONG_LANE",
            Reason::LifecycleMismatch => "LIFECYCLE_MISMATCH",
            Reason::NotSelectorEligible => "NOT_SELECTOR_ELIGIBLE",
            Reason::StaleRememberedContext => "STALE_REMEMBERED_CONTEXT",
            Reason::AlreadyArchived => "ALREADY_ARCHIVED",
            Reason::NotArchived => "NOT_ARCHIVED",
            Reason::OnboardingNotResumable => "ONBOARDING_NOT_RESUMABLE",
            Reason::OnboardingIncomplete => "ONBOARDING_INCOMPLETE",
            Reason::ProviderConnectionMissing => "PROVIDER_CONNECTION_MISSING",
        }
    }
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{guidance}")]
pub struct Denied {
    /// Why.
    pub reason: Reason,
    /// The capability that is missing, when that is why.
    pub missing_capability: Option<Capability>,
    /// What an operator can do about it: whole sentences.
    pub guidance: String,
}

impl Denied {
    pub(super) fn because(reason: Reason, guidance: impl Into<String>) -> Self {
        Self { reason, missing_capability: None, guidance: guidance.into() }
    }

    pub(super) fn not_entitled() -> Self {
        Self::because(Reason::NotEntitled, "There is no such tenant, or you are not entitled to it.")
    }

    pub(super) fn capability_missing(capability: Capability) -> Self {
        let (role, place) = (capability.least_role(), capability.scope().place());
        let guidance = format!("This needs {capability}: ask an owner of the workspace for the role {role} {place}.");
        Self { missing_capability: Some(capability), ..Self::because(Reason::CapabilityMissing, guidance) }
    }

    pub(super) fn wrong_lane(question: Question) -> Self {
        let lanes: Vec<&str> = question.lanes().iter().map(|lane| lane.as_str()).collect();
        Self::because(Reason::WrongLane, format!("{question} is asked in {}.", lanes.join(", ")))
    }
}
