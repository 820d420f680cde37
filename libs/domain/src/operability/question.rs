//! The lanes, and the questions that are asked in them.

use std::fmt;
use std::str::FromStr;

use crate::access::{Capability, Need, UnknownName};
use crate::id::TenantId;

/// From where a question is asked: the same tenant may be fine in one lane and out of place in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Choosing a tenant to work with.
    ActiveSelector,
    /// Reading back what was chosen before.
    RememberedContext,
    /// Managing the tenants of a workspace.
    Administrative,
    /// A surface of one tenant, named by its address.
    TenantBound,
    /// Carrying an onboarding through.
    OnboardingWorkflow,
    /// A record of the workspace that refers to a tenant, such as an operation run.
    CanonicalRecord,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 6] = [
        Lane::ActiveSelector,
        Lane::RememberedContext,
        Lane::Administrative,
        Lane::TenantBound,
        Lane::OnboardingWorkflow,
        Lane::CanonicalRecord,
    ];

    /// The name in tables and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lane::ActiveSelector => "active_selector",
            Lane::RememberedContext => "remembered_context",
            Lane::Administrative => "administrative",
            Lane::TenantBound => "tenant_bound",
            Lane::OnboardingWorkflow => "onboarding_workflow",
            Lane::CanonicalRecord => "canonical_record",
        }
    }

    /// The question that decides which tenants a list of this lane shows.
    pub const fn listing_question(self) -> Question {
        match self {
            Lane::ActiveSelector => Question::SelectorEligibility,
            Lane::RememberedContext => Question::RememberedContextValidity,
            Lane::Administrative => Question::AdministrativeDiscoverability,
            Lane::TenantBound => Question::TenantBoundViewability,
            Lane::OnboardingWorkflow => Question::ResumeOnboarding,
            Lane::CanonicalRecord => Question::CanonicalRecordViewability,
        }
    }
}

/// What is asked about a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// May it be selected to work with?
    SelectorEligibility,
    /// Is it still good as the remembered selection?
    RememberedContextValidity,
    /// May it be found by whoever manages tenants?
    AdministrativeDiscoverability,
    /// May its own surface be looked at?
    TenantBoundViewability,
    /// May a record that refers to it show it?
    CanonicalRecordViewability,
    /// May it be archived?
    Archive,
    /// May it be restored?
    Restore,
    /// May its onboarding begin?
    StartOnboarding,
    /// May its onboarding go on?
    ResumeOnboarding,
    /// May its onboarding be completed?
    CompleteOnboarding,
    /// May its onboarding be cancelled?
    CancelOnboarding,
    /// May its provider connection be changed?
    ProviderConnectionChange,
    /// Can its provider connection be verified?
    VerificationReadiness,
    /// May its inventory be synced?
    InventorySync,
    /// May its directory's groups be synced?
    DirectoryGroupsSync,
    /// May its directory's role definitions be synced?
    DirectoryRoleDefinitionsSync,
    /// May it be backed up?
    Backup,
    /// May content be promoted from it?
    PromotionSource,
    /// May content be promoted into it?
    PromotionTarget,
    /// May captured content of its own be restored to it?
    ContentRestore,
}

impl Question {
    /// Every question.
    pub const ALL: [Question; 20] = [
        Question::SelectorEligibility,
        Question::RememberedContextValidity,
        Question::AdministrativeDiscoverability,
        Question::TenantBoundViewability,
        Question::CanonicalRecordViewability,
        Question::Archive,
        Question::Restore,
        Question::StartOnboarding,
        Question::ResumeOnboarding,
        Question::CompleteOnboarding,
        Question::CancelOnboarding,
        Question::ProviderConnectionChange,
        Question::VerificationReadiness,
        Question::InventorySync,
        Question::DirectoryGroupsSync,
        Question::DirectoryRoleDefinitionsSync,
        Question::Backup,
        Question::PromotionSource,
        Question::PromotionTarget,
        Question::ContentRestore,
    ];

