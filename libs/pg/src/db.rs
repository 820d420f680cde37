//! The pool, and transactions that say which workspace they work in.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{Failure, Settings, failure, password};

/// An open transaction. Dropped without `commit`, it rolls back.
pub type Tx = sqlx::Transaction<'static, Postgres>;

/// A connection that nobody used for this long is asked whether it still lives before it is handed out.
const IDLE_IS_SUSPECT_AFTER: Duration = Duration::from_secs(5);
/// For this long after a connection was found dead, those made before are suspected of the same.
const LOSS_CASTS_DOUBT_FOR: Duration = Duration::from_secs(10);
/// A connection that does not answer in this time is dead.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// A pool of connections under one role. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    loss: Arc<Mutex<Option<Instant>>>,
}

/// What kind of transaction to begin. Everything is sent in the same round trip as `BEGIN`.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    scope: Scope,
    snapshot: bool,
    statement_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Scope {
    Workspace(Uuid),
    System,
}

impl Begin {
    /// Sees and writes the rows of one workspace.
    pub fn workspace(id: Uuid) -> Self {
        Self { scope: Scope::Workspace(id), snapshot: false, statement_timeout: None }
    }

    /// Sees and writes the rows of all workspaces: for workers that serve all, never for a request of a user, except to
    /// find the workspace that a thing belongs to.
    pub fn system() -> Self {
        Self { scope: Scope::System, snapshot: false, statement_timeout: None }
    }

    /// Read-only, and every statement sees the same moment.
    pub fn snapshot(self) -> Self {
        Self { snapshot: true, ..self }
    }

    /// A limit per statement instead of the pool's, like what is left of a request's deadline. At least 1 ms.
    pub fn statement_timeout(self, limit: Duration) -> Self {
        Self { statement_timeout: Some(limit), ..self }
    }

    fn statement(self) -> String {
        let mut sql = String::from(match self.snapshot {
            true => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
            false => "BEGIN;",
        });
        // SET LOCAL is set_config(.., true) without a query to plan. Nothing here comes from outside: a UUID and a number.
        let written = match self.scope {
            Scope::Workspace(id) => write!(sql, "SET LOCAL tenantatlas.workspace_id = '{}';", id.as_hyphenated()),
            Scope::System => write!(sql, "SET LOCAL tenantatlas.scope = 'system';"),
        };
        written.expect("writing into a String cannot fail");
        if let Some(limit) = self.statement_timeout {
            write!(sql, "SET LOCAL statement_timeout = {};", limit.as_millis().clamp(1, i32::MAX as u128))
                .expect("writing into a String cannot fail");
        }
        sql
    }
}

impl Db {
    /// Opens the pool and its first connection, waiting up to the acquire timeout for a server that is just starting. A password
    /// in a file is followed until the pool is closed.
    pub async fn connect(settings: &Settings) -> Result<Self, sqlx::Error> {
        let loss = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&loss);
        let password = settings.password().await?;
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .max_lifetime(Duration::from_secs(30 * 60))
            .idle_timeout(Duration::from_secs(5 * 60))
            // A ping per acquire costs a round trip per query; only connections under suspicion get one.
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                let suspect = is_suspect(&metadata, &seen);
                Box::pin(async move { Ok(!suspect || answers(connection).await) })
            })
            .connect_with(settings.connect_options(password.as_deref())?)
            .await?;
        if let Some((file, password)) = settings.password_file.clone().zip(password) {
            let settings = settings.clone();
            tokio::spawn(password::follow(pool.clone(), file, settings.password_interval, password, move |password| {
                settings.connect_options(Some(password))
            }));
        }
        Ok(Self { pool, loss })
    }

    /// A transaction in one workspace: row-level security shows and accepts only its rows.
    pub async fn workspace(&self, id: Uuid) -> Result<Tx, sqlx::Error> {
        self.begin(Begin::workspace(id)).await
    }

    /// A transaction over all workspaces; see [`Begin::system`] for who may ask.
    pub async fn system(&self) -> Result<Tx, sqlx::Error> {
        self.begin(Begin::system()).await
    }

    /// A connection without workspace and transaction: for tables and views that no workspace owns. Row-level security
    /// hides every workspace-owned row from it.
    pub async fn plain(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.pool.acquire().await
    }

    /// Begins a transaction. A pooled connection that turns out to be dead (the server was restarted, a firewall forgot
    /// it) is replaced once; nothing was done on it yet, so beginning again is safe.
    pub async fn begin(&self, begin: Begin) -> Result<Tx, sqlx::Error> {
        // In a task of its own, because a caller may be gone before the answer is there (a cancelled request, a deadline). sqlx
        // rolls back what it knows to have begun; a BEGIN whose answer nobody waited for would go back to the pool open, and
        // whatever came next on that connection would be part of it.
        let begun = tokio::spawn(self.clone().begin_whoever_waits(begin.statement()).in_current_span());
        match begun.await {
            Ok(begun) => begun,
            Err(died) if died.is_panic() => std::panic::resume_unwind(died.into_panic()),
            // The runtime is going down.
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }

    async fn begin_whoever_waits(self, statement: String) -> Result<Tx, sqlx::Error> {
        match self.pool.begin_with(AssertSqlSafe(statement.clone())).await {
            Err(error) if self.note(&error) => {
                tracing::info!(%error, "a pooled database connection was dead; beginning again on another");
                self.pool.begin_with(AssertSqlSafe(statement)).await
            }
            begun => begun,
        }
    }

    /// Tells the pool of an error that a caller met. Returns whether it means a lost connection; then connections made
    /// before are checked before they are handed out again. [`Db::begin`] calls it itself.
    pub fn note(&self, error: &sqlx::Error) -> bool {
        let lost = failure(error) == Failure::Unavailable
            && !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed);
        if lost {
            *self.loss.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        lost
    }

    /// The pool itself: its size for metrics, and single statements outside a transaction.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Waits for borrowed connections and closes all.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn is_suspect(metadata: &PoolConnectionMetadata, loss: &Mutex<Option<Instant>>) -> bool {
    if metadata.idle_for >= IDLE_IS_SUSPECT_AFTER {
        return true;
    }
    let loss = *loss.lock().unwrap_or_else(PoisonError::into_inner);
    loss.is_some_and(|at| at.elapsed() < LOSS_CASTS_DOUBT_FOR && metadata.age >= at.elapsed())
}

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_says_everything_in_one_statement() {
        let id = Uuid::from_u128(7);
        assert_eq!(
            Begin::workspace(id).statement(),
            "BEGIN;SET LOCAL tenantatlas.workspace_id = '00000000-0000-0000-0000-000000000007';"
        );
        assert_eq!(
            Begin::system().snapshot().statement_timeout(Duration::ZERO).statement(),
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL tenantatlas.scope = 'system';SET LOCAL statement_timeout = 1;"
        );
    }
}
