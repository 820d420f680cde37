//! How to reach the database, and the limits every connection carries.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// Where the database is and the limits of a pool. All limits are upper bounds; none is "unlimited".
#[derive(Clone)]
pub struct Settings {
    /// `postgres://role[:password]@host[:port]/database[?sslmode=...]`. May hold a password: never logged.
    pub url: String,
    /// Shown in `pg_stat_activity`, so that a stuck transaction names its owner.
    pub application_name: String,
    /// Connections of this pool. All pools of all replicas together must stay below the server's `max_connections`.
    pub max_connections: u32,
    /// How long a caller waits for a free connection before it is turned away.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long a transaction may sit between two statements. A writer idle in a transaction holds back the watch of
    /// the whole cluster, so this bounds how long a crashed or stuck one can.
    pub idle_in_transaction_timeout: Duration,
}

impl Settings {
    /// The usual limits: ten connections, 5 s to get one, 15 s per statement, 5 s for a lock, 10 s idle in transaction.
    pub fn new(url: impl Into<String>, application_name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            application_name: application_name.into(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }

    /// The same with another size of the pool.
    pub fn max_connections(self, max_connections: u32) -> Self {
        Self { max_connections, ..self }
    }

    /// The options of one connection. Fails for a URL that is none.
    pub(crate) fn connect_options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let millis = |limit: Duration| limit.as_millis().to_string();
        Ok(PgConnectOptions::from_str(&self.url)?.application_name(&self.application_name).options([
            ("statement_timeout", millis(self.statement_timeout)),
            ("lock_timeout", millis(self.lock_timeout)),
            ("idle_in_transaction_session_timeout", millis(self.idle_in_transaction_timeout)),
            // Nothing is found by accident: every table is named with its schema.
            ("search_path", "pg_catalog".to_owned()),
        ]))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("application_name", &self.application_name)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
