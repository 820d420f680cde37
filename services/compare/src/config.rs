//! What this service can be told, by option or by environment, and its validation.

use std::time::Duration;

use clap::Parser;
use domain::contract::Registry;
use server::config::duration;
use server::{ConfigError, Secret, ServerArgs};

/// The options of compare-service.
#[derive(Debug, Clone, Parser)]
#[command(name = "compare-service", version, about = "Workspaces, tenants, inventory, compare and promotion preflight")]
pub struct Args {
    #[command(flatten)]
    pub server: ServerArgs,

    /// `postgres://tenantatlas_compare@host/database`; the role owns the schemas access, tenant and inventory.
    #[arg(long, env = "TENANTATLAS_DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,
    /// Connections to the database.
    #[arg(long, env = "TENANTATLAS_DATABASE_CONNECTIONS", default_value_t = 16)]
    pub database_connections: u32,
    /// How long to wait for the schema at start.
    #[arg(long, env = "TENANTATLAS_SCHEMA_WAIT", value_parser = duration, default_value = "60s")]
    pub schema_wait: Duration,

    /// operation-run-service: `http://host:port`, several separated by commas.
    #[arg(long, env = "TENANTATLAS_OPERATION_RUN_ENDPOINT")]
    pub operation_run_endpoint: String,

    /// Whether this process also works on runs.
    #[arg(long, env = "TENANTATLAS_WORKER", action = clap::ArgAction::Set, default_value_t = true)]
    pub worker: bool,
    /// Runs worked on at once.
    #[arg(long, env = "TENANTATLAS_WORKER_RUNS", default_value_t = 4)]
    pub worker_runs: usize,
    /// Items of one restore worked on at once.
    #[arg(long, env = "TENANTATLAS_WORKER_ITEMS", default_value_t = 4)]
    pub worker_items: usize,
    /// Whether this process also starts the backups that are due.
    #[arg(long, env = "TENANTATLAS_SCHEDULER", action = clap::ArgAction::Set, default_value_t = true)]
    pub scheduler: bool,
    /// Longest time one request to the provider may take.
    #[arg(long, env = "TENANTATLAS_PROVIDER_TIMEOUT", value_parser = duration, default_value = "60s")]
    pub provider_timeout: Duration,
    /// Overrides how long a tenant is watched before an object that was not found after a write of unknown outcome is believed
    /// to be absent. By default it depends on the type: 30 s for Intune, 90 s for Entra.
    #[arg(long, env = "TENANTATLAS_PROVIDER_SETTLE", value_parser = duration)]
    pub provider_settle: Option<Duration>,
    /// How long a restore waits before it is taken up again when the provider was away; doubled with every attempt, of which
    /// there are six before the items it was away for fail.
    #[arg(long, env = "TENANTATLAS_PROVIDER_POSTPONE", value_parser = duration, default_value = "5s")]
    pub provider_postpone: Duration,

    /// What provider connections may be.
    #[command(flatten)]
    pub provider: graph::ProviderRules,

    /// Evidence older than this is stale: what rests on it is not promoted.
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
        if self.database_connections == 0 || self.database_connections > 500 {
            return Err(ConfigError::new("--database-connections", "must be between 1 and 500"));
        }
        if self.worker_runs == 0 || self.worker_runs > 50 {
            return Err(ConfigError::new("--worker-runs", "must be between 1 and 50"));
        }
        if self.worker_items == 0 || self.worker_items > 50 {
            return Err(ConfigError::new("--worker-items", "must be between 1 and 50"));
        }
        if self.provider_timeout.is_zero() {
            return Err(ConfigError::new("--provider-timeout", "must be more than zero"));
        }
        if self.stale_after.is_zero() || self.stale_after > Duration::from_secs(366 * 24 * 3600) {
            return Err(ConfigError::new("--stale-after", "must be more than zero and at most a year (8784h)"));
        }
        let contracts = graph::check_registry().map_err(|why| {
            ConfigError::new("--promotable-types", format!("this build's contracts are not valid: {why}"))
        })?;
        Ok(Config {
            registry: graph::promoting(&contracts, &self.promotable_types)
                .map_err(|why| ConfigError::new("--promotable-types", why.to_string()))?,
            stale_after: time::Duration::try_from(self.stale_after)
                .map_err(|_| ConfigError::new("--stale-after", "is too long"))?,
            database: pg::Settings::new(self.database_url.expose(), "compare-service")
                .max_connections(self.database_connections),
        })
    }
}
