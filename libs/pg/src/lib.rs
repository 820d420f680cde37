//! PostgreSQL plumbing: what every service needs of the database and none should write twice. It knows no table of the
//! product and nothing of its domain.
//!
//! - [`DatabaseArgs`]: how a program is told of its database
//! - [`Db`]: a pool whose transactions say which workspace they work in
//! - [`migrate`], [`wait_for_schema`]: the embedded migrations, and waiting for them
//! - [`failure`]: what a database error means
//! - [`epoch`]: whether this is still the same history of the same database
//! - [`local`]: a private PostgreSQL for development and tests

mod args;
mod db;
mod epoch;
mod failure;
pub mod local;
mod migration;
mod password;
mod settings;

pub use args::{DatabaseArgs, DatabaseUrl, Migrate};
pub use db::{Begin, Db, Tx};
pub use epoch::epoch;
pub use failure::{Failure, failure};
pub use migration::{
    MigrationFailed, SchemaNotReady, migrate, missing_migrations, newest_schema, schema_version, wait_for_schema,
};
pub use settings::Settings;
