//! The tables of this service: schemas `access`, `tenant`, `inventory`, and the published views of `access_api`. The only place
//! with SQL. Free functions over a connection; the use case owns the transaction, and no IO to others happens inside one.

pub mod audit_outbox;
pub mod backup_schedule;
pub mod backup_set;
pub mod backup_slot;
pub mod coverage;
pub mod directory_group;
pub mod directory_role_definition;
pub mod directory_sync;
pub mod item;
pub mod item_write;
pub mod member;
pub mod onboarding;
pub mod policy_version;
pub mod provider_connection;
pub mod request;
pub mod restore;
pub mod selected_tenant;
pub mod subject;
pub mod sync;
pub mod tenant;
pub mod tenant_role;
pub mod tenant_write;
pub mod workspace;

use domain::id::Hash;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database or the way to it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A stored value that this release cannot read: a defect, never papered over with a default.
    #[error("{table}.{column} of {id} cannot be read: {why}")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Which row.
        id: String,
        /// What is wrong.
        why: String,
    },
}

/// What a store function answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The database's clock: the one that readings by several processes are ordered by.
pub async fn clock(executor: impl sqlx::PgExecutor<'_>) -> Result<OffsetDateTime> {
    Ok(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(executor).await?)
}

/// Says which value cannot be read, and of which row.
fn unreadable(table: &'static str, column: &'static str, id: impl ToString, why: impl ToString) -> StoreError {
    StoreError::Unreadable { table, column, id: id.to_string(), why: why.to_string() }
}

/// A hash out of a `bytea`.
fn hash(row: &PgRow, table: &'static str, column: &'static str, id: &impl ToString) -> Result<Hash> {
    let bytes: &[u8] = row.try_get(column)?;
    Hash::from_slice(bytes).ok_or_else(|| unreadable(table, column, id.to_string(), "not 32 bytes"))
}

/// True when the statement ran into the constraint or unique index of this name.
pub fn violates(error: &StoreError, constraint: &str) -> bool {
    match error {
        StoreError::Database(sqlx::Error::Database(error)) => error.constraint() == Some(constraint),
        _ => false,
    }
}

/// The pattern that finds `text` anywhere with LIKE, whatever is special in it.
fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_special_to_like_is_taken_literally() {
        assert_eq!(super::containing(r"50%_\x"), r"%50\%\_\\x%");
    }
}
