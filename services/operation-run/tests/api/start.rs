//! StartOperationRun and LookupOperationRun: one run per identity, one mutation per tenant, one answer per request.

use std::collections::HashSet;

use futures::future::join_all;
use pb::operation::{
    CancelOperationRunRequest, CompleteOperationRunRequest, LookupOperationRunRequest, OperationRunStatus,
    RunFreshness, StartOperationRunRequest, StartOperationRunResponse, StartOutcome,
};
use server::failure::reason_of;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{PROMOTION, World, assert_refused, new_items};

#[tokio::test]
async fn a_new_run_is_queued_with_its_link_and_its_items() {
    let world = World::new().await;
    let started = world.start(world.promotion(3)).await;
    assert_eq!(started.outcome(), StartOutcome::Queued);
    let run = started.run.unwrap();
    assert_eq!(run.link, format!("/admin/operations/{}", run.run_id));
    assert_eq!((run.status(), run.freshness()), (OperationRunStatus::Queued, RunFreshness::FreshActive));
    assert_eq!(
        (run.tenant_id.clone(), run.related_tenant_ids.clone()),
        (world.target.to_string(), vec![world.source.to_string()])
    );
    assert_eq!((run.initiator_subject.as_str(), run.initiator_name.as_str()), ("ada", "Dr. ada"));
    assert_eq!(run.summary_counts.unwrap().total, Some(3));
    assert_eq!((run.revision, run.attempt, run.progress_percent), (1, 0, Some(0)));
    assert_eq!(world.get(&run.run_id).await.run_id, run.run_id);
}

