//! What a database error means to the one who asked.

use sqlx::postgres::PgDatabaseError;

/// The meanings callers tell apart. Constraints and triggers have names, so a violated one is a domain answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A row with this identity exists; `constraint` is the unique index or constraint.
    UniqueViolation {
        /// Name of the index or constraint.
        constraint: String,
    },
    /// A value the table does not accept.
    CheckViolation {
        /// Name of the constraint.
        constraint: String,
    },
    /// The row it refers to does not exist, or something still refers to it.
    ForeignKey {
        /// Name of the constraint.
        constraint: String,
    },
    /// A trigger of the schema refused, with its SQLSTATE (the `TA...` codes of the migrations).
    Raised {
        /// The SQLSTATE, like `TA001`.
        code: String,
        /// The rule that was broken, like `run_terminal_absorbs`; empty when the trigger gave none.
        constraint: String,
    },
    /// Row-level security or a missing grant refused.
    PermissionDenied,
    /// Two transactions could not be ordered: the whole transaction may be tried again.
    Serialization,
    /// Two transactions waited for one another and this one gave way: it may be tried again.
    Deadlock,
    /// No connection, or it was lost. Whether a commit that was under way took effect is unknown.
    Unavailable,
    /// A statement, a lock or a transaction took too long and was cancelled.
    Timeout,
    /// Anything else: a bug here, or a server in trouble.
    Other,
}

impl Failure {
    /// The name of the violated constraint or rule, for any failure that has one.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Failure::UniqueViolation { constraint }
            | Failure::CheckViolation { constraint }
            | Failure::ForeignKey { constraint }
            | Failure::Raised { constraint, .. } => Some(constraint),
            _ => None,
        }
    }

    /// Whether doing the same transaction again may well succeed and cannot do harm: nothing of it took effect.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Failure::Serialization | Failure::Deadlock)
    }
}

/// Tells what an error of sqlx means. Codes: PostgreSQL documentation, appendix A.
pub fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => by_code(error.code(), error.constraint()),
            None => Failure::Other,
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Failure::Unavailable,
        _ => Failure::Other,
    }
}

fn by_code(code: &str, constraint: Option<&str>) -> Failure {
    let constraint = constraint.unwrap_or_default().to_owned();
    match code {
        "23505" | "23P01" => Failure::UniqueViolation { constraint },
        "23514" => Failure::CheckViolation { constraint },
        "23503" => Failure::ForeignKey { constraint },
        "40001" => Failure::Serialization,
        "40P01" => Failure::Deadlock,
        "42501" => Failure::PermissionDenied,
        // query_canceled (statement_timeout), lock_not_available (lock_timeout)
        "57014" | "55P03" => Failure::Timeout,
        // idle_in_transaction_session_timeout, transaction_timeout: the server has closed the connection
        "25P03" | "25P04" => Failure::Timeout,
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Failure::Unavailable,
        _ if code.starts_with("08") || code.starts_with("53") => Failure::Unavailable,
        _ if code.starts_with("TA") || code == "P0001" => Failure::Raised { code: code.to_owned(), constraint },
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_meanings() {
        let unique = by_code("23505", Some("run_request_once"));
        assert_eq!(unique.constraint(), Some("run_request_once"));
        assert_eq!(by_code("40001", None), Failure::Serialization);
        assert_eq!(by_code("08006", None), Failure::Unavailable);
        assert_eq!(by_code("53300", None), Failure::Unavailable);
        assert_eq!(by_code("57014", None), Failure::Timeout);
        assert_eq!(
            by_code("TA001", Some("run_terminal_absorbs")),
            Failure::Raised { code: "TA001".into(), constraint: "run_terminal_absorbs".into() }
        );
        assert_eq!(by_code("42P01", None), Failure::Other);
        assert!(Failure::Deadlock.is_retryable() && !Failure::Unavailable.is_retryable());
    }
}
