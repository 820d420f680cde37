//! The run of a backup.

use domain::id::{Hash, RequestId};
use domain::json::canonical_hash;
use domain::run::RunType;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::client::NewRun;
use crate::inventory::{selected_items, selection};
use crate::state::State;
use crate::store::backup_schedule::Schedule;

/// The keys of a backup run's context.
pub(super) mod context {
    /// The schedule.
    pub(crate) const SCHEDULE: &str = "backup_schedule_id";
    /// Of a scheduled backup, the time it is meant for, RFC 3339.
    pub(crate) const FIRE_TIME: &str = "intended_fire_time";
}

/// A backup of what the schedule selects. What makes it the run it is are the schedule and, for a scheduled one, the time; the
/// others are one per request by their type.
pub(super) fn backup_run(
    state: &State,
    schedule: &Schedule,
    run_type: RunType,
    request_id: RequestId,
    request_digest: Hash,
    fire_at: Option<OffsetDateTime>,
) -> NewRun {
    let items = selected_items(&state.registry, &schedule.plan.policy_types);
    let fire_time = fire_at.and_then(|time| time.format(&Rfc3339).ok());
    let mut about = json!({
        context::SCHEDULE: schedule.id,
        "backup_schedule_name": schedule.plan.name,
        "selection": selection(items.iter().map(|item| item.policy_type.as_str())),
    });
    if let Some(time) = &fire_time {
        about[context::FIRE_TIME] = json!(time);
    }
    NewRun {
        run_type,
        request_id,
        workspace_id: schedule.workspace_id,
        tenant_id: schedule.tenant_id,
        identity: canonical_hash(&json!([schedule.id, fire_time])),
        request_digest,
        context: about,
        items,
    }
}
