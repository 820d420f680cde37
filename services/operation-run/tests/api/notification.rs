//! NotificationService: the end of a run reaches whoever started it, once, and nobody else.

use pb::notification::{
    GetUnreadCountRequest, ListNotificationsRequest, MarkNotificationsReadRequest, Notification,
    WatchNotificationsRequest, WatchNotificationsResponse,
};
use pb::operation::{CancelOperationRunRequest, OperationRun, OperationRunOutcome};
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::harness::{SOON, World, assert_refused};

async fn list(world: &World, subject: &str, unread_only: bool) -> Vec<Notification> {
    let request =
        ListNotificationsRequest { workspace_id: world.workspace.to_string(), unread_only, ..Default::default() };
    world.notifications(subject).list_notifications(request).await.unwrap().into_inner().notifications
}

async fn unread(world: &World, subject: &str) -> i32 {
    let request = GetUnreadCountRequest { workspace_id: world.workspace.to_string() };
    world.notifications(subject).get_unread_count(request).await.unwrap().into_inner().unread_count.unwrap()
}

/// A run that somebody started and ada stopped.
async fn ended(world: &World, subject: &str, tenant: Uuid) -> OperationRun {
    let request = world.sync(tenant, 1);
    let answer = world.runs_through("compare-service", subject).start_operation_run(request).await.unwrap();
    let run = answer.into_inner().run.unwrap();
    cancel(world, &run.run_id).await;
    run
}

async fn cancel(world: &World, run_id: &str) {
    let cancel = CancelOperationRunRequest {
        request_id: crate::harness::request_id(),
        run_id: run_id.into(),
        ..Default::default()
    };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
}

async fn watch(world: &World, token: &str) -> Streaming<WatchNotificationsResponse> {
    let request = WatchNotificationsRequest { workspace_id: world.workspace.to_string(), resume_token: token.into() };
    world.notifications("ada").watch_notifications(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<WatchNotificationsResponse>) -> Result<WatchNotificationsResponse, Status> {
    let message = tokio::time::timeout(SOON, stream.message()).await.expect("a message");
    message.map(|message| message.expect("a message, not the end"))
}

/// The next notification; messages that only bring the count are passed over.
async fn notified(stream: &mut Streaming<WatchNotificationsResponse>) -> (Notification, i32, String) {
    loop {
        let message = next(stream).await.unwrap();
        if let Some(notification) = message.notification {
            return (notification, message.unread_count.unwrap(), message.resume_token);
        }
    }
}

#[tokio::test]
async fn the_end_of_a_run_is_told_to_its_initiator_alone() {
    let world = World::new().await;
    world.add_member("max", "manager", &[(world.source, "manager"), (world.target, "manager")]).await;
    let run = world.queued_promotion(1).await;
    let claimed = world.claim("promotion.execute").await.unwrap();
    assert_eq!(list(&world, "ada", false).await, [], "none while queued or running");
    world.succeed(claimed.lease.as_ref().unwrap(), [1]).await;
    let complete = pb::operation::CompleteOperationRunRequest { lease: claimed.lease, blocked: None };
    world.workers("promotion-service").complete_operation_run(complete).await.unwrap();

    let told = list(&world, "ada", false).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].run_id.as_str(), told[0].outcome()), (run.run_id.as_str(), OperationRunOutcome::Succeeded));
    assert_eq!((told[0].title.as_str(), &told[0].link), ("Cross-tenant promotion has succeeded", &run.link));
    assert!(told[0].create_time.is_some() && told[0].read_time.is_none());
    // max may see the run, and did not start it.
    assert_eq!((list(&world, "max", false).await, unread(&world, "max").await), (vec![], 0));
    let (rows, same_moment): (i64, bool) = sqlx::query_as(
        "SELECT count(*), bool_and(n.xmin = e.xmin) FROM operation.notification n
         JOIN operation.run_event e ON e.run_id = n.run_id AND e.kind = 'completed'",
    )
    .fetch_one(world.superuser.pool())
    .await
    .unwrap();
    assert_eq!((rows, same_moment), (1, true), "written by the transaction that ended the run");
}

