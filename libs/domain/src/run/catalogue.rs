//! What is known beforehand about each type of run, as data: one row per type.

use time::Duration;

use crate::access::{Capability, Need};
use crate::run::visibility::RunTenants;

/// The closed set of things that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunType {
    /// Read a tenant's policies and remember them as last observed.
    InventorySync,
    /// Refresh the cache of directory groups.
    DirectoryGroupsSync,
    /// Refresh the cache of directory role definitions.
    DirectoryRoleDefinitionsSync,
    /// A backup at a scheduled time.
    BackupScheduleScheduled,
    /// A backup on demand.
    BackupScheduleRunNow,
    /// A backup that failed, again.
    BackupScheduleRetry,
    /// Write captured content back to the tenant it came from.
    RestoreExecute,
    /// Check that a tenant's provider connection works and what it may do.
    ProviderConnectionVerify,
    /// Apply the ready subjects of a preflight to the target tenant.
    PromotionExecute,
}

/// When two requests ask for the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityRule {
    /// The same identity joins the active run; once that is over, a new run may start.
    WhileActive,
    /// Every request is a run of its own.
    Unique,
    /// There is one run of an identity, ever.
    Forever,
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTypeFacts {
    /// What an operator reads.
    pub label: &'static str,
    /// When two requests ask for the same run.
    pub identity: IdentityRule,
    /// Whether it writes to its tenant at the provider. At most one such run per tenant is active at a time.
    pub mutates_target: bool,
    /// How often a run may be claimed in a row without an item getting an outcome, before it is given up.
    pub max_attempts_without_progress: u32,
    /// How long a worker holds it without renewing, unless configured otherwise.
    pub lease_ttl: Duration,
    /// How long it may wait in the queue before a worker first takes it, unless configured otherwise.
    pub queue_for: Duration,
    /// How long it may take in all, from its start to its end, unless configured otherwise. Leaves a run that was taken up at
    /// the last moment ample time.
    pub run_for: Duration,
    /// How long one usually takes, from claim to end. For telling an operator what to expect, not a limit.
    pub expected_duration: Duration,
}

const LEASE_TTL: Duration = Duration::seconds(30);

impl RunType {
    /// What is known about the type.
    pub const fn facts(self) -> RunTypeFacts {
        use IdentityRule::{Forever, Unique, WhileActive};
        match self {
            RunType::InventorySync => row("Inventory sync", WhileActive, false, 5, 120, hours(6, 12)),
            RunType::DirectoryGroupsSync => row("Directory groups sync", WhileActive, false, 5, 120, hours(6, 12)),
            RunType::DirectoryRoleDefinitionsSync => {
                row("Directory role definitions sync", WhileActive, false, 5, 60, hours(6, 12))
            }
            RunType::BackupScheduleScheduled => row("Scheduled backup", Forever, false, 5, 300, hours(12, 24)),
            RunType::BackupScheduleRunNow => row("Backup run", Unique, false, 5, 300, hours(12, 24)),
            RunType::BackupScheduleRetry => row("Backup retry", Unique, false, 5, 300, hours(12, 24)),
            // Giving up in the middle of writing leaves more behind than trying again: these may try longer. What somebody
            // confirmed in the morning is not begun on another day.
            RunType::RestoreExecute => row("Restore", WhileActive, true, 10, 300, hours(12, 48)),
            RunType::ProviderConnectionVerify => {
                row("Provider connection check", WhileActive, false, 3, 30, hours(1, 2))
            }
            RunType::PromotionExecute => row("Cross-tenant promotion", WhileActive, true, 10, 300, hours(12, 48)),
        }
    }

    /// What an operator reads.
    pub const fn label(self) -> &'static str {
        self.facts().label
    }

    /// The key under which an operational control pauses this type.
    pub const fn control_key(self) -> &'static str {
        self.as_str()
    }

    /// What an actor needs to start one. Empty when the tenants do not fit the type (see [`RunTenants::fits`]):
    /// callers check that first.
    ///
    /// A scheduled backup is started by the scheduler and not by an actor; its needs are those of starting it by hand,
    /// because they also decide who may see it.
    pub fn start_needs(self, tenants: &RunTenants) -> Vec<Need> {
        let on_tenant = |capability| tenants.tenant.map(|tenant| Need::OnTenant(tenant, capability));
        match self {
            RunType::PromotionExecute => [Need::InWorkspace(Capability::WorkspaceBaselinesView)]
                .into_iter()
                .chain(tenants.related.iter().map(|source| Need::OnTenant(*source, Capability::TenantView)))
                .chain(on_tenant(Capability::TenantView))
                .chain([Need::InWorkspace(Capability::WorkspaceBaselinesManage)])
                .chain(on_tenant(Capability::TenantManage))
                .collect(),
            other => on_tenant(other.start_capability()).into_iter().collect(),
        }
    }

    /// The capability that stands for starting one, on the run's tenant.
    pub const fn start_capability(self) -> Capability {
        match self {
            RunType::InventorySync => Capability::TenantInventorySync,
            RunType::DirectoryGroupsSync => Capability::DirectoryGroupsSync,
            RunType::DirectoryRoleDefinitionsSync => Capability::DirectoryRolesSync,
            RunType::BackupScheduleScheduled | RunType::BackupScheduleRunNow | RunType::BackupScheduleRetry => {
                Capability::TenantBackupRun
            }
            RunType::RestoreExecute => Capability::TenantRestoreExecute,
            RunType::ProviderConnectionVerify => Capability::ProviderConnectionManage,
            RunType::PromotionExecute => Capability::TenantManage,
        }
    }
}

const fn row(
    label: &'static str,
    identity: IdentityRule,
    mutates_target: bool,
    max_attempts_without_progress: u32,
    expected_duration_s: i64,
    (queue_for, run_for): (Duration, Duration),
) -> RunTypeFacts {
    RunTypeFacts {
        label,
        identity,
        mutates_target,
        max_attempts_without_progress,
        lease_ttl: LEASE_TTL,
        queue_for,
        run_for,
        expected_duration: Duration::seconds(expected_duration_s),
    }
}

/// How long a run may wait, and how long it may take in all.
const fn hours(queue_for: i64, run_for: i64) -> (Duration, Duration) {
    (Duration::hours(queue_for), Duration::hours(run_for))
}
