//! ImportOperationRuns: the history of an older system, checked to the last field, brought in once, and never changed.

use futures::future::join_all;
use pb::audit::ListAuditEventsRequest;
use pb::notification::ListNotificationsRequest;
use pb::operation::{
    CancelOperationRunRequest, FailureSummary, GetAttentionCountsRequest, HistoricalRun, ImportOperationRunsRequest,
    ImportOperationRunsResponse, ListOperationRunItemsRequest, ListOperationRunsRequest, OperationRun,
    OperationRunOutcome, OperationRunStatus, RunFilter, RunFreshness, SummaryCounts,
};
use prost_types::Timestamp;
use server::failure::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::harness::{PROMOTION, SYNC, World, assert_refused, request_id};
use crate::watch::reader::{Reader, everything, of_run};

/// The second of January 2024, so many seconds after midnight.
const fn at(second: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_704_153_600 + second, nanos: 0 })
}

/// A sync of the source that partially succeeded.
pub fn old_run(world: &World, external_id: &str) -> HistoricalRun {
    HistoricalRun {
        external_id: external_id.into(),
        r#type: SYNC.into(),
        tenant_id: world.source.to_string(),
        outcome: OperationRunOutcome::PartiallySucceeded.into(),
        summary_counts: Some(SummaryCounts {
            total: Some(3),
            processed: Some(3),
            succeeded: Some(2),
            failed: Some(1),
            updated: Some(2),
            ..Default::default()
        }),
        failure_summary: vec![FailureSummary {
            code: "PROVIDER_THROTTLED".into(),
            message: "Asked to wait".into(),
            count: Some(1),
        }],
        initiator_subject: "ada".into(),
        initiator_name: "Ada of old".into(),
        create_time: at(0),
        start_time: at(5),
        complete_time: at(60),
        ..Default::default()
    }
}

pub fn request(world: &World, runs: Vec<HistoricalRun>) -> ImportOperationRunsRequest {
    ImportOperationRunsRequest { request_id: request_id(), workspace_id: world.workspace.to_string(), runs }
}

pub async fn import(
    world: &World,
    subject: &str,
    request: ImportOperationRunsRequest,
) -> Result<ImportOperationRunsResponse, Status> {
    world.runs(subject).import_operation_runs(request).await.map(tonic::Response::into_inner)
}

async fn list(world: &World, imported: Option<bool>) -> Vec<OperationRun> {
    let filter = Some(RunFilter { imported, ..Default::default() });
    let request = ListOperationRunsRequest { workspace_id: world.workspace.to_string(), filter, ..Default::default() };
    world.runs("ada").list_operation_runs(request).await.unwrap().into_inner().runs
}

#[tokio::test]
async fn a_history_is_read_like_any_other_run_and_told_as_what_it_is() {
    let world = World::new().await;
    let own = world.queued_promotion(1).await;
    let answer = import(&world, "ada", request(&world, vec![old_run(&world, "17"), old_run(&world, "18")])).await;
    let results = answer.unwrap().results;
    assert!(results.iter().all(|result| !result.already_imported));
    let runs: Vec<OperationRun> = results.into_iter().map(|result| result.run.unwrap()).collect();
    assert_eq!(runs.iter().map(|run| run.external_id.as_str()).collect::<Vec<_>>(), ["17", "18"]);
    let first = world.get(&runs[0].run_id).await;
    assert_eq!(first, runs[0]);
    assert!(first.imported && first.queue_deadline.is_none());
    assert_eq!(
        (first.status(), first.outcome()),
        (OperationRunStatus::Completed, OperationRunOutcome::PartiallySucceeded)
    );
    assert_eq!(first.freshness(), RunFreshness::TerminalNormal);
    assert_eq!((first.create_time, first.start_time, first.complete_time), (at(0), at(5), at(60)));
    assert_eq!((first.initiator_name.as_str(), first.failure_summary.len()), ("Ada of old", 1));
    assert_eq!(first.summary_counts.unwrap().updated, Some(2));
    let items = ListOperationRunItemsRequest { run_id: first.run_id.clone(), ..Default::default() };
    assert!(world.runs("ada").list_operation_run_items(items).await.unwrap().into_inner().items.is_empty());

    // In lists where it belongs by its time, and told apart.
    let ids = async |imported| list(&world, imported).await.into_iter().map(|run| run.run_id).collect::<Vec<_>>();
    assert_eq!(ids(None).await.first(), Some(&own.run_id));
    assert_eq!((ids(None).await.len(), ids(Some(false)).await), (3, vec![own.run_id.clone()]));
    assert_eq!(ids(Some(true)).await.len(), 2);
    // It wants nobody's attention, and nobody is told that it has ended.
    let counts = GetAttentionCountsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    let counts = world.runs("ada").get_attention_counts(counts).await.unwrap().into_inner().counts.unwrap();
    assert_eq!((counts.active, counts.partially_succeeded), (Some(1), Some(0)));
    let mine = ListNotificationsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    assert!(world.notifications("ada").list_notifications(mine).await.unwrap().into_inner().notifications.is_empty());
    // Told as the deed of whoever brought it in.
    let events = ListAuditEventsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    let events = world.audit(Some("ada"), None).list_audit_events(events).await.unwrap().into_inner().events;
    let told: Vec<_> = events.iter().filter(|event| event.action == "operation_run.imported").collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|event| event.actor_subject == "ada" && event.actor_name == "Dr. ada"), "{told:?}");
}

