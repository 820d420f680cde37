//! Getting and listing: what is hidden looks like what does not exist, lists leave it out, pages are stable.

use std::collections::HashSet;

use pb::operation::{
    GetOperationRunRequest, ListOperationRunItemsRequest, ListOperationRunsRequest, OperationRunStatus, RunFilter,
};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::harness::{SYNC, World, assert_refused};

async fn get(world: &World, subject: &str, run_id: &str) -> Status {
    let request = GetOperationRunRequest { run_id: run_id.into() };
    world.runs(subject).get_operation_run(request).await.unwrap_err()
}

#[tokio::test]
async fn the_hidden_and_the_absent_are_the_same_bytes() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await;
    let absent = Uuid::now_v7().to_string();
    // eve is no member, una is entitled to the target only.
    for subject in ["eve", "una"] {
        let (hidden, absent) = (get(&world, subject, &run.run_id).await, get(&world, subject, &absent).await);
        assert_eq!(hidden.code(), Code::NotFound);
        assert_eq!((hidden.message(), hidden.details()), (absent.message(), absent.details()));
    }
    let refused = get(&world, "rob", &run.run_id).await;
    assert_refused(Err::<(), _>(refused), Code::PermissionDenied, "CAPABILITY_MISSING");
    let items = ListOperationRunItemsRequest { run_id: run.run_id, ..Default::default() };
    assert_refused(world.runs("una").list_operation_run_items(items).await, Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn a_list_shows_what_its_reader_may_see() {
    let world = World::new().await;
    world.queued_promotion(1).await;
    world.start(world.sync(world.target, 1)).await;
    world.start(world.sync(world.source, 1)).await;
    let seen_by = async |subject: &str| {
        let request = ListOperationRunsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
        let runs = world.runs(subject).list_operation_runs(request).await.unwrap().into_inner().runs;
        runs.into_iter().map(|run| (run.r#type, run.tenant_id)).collect::<Vec<_>>()
    };
    assert_eq!(seen_by("ada").await.len(), 3);
    // una: no promotion from a tenant she does not know. rob: may start neither, so he sees neither.
    assert_eq!(seen_by("una").await, [(SYNC.to_owned(), world.target.to_string())]);
    assert_eq!(seen_by("rob").await, []);
    let request = ListOperationRunsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    assert_refused(world.runs("eve").list_operation_runs(request.clone()).await, Code::NotFound, "NOT_FOUND");
    let filter = RunFilter { tenant_ids: vec![world.source.to_string()], ..Default::default() };
    let named = ListOperationRunsRequest { filter: Some(filter), ..request };
    assert_refused(world.runs("una").list_operation_runs(named).await, Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn filters_restrict() {
    let world = World::new().await;
    let (promotion, _) = world.claimed_promotion(1).await;
    world.start(world.sync(world.target, 1)).await;
    let list = async |filter: RunFilter| {
        let request = ListOperationRunsRequest {
            workspace_id: world.workspace.to_string(),
            filter: Some(filter),
            ..Default::default()
        };
        let runs = world.runs("ada").list_operation_runs(request).await.unwrap().into_inner().runs;
        runs.into_iter().map(|run| run.run_id).collect::<Vec<_>>()
    };
    let only = |runs: Vec<String>| assert_eq!(runs, std::slice::from_ref(&promotion.run_id));
    only(list(RunFilter { types: vec!["promotion.execute".into()], ..Default::default() }).await);
    only(list(RunFilter { statuses: vec![OperationRunStatus::Running.into()], ..Default::default() }).await);
    only(list(RunFilter { tenant_ids: vec![world.source.to_string()], ..Default::default() }).await);
    assert_eq!(list(RunFilter { initiator_subject: "ada".into(), ..Default::default() }).await.len(), 2);
    assert_eq!(list(RunFilter { initiator_subject: "bob".into(), ..Default::default() }).await.len(), 0);
    let bad = ListOperationRunsRequest {
        workspace_id: world.workspace.to_string(),
        filter: Some(RunFilter { types: vec!["coffee.brew".into()], ..Default::default() }),
        ..Default::default()
    };
    assert_refused(world.runs("ada").list_operation_runs(bad).await, Code::InvalidArgument, "FIELD_INVALID");
}

#[tokio::test]
async fn pages_follow_one_another_while_runs_are_added() {
    let world = World::new().await;
    let mut there = HashSet::new();
    for _ in 0..25 {
        there.insert(world.start(world.sync(world.target, 1)).await.run.unwrap().run_id);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListOperationRunsRequest {
            workspace_id: world.workspace.to_string(),
            page_size: 7,
            page_token: token,
            ..Default::default()
        };
        let page = world.runs("ada").list_operation_runs(request).await.unwrap().into_inner();
        seen.extend(page.runs.into_iter().map(|run| run.run_id));
        world.start(world.sync(world.target, 1)).await;
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(seen.iter().cloned().collect::<HashSet<_>>(), there);
    let request =
        ListOperationRunsRequest { workspace_id: world.workspace.to_string(), page_size: -1, ..Default::default() };
    assert_refused(world.runs("ada").list_operation_runs(request).await, Code::InvalidArgument, "FIELD_INVALID");
}

#[tokio::test]
async fn items_are_paged_in_the_order_of_work() {
    let world = World::new().await;
    let run = world.queued_promotion(25).await;
    let (mut ordinals, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListOperationRunItemsRequest {
            run_id: run.run_id.clone(),
            page_size: 10,
            page_token: token,
            ..Default::default()
        };
        let page = world.runs("ada").list_operation_run_items(request).await.unwrap().into_inner();
        ordinals.extend(page.items.iter().map(|item| item.ordinal));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ordinals, (1..=25).collect::<Vec<_>>());
}