/// Starts it as ada, and says so again while there is no connection to the database to be had: as any client does.
async fn until_answered(world: &World, request: StartOperationRunRequest) -> StartOperationRunResponse {
    loop {
        match world.runs_through("promotion-service", "ada").start_operation_run(request.clone()).await {
            Ok(answer) => return answer.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
    }
}

#[tokio::test]
async fn a_hundred_starts_of_the_same_identity_make_one_run() {
    let world = World::new().await;
    let answers = join_all((0..100).map(|_| until_answered(&world, world.promotion(2)))).await;
    let ids: HashSet<String> = answers.iter().map(|answer| answer.run.clone().unwrap().run_id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let queued = answers.iter().filter(|answer| answer.outcome() == StartOutcome::Queued).count();
    assert_eq!(queued, 1);
    assert!(answers.iter().all(|a| matches!(a.outcome(), StartOutcome::Queued | StartOutcome::Deduped)));
}

#[tokio::test]
async fn a_hundred_times_the_same_request_get_equal_answers() {
    let world = World::new().await;
    let request = world.promotion(2);
    let answers = join_all((0..100).map(|_| until_answered(&world, request.clone()))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(answers[0].outcome(), StartOutcome::Queued);
    let (rows,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM operation.run").fetch_one(world.superuser.pool()).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn another_mutation_of_the_same_tenant_has_to_wait() {
    let world = World::new().await;
    let first = world.queued_promotion(1).await;
    let mut other = world.promotion(1);
    other.identity = b"another selection".to_vec();
    let busy = world.start(other.clone()).await;
    assert_eq!((busy.outcome(), busy.reason.as_str()), (StartOutcome::ScopeBusy, "TENANT_BUSY"));
    assert_eq!(busy.run.unwrap().run_id, first.run_id);
    // A sync does not change the tenant.
    assert_eq!(world.start(world.sync(world.target, 1)).await.outcome(), StartOutcome::Queued);
    // The run in the way is shown to those who may see it: vic may promote into the target, but not from the source.
    let third = Uuid::now_v7();
    world.add_tenant(world.workspace, third, "Third").await;
    world.add_member("vic", "manager", &[(third, "manager"), (world.target, "manager")]).await;
    other.related_tenant_ids = vec![third.to_string()];
    other.request_id = Uuid::now_v7().to_string();
    let hidden = world.runs_through("promotion-service", "vic").start_operation_run(other).await.unwrap().into_inner();
    assert_eq!((hidden.outcome(), hidden.run), (StartOutcome::ScopeBusy, None));
}

/// Two workspaces may know the same Microsoft tenant: it is changed from one of them at a time, and neither hears of the other.
#[tokio::test]
async fn a_tenant_of_the_provider_is_changed_from_one_workspace_at_a_time() {
    let world = World::new().await;
    let (elsewhere, theirs, their_source) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    world.execute("INSERT INTO access.workspace (id, name) VALUES ($1, 'Another MSP')", &[elsewhere]).await;
    world.add_tenant(elsewhere, theirs, "The same").await;
    world.add_tenant(elsewhere, their_source, "Another").await;
    world.add_member_of(elsewhere, "ada", "owner", &[(theirs, "owner"), (their_source, "owner")]).await;
    world
        .execute(
            "UPDATE tenant.tenant t SET external_tenant_id = upper(o.external_tenant_id)
             FROM tenant.tenant o WHERE t.id = $1 AND o.id = $2",
            &[theirs, world.target],
        )
        .await;
    let (first, lease) = world.claimed_promotion(1).await;
    let mut request = world.promotion(1);
    request.workspace_id = elsewhere.to_string();
    request.tenant_id = theirs.to_string();
    request.related_tenant_ids = vec![their_source.to_string()];
    let busy = world.start(request.clone()).await;
    assert_eq!((busy.outcome(), busy.reason.as_str()), (StartOutcome::ScopeBusy, "TENANT_BUSY"));
    assert_eq!(busy.run, None);
    // Reading changes nothing, so it does not wait.
    let sync = StartOperationRunRequest { workspace_id: elsewhere.to_string(), ..world.sync(theirs, 1) };
    assert_eq!(world.start(sync).await.outcome(), StartOutcome::Queued);
    world.succeed(&lease, [1]).await;
    let complete = CompleteOperationRunRequest { lease: Some(lease), blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();
    assert_eq!(world.get(&first.run_id).await.status(), OperationRunStatus::Completed);
    assert_eq!(world.start(request).await.outcome(), StartOutcome::Queued);
}

#[tokio::test]
async fn a_repeated_request_gets_its_first_answer_whatever_has_happened_since() {
    let world = World::new().await;
    let (first, joined) = (world.promotion(1), world.promotion(1));
    let run = world.start(first.clone()).await.run.unwrap();
    assert_eq!(world.start(joined.clone()).await.outcome(), StartOutcome::Deduped);
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run.run_id.clone(),
        reason: String::new(),
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();

    let again = world.start(first.clone()).await;
    assert_eq!((again.outcome(), again.run.unwrap().run_id), (StartOutcome::Queued, run.run_id.clone()));
    let again = world.start(joined.clone()).await;
    assert_eq!((again.outcome(), again.run.unwrap().run_id), (StartOutcome::Deduped, run.run_id.clone()));
    // A new request starts a new run.
    assert_ne!(world.queued_promotion(1).await.run_id, run.run_id);

    let mut other = first.clone();
    other.items = new_items(2);
    let answer = world.runs_through("promotion-service", "ada").start_operation_run(other).await;
    assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn an_answer_can_be_looked_up() {
    let world = World::new().await;
    let mut request = world.promotion(1);
    request.request_digest = vec![7; 32];
    let lookup = |digest: Vec<u8>, id: &str| LookupOperationRunRequest {
        workspace_id: world.workspace.to_string(),
        request_id: id.to_owned(),
        request_digest: digest,
    };
    let mut runs = world.runs_through("promotion-service", "ada");
    let none = runs.lookup_operation_run(lookup(vec![7; 32], &request.request_id)).await.unwrap().into_inner();
    assert_eq!((none.outcome(), none.run), (StartOutcome::Unspecified, None));
    let run = world.start(request.clone()).await.run.unwrap();
    let found = runs.lookup_operation_run(lookup(vec![7; 32], &request.request_id)).await.unwrap().into_inner();
    assert_eq!((found.outcome(), found.run.unwrap().run_id), (StartOutcome::Queued, run.run_id.clone()));
    // Another request joined the run: that is what it is told whenever it asks.
    let joined = world.promotion(1);
    assert_eq!(world.start(joined.clone()).await.outcome(), StartOutcome::Deduped);
    let found = runs.lookup_operation_run(lookup(Vec::new(), &joined.request_id)).await.unwrap().into_inner();
    assert_eq!((found.outcome(), found.run.unwrap().run_id), (StartOutcome::Deduped, run.run_id));
    let other = runs.lookup_operation_run(lookup(vec![8; 32], &request.request_id)).await;
    assert_refused(other, Code::AlreadyExists, "REQUEST_ID_REUSED");
    let own = world.runs("ada").lookup_operation_run(lookup(vec![7; 32], &request.request_id)).await;
    assert_refused(own, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
}

#[tokio::test]
async fn who_may_start() {
    let world = World::new().await;
    let alone = world.runs("ada").start_operation_run(world.promotion(1)).await;
    assert_refused(alone, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
    let wrong_service = world.runs_through("compare-service", "ada").start_operation_run(world.promotion(1)).await;
    assert_refused(wrong_service, Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED");
    let readonly = world.runs_through("promotion-service", "rob").start_operation_run(world.promotion(1)).await;
    let status = readonly.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::PermissionDenied, Some("CAPABILITY_MISSING")));
    // una is not entitled to the source; eve is nobody here. Both get the same.
    for nobody in ["una", "eve"] {
        let hidden = world.runs_through("promotion-service", nobody).start_operation_run(world.promotion(1)).await;
        assert_refused(hidden, Code::NotFound, "NOT_FOUND");
    }
}

#[tokio::test]
async fn malformed_starts_are_refused_by_field() {
    let world = World::new().await;
    let mut runs = world.runs_through("promotion-service", "ada");
    let good = world.promotion(1);
    let mut bad = vec![good.clone(); 8];
    bad[0].request_id = "7".into();
    bad[1].workspace_id = String::new();
    bad[2].r#type = "coffee.brew".into();
    bad[3].related_tenant_ids = vec![];
    bad[4].related_tenant_ids = vec![world.target.to_string()];
    bad[5].identity = vec![0; 65];
    bad[6].items = [new_items(1), new_items(1)].concat();
    bad[7].items = new_items(5001);
    for request in bad {
        assert_refused(runs.start_operation_run(request).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    assert_eq!(runs.start_operation_run(good).await.unwrap().into_inner().outcome(), StartOutcome::Queued);
    assert_eq!(PROMOTION, "promotion.execute");
}
