//! Open watches end when their actor loses access, their token ends, or the replica goes down.

use std::time::Duration;

use pb::operation::RunFilter;
use pb::operation::WatchOperationRunsRequest;
use server::failure::reason_of;
use tonic::{Code, Status};
use uuid::Uuid;

use super::reader::{Came, Reader, everything, from, of_run};
use crate::harness::{World, assert_refused};

#[track_caller]
fn assert_ended(end: Option<Status>, code: Code, reason: &str) {
    let status = end.expect("an error");
    assert_eq!((status.code(), reason_of(&status).as_deref()), (code, Some(reason)), "{status:?}");
}

#[tokio::test]
async fn the_hidden_and_the_absent_are_the_same_bytes() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    let absent = Uuid::now_v7().to_string();
    for subject in ["eve", "una"] {
        let hidden = Reader::open(world.runs(subject), of_run(&run.run_id)).await.map(|_| ()).unwrap_err();
        let absent = Reader::open(world.runs(subject), of_run(&absent)).await.map(|_| ()).unwrap_err();
        assert_eq!(hidden.code(), Code::NotFound);
        assert_eq!((hidden.message(), hidden.details()), (absent.message(), absent.details()));
    }
    assert_refused(
        Reader::open(world.runs("rob"), of_run(&run.run_id)).await.map(|_| ()),
        Code::PermissionDenied,
        "CAPABILITY_MISSING",
    );
    assert_refused(Reader::open(world.runs("eve"), everything(&world)).await.map(|_| ()), Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn access_is_read_for_the_absent_as_for_the_hidden() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    // Whether it is read shows when it cannot be: both are refused by the same database error, none is told before.
    world.execute("REVOKE SELECT ON access_api.actor_access FROM tenantatlas_operation", &[]).await;
    for run_id in [run.run_id, Uuid::now_v7().to_string()] {
        let elsewhere = WatchOperationRunsRequest { workspace_id: Uuid::now_v7().to_string(), ..of_run(&run_id) };
        for request in [of_run(&run_id), elsewhere] {
            assert_refused(Reader::open(world.runs("eve"), request).await.map(|_| ()), Code::Internal, "INTERNAL");
        }
        let get = pb::operation::GetOperationRunRequest { run_id };
        assert_refused(world.runs("eve").get_operation_run(get).await, Code::Internal, "INTERNAL");
    }
}

#[tokio::test]
async fn a_member_who_leaves_is_shown_no_more() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    let mut of_workspace = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    let mut of_one = Reader::open(world.runs("ada"), of_run(&run.run_id)).await.unwrap();
    let named = RunFilter { tenant_ids: vec![world.source.to_string()], ..Default::default() };
    let named = WatchOperationRunsRequest { filter: Some(named), ..everything(&world) };
    let mut of_tenant = Reader::open(world.runs("ada"), named).await.unwrap();
    for watch in [&mut of_workspace, &mut of_one, &mut of_tenant] {
        watch.snapshots().await;
    }
    // Less than a manager of the target: the run is known, but not shown.
    world
        .execute(
            "UPDATE access.tenant_role SET role = 'readonly' WHERE subject = 'ada' AND tenant_id = $1",
            &[world.target],
        )
        .await;
    assert_ended(of_one.end().await, Code::PermissionDenied, "CAPABILITY_MISSING");
    world.execute("DELETE FROM access.tenant_role WHERE subject = 'ada' AND tenant_id = $1", &[world.source]).await;
    assert_ended(of_tenant.end().await, Code::NotFound, "NOT_FOUND");
    world.execute("DELETE FROM access.member WHERE subject = 'ada' AND workspace_id = $1", &[world.workspace]).await;
    assert_ended(of_workspace.end().await, Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn what_became_hidden_is_left_out_of_a_stream_that_goes_on() {
    let world = World::new().await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    watch.snapshots().await;
    world.execute("DELETE FROM access.tenant_role WHERE subject = 'ada' AND tenant_id = $1", &[world.source]).await;
    world.add_member("kim", "owner", &[(world.source, "owner"), (world.target, "owner")]).await;
    // Longer than access is looked at again.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.runs_through("promotion-service", "kim").start_operation_run(world.promotion(1)).await.unwrap();
    let shown = world.runs_through("compare-service", "kim").start_operation_run(world.sync(world.target, 1)).await;
    let shown = shown.unwrap().into_inner().run.unwrap();
    assert_eq!(watch.event().await.run.unwrap().run_id, shown.run_id);
}

#[tokio::test]
async fn a_watch_does_not_outlive_its_token() {
    let world = World::new().await;
    let token = world.user_token_for("ada", Duration::from_secs(2));
    let mut watch = Reader::open(world.runs_with_token(0, &token), everything(&world)).await.unwrap();
    watch.snapshots().await;
    assert_ended(watch.end().await, Code::Unauthenticated, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_drain_leaves_a_good_token_behind() {
    let mut world = World::new().await;
    let second = world.add_replica(&[]).await;
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    watch.snapshots().await;
    world.queued_promotion(1).await;
    watch.event().await;
    world.replica(0).chassis.shutdown();
    assert!(matches!(watch.next().await, Ok(Came::Bookmark { initial_end: false })));
    assert_ended(watch.next().await.unwrap_err(), Code::Unavailable, "DRAINING");
    let request = from(everything(&world), &watch.token);
    let mut resumed = Reader::open(world.runs_at(second, "ada"), request).await.unwrap();
    assert!(resumed.event_within(Duration::from_millis(300)).await.is_none(), "repeated");
    let cancel =
        pb::operation::ListOperationRunsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    let runs = world.runs_at(second, "ada").list_operation_runs(cancel).await.unwrap().into_inner().runs;
    let cancel = pb::operation::CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: runs[0].run_id.clone(),
        reason: String::new(),
    };
    world.runs_at(second, "ada").cancel_operation_run(cancel).await.unwrap();
    assert_eq!(resumed.event().await.kind, "cancel_requested");
    assert_eq!(resumed.event().await.kind, "completed");
}
