//! What this service can be told, by option or by environment.

use std::time::Duration;

use clap::Parser;
use domain::run::RunTypeFacts;
use server::config::{between, duration};
use server::{ConfigError, ServerArgs};

mod verify_args;

pub use verify_args::{Known, VerifyArgs};

/// Serves operation runs: what was started, how it goes, how it ended; and the audit trail.
#[derive(Debug, Clone, Parser)]
#[command(name = "operation-run-service", version)]
pub struct Args {
    /// The chassis.
    #[command(flatten)]
    pub server: ServerArgs,

    /// The database, as role tenantatlas_operation.
    #[command(flatten)]
    pub database: pg::DatabaseArgs,
    /// Connections to the database, beside the one that follows events. From 1 to 500.
    #[arg(long, env = "TENANTATLAS_DATABASE_CONNECTIONS", default_value_t = 16)]
    pub database_connections: u32,

    /// How long a start waits for the migrations. From 0s to 24h.
    #[arg(long, env = "TENANTATLAS_SCHEMA_WAIT", value_parser = duration, default_value = "60s")]
    pub schema_wait: Duration,

    /// Client ids of the operators' services: they may pause types of runs everywhere. Several, separated by commas.
    #[arg(long, env = "TENANTATLAS_OPERATORS", value_delimiter = ',')]
    pub operators: Vec<String>,

    /// Whether this process also looks after silent workers and old events; at least one replica must.
    #[arg(long, env = "TENANTATLAS_WORKER", default_value_t = true, action = clap::ArgAction::Set)]
    pub worker: bool,
    /// Term of a lease, instead of the run type's own. From 100 to 3600000.
    #[arg(long, env = "TENANTATLAS_LEASE_TTL_MS")]
    pub lease_ttl_ms: Option<u64>,
    /// How long a run may wait in the queue before a worker first takes it, instead of what its type says. From 1ms to 8784h.
    #[arg(long, env = "TENANTATLAS_QUEUE_DEADLINE", value_parser = duration)]
    pub queue_deadline: Option<Duration>,
    /// How long a run may take in all, from its start to its end, instead of what its type says; at least --queue-deadline. From 1ms
    /// to 8784h.
    #[arg(long, env = "TENANTATLAS_RUN_DEADLINE", value_parser = duration)]
    pub run_deadline: Option<Duration>,
    /// How long a worker that was told that its run's time is over may finish the item it is at, before its lease is no longer
    /// prolonged. From 0s to 24h.
    #[arg(long, env = "TENANTATLAS_DEADLINE_GRACE", value_parser = duration, default_value = "5m")]
    pub deadline_grace: Duration,
    /// How often runs with silent workers, and runs whose time is over, are looked for. From 1ms to 60s.
    #[arg(long, env = "TENANTATLAS_RESCUE_INTERVAL", value_parser = duration, default_value = "1s")]
    pub rescue_interval: Duration,
    /// How often new audit entries are sealed. From 1ms to 60s.
    #[arg(long, env = "TENANTATLAS_SEAL_INTERVAL", value_parser = duration, default_value = "1s")]
    pub seal_interval: Duration,
    /// How long events are kept for watchers that resume. From 1m to 8784h.
    #[arg(long, env = "TENANTATLAS_EVENT_RETENTION", value_parser = duration, default_value = "168h")]
    pub event_retention: Duration,
    /// How long completed runs are kept, with their items, answers and notifications: at least as long as events. Their audit
    /// entries are kept for good. From --event-retention to 87600h.
    #[arg(long, env = "TENANTATLAS_RUN_RETENTION", value_parser = duration, default_value = "8760h")]
    pub run_retention: Duration,
    /// How often older events and runs are removed. From 1ms to 24h.
    #[arg(long, env = "TENANTATLAS_RETENTION_INTERVAL", value_parser = duration, default_value = "10m")]
    pub retention_interval: Duration,
    /// How often a quiet watch says where it is. From 1ms to 15s.
    #[arg(long = "watch-bookmark-interval", env = "TENANTATLAS_WATCH_BOOKMARK_INTERVAL", value_parser = duration, default_value = "10s")]
    pub bookmark_interval: Duration,
    /// How often an open watch reads its actor's access again, so that a revoked one ends within 5 s. From 1ms to 4s.
    #[arg(long = "watch-access-interval", env = "TENANTATLAS_WATCH_ACCESS_INTERVAL", value_parser = duration, default_value = "3s")]
    pub access_interval: Duration,
    /// How many events are kept in memory for watchers; older ones are read from the database. From 16 to 1048576.
    #[arg(long = "watch-ring-events", env = "TENANTATLAS_WATCH_RING_EVENTS", default_value_t = 65_536)]
    pub ring_events: usize,
}

/// Validated settings of this service, beyond those of the chassis.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Term of every lease; `None`: the run type's own.
    pub lease_ttl: Option<Duration>,
    /// How long a run may wait, and how long it may take in all; `None`: as its type says.
    pub queue_deadline: Option<Duration>,
    pub run_deadline: Option<Duration>,
    /// How long a worker may go on after it was told that the time is over.
    pub deadline_grace: Duration,
    /// Client ids of the operators' services.
    pub operators: Vec<String>,
    pub rescue_interval: Duration,
    pub seal_interval: Duration,
    pub event_retention: Duration,
    pub run_retention: Duration,
    pub retention_interval: Duration,
    pub bookmark_interval: Duration,
    pub access_interval: Duration,
    pub ring_events: usize,
}

