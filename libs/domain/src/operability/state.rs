//! What the state of a tenant allows. Every question names every state of life: a new one does not compile until each
//! question has an answer for it.

use super::question::Question;
use super::reason::{Denied, Reason};
use crate::tenant::Lifecycle::{Active, Archived, Draft, Onboarding};
use crate::tenant::{Connection, OnboardingState, TenantFacts};

/// Whether the tenant's state allows it, whoever asks. By itself for decisions whose actor was authorised before, such as a
/// preflight; otherwise [`super::evaluate`] is the question to ask.
///
/// # Errors
/// Why not, with what would help.
pub fn state_allows(question: Question, facts: TenantFacts) -> Result<(), Denied> {
    let TenantFacts { lifecycle, connection } = facts;
    let not = |reason, guidance: &str| Err(Denied::because(reason, guidance));
    match question {
        Question::AdministrativeDiscoverability
        | Question::TenantBoundViewability
        | Question::CanonicalRecordViewability => match lifecycle {
            Draft | Onboarding | Active | Archived => Ok(()),
        },
        Question::SelectorEligibility => match lifecycle {
            Active => Ok(()),
            Draft => not(Reason::NotSelectorEligible, "Only active tenants can be selected. Start its onboarding."),
            Onboarding => {
                not(Reason::NotSelectorEligible, "Only active tenants can be selected. Complete its onboarding.")
            }
            Archived => not(Reason::NotSelectorEligible, "Only active tenants can be selected. Restore it."),
        },
        Question::RememberedContextValidity => match lifecycle {
            Active => Ok(()),
            Draft | Onboarding | Archived => not(
                Reason::StaleRememberedContext,
                "The tenant selected before is no longer active. Select another one.",
            ),
        },
        Question::Archive => match lifecycle {
            Active => Ok(()),
            Archived => not(Reason::AlreadyArchived, "The tenant is archived already."),
            Draft => not(Reason::LifecycleMismatch, "Only an active tenant can be archived; this one is a draft."),
            Onboarding => not(
                Reason::LifecycleMismatch,
                "Only an active tenant can be archived. Complete or cancel its onboarding first.",
            ),
        },
        Question::Restore => match lifecycle {
            Archived => Ok(()),
            Draft | Onboarding | Active => not(Reason::NotArchived, "Only an archived tenant can be restored."),
        },
        Question::StartOnboarding => match lifecycle {
            Draft => Ok(()),
            Onboarding => {
                not(Reason::LifecycleMismatch, "Its onboarding has begun already. Resume onboarding instead.")
            }
            Active => not(Reason::LifecycleMismatch, "The tenant is active already."),
            Archived => not(Reason::LifecycleMismatch, "The tenant is archived. Restore it instead."),
        },
        Question::ResumeOnboarding | Question::CancelOnboarding => match lifecycle {
            Onboarding => Ok(()),
            Draft => not(Reason::OnboardingNotResumable, "There is no onboarding under way. Start one."),
            Active => not(Reason::OnboardingNotResumable, "Its onboarding is complete."),
            Archived => not(Reason::OnboardingNotResumable, "The tenant is archived. Restore it instead."),
        },
        Question::CompleteOnboarding => match (lifecycle, connection) {
            (Onboarding, Connection::Verified) => Ok(()),
            (Onboarding, Connection::Missing) => {
                not(Reason::OnboardingIncomplete, "Connect the provider and verify the connection first.")
            }
            (Onboarding, Connection::Unverified) => {
                not(Reason::OnboardingIncomplete, "Verify the provider connection first.")
            }
            (Draft, _) => not(Reason::OnboardingNotResumable, "There is no onboarding under way. Start one."),
            (Active, _) => not(Reason::OnboardingNotResumable, "Its onboarding is complete."),
            (Archived, _) => not(Reason::OnboardingNotResumable, "The tenant is archived. Restore it instead."),
        },
        Question::ProviderConnectionChange => match lifecycle {
            Onboarding | Active => Ok(()),
            Draft => not(Reason::LifecycleMismatch, "Start its onboarding; connecting the provider is part of it."),
            Archived => not(Reason::LifecycleMismatch, "The tenant is archived. Restore it first."),
        },
        Question::VerificationReadiness => match (lifecycle, connection) {
            (Onboarding | Active, Connection::Unverified | Connection::Verified) => Ok(()),
            (Onboarding | Active, Connection::Missing) => {
                not(Reason::ProviderConnectionMissing, "Connect the provider first.")
            }
            (Draft, _) => {
                not(Reason::LifecycleMismatch, "Start its onboarding; connecting the provider is part of it.")
            }
            (Archived, _) => not(Reason::LifecycleMismatch, "The tenant is archived. Restore it first."),
        },
        Question::InventorySync
        | Question::DirectoryGroupsSync
        | Question::DirectoryRoleDefinitionsSync
        | Question::Backup
        | Question::PromotionTarget
        | Question::ContentRestore => match (lifecycle, connection) {
            (Active, Connection::Unverified | Connection::Verified) => Ok(()),
            (Active, Connection::Missing) => not(Reason::ProviderConnectionMissing, "Connect the provider first."),
            (Draft | Onboarding, _) => not(Reason::LifecycleMismatch, "Complete its onboarding first."),
            (Archived, _) => not(Reason::LifecycleMismatch, "The tenant is archived. Restore it first."),
        },
        // The source's captured content is read, never its provider: that takes no connection.
        Question::PromotionSource => match lifecycle {
            Active => Ok(()),
            Draft | Onboarding => not(Reason::LifecycleMismatch, "Complete its onboarding first."),
            Archived => not(Reason::LifecycleMismatch, "The tenant is archived. Restore it first."),
        },
    }
}

/// Whether an onboarding can be gone on with, as a record of its own: its tenant may be in another one by now.
///
/// # Errors
/// Why not, with what would help.
pub fn onboarding_allows(state: OnboardingState) -> Result<(), Denied> {
    let not = |guidance: &str| Err(Denied::because(Reason::OnboardingNotResumable, guidance));
    match state {
        OnboardingState::InProgress => Ok(()),
        OnboardingState::Completed => not("This onboarding is complete."),
        OnboardingState::Cancelled => not("This onboarding was cancelled. Start a new one."),
    }
}
