//! The worker's side (`libs/worker`) against the real service.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use domain::run::RunType;
use futures::future::join_all;
use pb::operation::{
    CancelOperationRunRequest, ItemOutcome, ItemState, OperationRun, OperationRunOutcome, OperationRunStatus,
};
use server::{Chassis, ServerArgs};
use tokio::sync::{Notify, Semaphore};
use tonic::async_trait;
use worker::{Ending, Handler, RunSession, WorkError};

use crate::harness::{SOON, World, succeeded};

/// What a service that works on promotions is told.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// A process of promotion-service that only works.
fn promotion_service(world: &World, replicas: &[usize], handler: impl Handler) -> Chassis {
    let args = Args::parse_from([
        "promotion-service",
        "--listen=127.0.0.1:0",
        "--admin-listen=127.0.0.1:0",
        "--log=error",
        "--client-id=promotion-service",
        "--client-secret=p",
        &format!("--oidc-issuer={}", world.issuer.url()),
    ]);
    let chassis = Chassis::start(&args.server, "promotion-service", pb::FILE_DESCRIPTOR_SET).unwrap();
    let endpoints: Vec<&str> = replicas.iter().map(|number| world.replica(*number).endpoint.as_str()).collect();
    let upstream = chassis.upstream("operation-run-service", &endpoints.join(",")).unwrap();
    worker::start(&chassis, &upstream, 2, vec![Box::new(handler)]).unwrap();
    chassis
}

async fn completed(world: &World, run: &OperationRun) -> OperationRun {
    world.wait_for(&run.run_id, "completed", |run| run.status() == OperationRunStatus::Completed).await
}

/// Writes every open item, `at_once` at a time; `gate` lets items through.
struct Writes {
    at_once: usize,
    gate: Arc<Semaphore>,
    written: Arc<Mutex<Vec<i32>>>,
}

impl Writes {
    fn new(at_once: usize, let_through: usize) -> (Self, Arc<Semaphore>, Arc<Mutex<Vec<i32>>>) {
        let (gate, written) = (Arc::new(Semaphore::new(let_through)), Arc::default());
        (Self { at_once, gate: Arc::clone(&gate), written: Arc::clone(&written) }, gate, written)
    }

    async fn write(&self, session: &RunSession, ordinal: i32) -> Result<(), WorkError> {
        tokio::select! {
            permit = self.gate.acquire() => permit.unwrap().forget(),
            () = session.stopping() => return Ok(()),
        }
        match session.intend(ordinal, "create", &[7; 32]).await {
            Err(WorkError::Stopped) => return Ok(()),
            intended => intended?,
        }
        self.written.lock().unwrap().push(ordinal);
        session.report(succeeded(ordinal)).await
    }
}

#[async_trait]
impl Handler for Writes {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        let open: Vec<i32> = session
            .items()
            .await?
            .iter()
            .filter_map(|item| item.item.as_ref())
            .filter(|item| item.state() == ItemState::Pending)
            .map(|item| item.ordinal)
            .collect();
        for chunk in open.chunks(self.at_once) {
            if session.should_stop() {
                break;
            }
            join_all(chunk.iter().map(|ordinal| self.write(session, *ordinal)))
                .await
                .into_iter()
                .collect::<Result<Vec<()>, _>>()?;
        }
        Ok(Ending::Done)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_worked_on_to_its_end() {
    let world = World::new().await;
    let (writes, _, written) = Writes::new(10, 1000);
    let _service = promotion_service(&world, &[0], writes);
    // More than one page of items.
    let run = world.queued_promotion(620).await;
    let ended = completed(&world, &run).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Succeeded, 1));
    assert_eq!(ended.summary_counts.unwrap().created, Some(620));
    assert_eq!(written.lock().unwrap().len(), 620);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_may_wait_longer_for_a_run_than_a_lease_lasts() {
    let world = World::with(&["--lease-ttl-ms=500"]).await;
    let (writes, _, _) = Writes::new(1, 100);
    let _service = promotion_service(&world, &[0], writes);
    // Time passes: the claim is at the service by then, and waits.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let run = world.queued_promotion(30).await;
    let ended = completed(&world, &run).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Succeeded, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_run_after_the_item_it_is_at() {
    let world = World::with(&["--lease-ttl-ms=600"]).await;
    let (writes, gate, written) = Writes::new(1, 2);
    let _service = promotion_service(&world, &[0], writes);
    let run = world.queued_promotion(5).await;
    world.wait_for(&run.run_id, "two items", |run| run.summary_counts.unwrap().succeeded == Some(2)).await;
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        reason: String::new(),
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    let ended = completed(&world, &run).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Cancelled, 1));
    gate.add_permits(10);
    assert_eq!(*written.lock().unwrap(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_goes_down_gives_its_run_back_at_once() {
    let world = World::new().await;
    let (first, _, first_written) = Writes::new(1, 3);
    let going = promotion_service(&world, &[0], first);
    let run = world.queued_promotion(6).await;
    world.wait_for(&run.run_id, "three items", |run| run.summary_counts.unwrap().succeeded == Some(3)).await;
    let (second, _, second_written) = Writes::new(1, 100);
    // The drain token is what SIGTERM leads to.
    going.drain_token().cancel();
    world.wait_for(&run.run_id, "given back", |run| run.status() == OperationRunStatus::Queued).await;
    let _coming = promotion_service(&world, &[0], second);
    let ended = completed(&world, &run).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Succeeded, 2));
    assert_eq!(*first_written.lock().unwrap(), [1, 2, 3]);
    assert_eq!(*second_written.lock().unwrap(), [4, 5, 6]);
}

