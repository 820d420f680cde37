//! The embedded migrations: applying them, and waiting until somebody has.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use crate::{Failure, failure};

/// Where the migrator keeps its book; the first migration lets the services read it.
const BOOK_SCHEMA: &str = "migration";
const BOOK: &str = "migration.applied";

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

/// The schema a service needs did not appear in time.
#[derive(Debug, thiserror::Error)]
#[error("the database schema is at version {found:?}, this program needs {needed}: run the migrations")]
pub struct SchemaNotReady {
    /// Newest applied version; `None`: none, or the database could not be asked.
    pub found: Option<i64>,
    /// What was asked for.
    pub needed: i64,
    /// Why the database could not be asked the last time, if so.
    #[source]
    pub source: Option<sqlx::Error>,
}

/// The newest version this program brings along.
pub fn newest_schema() -> i64 {
    EMBEDDED.iter().map(|migration| migration.version).max().unwrap_or(0)
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
    let options: PgConnectOptions = url.parse().map_err(MigrationFailed::Connect)?;
    let mut connection =
        options.application_name("tenantatlas-migrate").connect().await.map_err(MigrationFailed::Connect)?;
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

/// Waits until version `at_least` is applied, asking every 100 ms and at least once; a server that is not up yet counts as
/// "not yet". One question is bounded by the pool's own limits. Returns the version found. A service calls it before it
/// binds, so that it never serves against an old schema.
pub async fn wait_for_schema(pool: &PgPool, at_least: i64, deadline: Instant) -> Result<i64, SchemaNotReady> {
    loop {
        let (found, source) = match schema_version(pool).await {
            Ok(Some(version)) if version >= at_least => return Ok(version),
            Ok(found) => (found, None),
            Err(error) => (None, Some(error)),
        };
        if Instant::now() >= deadline {
            return Err(SchemaNotReady { found, needed: at_least, source });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
