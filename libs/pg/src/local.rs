//! A private PostgreSQL for development and tests. Services do not use this module: they are given a URL.
//!
//! ```text
//! installation  finds PostgreSQL 14 or newer in the usual places
//! install       asks the platform's package manager for one, where that is allowed
//! run_as        PostgreSQL refuses to run as root: who runs it instead
//! guardian      a shell between us and the server, so that the server ends when we do, however we end
//! place         where a cluster lives, how it is started
//! home          the directory of a cluster, and initdb
//! cluster       start, stop; temporary or kept
//! database      fresh migrated databases for tests, cloned from a template
//! ```
//!
//! The server listens on 127.0.0.1 only and trusts whoever connects there: it is for this machine's developer.

mod cluster;
mod database;
mod guardian;
mod home;
mod install;
mod installation;
mod place;
mod run_as;

pub use cluster::{Cluster, START_TIMEOUT};
pub use database::{Database, Given, Server, database, shared};
pub use place::{Place, Start};

use std::path::PathBuf;

/// The superuser of a private cluster and owner of all its databases: only for migrations, harnesses and tests.
pub const SUPERUSER: &str = "postgres";

/// Why there is no local PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None was found, and none may or could be installed.
    #[error("no PostgreSQL 14 or newer was found. {instruction}")]
    NotInstalled {
        /// What the developer can do.
        instruction: String,
    },
    /// A command could not be run or failed.
    #[error("{command} failed: {output}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// The server did not come up.
    #[error("PostgreSQL in {} did not start: {reason}", data_dir.display())]
    NotStarted {
        /// Its data directory.
        data_dir: PathBuf,
        /// Why, with the end of the server's log.
        reason: String,
    },
    /// A file or directory of the cluster could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The server refused something a harness needs.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The migrations did not apply.
    #[error(transparent)]
    Migration(#[from] crate::MigrationFailed),
}

impl Error {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