#[tokio::test]
async fn runs_of_the_system_notify_nobody() {
    let world = World::new().await;
    let run = Uuid::now_v7();
    for statement in [
        "INSERT INTO operation.run (workspace_id, id, tenant_id, type, dedupe_rule, identity_hash, mutates_tenant, initiator_name)
         VALUES ($1, $2, $3, 'inventory.sync', 'unique', sha256('x'), false, 'System')",
        "UPDATE operation.run SET cancel_requested_at = now(), cancel_requested_by = 'x' WHERE workspace_id = $1 AND id = $2 AND tenant_id = $3",
        "UPDATE operation.run SET status = 'completed', outcome = 'cancelled', completed_at = now()
         WHERE workspace_id = $1 AND id = $2 AND tenant_id = $3",
    ] {
        world.execute(statement, &[world.workspace, run, world.target]).await;
    }
    assert_eq!(world.get(&run.to_string()).await.outcome(), OperationRunOutcome::Cancelled);
    let (rows,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM operation.notification").fetch_one(world.superuser.pool()).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn what_is_read_stays_read() {
    let world = World::new().await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(ended(&world, "ada", world.target).await.run_id);
    }
    assert_eq!(unread(&world, "ada").await, 5);
    let mark = |run_ids: Vec<String>| MarkNotificationsReadRequest {
        workspace_id: world.workspace.to_string(),
        run_ids,
        through_time: None,
    };
    let mut notifications = world.notifications("ada");
    for _ in 0..2 {
        // Again, and together with one that is not there: nothing more happens.
        let request = mark(vec![runs[0].clone(), Uuid::now_v7().to_string()]);
        let left = notifications.mark_notifications_read(request).await.unwrap().into_inner().unread_count;
        assert_eq!(left, Some(4));
    }
    let all = list(&world, "ada", false).await;
    let read = all.iter().find(|notification| notification.run_id == runs[0]).unwrap();
    assert!(read.read_time.is_some());
    let newest_first: Vec<&str> = all.iter().map(|notification| notification.run_id.as_str()).collect();
    assert_eq!(newest_first, runs.iter().rev().map(String::as_str).collect::<Vec<_>>());
    // Everything up to the third.
    let third = all.iter().find(|notification| notification.run_id == runs[2]).unwrap().create_time;
    let request = MarkNotificationsReadRequest { through_time: third, ..mark(vec![]) };
    let left = notifications.mark_notifications_read(request).await.unwrap().into_inner().unread_count;
    assert_eq!(left, Some(2));
    assert_eq!(list(&world, "ada", true).await.len(), 2);
    // Somebody else's are not touched.
    let others = ended(&world, "una", world.target).await.run_id;
    notifications.mark_notifications_read(mark(vec![others])).await.unwrap();
    assert_eq!(unread(&world, "una").await, 1);
    assert_refused(notifications.mark_notifications_read(mark(vec![])).await, Code::InvalidArgument, "FIELD_INVALID");
}

#[tokio::test]
async fn pages_follow_one_another() {
    let world = World::new().await;
    for _ in 0..5 {
        ended(&world, "ada", world.target).await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListNotificationsRequest {
            workspace_id: world.workspace.to_string(),
            page_size: 2,
            page_token: token,
            unread_only: false,
        };
        let page = world.notifications("ada").list_notifications(request).await.unwrap().into_inner();
        seen.extend(page.notifications.into_iter().map(|notification| notification.run_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let all: Vec<String> = list(&world, "ada", false).await.into_iter().map(|n| n.run_id).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn what_may_no_longer_be_seen_is_left_out() {
    let world = World::new().await;
    ended(&world, "ada", world.target).await;
    ended(&world, "ada", world.source).await;
    assert_eq!((list(&world, "ada", false).await.len(), unread(&world, "ada").await), (2, 2));
    world.execute("DELETE FROM access.tenant_role WHERE subject = 'ada' AND tenant_id = $1", &[world.source]).await;
    assert_eq!((list(&world, "ada", false).await.len(), unread(&world, "ada").await), (1, 1));
    let request = GetUnreadCountRequest { workspace_id: world.workspace.to_string() };
    let stranger = world.notifications("eve").get_unread_count(request).await;
    assert_refused(stranger, Code::NotFound, "NOT_FOUND");
}

#[tokio::test]
async fn a_watch_tells_each_end_once_and_goes_on_after_a_break() {
    let world = World::with(&["--watch-bookmark-interval=200ms"]).await;
    ended(&world, "ada", world.target).await;
    let mut stream = watch(&world, "").await;
    let first = next(&mut stream).await.unwrap();
    assert_eq!((first.notification, first.unread_count), (None, Some(1)));
    ended(&world, "una", world.target).await;
    let run = ended(&world, "ada", world.target).await;
    let (told, count, token) = notified(&mut stream).await;
    assert_eq!((told.run_id, count), (run.run_id.clone(), 2));
    drop(stream);
    let missed = ended(&world, "ada", world.source).await;
    let mut stream = watch(&world, &token).await;
    let (told, count, _) = notified(&mut stream).await;
    assert_eq!((told.run_id, count), (missed.run_id, 3));
    // What is marked elsewhere shows by itself.
    let mark = MarkNotificationsReadRequest {
        workspace_id: world.workspace.to_string(),
        run_ids: vec![run.run_id],
        through_time: None,
    };
    world.notifications("ada").mark_notifications_read(mark).await.unwrap();
    while next(&mut stream).await.unwrap().unread_count != Some(2) {}
    // It ends when the member is none any more.
    world
        .execute("DELETE FROM access.tenant_role WHERE subject = 'ada' AND workspace_id = $1", &[world.workspace])
        .await;
    world.execute("DELETE FROM access.member WHERE subject = 'ada' AND workspace_id = $1", &[world.workspace]).await;
    let end = loop {
        if let Err(end) = next(&mut stream).await {
            break end;
        }
    };
    assert_refused(Err::<(), _>(end), Code::NotFound, "NOT_FOUND");
}
