//! Faults 7 and 19: a request id that is used for something else, and calls that nobody waits for any more.

use std::time::Duration;

use pb::operation::{CancelOperationRunRequest, StartOperationRunRequest};
use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request};
use uuid::Uuid;

use super::wait_for_waiters;
use crate::harness::{SOON, World, assert_refused, new_items, request_id};

/// How many rows each table has.
async fn sizes(world: &World) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('operation', 'audit') ORDER BY 1",
    )
    .fetch_all(world.superuser.pool())
    .await
    .unwrap();
    let mut sizes = Vec::new();
    // Seals follow what was written before, whenever they come to it.
    for table in tables.into_iter().filter(|table| !table.contains("seal")) {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sizes.push((table, sqlx::query_scalar(count).fetch_one(world.superuser.pool()).await.unwrap()));
    }
    sizes
}

#[tokio::test]
async fn fault_07_a_request_id_that_is_used_for_something_else_writes_nothing() {
    let world = World::new().await;
    let first = world.promotion(2);
    world.start(first.clone()).await;
    let third = Uuid::now_v7();
    world.add_tenant(world.workspace, third, "Third").await;
    world.add_member("eli", "owner", &[(world.source, "owner"), (world.target, "owner"), (third, "owner")]).await;
    let before = sizes(&world).await;
    let others: [StartOperationRunRequest; 3] = [
        StartOperationRunRequest { items: new_items(3), ..first.clone() },
        StartOperationRunRequest { identity: b"something else".to_vec(), ..first.clone() },
        StartOperationRunRequest { related_tenant_ids: vec![third.to_string()], ..first.clone() },
    ];
    for other in others {
        // eli may do all of it; somebody else's request id is somebody else's all the same.
        for who in ["ada", "eli"] {
            if who == "ada" && other.related_tenant_ids != first.related_tenant_ids {
                continue;
            }
            let answer = world.runs_through("promotion-service", who).start_operation_run(other.clone()).await;
            assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED");
        }
    }
    let answer = world.runs_through("promotion-service", "eli").start_operation_run(first).await;
    assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_eq!(sizes(&world).await, before);
}

/// Transactions of the service that are open and not the tail's.
async fn open_transactions(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT state || ': ' || left(query, 200) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = 'tenantatlas_operation' AND xact_start IS NOT NULL
             AND xact_start < clock_timestamp() - interval '300 milliseconds'",
    )
    .fetch_all(world.superuser.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn fault_19_a_call_that_nobody_waits_for_leaves_no_transaction_open() {
    let world = World::new().await;
    let (run, _) = world.claimed_promotion(1).await;
    let id: Uuid = run.run_id.parse().unwrap();
    let cancel = || {
        let mut runs = world.runs("ada");
        let request =
            CancelOperationRunRequest { request_id: request_id(), run_id: run.run_id.clone(), reason: "late".into() };
        async move {
            let mut request = Request::new(request);
            request.set_timeout(Duration::from_millis(400));
            runs.cancel_operation_run(request).await
        }
    };
    // Whoever changes the run has to wait: longer than the caller wants to.
    for given_up in [false, true] {
        let mut gate = world.superuser.pool().begin().await.unwrap();
        sqlx::query("SELECT FROM operation.run WHERE id = $1 FOR UPDATE").bind(id).execute(&mut *gate).await.unwrap();
        if given_up {
            let call = tokio::spawn(cancel());
            wait_for_waiters(&world, 1).await;
            call.abort();
        } else {
            let late = cancel().await.expect_err("nobody let go");
            // Whichever end's clock is first.
            assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
        }
        // While the row is still held: the call is over, so its transaction is.
        let deadline = Instant::now() + SOON;
        loop {
            let open = open_transactions(&world).await;
            if open.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{open:?}");
            sleep(Duration::from_millis(50)).await;
        }
        gate.rollback().await.unwrap();
    }
    let seen = world.get(&run.run_id).await;
    assert!(seen.cancel_request_time.is_none() && seen.revision == 2, "none of it happened: {seen:?}");
}