#[tokio::test]
async fn it_is_brought_in_once() {
    let world = World::new().await;
    let first = request(&world, vec![old_run(&world, "17")]);
    let answers = join_all((0..10).map(|_| import(&world, "ada", first.clone()))).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().results).collect();
    assert!(answers.iter().all(|results| results[0] == answers[0][0] && !results[0].already_imported));
    // Another request brings the rest, and says what was there.
    let both = request(&world, vec![old_run(&world, "18"), old_run(&world, "17")]);
    let results = import(&world, "ada", both.clone()).await.unwrap().results;
    assert_eq!(results.iter().map(|result| result.already_imported).collect::<Vec<_>>(), [false, true]);
    assert_eq!(results[1].run, answers[0][0].run);
    assert_eq!(import(&world, "ada", both.clone()).await.unwrap().results, results, "the first answer");
    // Many at once, each with an id of its own: one of them brings it in.
    let crowd = join_all((0..10).map(|_| import(&world, "ada", request(&world, vec![old_run(&world, "19")])))).await;
    let new = crowd.iter().filter(|answer| !answer.as_ref().unwrap().results[0].already_imported).count();
    assert_eq!((new, list(&world, Some(true)).await.len()), (1, 3));

    let reused = ImportOperationRunsRequest { request_id: both.request_id, ..first };
    assert_refused(import(&world, "ada", reused).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    // Another run under an id that is taken: nothing of the request is done.
    let other = HistoricalRun { complete_time: at(61), ..old_run(&world, "17") };
    let mixed = request(&world, vec![old_run(&world, "20"), other]);
    assert_refused(import(&world, "ada", mixed).await, Code::AlreadyExists, "EXTERNAL_ID_REUSED");
    assert_eq!(list(&world, Some(true)).await.len(), 3);
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_and_nothing_is_taken() {
    let world = World::new().await;
    let good = || old_run(&world, &Uuid::now_v7().to_string());
    let counts = SummaryCounts { processed: Some(2), ..good().summary_counts.unwrap() };
    let negative = SummaryCounts { failed: Some(-1), ..good().summary_counts.unwrap() };
    let twice = good();
    let entries = vec![
        good(),
        HistoricalRun { r#type: "policy.sync".into(), ..good() },
        HistoricalRun { summary_counts: Some(counts), ..good() },
        HistoricalRun { complete_time: Some(Timestamp { seconds: 4_000_000_000, nanos: 0 }), ..good() },
        HistoricalRun { start_time: at(-1), ..good() },
        HistoricalRun { complete_time: at(4), ..good() },
        HistoricalRun { outcome: OperationRunOutcome::Pending.into(), ..good() },
        HistoricalRun { outcome: OperationRunOutcome::Unspecified.into(), ..good() },
        HistoricalRun { external_id: String::new(), ..good() },
        HistoricalRun { external_id: "x".repeat(201), ..good() },
        HistoricalRun { r#type: PROMOTION.into(), ..good() },
        HistoricalRun { summary_counts: Some(negative), ..good() },
        twice.clone(),
        twice,
    ];
    let refused = import(&world, "ada", request(&world, entries)).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_deref()), (Code::InvalidArgument, Some("FIELD_INVALID")));
    let told = refused.get_details_bad_request().unwrap();
    let fields: Vec<&str> = told.field_violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "runs[1].type",
            "runs[2].summary_counts",
            "runs[3].complete_time",
            "runs[4].start_time",
            "runs[5].complete_time",
            "runs[6].outcome",
            "runs[7].outcome",
            "runs[8].external_id",
            "runs[9].external_id",
            "runs[10].tenant_id",
            "runs[11].summary_counts.failed",
            "runs[13].external_id",
        ]
    );
    // However much is wrong, the answer stays small enough to arrive.
    let all_wrong = vec![HistoricalRun::default(); 500];
    let refused = import(&world, "ada", request(&world, all_wrong)).await.unwrap_err();
    assert_eq!(refused.get_details_bad_request().unwrap().field_violations.len(), 20);
    for number in [0, 501] {
        let runs = (0..number).map(|_| good()).collect();
        assert_refused(import(&world, "ada", request(&world, runs)).await, Code::InvalidArgument, "FIELD_INVALID");
    }
    assert!(list(&world, None).await.is_empty());
    let most = (0..500).map(|_| good()).collect();
    assert_eq!(import(&world, "ada", request(&world, most)).await.unwrap().results.len(), 500);
}

