//! Which service works on which run types. A service starts, claims and reports runs of its own types only.

use domain::run::RunType;
use server::{Caller, Failure};

/// The service that owns a run type.
pub const fn owner_of(run_type: RunType) -> &'static str {
    match run_type {
        RunType::PromotionExecute => "promotion-service",
        RunType::InventorySync
        | RunType::DirectoryGroupsSync
        | RunType::DirectoryRoleDefinitionsSync
        | RunType::BackupScheduleScheduled
        | RunType::BackupScheduleRunNow
        | RunType::BackupScheduleRetry
        | RunType::RestoreExecute
        | RunType::ProviderConnectionVerify => "compare-service",
    }
}

/// The run types of the calling service: never empty.
///
/// # Errors
/// PERMISSION_DENIED for callers that are no service, or one that owns no run type.
pub fn owned_types(caller: &Caller) -> Result<OwnedTypes, Failure> {
    let owners: Vec<&str> = RunType::ALL.iter().map(|run_type| owner_of(*run_type)).collect();
    let service = caller.require_service(&owners)?;
    Ok(OwnedTypes(RunType::ALL.iter().copied().filter(|run_type| owner_of(*run_type) == &*service.name).collect()))
}

/// The run types of one service.
#[derive(Debug, Clone)]
pub struct OwnedTypes(Vec<RunType>);

impl OwnedTypes {
    /// Whether this is one of them.
    pub fn contains(&self, run_type: RunType) -> bool {
        self.0.contains(&run_type)
    }

    /// Whether one of them is such a type.
    pub fn any(&self, is_such: impl Fn(RunType) -> bool) -> bool {
        self.0.iter().copied().any(is_such)
    }

    /// Their names, as stored.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|run_type| run_type.as_str()).collect()
    }

    /// Refuses a type that is not one of them.
    pub fn require(&self, run_type: RunType) -> Result<(), Failure> {
        if self.contains(run_type) {
            return Ok(());
        }
        Err(Failure::permission_denied(
            server::failure::reason::SERVICE_IDENTITY_REQUIRED,
            format!("{run_type} belongs to another service"),
        ))
    }
}