/// Hangs until it is dropped, and tells of it.
struct Hangs {
    begun: Arc<Notify>,
    dropped: Arc<Notify>,
}

struct Tells(Arc<Notify>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[async_trait]
impl Handler for Hangs {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, _: &RunSession) -> Result<Ending, WorkError> {
        let _tells = Tells(Arc::clone(&self.dropped));
        self.begun.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_stops_the_work_at_once() {
    let world = World::with(&["--lease-ttl-ms=900"]).await;
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let _service = promotion_service(&world, &[0], Hangs { begun: Arc::clone(&begun), dropped: Arc::clone(&dropped) });
    let run = world.queued_promotion(1).await;
    tokio::time::timeout(SOON, begun.notified()).await.unwrap();
    // Somebody else has it now.
    world
        .execute(
            "UPDATE operation.run SET status = 'queued', fence = fence + 1, lease_owner = NULL, lease_expires_at = NULL,
                 not_before = now() + interval '1 hour' WHERE id = $1",
            &[run.run_id.parse().unwrap()],
        )
        .await;
    tokio::time::timeout(SOON, dropped.notified()).await.unwrap();
    assert_eq!(world.get(&run.run_id).await.status(), OperationRunStatus::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_is_given_up_in_time() {
    let world = World::with(&["--lease-ttl-ms=900"]).await;
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let _service = promotion_service(&world, &[0], Hangs { begun: Arc::clone(&begun), dropped: Arc::clone(&dropped) });
    let run = world.queued_promotion(1).await;
    tokio::time::timeout(SOON, begun.notified()).await.unwrap();
    // The only replica is gone: nobody can say that the lease is lost, and still it must not be trusted.
    world.replica(0).chassis.shutdown();
    tokio::time::timeout(SOON, dropped.notified()).await.unwrap();
    assert!(!run.run_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_outcome_is_lost_when_a_replica_goes_away() {
    let mut world = World::with(&["--lease-ttl-ms=5000"]).await;
    let second = world.add_replica(&["--lease-ttl-ms=5000"]).await;
    let (writes, gate, written) = Writes::new(2, 10);
    let _service = promotion_service(&world, &[0, second], writes);
    let run = world.queued_promotion(60).await;
    world.wait_for(&run.run_id, "some items", |run| run.summary_counts.unwrap().succeeded == Some(10)).await;
    world.replica(0).chassis.shutdown();
    gate.add_permits(100);
    let deadline = tokio::time::Instant::now() + SOON;
    let ended = loop {
        let request = pb::operation::GetOperationRunRequest { run_id: run.run_id.clone() };
        let seen = world.runs_at(second, "ada").get_operation_run(request).await.unwrap().into_inner().run.unwrap();
        if seen.status() == OperationRunStatus::Completed {
            break seen;
        }
        assert!(tokio::time::Instant::now() < deadline, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((ended.outcome(), ended.summary_counts.unwrap().created), (OperationRunOutcome::Succeeded, Some(60)));
    let mut written = written.lock().unwrap().clone();
    written.sort_unstable();
    assert_eq!(written, (1..=60).collect::<Vec<_>>());
}

/// Fails the first times, in every way there is.
struct Clumsy {
    attempts: AtomicU32,
    ended_in_time: Arc<AtomicBool>,
}

#[async_trait]
impl Handler for Clumsy {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        match self.attempts.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("on purpose"),
            // Not done at all.
            1 => Ok(Ending::Done),
            2 => {
                let unknown = ItemOutcome { ordinal: 99, ..succeeded(1) };
                // The good one is taken, whatever comes with it.
                let (good, bad) = tokio::join!(session.report(succeeded(1)), session.report(unknown));
                good?;
                assert!(matches!(bad, Err(WorkError::Failed(_))), "{bad:?}");
                Err(WorkError::Away("the provider".into()))
            }
            _ => {
                session.report_all([succeeded(1), succeeded(2)]).await?;
                self.ended_in_time.store(true, Ordering::SeqCst);
                Ok(Ending::Done)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_fails_is_taken_up_again() {
    let world = World::new().await;
    let ended_in_time = Arc::new(AtomicBool::new(false));
    let clumsy = Clumsy { attempts: AtomicU32::new(0), ended_in_time: Arc::clone(&ended_in_time) };
    let _service = promotion_service(&world, &[0], clumsy);
    let run = world.queued_promotion(2).await;
    let ended = completed(&world, &run).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Succeeded, 4));
    assert!(ended_in_time.load(Ordering::SeqCst));
}

/// Is stopped for longer than its lease lasts, as a process is by its host, and then wants to write.
struct Stopped {
    ensured: Arc<Mutex<Option<Result<(), WorkError>>>>,
    went_on: Arc<AtomicBool>,
    dropped: Arc<Notify>,
}

#[async_trait]
impl Handler for Stopped {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        let _tells = Tells(Arc::clone(&self.dropped));
        session.intend(1, "create", &[7; 32]).await?;
        session.ensure_held()?;
        // Nothing of this task is polled meanwhile, the renewal neither.
        std::thread::sleep(Duration::from_millis(1300));
        *self.ensured.lock().unwrap() = Some(session.ensure_held());
        std::future::pending().await
    }
}

/// The same, but does not ask: it is not even polled again.
struct StoppedAndBlind(Stopped);

#[async_trait]
impl Handler for StoppedAndBlind {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, _: &RunSession) -> Result<Ending, WorkError> {
        let _tells = Tells(Arc::clone(&self.0.dropped));
        std::thread::sleep(Duration::from_millis(1300));
        tokio::task::yield_now().await;
        self.0.went_on.store(true, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_stopped_for_longer_than_its_term_writes_nothing() {
    for blind in [false, true] {
        let world = World::with(&["--lease-ttl-ms=900"]).await;
        let (ensured, went_on, dropped) = (Arc::default(), Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let stopped =
            Stopped { ensured: Arc::clone(&ensured), went_on: Arc::clone(&went_on), dropped: Arc::clone(&dropped) };
        let _service = match blind {
            false => promotion_service(&world, &[0], stopped),
            true => promotion_service(&world, &[0], StoppedAndBlind(stopped)),
        };
        world.queued_promotion(1).await;
        tokio::time::timeout(SOON, dropped.notified()).await.unwrap();
        if !blind {
            assert_eq!(*ensured.lock().unwrap(), Some(Err(WorkError::Lost)));
        }
        assert!(!went_on.load(Ordering::SeqCst));
    }
}

/// Writes an item and is killed before it could say so; taken up again, it finds that nothing can be done any more. Then the
/// obstacle goes away.
struct Obstructed {
    attempts: AtomicU32,
}

#[async_trait]
impl Handler for Obstructed {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        match self.attempts.fetch_add(1, Ordering::SeqCst) {
            0 => {
                session.intend(1, "create", &[7; 32]).await?;
                panic!("on purpose")
            }
            1 => Ok(Ending::Blocked { reason: "PROVIDER_PERMISSION_DENIED".into(), message: "Grant it.".into() }),
            _ => {
                session.report_all([succeeded(1), succeeded(2)]).await?;
                Ok(Ending::Done)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_blocked_while_an_item_may_have_been_written() {
    let world = World::new().await;
    let _service = promotion_service(&world, &[0], Obstructed { attempts: AtomicU32::new(0) });
    let run = world.queued_promotion(2).await;
    let ended = completed(&world, &run).await;
    assert_eq!((ended.outcome(), ended.attempt), (OperationRunOutcome::Succeeded, 3));
}
