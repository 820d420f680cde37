//! Who may see and do what: the closed set of capabilities, the one registry that turns roles into them,
//! and the order in which a request is refused.
//!
//! Everything here is a decision over facts that the caller has just read; nothing is cached and nothing is looked up.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::TenantId;

/// A role held in a workspace or on a tenant. The same four words are used for both; what they grant differs
/// (see [`workspace_capabilities`] and [`tenant_capabilities`]). Ordered from the least to the most powerful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May look.
    Readonly,
    /// May start everyday operations.
    Operator,
    /// May change what is governed.
    Manager,
    /// May also change who has access, and the tenant's lifecycle.
    Owner,
}

impl Role {
    /// Every role, from the least to the most powerful.
    pub const ALL: [Role; 4] = [Role::Readonly, Role::Operator, Role::Manager, Role::Owner];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Readonly => "readonly",
            Role::Operator => "operator",
            Role::Manager => "manager",
            Role::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no member of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a known {noun}")]
pub struct UnknownName {
    /// What was expected, in the singular: "role", "capability", "run type".
    pub noun: &'static str,
    /// What was given.
    pub value: String,
}

impl UnknownName {
    /// An error saying that `value` is no known `noun`.
    pub fn new(noun: &'static str, value: &str) -> Self {
        Self { noun, value: value.to_owned() }
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.as_str() == value).ok_or_else(|| UnknownName::new("role", value))
    }
}

/// Something an actor may be allowed to do. Closed: a capability that is not listed here does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Capability {
    /// See baselines, compares and preflights of the workspace.
    #[serde(rename = "workspace_baselines.view")]
    WorkspaceBaselinesView,
    /// Execute promotions and change baselines of the workspace.
    #[serde(rename = "workspace_baselines.manage")]
    WorkspaceBaselinesManage,
    /// Invite, change and remove members of the workspace.
    #[serde(rename = "workspace_members.manage")]
    WorkspaceMembersManage,
    /// Register tenants and carry their onboarding through.
    #[serde(rename = "tenant_onboarding.manage")]
    TenantOnboardingManage,
    /// Read the audit log.
    #[serde(rename = "audit.view")]
    AuditView,
    /// Pause and resume operation types.
    #[serde(rename = "operational_control.manage")]
    OperationalControlManage,
    /// See a tenant and its inventory.
    #[serde(rename = "tenant.view")]
    TenantView,
    /// Change what is configured in a tenant, also by promotion into it.
    #[serde(rename = "tenant.manage")]
    TenantManage,
    /// Archive and restore a tenant.
    #[serde(rename = "tenant.lifecycle")]
    TenantLifecycle,
    /// Start an inventory sync.
    #[serde(rename = "tenant_inventory.sync")]
    TenantInventorySync,
    /// Start and retry backups.
    #[serde(rename = "tenant_backup.run")]
    TenantBackupRun,
    /// Change backup schedules.
    #[serde(rename = "tenant_backup.manage")]
    TenantBackupManage,
    /// Restore captured content into a tenant.
    #[serde(rename = "tenant_restore.execute")]
    TenantRestoreExecute,
    /// Sync the cache of directory groups.
    #[serde(rename = "directory_groups.sync")]
    DirectoryGroupsSync,
    /// Sync the cache of directory role definitions.
    #[serde(rename = "directory_roles.sync")]
    DirectoryRolesSync,
    /// Change and verify a tenant's provider connection.
    #[serde(rename = "provider_connection.manage")]
    ProviderConnectionManage,
}

/// Whether a capability comes from a workspace role or from a role on a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapabilityScope {
    /// Granted by the role in the workspace.
    Workspace,
    /// Granted by the role on one tenant.
    Tenant,
}

impl CapabilityScope {
    /// Where such a role is held, in a sentence.
    pub const fn place(self) -> &'static str {
        match self {
            CapabilityScope::Workspace => "in the workspace",
            CapabilityScope::Tenant => "on the tenant",
        }
    }
}

impl Capability {
    /// Every capability.
    pub const ALL: [Capability; 16] = [
        Capability::WorkspaceBaselinesView,
        Capability::WorkspaceBaselinesManage,
        Capability::WorkspaceMembersManage,
        Capability::TenantOnboardingManage,
        Capability::AuditView,
        Capability::OperationalControlManage,
        Capability::TenantView,
        Capability::TenantManage,
        Capability::TenantLifecycle,
        Capability::TenantInventorySync,
        Capability::TenantBackupRun,
        Capability::TenantBackupManage,
        Capability::TenantRestoreExecute,
        Capability::DirectoryGroupsSync,
        Capability::DirectoryRolesSync,
        Capability::ProviderConnectionManage,
    ];

