//! What promotion-service can be told.

use std::time::Duration;

use clap::Parser;
use server::config::{ConfigError, ServerArgs, between, duration};

/// promotion-service: applies the ready subjects of a promotion preflight to the target tenant.
#[derive(Debug, Clone, Parser)]
#[command(name = "promotion-service", version)]
pub struct Config {
    /// The chassis.
    #[command(flatten)]
    pub server: ServerArgs,

    /// The database, as role tenantatlas_promotion: it reads access facts and owns nothing.
    #[command(flatten)]
    pub database: pg::DatabaseArgs,
    /// Connections to the database. From 1 to 500.
    #[arg(long, env = "TENANTATLAS_DATABASE_CONNECTIONS", default_value_t = 5)]
    pub database_connections: u32,
    /// How long a start waits for the migrations. From 0s to 24h.
    #[arg(long, env = "TENANTATLAS_SCHEMA_WAIT", value_parser = duration, default_value = "60s")]
    pub schema_wait: Duration,

    /// compare-service: `http://host:port`, several separated by commas.
    #[arg(long, env = "TENANTATLAS_COMPARE_ENDPOINT")]
    pub compare_endpoint: String,
    /// operation-run-service: `http://host:port`, several separated by commas.
    #[arg(long, env = "TENANTATLAS_OPERATION_RUN_ENDPOINT")]
    pub operation_run_endpoint: String,

    /// Whether this process works on promotion runs, beside serving.
    #[arg(long, env = "TENANTATLAS_WORKER", default_value_t = true, action = clap::ArgAction::Set)]
    pub worker: bool,
    /// Runs worked on at once. From 1 to 50.
    #[arg(long, env = "TENANTATLAS_WORKER_RUNS", default_value_t = 4)]
    pub worker_runs: usize,
    /// Items of one run worked on at once. From 1 to 50.
    #[arg(long, env = "TENANTATLAS_WORKER_ITEMS", default_value_t = 4)]
    pub worker_items: usize,
    /// Longest time one request to the provider may take. From 1ms to 1h.
    #[arg(long, env = "TENANTATLAS_PROVIDER_TIMEOUT", value_parser = duration, default_value = "60s")]
    pub provider_timeout: Duration,
    /// What provider connections may be.
    #[command(flatten)]
    pub provider: graph::ProviderRules,
    /// Policy types that are compared only by default and that this installation promotes all the same, such as
    /// `conditionalAccessPolicy`. compare-service has to be told the same.
    #[arg(long, env = "TENANTATLAS_PROMOTABLE_TYPES", value_delimiter = ',')]
    pub promotable_types: Vec<String>,
    /// Overrides how long the target is watched before an object that was not found after a write of unknown outcome is
    /// believed to be absent. By default it depends on the type: 30 s for Intune, 90 s for Entra. From 0s
    /// to 10m.
    #[arg(long, env = "TENANTATLAS_PROVIDER_SETTLE", value_parser = duration)]
    pub provider_settle: Option<Duration>,
    /// How long a run waits before it is taken up again when the provider was away; doubled with every attempt, of which there
    /// are six before the items it was away for fail. From 0s to 1h.
    #[arg(long, env = "TENANTATLAS_PROVIDER_POSTPONE", value_parser = duration, default_value = "5s")]
    pub provider_postpone: Duration,
}

impl Config {
    /// Checks what the chassis does not; the first value that cannot be used is named.
    pub fn validate(&self) -> Result<(), ConfigError> {
        const HOUR: Duration = Duration::from_secs(3600);
        between("--database-connections", self.database_connections, 1, 500)?;
        between("--schema-wait", self.schema_wait, Duration::ZERO, 24 * HOUR)?;
        between("--worker-runs", self.worker_runs, 1, 50)?;
        between("--worker-items", self.worker_items, 1, 50)?;
        between("--provider-timeout", self.provider_timeout, Duration::from_millis(1), HOUR)?;
        if let Some(settle) = self.provider_settle {
            between("--provider-settle", settle, Duration::ZERO, Duration::from_secs(600))?;
        }
        between("--provider-postpone", self.provider_postpone, Duration::ZERO, HOUR)
    }
}
