//! Fault 10: the connection to the database is lost at any statement of any change, before and after the server has done it. All
//! of the change is there or nothing, its caller is told UNAVAILABLE, and asking again is safe.

use std::time::Duration;

use pb::operation::{
    CancelOperationRunRequest, ClaimOperationRunsRequest, CompleteOperationRunRequest, ItemIntent, Lease, OperationRun,
    RecordItemIntentsRequest, ReleaseOperationRunRequest, ReportItemOutcomesRequest, StartOutcome,
};
use tonic::{Code, Response, Status};

use super::cutter::{Cut, Cutter};
use super::every_history_is_whole;
use crate::harness::{SOON, SYNC, World, request_id, succeeded};

/// No change takes as many statements: one that is never through is a defect of the test.
const MOST_STATEMENTS: usize = 40;

/// The replica whose database connections are cut.
const CUT: usize = 1;

struct Ground {
    world: World,
    cutter: Cutter,
}

impl Ground {
    async fn prepare() -> Self {
        // The first replica is left alone: it prepares, and rescues what a lost claim has left behind.
        // What was claimed stays claimed: nothing runs out but what is made to.
        let mut world = World::with(&["--lease-ttl-ms=3600000"]).await;
        let url = world.database.url_for("tenantatlas_operation");
        let (before, rest) = url.split_once('@').expect("a role and a host");
        let (server, database) = rest.split_once('/').expect("a host and a database");
        let cutter = Cutter::before(server.parse().expect("an address")).await;
        let url = format!("{before}@{}/{database}", cutter.address());
        assert_eq!(world.add_replica_at(&url, &["--worker=false", "--lease-ttl-ms=3600000"]).await, CUT);
        Self { world, cutter }
    }

    /// Does it again and again, with the connection cut at its first statement, its second, and so on, until no cut hits it.
    async fn at_every_statement<T, Call, Answer, Made>(&self, what: &str, prepare: impl Fn() -> Made, judge: impl Fn(T))
    where
        Call: Fn() -> Answer,
        Answer: Future<Output = Result<Response<T>, Status>>,
        Made: Future<Output = Call>,
    {
        let mut cuts = 0;
        for cut in [Cut::Before, Cut::After] {
            for statement in 1.. {
                assert!(statement < MOST_STATEMENTS, "{what} is never through");
                let call = prepare().await;
                self.cutter.arm(statement, cut);
                let first = call().await;
                let fired = self.cutter.disarm();
                if let Err(status) = &first {
                    assert_eq!(status.code(), Code::Unavailable, "{what}, {cut:?} statement {statement}: {status:?}");
                }
                let answer = match first {
                    Ok(answer) => answer,
                    Err(_) => insist(&call).await,
                };
                judge(answer.into_inner());
                every_history_is_whole(&self.world).await;
                cuts += usize::from(fired);
                if !fired {
                    break;
                }
            }
        }
        // At least begin, the change, commit, on either side.
        assert!(cuts >= 6, "{what}: only {cuts} cuts");
    }

    async fn claimed(&self) -> (OperationRun, Lease) {
        let run = self.world.start(self.world.sync(self.world.source, 2)).await.run.unwrap();
        let claimed = self.world.claim(SYNC).await.expect("a queued run");
        assert_eq!(claimed.run.unwrap().run_id, run.run_id);
        (run, claimed.lease.unwrap())
    }
}