#[tokio::test]
async fn only_those_who_answer_for_the_workspace_bring_one_in() {
    let world = World::new().await;
    world.add_member("max", "manager", &[(world.source, "owner"), (world.target, "owner")]).await;
    let of_source = || request(&world, vec![old_run(&world, "17")]);
    assert_refused(import(&world, "eve", of_source()).await, Code::NotFound, "NOT_FOUND");
    assert_refused(import(&world, "una", of_source()).await, Code::NotFound, "NOT_FOUND");
    assert_refused(import(&world, "max", of_source()).await, Code::PermissionDenied, "CAPABILITY_MISSING");
    assert!(list(&world, None).await.is_empty());
    let of_target = HistoricalRun { tenant_id: world.target.to_string(), ..old_run(&world, "17") };
    import(&world, "una", request(&world, vec![of_target])).await.unwrap();
}

#[tokio::test]
async fn what_was_brought_in_never_changes() {
    let world = World::new().await;
    let mut answer = import(&world, "ada", request(&world, vec![old_run(&world, "17")])).await.unwrap();
    let run = answer.results.remove(0).run.unwrap();
    let cancel =
        CancelOperationRunRequest { request_id: request_id(), run_id: run.run_id.clone(), ..Default::default() };
    assert_refused(world.runs("ada").cancel_operation_run(cancel).await, Code::FailedPrecondition, "RUN_NOT_ACTIVE");
    // Whoever tries, also past the service.
    let refused = async |sql: &'static str| {
        let id: Uuid = run.run_id.parse().unwrap();
        let error = sqlx::query(sql).bind(id).execute(world.superuser.pool()).await.expect_err(sql);
        pg::failure(&error).constraint().unwrap_or_default().to_owned()
    };
    for change in [
        "UPDATE operation.run SET status = 'running' WHERE id = $1",
        "UPDATE operation.run SET succeeded = 3 WHERE id = $1",
        "UPDATE operation.run SET imported = false WHERE id = $1",
        "UPDATE operation.run SET external_id = '18' WHERE id = $1",
    ] {
        assert_eq!(refused(change).await, "run_terminal_absorbs", "{change}");
    }
    let item = "INSERT INTO operation.run_item (workspace_id, run_id, ordinal, key, label)
                SELECT workspace_id, id, 0, 'k', 'L' FROM operation.run WHERE id = $1";
    assert_eq!(refused(item).await, "run_imported_without_items");
    assert_eq!(world.get(&run.run_id).await, run);
}

#[tokio::test]
async fn watchers_are_not_told_of_what_did_not_happen_here() {
    let world = World::new().await;
    let now = || Some(Timestamp { seconds: time::OffsetDateTime::now_utc().unix_timestamp() - 60, nanos: 0 });
    let recent = |external_id: &str| HistoricalRun { complete_time: now(), ..old_run(&world, external_id) };
    let mut answer = import(&world, "ada", request(&world, vec![recent("17")])).await.unwrap();
    let mut watch = Reader::open(world.runs("ada"), everything(&world)).await.unwrap();
    assert!(watch.snapshots().await.is_empty(), "also those that ended just now");
    import(&world, "ada", request(&world, vec![recent("18")])).await.unwrap();
    let own = world.queued_promotion(1).await;
    assert_eq!(watch.event().await.run.unwrap().run_id, own.run_id, "what comes first is a run of this system");

    // Whoever asks for exactly this one is shown it, and that this is all.
    let run = answer.results.remove(0).run.unwrap();
    let mut of_one = Reader::open(world.runs("ada"), of_run(&run.run_id)).await.unwrap();
    assert_eq!(of_one.snapshots().await, [run]);
    assert!(of_one.end().await.is_none());
    let mut filtered = everything(&world);
    filtered.filter = Some(RunFilter { imported: Some(true), ..Default::default() });
    assert_refused(Reader::open(world.runs("ada"), filtered).await.map(|_| ()), Code::InvalidArgument, "FIELD_INVALID");
}
