//! What a request of this service can fail of, and what each means to the caller.

use domain::confirmation::NameMismatch;
use domain::id::TenantId;
use domain::operability::{Denied, Reason};
use server::failure::{Category, Failure, Precondition};

use crate::store::StoreError;

/// Why a request was not answered. Reasons are stable; the API names them per method.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chassis or another service refused, or a field is wrong.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Absent, or hidden: the two look the same.
    #[error("not found")]
    NotFound,
    /// The request id was used for another request.
    #[error("the request_id was used for another request")]
    RequestIdReused,
    /// A workspace may not lose its last owner.
    #[error("a workspace needs an owner: make somebody else owner first")]
    LastOwner,
    /// A tenant role is for members of the workspace.
    #[error("the subject is no member of the workspace: add them first")]
    NotAMember,
    /// The workspace has the tenant, and the caller may see it.
    #[error("the workspace has a tenant with this external id already")]
    TenantAlreadyRegistered(TenantId),
    /// The external id cannot be registered here; why is not the caller's to know.
    #[error("a tenant with this external id cannot be registered in this workspace: ask an owner of the workspace")]
    TenantNotAvailable,
    /// The tenant is no good for it, or the actor may not.
    #[error(transparent)]
    NotOperable(#[from] Denied),
    /// Nothing says how the provider is reached.
    #[error("the tenant has no provider connection: set one first")]
    ProviderConnectionMissing,
    /// Somebody changed the tenant since the version a change was made from.
    #[error("the tenant has been changed meanwhile: look at it again")]
    TenantChanged {
        /// Its version now.
        version: i64,
    },
    /// What was confirmed is not what would happen.
    #[error(transparent)]
    ConfirmationMismatch(#[from] NameMismatch),
    /// Somebody changed the onboarding since the version a change was made from.
    #[error("{editor_name} has changed the onboarding meanwhile: look at it again, or resume it to take it over")]
    OnboardingChanged {
        /// Who changed it last.
        editor_name: String,
        /// Its version now.
        version: i64,
    },
    /// The schedule has ended.
    #[error("the backup schedule is archived")]
    BackupScheduleArchived,
    /// The schedule was changed by somebody else.
    #[error("the backup schedule was changed since: read it again")]
    BackupScheduleChanged,
    /// The set is being made.
    #[error("the backup set is being made: wait for its run")]
    BackupSetInProgress,
    /// Content goes back to the tenant it was read from, and to no other.
    #[error(
        "a policy version of the selection was read from another tenant: content is restored to its own tenant only"
    )]
    PolicyVersionOfAnotherTenant,
    /// Of one object, one version is restored.
    #[error("two policy versions of the selection are of one object: choose one of them")]
    PolicyChosenTwice,
    /// More policies are chosen than one restore takes.
    #[error("one restore takes {most} policies: narrow the selection")]
    TooManyPolicies {
        /// How many one restore takes.
        most: usize,
    },
    /// Evidence changed between two pages of a restore's preview.
    #[error("the preview has changed since the first page: start again without page_token")]
    RestorePreviewChanged,
    /// Evidence changed since what was confirmed.
    #[error(
        "the evidence or the selection has changed since this preview; preview the restore again and confirm what it says now"
    )]
    RestorePreviewStale,
    /// Every policy is as captured, or blocked.
    #[error("no policy of this selection is to be created or updated")]
    NothingToRestore,
    /// What was confirmed is not what would be restored.
    #[error(transparent)]
    RestoreNotConfirmed(#[from] domain::restore::ConfirmationMismatch),
    /// There is nothing to retry.
    #[error("the backup set has everything that was selected: there is nothing to retry")]
    BackupSetComplete,
    /// A tenant is not compared with itself.
    #[error("source and target must be different tenants")]
    SameTenant,
    /// A side has several objects of this identity.
    #[error("a side has several objects with this identity: rename one of them and sync again")]
    SubjectAmbiguous,
    /// Evidence changed between two pages.
    #[error("the evidence has changed since the first page: start again without page_token")]
    CompareChanged,
    /// Evidence changed between two pages of a preflight.
    #[error("the preflight has changed since the first page: start again without page_token")]
    PreflightChanged,
    /// More subjects are ready than one promotion takes.
    #[error("{ready} subjects are ready, one promotion takes {most}: narrow the selection")]
    TooManySubjects {
        /// How many are ready.
        ready: usize,
        /// How many one promotion takes.
        most: usize,
    },
}

