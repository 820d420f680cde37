//! The scheduler: several of them, pauses, clocks that are set, deaths, and a service that is away.

use std::collections::BTreeSet;

use compare_service::backup::forget::{self, Forgotten};
use compare_service::backup::schedule_backups::look;
use compare_service::state::State;
use domain::backup::Timing;
use pb::backup::{BackupPlan, BackupSchedule, CatchUpPolicy, OverlapPolicy};
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use crate::backup::nightly;
use crate::synced::Synced;
use crate::world::World;

/// Every quarter of an hour; whatever was missed is made up for.
fn quarterly(catch_up: CatchUpPolicy, most: i32) -> BackupPlan {
    BackupPlan {
        cron: "*/15 * * * *".into(),
        policy_types: vec!["roleScopeTag".into()],
        catch_up: catch_up.into(),
        catch_up_most: most,
        overlap: OverlapPolicy::Allow.into(),
        ..nightly()
    }
}

fn made_at(schedule: &BackupSchedule) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(schedule.create_time.unwrap().seconds).unwrap()
}

/// The times for which runs of this schedule were started, in the order in which they were.
fn started(world: &World, schedule: &BackupSchedule) -> Vec<String> {
    let context = |start: &pb::operation::StartOperationRunRequest| {
        server::structure::from_struct(start.context.as_ref().unwrap())
    };
    let starts = world.runs.starts();
    let ours =
        starts.iter().map(context).filter(|about| about["backup_schedule_id"] == schedule.backup_schedule_id.as_str());
    ours.map(|about| about["intended_fire_time"].as_str().unwrap().to_owned()).collect()
}

/// Lets the time pass that others leave a slot alone which somebody tried to start.
async fn leases_end(world: &World) {
    let superuser = world.superuser().await;
    sqlx::query("UPDATE inventory.backup_slot SET not_before = now() WHERE state = 'due'")
        .execute(superuser.pool())
        .await
        .unwrap();
}

async fn slots(world: &World, schedule: &BackupSchedule, state: &str) -> Vec<Option<String>> {
    let superuser = world.superuser().await;
    sqlx::query_scalar(
        "SELECT reason FROM inventory.backup_slot WHERE schedule_id = $1::uuid AND state = $2 ORDER BY fire_at",
    )
    .bind(&schedule.backup_schedule_id)
    .bind(state)
    .fetch_all(superuser.pool())
    .await
    .unwrap()
}

