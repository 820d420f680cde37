//! The catalogue of actions on a tenant: what a surface offers, enabled or disabled with the reason.

use super::question::{Lane, Question};
use super::reason::Denied;
use super::{Asked, evaluate};
use crate::access::ActorFacts;
use crate::id::TenantId;
use crate::tenant::TenantFacts;

/// Something that can be done with a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Select it to work with.
    Select,
    /// Begin its onboarding.
    StartOnboarding,
    /// Go on with its onboarding.
    ResumeOnboarding,
    /// Complete its onboarding.
    CompleteOnboarding,
    /// Cancel its onboarding.
    CancelOnboarding,
    /// Say how the provider is reached.
    SetProviderConnection,
    /// Check that the provider is reached.
    VerifyProviderConnection,
    /// Read its inventory anew.
    SyncInventory,
    /// Read its directory's groups anew.
    SyncDirectoryGroups,
    /// Read its directory's role definitions anew.
    SyncDirectoryRoleDefinitions,
    /// Back it up, by one of its schedules.
    BackUp,
    /// Promote its content to another tenant.
    PromoteFrom,
    /// Promote another tenant's content into it.
    PromoteInto,
    /// Write captured content of its own back to it.
    RestoreContent,
    /// Put it aside.
    Archive,
    /// Bring it back.
    Restore,
}

impl Action {
    /// Every action, in the order in which a surface shows them.
    pub const ALL: [Action; 16] = [
        Action::Select,
        Action::StartOnboarding,
        Action::ResumeOnboarding,
        Action::CompleteOnboarding,
        Action::CancelOnboarding,
        Action::SetProviderConnection,
        Action::VerifyProviderConnection,
        Action::SyncInventory,
        Action::SyncDirectoryGroups,
        Action::SyncDirectoryRoleDefinitions,
        Action::BackUp,
        Action::PromoteFrom,
        Action::PromoteInto,
        Action::RestoreContent,
        Action::Archive,
        Action::Restore,
    ];

    /// The name for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Select => "select",
            Action::StartOnboarding => "start_onboarding",
            Action::ResumeOnboarding => "resume_onboarding",
            Action::CompleteOnboarding => "complete_onboarding",
            Action::CancelOnboarding => "cancel_onboarding",
            Action::SetProviderConnection => "set_provider_connection",
            Action::VerifyProviderConnection => "verify_provider_connection",
            Action::SyncInventory => "sync_inventory",
            Action::SyncDirectoryGroups => "sync_directory_groups",
            Action::SyncDirectoryRoleDefinitions => "sync_directory_role_definitions",
            Action::BackUp => "back_up",
            Action::PromoteFrom => "promote_from",
            Action::PromoteInto => "promote_into",
            Action::RestoreContent => "restore_content",
            Action::Archive => "archive",
            Action::Restore => "restore",
        }
    }

    /// The name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Action::Select => "Select tenant",
            Action::StartOnboarding => "Start onboarding",
            Action::ResumeOnboarding => "Resume onboarding",
            Action::CompleteOnboarding => "Complete onboarding",
            Action::CancelOnboarding => "Cancel onboarding",
            Action::SetProviderConnection => "Set provider connection",
            Action::VerifyProviderConnection => "Verify provider connection",
            Action::SyncInventory => "Sync inventory",
            Action::SyncDirectoryGroups => "Sync directory groups",
            Action::SyncDirectoryRoleDefinitions => "Sync directory role definitions",
            Action::BackUp => "Back up",
            Action::PromoteFrom => "Promote from this tenant",
            Action::PromoteInto => "Promote into this tenant",
            Action::RestoreContent => "Restore policies",
            Action::Archive => "Archive",
            Action::Restore => "Restore",
        }
    }

    /// The question that decides whether it is enabled, and the lane it is asked in.
    pub const fn asks(self) -> (Lane, Question) {
        match self {
            Action::Select => (Lane::ActiveSelector, Question::SelectorEligibility),
            Action::StartOnboarding => (Lane::TenantBound, Question::StartOnboarding),
            Action::ResumeOnboarding => (Lane::TenantBound, Question::ResumeOnboarding),
            Action::CompleteOnboarding => (Lane::OnboardingWorkflow, Question::CompleteOnboarding),
            Action::CancelOnboarding => (Lane::TenantBound, Question::CancelOnboarding),
            Action::SetProviderConnection => (Lane::TenantBound, Question::ProviderConnectionChange),
            Action::VerifyProviderConnection => (Lane::TenantBound, Question::VerificationReadiness),
            Action::SyncInventory => (Lane::TenantBound, Question::InventorySync),
            Action::SyncDirectoryGroups => (Lane::TenantBound, Question::DirectoryGroupsSync),
            Action::SyncDirectoryRoleDefinitions => (Lane::TenantBound, Question::DirectoryRoleDefinitionsSync),
            Action::BackUp => (Lane::TenantBound, Question::Backup),
            Action::PromoteFrom => (Lane::TenantBound, Question::PromotionSource),
            Action::PromoteInto => (Lane::TenantBound, Question::PromotionTarget),
            Action::RestoreContent => (Lane::TenantBound, Question::ContentRestore),
            Action::Archive => (Lane::TenantBound, Question::Archive),
            Action::Restore => (Lane::TenantBound, Question::Restore),
        }
    }

    /// Whether it takes an explicit confirmation.
    pub const fn is_confirmed(self) -> bool {
        match self {
            Action::Archive | Action::Restore | Action::PromoteInto | Action::RestoreContent => true,
            Action::Select
            | Action::StartOnboarding
            | Action::ResumeOnboarding
            | Action::CompleteOnboarding
            | Action::CancelOnboarding
            | Action::SetProviderConnection
            | Action::VerifyProviderConnection
            | Action::SyncInventory
            | Action::SyncDirectoryGroups
            | Action::SyncDirectoryRoleDefinitions
            | Action::BackUp
            | Action::PromoteFrom => false,
        }
    }
}

/// An action as it is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub action: Action,
    /// Enabled, or why not.
    pub outcome: Result<(), Denied>,
}

/// The whole catalogue for one tenant and actor.
pub fn offers(tenant_id: TenantId, tenant: TenantFacts, actor: &ActorFacts) -> Vec<Offer> {
    let offer = |action: Action| {
        let (lane, question) = action.asks();
        let asked = Asked { lane, question, tenant_id, tenant: Some(tenant), actor: Some(actor) };
        Offer { action, outcome: evaluate(&asked) }
    };
    Action::ALL.into_iter().map(offer).collect()
}
