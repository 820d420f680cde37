//! What the use cases of this service fail of, and what a caller is told.

use server::Failure;

/// Machine-readable reasons that this service adds to those of the chassis.
pub mod reason {
    /// ALREADY_EXISTS: the request id was used for another request.
    pub const REQUEST_ID_REUSED: &str = "REQUEST_ID_REUSED";
    /// ALREADY_EXISTS: a run of an older system with this id was brought in before, and is another one; metadata `external_id`.
    pub const EXTERNAL_ID_REUSED: &str = "EXTERNAL_ID_REUSED";
    /// FAILED_PRECONDITION: what may be started once, ever, was; its run is no longer kept.
    pub const IDENTITY_SPENT: &str = "IDENTITY_SPENT";
    /// FAILED_PRECONDITION: the run has ended.
    pub const RUN_NOT_ACTIVE: &str = "RUN_NOT_ACTIVE";
    /// FAILED_PRECONDITION: items without an outcome; metadata `pending` counts them.
    pub const ITEMS_PENDING: &str = "ITEMS_PENDING";
    /// FAILED_PRECONDITION: the item has its outcome; it must not be written again.
    pub const ITEM_SETTLED: &str = "ITEM_SETTLED";
    /// ABORTED: the lease is somebody else's by now, or nobody's.
    pub const LEASE_LOST: &str = "LEASE_LOST";
    /// ABORTED: changes of the same thing kept overtaking this one.
    pub const CONTENDED: &str = "CONTENDED";
    /// OUT_OF_RANGE: the position is older than what is kept.
    pub const CURSOR_COMPACTED: &str = "CURSOR_COMPACTED";
    /// OUT_OF_RANGE: the position belongs to another history of the database.
    pub const CURSOR_EPOCH: &str = "CURSOR_EPOCH";
    /// INVALID_ARGUMENT: the resume token was not issued for this watch.
    pub const RESUME_TOKEN_INVALID: &str = "RESUME_TOKEN_INVALID";
}

/// A failed use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Already told as the caller is told it: a malformed field, a denial.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// The request id was used for another request.
    #[error("request_id was used for another request")]
    RequestIdReused,
    /// What may be started only once was, and the run is no longer kept.
    #[error("this may be started once, and was: the run is no longer kept")]
    IdentitySpent,
    /// A run with this id of an older system is there, and is another one.
    #[error("a run with external_id {external_id:?} was imported before with other content; nothing was imported")]
    ExternalIdReused {
        /// Its id there.
        external_id: String,
    },
    /// The run has ended.
    #[error("the run has ended as {outcome}")]
    RunNotActive {
        /// How.
        outcome: domain::run::RunOutcome,
    },
    /// The run cannot end yet.
    #[error("{pending} items have no outcome yet")]
    ItemsPending {
        /// How many.
        pending: u64,
    },
    /// An intent for an item that has its outcome.
    #[error("item {ordinal} has its outcome")]
    ItemSettled {
        /// Which.
        ordinal: i32,
    },
    /// The fence is not the run's, or the run is not running.
    #[error("the lease is lost: stop at once")]
    LeaseLost,
    /// Lost too many races.
    #[error("concurrent changes of the same thing keep overtaking this one; try again")]
    Contended,
    /// The resume token is older than what is kept.
    #[error("the resume token is older than the events kept; start again without it")]
    CursorCompacted,
    /// The resume token is from before a fail-over or another database.
    #[error("the resume token is from another history of the database; start again without it")]
    CursorEpoch,
    /// The resume token is none, or was issued for another watch.
    #[error("resume_token: was not issued for this watch; start again without it")]
    ResumeTokenInvalid,
    /// A row that cannot be read: never replaced by a default.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRow),
    /// The database failed or refused.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// A row that does not say what this version understands.
#[derive(Debug, thiserror::Error)]
#[error("row {id} of {table} cannot be read")]
pub struct UnreadableRow {
    /// The table.
    pub table: &'static str,
    /// Its key.
    pub id: String,
    /// What is wrong; names the column where the reader knows it.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl UnreadableRow {
    /// An unreadable row of `table`.
    pub fn new(
        table: &'static str,
        id: impl ToString,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { table, id: id.to_string(), source: source.into() }
    }
}

/// What a database error means for the caller. Nothing of a failed transaction took effect, except that of a commit whose
/// answer was lost that is not known: every call of this service may be repeated.
fn database_failure(error: sqlx::Error) -> Failure {
    match pg::failure(&error) {
        pg::Failure::Unavailable | pg::Failure::Timeout => Failure::unavailable("the database").caused_by(error),
        pg::Failure::Serialization | pg::Failure::Deadlock => {
            Failure::aborted(reason::CONTENDED, "lost against a concurrent change; try again").caused_by(error)
        }
        _ => Failure::from(error),
    }
}

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Refused(failure) => failure,
            Error::RequestIdReused => Failure::already_exists(reason::REQUEST_ID_REUSED, message),
            Error::IdentitySpent => Failure::failed_precondition(reason::IDENTITY_SPENT, message),
            Error::ExternalIdReused { external_id } => {
                Failure::already_exists(reason::EXTERNAL_ID_REUSED, message).with("external_id", external_id)
            }
            Error::RunNotActive { outcome } => {
                Failure::failed_precondition(reason::RUN_NOT_ACTIVE, message).with("outcome", outcome.as_str())
            }
            Error::ItemsPending { pending } => {
                Failure::failed_precondition(reason::ITEMS_PENDING, message).with("pending", pending.to_string())
            }
            Error::ItemSettled { ordinal } => {
                Failure::failed_precondition(reason::ITEM_SETTLED, message).with("ordinal", ordinal.to_string())
            }
            Error::LeaseLost => Failure::aborted(reason::LEASE_LOST, message),
            Error::Contended => Failure::aborted(reason::CONTENDED, message),
            Error::CursorCompacted => Failure::out_of_range(reason::CURSOR_COMPACTED, message),
            Error::CursorEpoch => Failure::out_of_range(reason::CURSOR_EPOCH, message),
            Error::ResumeTokenInvalid => {
                Failure::new(server::Category::InvalidArgument, reason::RESUME_TOKEN_INVALID, message)
            }
            Error::Unreadable(error) => Failure::internal(error),
            Error::Database(error) => database_failure(error),
        }
    }
}