/// Looks until there is nothing left to do.
async fn settle(world: &World, state: &State, now: OffsetDateTime) {
    world.runs.set_down(false);
    leases_end(world).await;
    look(state, now, &CancellationToken::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_20_three_schedulers_start_each_time_once() {
    three_schedulers_start(120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "minutes: cargo dev faults"]
async fn fault_20_three_schedulers_start_a_thousand_times_once_each() {
    three_schedulers_start(1_000).await;
}

/// Lets so many times pass for three replicas that die, whose clocks are set and disagree, while nobody looks for half a day
/// and the service that starts runs is away.
async fn three_schedulers_start(number: i32) {
    let world = World::start_with(&["--worker=false", "--scheduler=false"]).await;
    let tenant = Synced::new(&world).await;
    let all = tenant.schedule(&world, quarterly(CatchUpPolicy::All, 100)).await;
    let skip = tenant.schedule(&world, quarterly(CatchUpPolicy::Skip, 0)).await;
    let replicas = [world.another_state().await, world.another_state().await, world.another_state().await];
    let start = made_at(&all);
    let end = start + Duration::minutes(15) * number;
    // From a time that it fires at: whoever looks in steps of hours is on time for some, whatever the time of day is.
    let first = OffsetDateTime::from_unix_timestamp(all.next_fire_time.unwrap().seconds).unwrap();
    let (mut now, mut round) = (first, 0_i64);
    while now < end {
        round += 1;
        now += match round % 10 {
            // Nobody looks for half a day; later on, everybody's clock is set back by two hours.
            3 => Duration::hours(12),
            6 => Duration::hours(-2),
            _ => Duration::hours(4),
        };
        // Now and then operation-run-service is away.
        world.runs.set_down(round % 7 == 0);
        let looks: Vec<_> = replicas
            .iter()
            .enumerate()
            .map(|(number, state)| {
                // Nor do their clocks agree.
                let (state, its_now) = (state.clone(), now + Duration::seconds(number as i64 * 40 - 40));
                tokio::spawn(async move { look(&state, its_now, &CancellationToken::new()).await })
            })
            .collect();
        // One of them dies, wherever it is.
        if round % 4 == 0 {
            tokio::task::yield_now().await;
            looks[(round as usize / 4) % 3].abort();
        }
        for look in looks {
            // Dead, or told that the service is away: the others and the next look go on.
            let _ = look.await;
        }
    }
    let last = now + Duration::minutes(1);
    settle(&world, &replicas[0], last).await;

    let timing = Timing::parse("*/15 * * * *", "Europe/Berlin").unwrap();
    let times = std::iter::successors(timing.next_after(start), |time| timing.next_after(*time));
    // Clocks were never further ahead than the latest look.
    let due: BTreeSet<String> = times
        .take_while(|time| *time <= last)
        .map(|time| time.format(&time::format_description::well_known::Rfc3339).unwrap())
        .collect();
    let started_all = started(&world, &all);
    assert!(i32::try_from(started_all.len()).unwrap() >= number, "{}", started_all.len());
    let distinct: BTreeSet<String> = started_all.iter().cloned().collect();
    assert_eq!(distinct.len(), started_all.len(), "a time was started twice");
    assert!(due.is_superset(&distinct), "{:?}", distinct.difference(&due).collect::<Vec<_>>());
    assert!(due.difference(&distinct).next().is_none(), "{:?}", due.difference(&distinct).collect::<Vec<_>>());
    assert!(slots(&world, &all, "due").await.is_empty() && slots(&world, &all, "passed_over").await.is_empty());
    // Where nothing is made up for, what was on time was started, and never twice.
    let started_skip = started(&world, &skip);
    let distinct: BTreeSet<&String> = started_skip.iter().collect();
    assert_eq!(distinct.len(), started_skip.len());
    assert!(!started_skip.is_empty() && distinct.iter().all(|time| due.contains(*time)));
    let identities: BTreeSet<_> = world.runs.starts().into_iter().map(|start| start.identity).collect();
    assert_eq!(identities.len(), started_all.len() + started_skip.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_outlives_whoever_wrote_it_down() {
    let world = World::start_with(&["--worker=false", "--scheduler=false"]).await;
    let tenant = Synced::new(&world).await;
    let schedule = tenant.schedule(&world, quarterly(CatchUpPolicy::Skip, 0)).await;
    let state = world.another_state().await;
    let due = OffsetDateTime::from_unix_timestamp(schedule.next_fire_time.unwrap().seconds).unwrap();
    // Written down, and nothing more.
    world.runs.set_down(true);
    assert!(look(&state, due, &CancellationToken::new()).await.is_err());
    assert_eq!(slots(&world, &schedule, "due").await.len(), 1);
    // Hours later a replica that never heard of it starts it, although missed times are not made up for: this one was not missed.
    drop(state);
    let other = world.another_state().await;
    settle(&world, &other, due + Duration::minutes(1)).await;
    assert_eq!(started(&world, &schedule).len(), 1);
    // Whoever died after the start, before it was noted, has the start found again.
    let superuser = world.superuser().await;
    sqlx::query("UPDATE inventory.backup_slot SET state = 'due', run_id = NULL")
        .execute(superuser.pool())
        .await
        .unwrap();
    settle(&world, &other, due + Duration::minutes(2)).await;
    assert_eq!(started(&world, &schedule).len(), 1);
    assert_eq!(slots(&world, &schedule, "started").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_passed_over_with_its_reason() {
    let world = World::start_with(&["--worker=false", "--scheduler=false"]).await;
    let tenant = Synced::new(&world).await;
    let plan = BackupPlan { overlap: OverlapPolicy::Skip.into(), ..quarterly(CatchUpPolicy::Skip, 0) };
    let schedule = tenant.schedule(&world, plan).await;
    let state = world.another_state().await;
    let due = OffsetDateTime::from_unix_timestamp(schedule.next_fire_time.unwrap().seconds).unwrap();
    let drain = CancellationToken::new();
    assert_eq!(look(&state, due, &drain).await.unwrap(), 1);
    // The run is still queued when the next is due.
    assert_eq!(look(&state, due + Duration::minutes(15), &drain).await.unwrap(), 0);
    let superuser = world.superuser().await;
    sqlx::query("UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now()")
        .execute(superuser.pool())
        .await
        .unwrap();
    assert_eq!(look(&state, due + Duration::minutes(30), &drain).await.unwrap(), 0);
    let reasons = slots(&world, &schedule, "passed_over").await;
    assert_eq!(reasons, [Some("PREVIOUS_BACKUP_ACTIVE".to_owned()), Some("LIFECYCLE_MISMATCH".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_backup_leaves_a_set_for_its_time() {
    let world = World::start_with(&["--scheduler=false"]).await;
    let tenant = Synced::new(&world).await;
    let schedule = tenant.schedule(&world, quarterly(CatchUpPolicy::Latest, 0)).await;
    let state = world.another_state().await;
    let due = schedule.next_fire_time.unwrap();
    let now = OffsetDateTime::from_unix_timestamp(due.seconds).unwrap();
    look(&state, now, &CancellationToken::new()).await.unwrap();
    assert!(!world.runs.was_on_behalf());
    let run_id: uuid::Uuid = sqlx::query_scalar("SELECT run_id FROM inventory.backup_slot WHERE state = 'started'")
        .fetch_one(world.superuser().await.pool())
        .await
        .unwrap();
    tenant.ended(&run_id.to_string()).await;
    let request = pb::backup::GetBackupSetRequest {
        workspace_id: tenant.workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        backup_set_id: run_id.to_string(),
    };
    let set = world.user("ada").backups().get_backup_set(request).await.unwrap().into_inner().set.unwrap();
    assert_eq!((set.state(), set.intended_fire_time), (pb::backup::BackupSetState::Complete, Some(due)));
    assert_eq!(set.run_type, "backup_schedule.scheduled");
}

/// Times are forgotten by age but for the newest run of a schedule, and a set whose run must be over is no longer in progress.
#[tokio::test(flavor = "multi_thread")]
async fn old_times_are_forgotten_and_abandoned_sets_finished() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let busy = tenant.schedule(&world, quarterly(CatchUpPolicy::All, 3)).await;
    let quiet = tenant.schedule(&world, BackupPlan { name: "Quiet".into(), ..nightly() }).await;
    let owner = world.superuser().await;
    // A time of each state and age, by hand: it is about what is written down, however it came to be.
    for (schedule, state, days) in [
        (&busy, "started", 200),
        (&busy, "passed_over", 150),
        (&busy, "started", 91),
        (&busy, "due", 91),
        (&busy, "started", 89),
        (&quiet, "started", 300),
        (&quiet, "started", 200),
        (&quiet, "passed_over", 100),
    ] {
        sqlx::query(
            "INSERT INTO inventory.backup_slot (workspace_id, schedule_id, fire_at, state, reason, run_id, not_before)
             VALUES ($1::uuid, $2::uuid, now() - $4 * interval '1 day', $3, CASE $3 WHEN 'passed_over' THEN 'X' END,
                 CASE $3 WHEN 'started' THEN gen_random_uuid() END, 'infinity')",
        )
        .bind(&tenant.workspace_id)
        .bind(&schedule.backup_schedule_id)
        .bind(state)
        .bind(f64::from(days))
        .execute(owner.pool())
        .await
        .unwrap();
    }
    for (hours, version) in [(24, "a"), (26, "b")] {
        sqlx::query(
            "INSERT INTO inventory.backup_set (workspace_id, id, tenant_id, schedule_id, run_type, created_at)
             VALUES ($1::uuid, md5($5)::uuid, $2::uuid, $3::uuid, 'backup_schedule.run_now', now() - $4 * interval '1 hour')",
        )
        .bind(&tenant.workspace_id)
        .bind(&quiet.tenant_id)
        .bind(&quiet.backup_schedule_id)
        .bind(f64::from(hours))
        .bind(version)
        .execute(owner.pool())
        .await
        .unwrap();
    }
    let db = world.db().await;
    let done = forget::look(&db, &CancellationToken::new()).await.unwrap();
    assert_eq!(done, Forgotten { slots: 5, sets: 1 });
    assert_eq!((slots(&world, &busy, "started").await.len(), slots(&world, &busy, "due").await.len()), (1, 1));
    assert_eq!(slots(&world, &quiet, "started").await.len(), 1, "the next time is decided by the newest run");
    let states: Vec<String> = sqlx::query_scalar("SELECT state FROM inventory.backup_set ORDER BY created_at")
        .fetch_all(owner.pool())
        .await
        .unwrap();
    assert_eq!(states, ["partial", "in_progress"]);
    assert_eq!(forget::look(&db, &CancellationToken::new()).await.unwrap(), Forgotten::default());
}