/// Asks until there is an answer: an outage is UNAVAILABLE and nothing else.
async fn insist<T, F: Future<Output = Result<Response<T>, Status>>>(call: impl Fn() -> F) -> Response<T> {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                assert!(tokio::time::Instant::now() < deadline, "{status:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: cargo dev faults"]
async fn fault_10_a_start_or_a_cancel_that_loses_the_database_at_any_statement_happens_once() {
    let ground = Ground::prepare().await;
    let world = &ground.world;
    let start = async || {
        let request = world.sync(world.source, 2);
        move || {
            let (mut runs, request) = (world.runs_through_at(CUT, "compare-service", "ada"), request.clone());
            async move { runs.start_operation_run(request).await }
        }
    };
    ground.at_every_statement("a start", start, |started| assert_eq!(started.outcome(), StartOutcome::Queued)).await;

    let cancel = async || {
        let run_id = world.start(world.sync(world.source, 2)).await.run.unwrap().run_id;
        let request = CancelOperationRunRequest { request_id: request_id(), run_id, reason: "not today".into() };
        move || {
            let (mut runs, request) = (world.runs_at(CUT, "ada"), request.clone());
            async move { runs.cancel_operation_run(request).await }
        }
    };
    ground.at_every_statement("a cancel", cancel, |answer| assert!(answer.run.unwrap().complete_time.is_some())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: cargo dev faults"]
async fn fault_10_a_worker_that_loses_the_database_at_any_statement_has_said_all_or_nothing() {
    let ground = Ground::prepare().await;
    let world = &ground.world;
    let claim = async || {
        let run_id: uuid::Uuid =
            world.start(world.sync(world.source, 2)).await.run.unwrap().run_id.parse().expect("an id");
        move || async move {
            // A claim whose answer was lost has given the run a lease that nobody holds: it runs out.
            let expire = "UPDATE operation.run SET lease_expires_at = now() - interval '1 s' WHERE id = $1 AND status = 'running'";
            world.execute(expire, &[run_id]).await;
            let request = ClaimOperationRunsRequest {
                worker: "test".into(),
                types: vec![SYNC.into()],
                max_runs: 1,
                wait: Duration::from_millis(50).try_into().ok(),
            };
            let answer = world.workers_at(CUT, "compare-service").claim_operation_runs(request).await?;
            match answer.get_ref().runs.is_empty() {
                true => Err(Status::unavailable("not rescued yet")),
                false => Ok(answer),
            }
        }
    };
    ground.at_every_statement("a claim", claim, |answer| assert_eq!(answer.runs.len(), 1)).await;

    let intent = async || {
        let (_, lease) = ground.claimed().await;
        let intent =
            |ordinal| ItemIntent { ordinal, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() };
        let request = RecordItemIntentsRequest { lease: Some(lease), intents: vec![intent(1), intent(2)] };
        move || {
            let (mut worker, request) = (world.workers_at(CUT, "compare-service"), request.clone());
            async move { worker.record_item_intents(request).await }
        }
    };
    ground.at_every_statement("an intent", intent, |answer| assert!(!answer.cancel_requested)).await;

    let report = async || {
        let (_, lease) = ground.claimed().await;
        let request = ReportItemOutcomesRequest { lease: Some(lease), outcomes: vec![succeeded(1), succeeded(2)] };
        move || {
            let (mut worker, request) = (world.workers_at(CUT, "compare-service"), request.clone());
            async move { worker.report_item_outcomes(request).await }
        }
    };
    let both =
        |counts: pb::operation::SummaryCounts| assert_eq!((counts.processed, counts.succeeded), (Some(2), Some(2)));
    ground.at_every_statement("a report", report, |answer| both(answer.summary_counts.unwrap())).await;

    let complete = async || {
        let (_, lease) = ground.claimed().await;
        let outcomes = vec![succeeded(1), succeeded(2)];
        let reported = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes };
        world.workers("compare-service").report_item_outcomes(reported).await.unwrap();
        let request = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
        move || {
            let (mut worker, request) = (world.workers_at(CUT, "compare-service"), request.clone());
            async move { worker.complete_operation_run(request).await }
        }
    };
    ground.at_every_statement("an end", complete, |answer| both(answer.run.unwrap().summary_counts.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_10_a_run_is_given_back_wholly_or_not_at_all() {
    let ground = Ground::prepare().await;
    let world = &ground.world;
    for cut in [Cut::Before, Cut::After] {
        for statement in 1..MOST_STATEMENTS {
            let (run, lease) = ground.claimed().await;
            let request =
                ReleaseOperationRunRequest { lease: Some(lease), delay: None, reason: "WORKER_STOPPING".into() };
            ground.cutter.arm(statement, cut);
            let mut worker = world.workers_at(CUT, "compare-service");
            let first = worker.release_operation_run(request.clone()).await;
            let fired = ground.cutter.disarm();
            let again = match first {
                Ok(_) => Ok(()),
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                    world.workers("compare-service").release_operation_run(request).await.map(drop)
                }
            };
            // It was given back the first time, so it is no longer held; or it is given back now.
            if let Err(status) = again {
                assert_eq!((cut, status.code()), (Cut::After, Code::Aborted), "{status:?}");
            }
            let seen = world.get(&run.run_id).await;
            assert_eq!(seen.status(), pb::operation::OperationRunStatus::Queued, "{seen:?}");
            every_history_is_whole(world).await;
            let cancel =
                CancelOperationRunRequest { request_id: request_id(), run_id: run.run_id, reason: String::new() };
            world.runs("ada").cancel_operation_run(cancel).await.unwrap();
            if !fired {
                break;
            }
        }
    }
}