    /// The name in tables and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Question::SelectorEligibility => "selector_eligibility",
            Question::RememberedContextValidity => "remembered_context_validity",
            Question::AdministrativeDiscoverability => "administrative_discoverability",
            Question::TenantBoundViewability => "tenant_bound_viewability",
            Question::CanonicalRecordViewability => "canonical_record_viewability",
            Question::Archive => "archive",
            Question::Restore => "restore",
            Question::StartOnboarding => "start_onboarding",
            Question::ResumeOnboarding => "resume_onboarding",
            Question::CompleteOnboarding => "complete_onboarding",
            Question::CancelOnboarding => "cancel_onboarding",
            Question::ProviderConnectionChange => "provider_connection_change",
            Question::VerificationReadiness => "verification_readiness",
            Question::InventorySync => "inventory_sync",
            Question::DirectoryGroupsSync => "directory_groups_sync",
            Question::DirectoryRoleDefinitionsSync => "directory_role_definitions_sync",
            Question::Backup => "backup",
            Question::PromotionSource => "promotion_source",
            Question::PromotionTarget => "promotion_target",
            Question::ContentRestore => "content_restore",
        }
    }

    /// In which lanes it may be asked. Looking has a lane of its own for each way of looking; acting belongs where the
    /// tenant is managed, its own surface included.
    pub const fn lanes(self) -> &'static [Lane] {
        match self {
            Question::SelectorEligibility => &[Lane::ActiveSelector],
            Question::RememberedContextValidity => &[Lane::RememberedContext],
            Question::AdministrativeDiscoverability => &[Lane::Administrative],
            Question::TenantBoundViewability => &[Lane::TenantBound],
            Question::CanonicalRecordViewability => &[Lane::CanonicalRecord],
            Question::Archive
            | Question::Restore
            | Question::StartOnboarding
            | Question::InventorySync
            | Question::DirectoryGroupsSync
            | Question::DirectoryRoleDefinitionsSync
            | Question::Backup
            | Question::ContentRestore => &[Lane::Administrative, Lane::TenantBound],
            Question::ResumeOnboarding
            | Question::CancelOnboarding
            | Question::ProviderConnectionChange
            | Question::VerificationReadiness => &[Lane::Administrative, Lane::TenantBound, Lane::OnboardingWorkflow],
            Question::CompleteOnboarding => &[Lane::OnboardingWorkflow],
            // The two ends of a promotion are chosen in a selector, and named on the surface of the compare.
            Question::PromotionSource | Question::PromotionTarget => &[Lane::ActiveSelector, Lane::TenantBound],
        }
    }

    /// What the actor needs, in the order in which a lack is told.
    pub fn needs(self, tenant: TenantId) -> Vec<Need> {
        let on_tenant = |capability| Need::OnTenant(tenant, capability);
        match self {
            Question::SelectorEligibility
            | Question::RememberedContextValidity
            | Question::AdministrativeDiscoverability
            | Question::TenantBoundViewability
            | Question::CanonicalRecordViewability => vec![on_tenant(Capability::TenantView)],
            Question::Archive | Question::Restore => vec![on_tenant(Capability::TenantLifecycle)],
            Question::StartOnboarding
            | Question::ResumeOnboarding
            | Question::CompleteOnboarding
            | Question::CancelOnboarding => vec![Need::InWorkspace(Capability::TenantOnboardingManage)],
            Question::ProviderConnectionChange | Question::VerificationReadiness => {
                vec![on_tenant(Capability::ProviderConnectionManage)]
            }
            Question::InventorySync => vec![on_tenant(Capability::TenantInventorySync)],
            Question::DirectoryGroupsSync => vec![on_tenant(Capability::DirectoryGroupsSync)],
            Question::DirectoryRoleDefinitionsSync => vec![on_tenant(Capability::DirectoryRolesSync)],
            Question::Backup => vec![on_tenant(Capability::TenantBackupRun)],
            Question::ContentRestore => vec![on_tenant(Capability::TenantRestoreExecute)],
            Question::PromotionSource => {
                vec![Need::InWorkspace(Capability::WorkspaceBaselinesView), on_tenant(Capability::TenantView)]
            }
            Question::PromotionTarget => vec![
                Need::InWorkspace(Capability::WorkspaceBaselinesView),
                on_tenant(Capability::TenantView),
                Need::InWorkspace(Capability::WorkspaceBaselinesManage),
                on_tenant(Capability::TenantManage),
            ],
        }
    }
}

macro_rules! named {
    ($($name:ident, $noun:literal;)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                $name::ALL
                    .into_iter()
                    .find(|known| known.as_str() == value)
                    .ok_or_else(|| UnknownName::new($noun, value))
            }
        }
    )+};
}

named! {
    Lane, "lane";
    Question, "question";
}