    /// The name on the wire, in error metadata and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Capability::WorkspaceBaselinesView => "workspace_baselines.view",
            Capability::WorkspaceBaselinesManage => "workspace_baselines.manage",
            Capability::WorkspaceMembersManage => "workspace_members.manage",
            Capability::TenantOnboardingManage => "tenant_onboarding.manage",
            Capability::AuditView => "audit.view",
            Capability::OperationalControlManage => "operational_control.manage",
            Capability::TenantView => "tenant.view",
            Capability::TenantManage => "tenant.manage",
            Capability::TenantLifecycle => "tenant.lifecycle",
            Capability::TenantInventorySync => "tenant_inventory.sync",
            Capability::TenantBackupRun => "tenant_backup.run",
            Capability::TenantBackupManage => "tenant_backup.manage",
            Capability::TenantRestoreExecute => "tenant_restore.execute",
            Capability::DirectoryGroupsSync => "directory_groups.sync",
            Capability::DirectoryRolesSync => "directory_roles.sync",
            Capability::ProviderConnectionManage => "provider_connection.manage",
        }
    }

    /// Which kind of role grants it.
    pub const fn scope(self) -> CapabilityScope {
        match self {
            Capability::WorkspaceBaselinesView
            | Capability::WorkspaceBaselinesManage
            | Capability::WorkspaceMembersManage
            | Capability::TenantOnboardingManage
            | Capability::AuditView
            | Capability::OperationalControlManage => CapabilityScope::Workspace,
            Capability::TenantView
            | Capability::TenantManage
            | Capability::TenantLifecycle
            | Capability::TenantInventorySync
            | Capability::TenantBackupRun
            | Capability::TenantBackupManage
            | Capability::TenantRestoreExecute
            | Capability::DirectoryGroupsSync
            | Capability::DirectoryRolesSync
            | Capability::ProviderConnectionManage => CapabilityScope::Tenant,
        }
    }

    /// The least role that grants it, in its own [`scope`](Self::scope). This is the registry: roles are ordered and
    /// a greater role has everything a lesser one has.
    pub const fn least_role(self) -> Role {
        match self {
            Capability::WorkspaceBaselinesView | Capability::TenantView => Role::Readonly,
            Capability::TenantInventorySync
            | Capability::TenantBackupRun
            | Capability::DirectoryGroupsSync
            | Capability::DirectoryRolesSync => Role::Operator,
            Capability::WorkspaceBaselinesManage
            | Capability::TenantOnboardingManage
            | Capability::AuditView
            | Capability::OperationalControlManage
            | Capability::TenantManage
            | Capability::TenantBackupManage
            | Capability::TenantRestoreExecute
            | Capability::ProviderConnectionManage => Role::Manager,
            Capability::WorkspaceMembersManage | Capability::TenantLifecycle => Role::Owner,
        }
    }

    /// Whether `role`, held in this capability's scope, grants it.
    pub fn granted_by(self, role: Role) -> bool {
        role >= self.least_role()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capability {
    type Err = UnknownName;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Capability::ALL
            .into_iter()
            .find(|capability| capability.as_str() == value)
            .ok_or_else(|| UnknownName::new("capability", value))
    }
}

/// What a role in the workspace grants.
pub fn workspace_capabilities(role: Role) -> impl Iterator<Item = Capability> {
    granted(CapabilityScope::Workspace, role)
}

/// What a role on a tenant grants on that tenant.
pub fn tenant_capabilities(role: Role) -> impl Iterator<Item = Capability> {
    granted(CapabilityScope::Tenant, role)
}

fn granted(scope: CapabilityScope, role: Role) -> impl Iterator<Item = Capability> {
    Capability::ALL.into_iter().filter(move |capability| capability.scope() == scope && capability.granted_by(role))
}

/// What is known about an actor in one workspace. There are no facts about somebody who is not a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorFacts {
    /// The `sub` of the verified token.
    pub subject: String,
    /// The role in the workspace. It entitles to no tenant by itself.
    pub workspace_role: Role,
    /// The tenants of the workspace the actor is entitled to, with the role held on each.
    pub tenant_roles: BTreeMap<TenantId, Role>,
}

impl ActorFacts {
    /// Whether the actor may know that this tenant exists.
    pub fn is_entitled_to(&self, tenant: TenantId) -> bool {
        self.tenant_roles.contains_key(&tenant)
    }

    /// Whether one need is met. A tenant capability asked of the workspace, or the other way round, is never met.
    pub fn meets(&self, need: Need) -> bool {
        let (scope, role) = match need {
            Need::InWorkspace(_) => (CapabilityScope::Workspace, Some(self.workspace_role)),
            Need::OnTenant(tenant, _) => (CapabilityScope::Tenant, self.tenant_roles.get(&tenant).copied()),
        };
        let capability = need.capability();
        capability.scope() == scope && role.is_some_and(|role| capability.granted_by(role))
    }
}

/// One capability that a request needs, and where it must be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A capability of the workspace role.
    InWorkspace(Capability),
    /// A capability of the role on this tenant.
    OnTenant(TenantId, Capability),
}

impl Need {
    /// The capability, wherever it is needed.
    pub const fn capability(self) -> Capability {
        match self {
            Need::InWorkspace(capability) | Need::OnTenant(_, capability) => capability,
        }
    }

    /// The tenant it is needed on, if any.
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Need::InWorkspace(_) => None,
            Need::OnTenant(tenant, _) => Some(tenant),
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The actor is no member, or not entitled to a tenant involved: the thing must look as if it did not exist.
    #[error("not found")]
    Hidden,
    /// The actor may know of everything involved but lacks this capability.
    #[error("capability {0} is missing")]
    CapabilityMissing(Capability),
}

/// Decides whether an actor may do something, in the one order that leaks nothing: membership of the workspace, then
/// entitlement to every tenant named or referenced (those of `entitled_to` and those of the needs), then the
/// capabilities in the order given, the first one missing being reported.
///
/// `facts` is `None` for somebody who is not a member of the workspace.
pub fn authorize(facts: Option<&ActorFacts>, entitled_to: &[TenantId], needs: &[Need]) -> Result<(), Denial> {
    let facts = facts.ok_or(Denial::Hidden)?;
    let mut involved = entitled_to.iter().copied().chain(needs.iter().filter_map(|need| need.tenant()));
    if involved.any(|tenant| !facts.is_entitled_to(tenant)) {
        return Err(Denial::Hidden);
    }
    match needs.iter().find(|need| !facts.meets(**need)) {
        Some(missing) => Err(Denial::CapabilityMissing(missing.capability())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
