//! The database goes away in the middle of everything: what was acknowledged is there, nothing comes twice, and everything goes
//! on by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pb::operation::{ClaimOperationRunsRequest, CompleteOperationRunRequest, ReportItemOutcomesRequest, StartOutcome};
use tonic::{Code, Status};

use crate::harness::{PROMOTION, SOON, World, succeeded};
use crate::watch::reader::{Came, Reader, everything, from};

/// Cuts every connection of the service to the database.
async fn cut(world: &World) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE usename = 'tenantatlas_operation' AND datname = current_database()",
    )
    .execute(world.superuser.pool())
    .await
    .unwrap();
}

/// Asks until there is an answer: an outage is UNAVAILABLE and nothing else.
async fn insist<T, F: Future<Output = Result<T, Status>>>(mut call: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                assert!(tokio::time::Instant::now() < deadline, "{status:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_at_any_moment_lose_and_repeat_nothing() {
    let world = Arc::new(World::with(&["--lease-ttl-ms=60000"]).await);
    let cutting = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(150)).await;
                cut(&world).await;
            }
        })
    };
    let watching = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let (mut revisions, mut token) = (HashMap::<String, i64>::new(), String::new());
            loop {
                let request = from(everything(&world), &token);
                let mut watch = insist(|| Reader::open(world.runs("ada"), request.clone())).await;
                loop {
                    let next = match watch.next().await {
                        Ok(next) => next,
                        Err(end) => {
                            let status = end.expect("an error: the watch is not over");
                            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                            break;
                        }
                    };
                    match next {
                        // Cut in the middle of the snapshots, they are sent again.
                        Came::Snapshot(run) => drop(revisions.insert(run.run_id, run.revision)),
                        Came::Bookmark { .. } => {}
                        Came::Event(event) => {
                            let run = event.run.unwrap();
                            let before = revisions.insert(run.run_id.clone(), run.revision).unwrap_or(0);
                            assert_eq!(run.revision, before + 1, "run {}", run.run_id);
                            if event.kind == "completed" && revisions.len() == 5 {
                                return revisions;
                            }
                        }
                    }
                    token = watch.token.clone();
                }
            }
        })
    };

    let worker = world.workers("promotion-service");
    for _ in 0..5 {
        let start = world.promotion(20);
        let runs = || world.runs_through("promotion-service", "ada");
        let started = insist(|| {
            let (mut runs, start) = (runs(), start.clone());
            async move { runs.start_operation_run(start).await }
        })
        .await
        .into_inner();
        // Also when the answer was lost and the request repeated: it is the one run this request made.
        assert_eq!(started.outcome(), StartOutcome::Queued);
        let run_id = started.run.unwrap().run_id;

        // A claim whose answer was lost has given the run a lease that nobody holds: the rescue would take it back.
        let lease = loop {
            let claim = ClaimOperationRunsRequest {
                worker: "test".into(),
                types: vec![PROMOTION.into()],
                max_runs: 1,
                wait: Duration::from_millis(100).try_into().ok(),
            };
            let claimed = world.workers("promotion-service").claim_operation_runs(claim).await;
            if let Ok(Some(claimed)) = claimed.map(|claimed| claimed.into_inner().runs.pop()) {
                break claimed.lease.unwrap();
            }
            world
                .execute(
                    "UPDATE operation.run SET lease_expires_at = now() - interval '1 s' WHERE id = $1 AND status = 'running'",
                    &[run_id.parse().unwrap()],
                )
                .await;
        };
        for ordinal in 1..=20 {
            let report = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes: vec![succeeded(ordinal)] };
            insist(|| {
                let (mut worker, report) = (worker.clone(), report.clone());
                async move { worker.report_item_outcomes(report).await }
            })
            .await;
        }
        let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
        let ended = insist(|| {
            let (mut worker, complete) = (worker.clone(), complete.clone());
            async move { worker.complete_operation_run(complete).await }
        })
        .await
        .into_inner();
        assert_eq!(ended.run.unwrap().summary_counts.unwrap().created, Some(20));
    }
    let revisions = tokio::time::timeout(SOON, watching).await.unwrap().unwrap();
    cutting.abort();
    let rows: Vec<(uuid::Uuid, i64)> =
        sqlx::query_as("SELECT id, rev FROM operation.run").fetch_all(world.superuser.pool()).await.unwrap();
    assert_eq!(rows.len(), 5);
    for (id, rev) in rows {
        assert_eq!(revisions[&id.to_string()], rev);
    }
}
