//! Faults 4, 8 and 9: one owner, one end and one mutation of a tenant at a time, whoever races and whatever a clock says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use pb::operation::{
    CompleteOperationRunRequest, OperationRunOutcome, OperationRunStatus, RenewLeaseRequest, StartOutcome,
};
use tonic::Code;
use uuid::Uuid;

use super::{every_history_is_whole, wait_for_waiters};
use crate::harness::{PROMOTION, World, assert_refused};

#[tokio::test]
async fn fault_04_a_finish_that_races_with_the_rescue_has_one_end() {
    let mut world = World::with(&["--lease-ttl-ms=60000", "--rescue-interval=5ms"]).await;
    world.add_replica(&["--lease-ttl-ms=60000", "--rescue-interval=5ms"]).await;
    let (mut finished, mut rescued) = (0, 0);
    for round in 0..16 {
        let (run, lease) = world.claimed_promotion(1).await;
        let id: Uuid = run.run_id.parse().unwrap();
        world.succeed(&lease, [1]).await;
        // Both the finish and the rescue have made up their minds and stand before the row; then it is let go.
        let mut gate = world.superuser.pool().begin().await.unwrap();
        sqlx::query("UPDATE operation.run SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = $1")
            .bind(id)
            .execute(&mut *gate)
            .await
            .unwrap();
        let complete = CompleteOperationRunRequest { lease: Some(lease.clone()), blocked: None };
        let mut worker = world.workers("promotion-service");
        let finish = tokio::spawn({
            let complete = complete.clone();
            async move { worker.complete_operation_run(complete).await }
        });
        wait_for_waiters(&world, 1).await;
        if round % 2 == 0 {
            gate.commit().await.unwrap();
        } else {
            // The rescue gets hold of it first: the finish waits behind a second gate.
            gate.rollback().await.unwrap();
            world.execute("UPDATE operation.run SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = $1 AND status = 'running'", &[id]).await;
        }
        match finish.await.unwrap() {
            Ok(answer) => {
                assert_eq!(answer.into_inner().run.unwrap().outcome(), OperationRunOutcome::Succeeded);
                finished += 1;
            }
            lost => {
                assert_refused(lost, Code::Aborted, "LEASE_LOST");
                rescued += 1;
                let lease = world.claim(PROMOTION).await.unwrap().lease;
                let complete = CompleteOperationRunRequest { lease, blocked: None };
                world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
            }
        }
        let ended = world.get(&run.run_id).await;
        assert_eq!((ended.status(), ended.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Succeeded));
        // Nothing that comes late moves it.
        let late = world.workers("promotion-service").complete_operation_run(complete).await;
        if let Err(status) = late {
            assert_refused(Err::<(), _>(status), Code::Aborted, "LEASE_LOST");
        }
        assert_eq!(world.get(&run.run_id).await.revision, ended.revision);
    }
    assert_eq!(finished + rescued, 16);
    assert!(finished > 0, "the finish never came first");
    every_history_is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_08_at_every_moment_one_mutation_of_a_tenant_is_active() {
    const WORKERS: usize = 8;
    const EACH: usize = 12;
    let mut world = World::new().await;
    world.add_replica(&[]).await;
    let world = Arc::new(world);
    let done = Arc::new(AtomicBool::new(false));
    // Whoever looks at any moment sees at most one active run in the scope.
    let watching = {
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        tokio::spawn(async move {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                let most: i64 = sqlx::query_scalar(
                    "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM operation.run
                     WHERE mutates_tenant AND status <> 'completed' GROUP BY workspace_id, tenant_id) active",
                )
                .fetch_one(world.superuser.pool())
                .await
                .unwrap();
                assert!(most <= 1, "{most} at the same time");
                looks += 1;
            }
            looks
        })
    };
    let work = (0..WORKERS).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let mut mine = 0;
            while mine < EACH {
                let mut start = world.promotion(1);
                start.identity = Uuid::now_v7().as_bytes().to_vec();
                let mut runs = world.runs_through_at(number % 2, "promotion-service", "ada");
                let started = runs.start_operation_run(start).await.unwrap().into_inner();
                if started.outcome() == StartOutcome::ScopeBusy {
                    // Whoever is in the way is brought to its end, by whoever can take it.
                    tokio::task::yield_now().await;
                    continue;
                }
                assert_eq!(started.outcome(), StartOutcome::Queued);
                let lease = world.claim(PROMOTION).await.expect("it is queued").lease.unwrap();
                world.succeed(&lease, [1]).await;
                let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
                world.workers_at(number % 2, "promotion-service").complete_operation_run(complete).await.unwrap();
                mine += 1;
            }
        })
    });
    for worker in join_all(work).await {
        worker.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(watching.await.unwrap() > 20);
    let runs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM operation.run").fetch_one(world.superuser.pool()).await.unwrap();
    assert_eq!(runs, (WORKERS * EACH) as i64);
    // Nor did the lives of two overlap in between two looks.
    let overlaps: i64 = sqlx::query_scalar(
        "WITH lives AS (SELECT run_id, min(at) AS began, max(at) AS ended FROM operation.run_event GROUP BY run_id)
         SELECT count(*) FROM lives a JOIN lives b ON a.run_id < b.run_id AND a.began < b.ended AND b.began < a.ended",
    )
    .fetch_one(world.superuser.pool())
    .await
    .unwrap();
    assert_eq!(overlaps, 0);
    every_history_is_whole(&world).await;
}

/// The one clock of a lease is the database's. Set back, a rescue comes later; set forward, it comes while the holder is still at
/// work. Neither gives the run two holders.
#[tokio::test]
async fn fault_09_a_clock_that_is_set_delays_a_rescue_and_never_gives_two_owners() {
    let world = World::with(&["--lease-ttl-ms=2000"]).await;
    let set = |by: &'static str| {
        let world = &world;
        async move { world.execute(by, &[]).await }
    };
    let (run, lease) = world.claimed_promotion(2).await;
    // The clock goes back by a minute: to it, every lease ends a minute later.
    set("UPDATE operation.run SET lease_expires_at = lease_expires_at + interval '60 s' WHERE status = 'running'")
        .await;
    let none = tokio::time::timeout(Duration::from_millis(2_500), world.claim(PROMOTION)).await;
    assert!(none.is_err(), "nobody else is given it");
    // Its holder goes on as if nothing had been: what it is told is a length of time, never a moment.
    let renewed = RenewLeaseRequest { lease: Some(lease.clone()) };
    let renewed = world.workers("promotion-service").renew_lease(renewed).await.unwrap().into_inner();
    assert_eq!(renewed.lease_ttl.unwrap(), Duration::from_millis(2000).try_into().unwrap());
    world.succeed(&lease, [1]).await;

    // The clock goes forward by an hour: the lease is over, although its holder is well.
    set("UPDATE operation.run SET lease_expires_at = lease_expires_at - interval '1 hour' WHERE status = 'running'")
        .await;
    let taken = world.claim(PROMOTION).await.expect("it is rescued");
    assert_eq!(taken.run.unwrap().run_id, run.run_id);
    let new = taken.lease.unwrap();
    assert!(new.fence > lease.fence);
    let late = RenewLeaseRequest { lease: Some(lease) };
    assert_refused(world.workers("promotion-service").renew_lease(late).await, Code::Aborted, "LEASE_LOST");
    world.succeed(&new, [2]).await;
    let complete = CompleteOperationRunRequest { lease: Some(new), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    every_history_is_whole(&world).await;
}
