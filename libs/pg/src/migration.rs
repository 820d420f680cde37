//! The embedded migrations: applying them, and waiting until somebody has.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use crate::{Failure, failure};

/// Where the migrator keeps its book; the first migration lets the services read it.
const BOOK_SCHEMA: &str = "migration";
const BOOK: &str = "migration.applied";
/// By which `pg_stat_activity` tells who migrates.
pub(crate) const APPLICATION: &str = "tenantatlas-migrate";

static EMBEDDED: Migrator = sqlx::migrate!("../../migrations");

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationFailed {
    /// The database could not be reached.
    #[error("cannot connect to the database to migrate it")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or an applied one was edited.
    #[error("the migrations could not be applied")]
    Apply(#[source] MigrateError),
}

/// Missing versions that an error names; of more it says how many.
const MOST_NAMED: usize = 8;

/// The schema a service needs did not appear in time.
#[derive(Debug, thiserror::Error)]
#[error("migrations this program knows are not applied ({}): run them", list(missing))]
pub struct SchemaNotReady {
    /// Versions that are not applied, in order. All of them when the database could not be asked.
    pub missing: Vec<i64>,
    /// Why the database could not be asked the last time, if so.
    #[source]
    pub source: Option<sqlx::Error>,
}

/// As the files are named.
fn list(versions: &[i64]) -> String {
    let named: Vec<String> = versions.iter().take(MOST_NAMED).map(|version| format!("{version:04}")).collect();
    match versions.len().saturating_sub(MOST_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The newest version this program brings along.
pub fn newest_schema() -> i64 {
    known().max().unwrap_or(0)
}

/// Names the embedded set (FNV-1a over the checksums of all): a template database made of another set is not reused.
pub(crate) fn fingerprint() -> String {
    let mut mixed: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in EMBEDDED.iter().flat_map(|migration| migration.checksum.iter()) {
        mixed = (mixed ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("{mixed:016x}")
}

/// Applies what is missing, as the owner of the database; returns the newest applied version. Safe to call from several
/// processes at once (an advisory lock orders them) and for several databases of one cluster at once (statements about
/// roles tolerate one another). Versions applied by a newer release are left alone.
pub async fn migrate(url: &str) -> Result<i64, MigrationFailed> {
    migrate_as(url.parse().map_err(MigrationFailed::Connect)?).await
}

/// The same, by options.
pub(crate) async fn migrate_as(owner: PgConnectOptions) -> Result<i64, MigrationFailed> {
    let mut connection = owner.application_name(APPLICATION).connect().await.map_err(MigrationFailed::Connect)?;
    let mut migrator = Migrator {
        migrations: EMBEDDED.migrations.clone(),
        create_schemas: vec![BOOK_SCHEMA.into()].into(),
        ..Migrator::DEFAULT
    };
    migrator.dangerous_set_table_name(BOOK);
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, &mut connection, false).await.map_err(MigrationFailed::Apply)?;
    let version = applied(&mut connection).await.map_err(MigrationFailed::Connect)?;
    connection.close().await.map_err(MigrationFailed::Connect)?;
    Ok(version.unwrap_or(0))
}

async fn applied(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT max(version) FROM migration.applied WHERE success").fetch_one(connection).await
}

/// The newest applied version; `None` before the first migration. Any service role may ask.
pub async fn schema_version(pool: &PgPool) -> Result<Option<i64>, sqlx::Error> {
    match applied(&mut *pool.acquire().await?).await {
        Err(error) if is_absent(&error) => Ok(None),
        answer => answer,
    }
}

/// Before the first migration the book is not there, or is not readable yet.
fn is_absent(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|database| database.code());
    matches!(code.as_deref(), Some("42P01" | "3F000")) || failure(error) == Failure::PermissionDenied
}

/// Versions this program brings along that are not applied, in order. Numbers may land out of order, so that the newest says
/// nothing of those before it. Any service role may ask.
pub async fn missing_migrations(pool: &PgPool) -> Result<Vec<i64>, sqlx::Error> {
    let asked = sqlx::query_scalar("SELECT version FROM migration.applied WHERE success").fetch_all(pool).await;
    let applied: BTreeSet<i64> = match asked {
        Err(error) if is_absent(&error) => BTreeSet::new(),
        answer => answer?.into_iter().collect(),
    };
    Ok(known().filter(|version| !applied.contains(version)).collect())
}

fn known() -> impl Iterator<Item = i64> {
    EMBEDDED.iter().map(|migration| migration.version)
}

/// Waits until every migration this program brings along is applied, asking every 100 ms and at least once; those of a newer
/// release do not matter, and a server that is not up yet counts as "not yet". What is missing is logged when it changes. One
/// question is bounded by the pool's own limits. A service calls it before it binds, so that it never serves against an old
/// schema.
pub async fn wait_for_schema(pool: &PgPool, deadline: Instant) -> Result<(), SchemaNotReady> {
    let mut told = None;
    loop {
        let (missing, source) = match missing_migrations(pool).await {
            Ok(missing) if missing.is_empty() => return Ok(()),
            Ok(missing) => (missing, None),
            Err(error) => (known().collect(), Some(error)),
        };
        if Instant::now() >= deadline {
            return Err(SchemaNotReady { missing, source });
        }
        if told.as_ref() != Some(&missing) {
            tracing::info!(missing = list(&missing), "waiting for migrations to be applied");
            told = Some(missing);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_migrations_are_named_as_their_files_are() {
        assert_eq!(list(&[18]), "0018");
        let many: Vec<i64> = (1..=10).collect();
        assert_eq!(list(&many), "0001, 0002, 0003, 0004, 0005, 0006, 0007, 0008 and 2 more");
        let said = SchemaNotReady { missing: vec![18, 41], source: None }.to_string();
        assert_eq!(said, "migrations this program knows are not applied (0018, 0041): run them");
    }
}