/// Longest of a run's deadlines and of their grace.
const LONGEST_DEADLINE: Duration = Duration::from_secs(366 * 24 * 3600);
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 3600);

impl Settings {
    /// How long a run of a type may wait in the queue, and how long it may take in all. Where only one is configured, the
    /// type's other one gives way, so that nothing may wait for longer than it may take.
    pub fn deadlines(&self, facts: &RunTypeFacts) -> (Duration, Duration) {
        let (queue_for, run_for) = (facts.queue_for.unsigned_abs(), facts.run_for.unsigned_abs());
        let queue_for = self.queue_deadline.unwrap_or(queue_for.min(self.run_deadline.unwrap_or(queue_for)));
        (queue_for, self.run_deadline.unwrap_or(run_for.max(queue_for)))
    }
}

impl Args {
    /// Checks every value; the first that cannot be used is named.
    pub fn validate(&self) -> Result<Settings, ConfigError> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        if let Some(ttl) = self.lease_ttl_ms {
            between("--lease-ttl-ms", ttl, 100, 3_600_000)?;
        }
        for (name, value) in [("--queue-deadline", self.queue_deadline), ("--run-deadline", self.run_deadline)] {
            value.map_or(Ok(()), |value| between(name, value, Duration::from_millis(1), LONGEST_DEADLINE))?;
        }
        if self.queue_deadline.zip(self.run_deadline).is_some_and(|(queue, run)| queue > run) {
            return Err(ConfigError::new("--queue-deadline", "must be at most --run-deadline"));
        }
        between("--deadline-grace", self.deadline_grace, Duration::ZERO, LONGEST_GRACE)?;
        between("--database-connections", self.database_connections, 1, 500)?;
        between("--schema-wait", self.schema_wait, Duration::ZERO, DAY)?;
        for (name, value, most) in [
            ("--rescue-interval", self.rescue_interval, Duration::from_secs(60)),
            ("--seal-interval", self.seal_interval, Duration::from_secs(60)),
            ("--retention-interval", self.retention_interval, DAY),
            ("--watch-bookmark-interval", self.bookmark_interval, Duration::from_secs(15)),
            ("--watch-access-interval", self.access_interval, Duration::from_secs(4)),
        ] {
            between(name, value, Duration::from_millis(1), most)?;
        }
        // A client resumes at once as a rule; one that slept over a weekend should not have to begin anew.
        between("--event-retention", self.event_retention, Duration::from_secs(60), 366 * DAY)?;
        // A run that watchers may still be told of is there to be looked at, and a request is answered as before.
        between("--run-retention", self.run_retention, self.event_retention, 3650 * DAY)?;
        between("--watch-ring-events", self.ring_events, 16, 1_048_576)?;
        Ok(Settings {
            operators: self
                .operators
                .iter()
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            lease_ttl: self.lease_ttl_ms.map(Duration::from_millis),
            queue_deadline: self.queue_deadline,
            run_deadline: self.run_deadline,
            deadline_grace: self.deadline_grace,
            rescue_interval: self.rescue_interval,
            seal_interval: self.seal_interval,
            event_retention: self.event_retention,
            run_retention: self.run_retention,
            retention_interval: self.retention_interval,
            bookmark_interval: self.bookmark_interval,
            access_interval: self.access_interval,
            ring_events: self.ring_events,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::run::RunType;

    use super::*;

    fn settings(options: &[&str]) -> Result<Settings, ConfigError> {
        let given =
            ["operation-run-service", "--oidc-issuer=http://localhost:1", "--database-url=postgres://localhost/a"];
        Args::parse_from(given.iter().chain(options)).validate()
    }

    #[test]
    fn nothing_may_wait_for_longer_than_it_may_take() {
        let facts = RunType::InventorySync.facts();
        let deadlines = |options: &[&str]| {
            let (queue, run) = settings(options).unwrap().deadlines(&facts);
            (queue.as_secs() / 3600, run.as_secs() / 3600)
        };
        assert_eq!(deadlines(&[]), (6, 12));
        assert_eq!(deadlines(&["--queue-deadline=1h"]), (1, 12));
        assert_eq!(deadlines(&["--queue-deadline=100h"]), (100, 100));
        assert_eq!(deadlines(&["--run-deadline=100h"]), (6, 100));
        assert_eq!(deadlines(&["--run-deadline=1h"]), (1, 1));
        assert_eq!(deadlines(&["--queue-deadline=2h", "--run-deadline=2h"]), (2, 2));
        settings(&["--queue-deadline=3h", "--run-deadline=2h"]).unwrap_err();
        settings(&["--queue-deadline=0s"]).unwrap_err();
        settings(&["--run-deadline=8785h"]).unwrap_err();
        settings(&["--deadline-grace=25h"]).unwrap_err();
    }

    #[test]
    fn runs_are_kept_for_at_least_as_long_as_their_events() {
        assert_eq!(settings(&[]).unwrap().run_retention, Duration::from_secs(365 * 24 * 3600));
        settings(&["--event-retention=48h", "--run-retention=48h"]).unwrap();
        settings(&["--event-retention=48h", "--run-retention=47h"]).unwrap_err();
    }

    #[test]
    fn the_database_password_is_not_printed() {
        let args = Args::parse_from([
            "operation-run-service",
            "--oidc-issuer=http://localhost:1",
            "--database-url=postgres://tenantatlas_operation:hunter2@localhost/atlas",
        ]);
        assert_eq!(args.database.database_url.expose(), "postgres://tenantatlas_operation:hunter2@localhost/atlas");
        assert!(!format!("{args:?}").contains("hunter2"));
    }
}
