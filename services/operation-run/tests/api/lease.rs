//! Leases and fences: whoever lost the run is refused, whatever it says and however late.

use std::time::Duration;

use pb::operation::{
    CompleteOperationRunRequest, ItemIntent, Lease, ListClaimedItemsRequest, OperationRunStatus,
    RecordItemIntentsRequest, ReleaseOperationRunRequest, RenewLeaseRequest, ReportItemOutcomesRequest,
};
use tonic::Code;

use crate::harness::{PROMOTION, World, assert_refused, succeeded};

/// Every call a holder can make, with this lease: all are refused.
async fn assert_zombie(world: &World, lease: &Lease) {
    let mut worker = world.workers("promotion-service");
    let lease = || Some(lease.clone());
    let items = ListClaimedItemsRequest { lease: lease(), ..Default::default() };
    assert_refused(worker.list_claimed_items(items).await, Code::Aborted, "LEASE_LOST");
    assert_refused(worker.renew_lease(RenewLeaseRequest { lease: lease() }).await, Code::Aborted, "LEASE_LOST");
    let intent = ItemIntent { ordinal: 1, desired_hash: vec![1; 32], action: "create".into(), ..Default::default() };
    let intents = RecordItemIntentsRequest { lease: lease(), intents: vec![intent] };
    assert_refused(worker.record_item_intents(intents).await, Code::Aborted, "LEASE_LOST");
    let report = ReportItemOutcomesRequest { lease: lease(), outcomes: vec![succeeded(1)] };
    assert_refused(worker.report_item_outcomes(report).await, Code::Aborted, "LEASE_LOST");
    let complete = CompleteOperationRunRequest { lease: lease(), blocked: None };
    assert_refused(worker.complete_operation_run(complete).await, Code::Aborted, "LEASE_LOST");
    let release = ReleaseOperationRunRequest { lease: lease(), ..Default::default() };
    assert_refused(worker.release_operation_run(release).await, Code::Aborted, "LEASE_LOST");
}

#[tokio::test]
async fn a_zombie_is_refused_everything() {
    let world = World::with(&["--lease-ttl-ms=300"]).await;
    let (run, old) = world.claimed_promotion(2).await;
    // It falls silent; another one takes over.
    let claimed = world.claim(PROMOTION).await.unwrap();
    let new = claimed.lease.unwrap();
    assert_eq!(claimed.run.unwrap().run_id, run.run_id);
    assert!(new.fence > old.fence, "{} is not above {}", new.fence, old.fence);
    assert_zombie(&world, &old).await;
    world.succeed(&new, [1, 2]).await;
    let complete = CompleteOperationRunRequest { lease: Some(new), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    assert_zombie(&world, &old).await;
}

#[tokio::test]
async fn a_renewed_lease_outlives_its_term() {
    let world = World::with(&["--lease-ttl-ms=400"]).await;
    let (run, lease) = world.claimed_promotion(1).await;
    let mut worker = world.workers("promotion-service");
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let renewed = worker.renew_lease(RenewLeaseRequest { lease: Some(lease.clone()) }).await.unwrap().into_inner();
        assert_eq!(renewed.lease_ttl.unwrap(), Duration::from_millis(400).try_into().unwrap());
    }
    let seen = world.get(&run.run_id).await;
    assert_eq!((seen.status(), seen.attempt), (OperationRunStatus::Running, 1));
    // A sign of life is no change that anybody watches for.
    assert_eq!(seen.revision, 2);
}

#[tokio::test]
async fn a_released_run_is_claimed_again_when_it_is_due() {
    let world = World::new().await;
    let (run, lease) = world.claimed_promotion(1).await;
    let release = ReleaseOperationRunRequest {
        lease: Some(lease.clone()),
        delay: Duration::from_millis(700).try_into().ok(),
        reason: "PROVIDER_THROTTLED".into(),
    };
    world.workers("promotion-service").release_operation_run(release).await.unwrap();
    assert_zombie(&world, &lease).await;
    let began = std::time::Instant::now();
    let claimed = world.claim(PROMOTION).await.unwrap();
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(claimed.run.unwrap().run_id, run.run_id);
}
