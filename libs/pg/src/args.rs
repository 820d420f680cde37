//! How a program is told of its database. The same for every program of ours.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::{MigrationFailed, Settings, migration};

/// Brings the schema of the database up to date, as the database's owner. It may be run again at any time, and by several at once.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "tenantatlas-migrate", version)]
pub struct Migrate {
    /// The database; the role is the database's owner.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// The options of whoever connects to the database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// PostgreSQL: `postgres://role@host[:port]/database[?sslmode=verify-full&...]`, as this program's own role. A password has its
    /// place in --database-password-file; certificates are named by sslrootcert, sslcert and sslkey.
    #[arg(long, env = "TENANTATLAS_DATABASE_URL", hide_env_values = true)]
    pub database_url: DatabaseUrl,
    /// File with the role's password, at most 4096 bytes. It is read again every 5 s: a new one counts for new connections. The URL
    /// must not have a password then.
    #[arg(long, env = "TENANTATLAS_DATABASE_PASSWORD_FILE")]
    pub database_password_file: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The settings of a pool, with the usual limits.
    pub fn settings(&self, application_name: impl Into<String>) -> Settings {
        Settings {
            password_file: self.database_password_file.clone(),
            ..Settings::new(self.database_url.expose(), application_name)
        }
    }

    /// Brings the schema up to date, as the database's owner: [`migrate`](crate::migrate).
    pub async fn migrate(&self) -> Result<i64, MigrationFailed> {
        let settings = self.settings(migration::APPLICATION);
        let password = settings.password().await.map_err(MigrationFailed::Connect)?;
        migration::migrate_as(settings.role(password.as_deref()).map_err(MigrationFailed::Connect)?).await
    }
}

/// A database's URL. It may hold a password, so `Debug` shows a marker and there is no `Display`.
#[derive(Clone)]
pub struct DatabaseUrl(Arc<str>);

impl DatabaseUrl {
    /// The text itself: for connecting only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[database]")
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    /// Takes anything: a complaint about an option repeats its value, which nobody may read here. Connecting tells what is wrong.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}
