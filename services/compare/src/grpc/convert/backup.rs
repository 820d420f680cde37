//! Backup schedules and sets.

use domain::backup::{
    CatchUp, MOST_CATCH_UP, MOST_CRON_CHARS, Overlap, Plan, Retention, SetState, Timing, TimingError,
};
use domain::contract::Registry;
use domain::run::canonical_link;
use pb::backup as wire;
use server::failure::Failure;
use server::fields;

use super::count;
use super::inventory::parse_policy_types;
use crate::backup::SchedulePlace;
use crate::store::backup_schedule::Schedule;
use crate::store::backup_set::{BackupSet, Entry};
use crate::workspace::MAX_NAME_CHARS;

/// Most characters of a zone's name.
const MAX_ZONE_CHARS: usize = 100;

/// The schedule that a request is about.
pub fn parse_place(workspace_id: &str, tenant_id: &str, schedule_id: &str) -> Result<SchedulePlace, Failure> {
    Ok(SchedulePlace {
        workspace_id: fields::id("workspace_id", workspace_id)?,
        tenant_id: fields::id("tenant_id", tenant_id)?,
        schedule_id: fields::id("backup_schedule_id", schedule_id)?,
    })
}

/// What a schedule is to say, and when it fires.
pub fn parse_plan(
    field: &str,
    plan: Option<&wire::BackupPlan>,
    registry: &Registry,
) -> Result<(Plan, Timing), Failure> {
    let plan = fields::required(field, plan)?;
    let at = |name: &str| format!("{field}.{name}");
    let cron = fields::text(&at("cron"), &plan.cron, MOST_CRON_CHARS)?;
    let zone = fields::text(&at("time_zone"), &plan.time_zone, MAX_ZONE_CHARS)?;
    let timing = Timing::parse(cron, zone).map_err(|why| {
        let wrong = if why == TimingError::Zone { "time_zone" } else { "cron" };
        Failure::invalid_argument(at(wrong), why.to_string())
    })?;
    let overlap = match fields::choice(&at("overlap"), plan.overlap)? {
        wire::OverlapPolicy::Skip => Overlap::Skip,
        wire::OverlapPolicy::Allow => Overlap::Allow,
        wire::OverlapPolicy::Unspecified => return Err(Failure::invalid_argument(at("overlap"), "is required")),
    };
    let keep = |name: &str, value: i32| {
        u16::try_from(value).map_err(|_| Failure::invalid_argument(at(name), "must be between 0 and 3660"))
    };
    let retention = Retention::new(keep("keep_last", plan.keep_last)?, keep("keep_days", plan.keep_days)?);
    let retention = retention.map_err(|why| {
        let wrong = match why {
            domain::backup::RetentionError::KeepLast => "keep_last",
            domain::backup::RetentionError::KeepDays => "keep_days",
        };
        Failure::invalid_argument(at(wrong), why.to_string())
    })?;
    let parsed = Plan {
        name: fields::text(&at("name"), &plan.name, MAX_NAME_CHARS)?.to_owned(),
        cron: cron.to_owned(),
        time_zone: zone.to_owned(),
        policy_types: parse_policy_types(&at("policy_types"), &plan.policy_types, registry)?,
        catch_up: parse_catch_up(field, plan)?,
        overlap,
        retention,
    };
    Ok((parsed, timing))
}

fn parse_catch_up(field: &str, plan: &wire::BackupPlan) -> Result<CatchUp, Failure> {
    let most = u16::try_from(plan.catch_up_most).ok();
    let wrong = |why: String| Failure::invalid_argument(format!("{field}.catch_up_most"), why);
    match (fields::choice(&format!("{field}.catch_up"), plan.catch_up)?, most) {
        (wire::CatchUpPolicy::Skip, Some(0)) => Ok(CatchUp::Skip),
        (wire::CatchUpPolicy::Latest, Some(0)) => Ok(CatchUp::Latest),
        (wire::CatchUpPolicy::All, Some(most)) if (1..=MOST_CATCH_UP).contains(&most) => Ok(CatchUp::All { most }),
        (wire::CatchUpPolicy::All, _) => Err(wrong(format!("must be between 1 and {MOST_CATCH_UP}"))),
        _ => Err(wrong("must be 0 unless catch_up is CATCH_UP_POLICY_ALL".to_owned())),
    }
}

/// A schedule.
pub fn to_schedule(schedule: &Schedule) -> wire::BackupSchedule {
    wire::BackupSchedule {
        backup_schedule_id: schedule.id.to_string(),
        tenant_id: schedule.tenant_id.to_string(),
        plan: Some(to_plan(&schedule.plan)),
        version: schedule.version,
        next_fire_time: schedule.next_fire_at.map(fields::to_timestamp),
        create_time: Some(fields::to_timestamp(schedule.created_at)),
        update_time: Some(fields::to_timestamp(schedule.updated_at)),
        archive_time: schedule.archived_at.map(fields::to_timestamp),
    }
}

fn to_plan(plan: &Plan) -> wire::BackupPlan {
    let (catch_up, most) = match plan.catch_up {
        CatchUp::Skip => (wire::CatchUpPolicy::Skip, 0),
        CatchUp::Latest => (wire::CatchUpPolicy::Latest, 0),
        CatchUp::All { most } => (wire::CatchUpPolicy::All, most),
    };
    let overlap = match plan.overlap {
        Overlap::Skip => wire::OverlapPolicy::Skip,
        Overlap::Allow => wire::OverlapPolicy::Allow,
    };
    wire::BackupPlan {
        name: plan.name.clone(),
        cron: plan.cron.clone(),
        time_zone: plan.time_zone.clone(),
        policy_types: plan.policy_types.iter().map(|policy_type| policy_type.0.clone()).collect(),
        catch_up: catch_up.into(),
        catch_up_most: most.into(),
        overlap: overlap.into(),
        keep_last: plan.retention.keep_last().into(),
        keep_days: plan.retention.keep_days().into(),
    }
}

/// A set.
pub fn to_set(set: &BackupSet) -> wire::BackupSet {
    let state = match set.state {
        SetState::InProgress => wire::BackupSetState::InProgress,
        SetState::Complete => wire::BackupSetState::Complete,
        SetState::Partial => wire::BackupSetState::Partial,
    };
    wire::BackupSet {
        backup_set_id: set.run_id.to_string(),
        tenant_id: set.tenant_id.to_string(),
        backup_schedule_id: set.schedule_id.to_string(),
        state: state.into(),
        run_type: set.run_type.clone(),
        intended_fire_time: set.fire_at.map(fields::to_timestamp),
        entry_count: count(u64::try_from(set.entry_count).unwrap_or_default()),
        create_time: Some(fields::to_timestamp(set.created_at)),
        complete_time: set.completed_at.map(fields::to_timestamp),
        run_link: canonical_link(set.run_id),
    }
}

/// A version in a set.
pub fn to_entry(entry: &Entry) -> wire::BackupSetEntry {
    wire::BackupSetEntry {
        policy_type: entry.policy_type.0.clone(),
        external_id: entry.external_id.0.clone(),
        display_name: entry.display_name.clone(),
        policy_version_id: entry.version_id.to_string(),
        number: entry.number,
        content_hash: entry.content_hash.to_string(),
    }
}