/// What a use case answers.
pub type Result<T> = std::result::Result<T, Error>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Failure(failure) => failure,
            Error::Store(error) => store_failure(error),
            Error::NotFound => Failure::not_found(),
            Error::RequestIdReused => Failure::already_exists("REQUEST_ID_REUSED", message),
            Error::LastOwner => gate("LAST_OWNER", "workspace", message),
            Error::NotAMember => gate("NOT_A_MEMBER", "subject", message),
            Error::TenantAlreadyRegistered(tenant) => {
                Failure::already_exists("TENANT_ALREADY_REGISTERED", message).with("tenant_id", tenant.to_string())
            }
            Error::TenantNotAvailable => gate("TENANT_NOT_AVAILABLE", "external_tenant_id", message),
            Error::NotOperable(denied) => not_operable(denied),
            Error::ProviderConnectionMissing => gate("PROVIDER_CONNECTION_MISSING", "tenant", message),
            Error::TenantChanged { version } => {
                Failure::aborted("TENANT_CHANGED", message).with("version", version.to_string())
            }
            Error::ConfirmationMismatch(_) => {
                Failure::failed_precondition("CONFIRMATION_MISMATCH", message).with("fields", "confirmation")
            }
            Error::OnboardingChanged { editor_name, version } => Failure::aborted("ONBOARDING_CHANGED", message)
                .with("editor_name", editor_name)
                .with("version", version.to_string()),
            Error::BackupScheduleArchived => gate("BACKUP_SCHEDULE_ARCHIVED", "backup_schedule_id", message),
            Error::BackupScheduleChanged => Failure::aborted("BACKUP_SCHEDULE_CHANGED", message),
            Error::BackupSetInProgress => gate("BACKUP_SET_IN_PROGRESS", "backup_set_id", message),
            Error::PolicyVersionOfAnotherTenant => {
                gate("POLICY_VERSION_OF_ANOTHER_TENANT", "policy_version_ids", message)
            }
            Error::PolicyChosenTwice => gate("POLICY_CHOSEN_TWICE", "policy_version_ids", message),
            Error::TooManyPolicies { most } => {
                gate("TOO_MANY_POLICIES", "selection", message).with("most", most.to_string())
            }
            Error::RestorePreviewChanged => Failure::aborted("RESTORE_PREVIEW_CHANGED", message),
            Error::RestorePreviewStale => Failure::failed_precondition("RESTORE_PREVIEW_STALE", message),
            Error::NothingToRestore => Failure::failed_precondition("NOTHING_TO_RESTORE", message),
            Error::RestoreNotConfirmed(mismatch) => {
                let fields: Vec<_> = mismatch.0.iter().map(|field| field.as_str()).collect();
                Failure::failed_precondition("CONFIRMATION_MISMATCH", message).with("fields", fields.join(","))
            }
            Error::BackupSetComplete => gate("BACKUP_SET_COMPLETE", "backup_set_id", message),
            Error::SameTenant => Failure::new(Category::InvalidArgument, "SAME_TENANT", message),
            Error::SubjectAmbiguous => gate("SUBJECT_AMBIGUOUS", "subject_key", message),
            Error::CompareChanged => Failure::aborted("COMPARE_CHANGED", message),
            Error::PreflightChanged => Failure::aborted("PREFLIGHT_CHANGED", message),
            Error::TooManySubjects { ready, most } => gate("TOO_MANY_SUBJECTS", "selection", message)
                .with("ready", ready.to_string())
                .with("most", most.to_string()),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

/// A denial of the operability authority, in the order of answers: what is hidden looks absent, a missing capability is told,
/// and whatever remains is the state of the tenant.
fn not_operable(denied: Denied) -> Failure {
    match (denied.reason, denied.missing_capability) {
        (Reason::NotEntitled, _) => Failure::not_found(),
        (_, Some(capability)) => Failure::capability_missing(capability),
        (reason, None) => gate(reason.as_str(), "tenant", denied.guidance),
    }
}

fn gate(reason: &'static str, subject: &str, message: String) -> Failure {
    Failure::failed_precondition(reason, message.clone()).precondition(Precondition {
        kind: reason.to_owned(),
        subject: subject.to_owned(),
        description: message,
    })
}

/// What the database could not do now may work in a moment; anything a statement did not expect is a defect.
fn store_failure(error: StoreError) -> Failure {
    use pg::Failure::{Deadlock, Serialization, Timeout, Unavailable};
    match &error {
        StoreError::Database(cause)
            if matches!(pg::failure(cause), Deadlock | Serialization | Timeout | Unavailable) =>
        {
            Failure::unavailable("the database").caused_by(error)
        }
        _ => Failure::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_preconditions_and_say_what_to_do() {
        let failure = Failure::from(Error::LastOwner);
        assert_eq!((failure.category(), failure.reason()), (Category::FailedPrecondition, "LAST_OWNER"));
        assert_eq!(Failure::from(Error::SameTenant).category(), Category::InvalidArgument);
        assert_eq!(Failure::from(Error::PreflightChanged).category(), Category::Aborted);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_defect_and_a_busy_database_is_not() {
        let unreadable = StoreError::Unreadable { table: "t", column: "c", id: "1".into(), why: "x".into() };
        assert_eq!(Failure::from(Error::Store(unreadable)).category(), Category::Internal);
        assert_eq!(Failure::from(Error::from(sqlx::Error::PoolTimedOut)).category(), Category::Unavailable);
    }
}
