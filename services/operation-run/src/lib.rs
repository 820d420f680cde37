//! The operation-run service: the only execution truth. What was started, by whom, how it goes, how it ended; and the
//! audit trail. It cannot call the provider: it does not link to the crate that could.
//!
//! - the edge: [`grpc`]
//! - people and services: [`start_operation_run`], [`lookup_operation_run`], [`get_operation_run`],
//!   [`list_operation_runs`], [`list_operation_run_items`], [`explain_operation_run`], [`get_attention_counts`], [`watch_operation_runs`], [`cancel_operation_run`], [`import_operation_runs`]
//! - workers: [`claim_operation_runs`], [`list_claimed_items`], [`renew_lease`], [`record_item_intents`],
//!   [`report_item_outcomes`], [`complete_operation_run`], [`release_operation_run`]
//! - nobody asked: [`rescue_operation_runs`], [`time_out_operation_runs`], [`retain_runs`], [`retain_run_events`]
//! - following runs as they change: [`watch`]
//! - that a run has ended, for its initiator: [`list_notifications`], [`get_unread_count`], [`mark_notifications_read`],
//!   [`watch_notifications`]
//! - the audit trail: [`record_audit_event`], [`list_audit_events`], [`export_audit_events`], [`seal_audit_entries`],
//!   [`verify_audit_trail`]
//! - what is remembered: [`store`], the only place with SQL; [`run`] is the shape of what it returns
//! - what is held up on purpose: [`pause_operation_type`], [`resume_operation_type`], [`list_operational_controls`]
//! - who may: [`owner`] (services), [`visibility`] (people), [`control_authority`] (operators)

pub mod bell;
pub mod cancel_operation_run;
pub mod claim_operation_runs;
pub mod claims_heard;
pub mod complete_operation_run;
pub mod config;
pub mod control_authority;
pub mod error;
pub mod explain_operation_run;
pub mod export_audit_events;
pub mod get_attention_counts;
pub mod get_operation_run;
pub mod get_unread_count;
pub mod grpc;
pub mod import_operation_runs;
pub mod list_audit_events;
pub mod list_claimed_items;
pub mod list_notifications;
pub mod list_operation_run_items;
pub mod list_operation_runs;
pub mod list_operational_controls;
pub mod lookup_operation_run;
pub mod mark_notifications_read;
pub mod metrics;
pub mod owner;
pub mod pause_operation_type;
pub mod record_audit_event;
pub mod record_item_intents;
pub mod release_operation_run;
pub mod remainder;
pub mod renew_lease;
pub mod report_item_outcomes;
pub mod rescue_operation_runs;
pub mod resume_operation_type;
pub mod retain_run_events;
pub mod retain_runs;
pub mod run;
pub mod seal_audit_entries;
pub mod serve;
pub mod start_operation_run;
pub mod store;
pub mod time_out_operation_runs;
pub mod verify_audit_trail;
pub mod visibility;
pub mod watch;
pub mod watch_notifications;
pub mod watch_operation_runs;

use std::sync::Arc;

use server::AccessReader;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use bell::Bell;
use claims_heard::ClaimsHeard;
use config::Settings;
use watch::Feed;
use watch::access::WatchAccess;

/// What the use cases work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runs {
    /// The database, as role `tenantatlas_operation`.
    pub db: pg::Db,
    /// Who may what.
    pub access: AccessReader,
    /// The same for open watches.
    pub watch_access: Arc<WatchAccess>,
    /// The newest events.
    pub feed: Arc<Feed>,
    /// Turns of watches that read older events from the database.
    pub catch_up: Arc<Semaphore>,
    /// Rung when there may be a run to claim.
    pub work: Arc<Bell>,
    /// When workers were last noted to ask for work.
    pub claims_heard: Arc<ClaimsHeard>,
    /// Cancelled when the process goes down.
    pub drain: CancellationToken,
    /// What this service was told.
    pub settings: Settings,
}
