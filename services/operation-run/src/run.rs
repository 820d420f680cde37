//! A run and an item as the store remembers them. One shape for the row, for the event that repeats the row, and for
//! what the edge translates.

use domain::id::{RunId, TenantId, WorkspaceId};
use domain::run::counts::FailureLine;
use domain::run::lease::{FreshnessFacts, GIVEN_UP};
use domain::run::{
    Counts, DeadlineFacts, Freshness, ItemEffect, ItemState, RunOutcome, RunState, RunStatus, RunTenants, RunType,
    freshness,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::serde::rfc3339;

/// A row of `operation.run`, by column name.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    pub workspace_id: WorkspaceId,
    pub id: RunId,
    /// The tenant it works on; for a promotion the target.
    pub tenant_id: Option<TenantId>,
    /// Other tenants it refers to; for a promotion the source.
    pub related_tenant_ids: Vec<TenantId>,
    #[serde(rename = "type", deserialize_with = "by_name")]
    pub run_type: RunType,
    pub status: RunStatus,
    pub outcome: RunOutcome,
    /// `None`: the system started it.
    pub initiator_subject: Option<String>,
    pub initiator_name: String,
    pub context: Map<String, Value>,
    /// `None`: not known, progress cannot be told.
    pub total: Option<u64>,
    pub processed: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub skipped: u64,
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub unchanged: u64,
    pub failure_summary: Vec<FailureLine>,
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
    #[serde(with = "rfc3339")]
    pub updated_at: OffsetDateTime,
    /// No claim before this moment.
    #[serde(with = "rfc3339")]
    pub not_before: OffsetDateTime,
    pub attempt: u32,
    pub fence: i64,
    #[serde(with = "rfc3339::option")]
    pub lease_expires_at: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    pub cancel_requested_at: Option<OffsetDateTime>,
    pub start_traceparent: Option<String>,
    /// Of the newest sign of life of its worker.
    #[serde(default)]
    pub work_traceparent: Option<String>,
    /// Why it last went back to the queue.
    #[serde(default)]
    pub release_reason: Option<String>,
    /// When an item last got an outcome.
    #[serde(default, with = "rfc3339::option")]
    pub last_progress_at: Option<OffsetDateTime>,
    /// Until when it may be taken up for the first time, and until when it must be over; `None`: no limit. On a clock that
    /// stands still while its type is paused.
    #[serde(default, with = "rfc3339::option")]
    pub queue_deadline: Option<OffsetDateTime>,
    #[serde(default, with = "rfc3339::option")]
    pub run_deadline: Option<OffsetDateTime>,
    /// For how long its type has been paused since it was created; told only to those who look at it while it is active.
    #[serde(default)]
    pub paused_ms: i64,
    /// Whether its type is paused while it is queued; told only to those who look at it.
    #[serde(default)]
    pub paused: bool,
    /// Whether it is history brought in from an older system.
    #[serde(default)]
    pub imported: bool,
    /// The id it had there.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Dense: one more per change that a watcher can see.
    pub rev: i64,
}

impl Run {
    /// The tenants that decide who may see it.
    pub fn tenants(&self) -> RunTenants {
        RunTenants { tenant: self.tenant_id, related: self.related_tenant_ids.clone() }
    }

    /// Its counts; a total that is not known counts as none.
    pub fn counts(&self) -> Counts {
        Counts {
            total: self.total.unwrap_or(0),
            processed: self.processed,
            succeeded: self.succeeded,
            failed: self.failed,
            skipped: self.skipped,
            created: self.created,
            updated: self.updated,
            deleted: self.deleted,
            unchanged: self.unchanged,
        }
    }

    /// The part that the state machine moves.
    pub fn state(&self, item_in_flight: bool) -> RunState {
        RunState {
            status: self.status,
            outcome: self.outcome,
            cancel_requested: self.cancel_requested_at.is_some(),
            item_in_flight,
        }
    }

    /// Since when it has been waiting: a run that went back to the queue since then, one that was put off from then on.
    pub fn queued_since(&self) -> OffsetDateTime {
        self.updated_at.max(self.not_before)
    }

    /// Why it was given up, if it was.
    pub fn given_up(&self) -> Option<&FailureLine> {
        let given_up = self.outcome == RunOutcome::Failed && !self.imported;
        self.failure_summary.iter().find(|line| given_up && GIVEN_UP.contains(&line.code.as_str()))
    }

    /// What its deadlines take.
    pub fn deadlines(&self) -> DeadlineFacts {
        DeadlineFacts {
            status: self.status,
            started: self.started_at.is_some(),
            queue_deadline: self.queue_deadline,
            run_deadline: self.run_deadline,
            paused_for: time::Duration::milliseconds(self.paused_ms),
        }
    }

    /// Whether nothing changes any more.
    pub fn is_terminal(&self) -> bool {
        self.status == RunStatus::Completed
    }
}

/// A run as it was at one moment of the database's clock.
#[derive(Debug, Clone)]
pub struct SeenRun {
    /// The run.
    pub run: Run,
    /// The moment.
    pub seen_at: OffsetDateTime,
}

impl SeenRun {
    /// How far its state could be trusted at that moment.
    pub fn freshness(&self) -> Freshness {
        let run = &self.run;
        let facts = FreshnessFacts {
            status: run.status,
            outcome: run.outcome,
            reconciled: run.given_up().is_some(),
            queued_since: run.queued_since(),
            lease_until: run.lease_expires_at,
            held: run.paused || run.not_before > self.seen_at,
        };
        freshness(self.seen_at, &facts)
    }
}

/// A row of `operation.run_item`.
#[derive(Debug, Clone)]
pub struct Item {
    /// Position in the order of work, from 1.
    pub ordinal: i32,
    pub key: String,
    pub label: String,
    /// Empty for items that are about no policy type.
    pub policy_type: String,
    pub plan: Value,
    pub state: ItemState,
    pub effect: Option<ItemEffect>,
    pub reason_code: Option<String>,
    pub message: Option<String>,
    pub detail: Value,
    pub intent: Option<Intent>,
    pub receipt: Option<Value>,
    pub attempt: i32,
    pub updated_at: OffsetDateTime,
}

/// That an attempt was about to write an item.
#[derive(Debug, Clone)]
pub struct Intent {
    pub desired_hash: Vec<u8>,
    pub action: String,
    pub attempt: i32,
    pub fence: i64,
    pub recorded_at: OffsetDateTime,
}

/// What a worker holds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The fence of the claim.
    pub fence: i64,
}

fn by_name<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
    name.parse().map_err(serde::de::Error::custom)
}
