//! What this service can be told, by option or by environment, and its validation.

use std::time::Duration;

use clap::Parser;
use domain::contract::Registry;
use server::config::{between, duration};
use server::{ConfigError, ServerArgs};

/// The options of compare-service.
#[derive(Debug, Clone, Parser)]
#[command(name = "compare-service", version, about = "Workspaces, tenants, inventory, compare and promotion preflight")]
pub struct Args {
    #[command(flatten)]
    pub server: ServerArgs,

    /// The database, as role tenantatlas_compare: it owns the schemas access, tenant and inventory.
    #[command(flatten)]
    pub database: pg::DatabaseArgs,
    /// Connections to the database. From 1 to 500.
    #[arg(long, env = "TENANTATLAS_DATABASE_CONNECTIONS", default_value_t = 16)]
    pub database_connections: u32,
    /// How long a start waits for the migrations. From 0s to 24h.
    #[arg(long, env = "TENANTATLAS_SCHEMA_WAIT", value_parser = duration, default_value = "60s")]
    pub schema_wait: Duration,

    /// operation-run-service: `http://host:port`, several separated by commas.
    #[arg(long, env = "TENANTATLAS_OPERATION_RUN_ENDPOINT")]
    pub operation_run_endpoint: String,

    /// Whether this process also works on runs.
    #[arg(long, env = "TENANTATLAS_WORKER", action = clap::ArgAction::Set, default_value_t = true)]
    pub worker: bool,
    /// Runs worked on at once. From 1 to 50.
    #[arg(long, env = "TENANTATLAS_WORKER_RUNS", default_value_t = 4)]
    pub worker_runs: usize,
    /// Items of one restore worked on at once. From 1 to 50.
    #[arg(long, env = "TENANTATLAS_WORKER_ITEMS", default_value_t = 4)]
    pub worker_items: usize,
    /// Whether this process also starts the backups that are due.
    #[arg(long, env = "TENANTATLAS_SCHEDULER", action = clap::ArgAction::Set, default_value_t = true)]
    pub scheduler: bool,
    /// Longest time one request to the provider may take. From 1ms to 1h.
    #[arg(long, env = "TENANTATLAS_PROVIDER_TIMEOUT", value_parser = duration, default_value = "60s")]
    pub provider_timeout: Duration,
    /// Overrides how long a tenant is watched before an object that was not found after a write of unknown outcome is believed
    /// to be absent. By default it depends on the type: 30 s for Intune, 90 s for Entra. From 0s to 10m.
    #[arg(long, env = "TENANTATLAS_PROVIDER_SETTLE", value_parser = duration)]
    pub provider_settle: Option<Duration>,
    /// How long a restore waits before it is taken up again when the provider was away; doubled with every attempt, of which
    /// there are six before the items it was away for fail. From 0s to 1h.
    #[arg(long, env = "TENANTATLAS_PROVIDER_POSTPONE", value_parser = duration, default_value = "5s")]
    pub provider_postpone: Duration,

    /// What provider connections may be.
    #[command(flatten)]
    pub provider: graph::ProviderRules,

    /// Evidence older than this is stale: what rests on it is not promoted. From 1ms to 8784h.
    #[arg(long, env = "TENANTATLAS_STALE_AFTER", value_parser = duration, default_value = "24h")]
    pub stale_after: Duration,
    /// Policy types that are compared only by default and that this installation promotes all the same, such as
    /// `conditionalAccessPolicy`. promotion-service has to be told the same.
    #[arg(long, env = "TENANTATLAS_PROMOTABLE_TYPES", value_delimiter = ',')]
    pub promotable_types: Vec<String>,
}

/// Validated settings beyond those of the chassis.
#[derive(Debug, Clone)]
pub struct Config {
    /// The known types, with this installation's promotable ones.
    pub registry: Registry,
    /// Evidence older than this is stale.
    pub stale_after: time::Duration,
    /// The database.
    pub database: pg::Settings,
}

impl Args {
    /// Checks every value; the first that cannot be used is named.
    pub fn validate(&self) -> Result<Config, ConfigError> {
        let moment = Duration::from_millis(1);
        between("--database-connections", self.database_connections, 1, 500)?;
        between("--schema-wait", self.schema_wait, Duration::ZERO, Duration::from_secs(24 * 3600))?;
        between("--worker-runs", self.worker_runs, 1, 50)?;
        between("--worker-items", self.worker_items, 1, 50)?;
        between("--provider-timeout", self.provider_timeout, moment, Duration::from_secs(3600))?;
        if let Some(settle) = self.provider_settle {
            between("--provider-settle", settle, Duration::ZERO, Duration::from_secs(600))?;
        }
        between("--provider-postpone", self.provider_postpone, Duration::ZERO, Duration::from_secs(3600))?;
        // A year.
        between("--stale-after", self.stale_after, moment, Duration::from_secs(366 * 24 * 3600))?;
        let contracts = graph::check_registry().map_err(|why| {
            ConfigError::new("--promotable-types", format!("this build's contracts are not valid: {why}"))
        })?;
        Ok(Config {
            registry: graph::promoting(&contracts, &self.promotable_types)
                .map_err(|why| ConfigError::new("--promotable-types", why.to_string()))?,
            stale_after: time::Duration::try_from(self.stale_after)
                .map_err(|_| ConfigError::new("--stale-after", "is too long"))?,
            database: self.database.settings("compare-service").max_connections(self.database_connections),
        })
    }
}
