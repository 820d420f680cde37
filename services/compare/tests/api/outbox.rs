//! What changes tell the audit trail: each exactly once, whatever happens to the trail meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use compare_service::store;
use serde_json::json;

use crate::world::World;

/// Waits until nothing is owed to the trail any more.
async fn settled(world: &World) {
    let db = world.superuser().await;
    let wait = async {
        loop {
            let owed: i64 =
                sqlx::query_scalar("SELECT count(*) FROM access.audit_outbox").fetch_one(db.pool()).await.unwrap();
            if owed == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("everything is delivered in time");
}

#[tokio::test]
async fn a_change_is_told_at_once_by_the_service_itself() {
    let world = World::start().await;
    let workspace_id = world.user("ada").new_workspace().await;
    let told = world.runs.delivered_of("workspace.created", 1).await.remove(0);
    assert_eq!((told.workspace_id, told.tenant_id), (workspace_id, String::new()));
    assert_eq!((told.actor_subject.as_str(), told.actor_name.as_str()), ("ada", "ada by name"));
    assert_eq!(server::structure::from_struct(&told.detail.unwrap()), json!({"name": "Contoso operations"}));
    settled(&world).await;
    assert_eq!(world.runs.delivered().len(), 1);
}

#[tokio::test]
async fn a_change_succeeds_while_the_trail_is_away_and_is_told_once_it_is_back() {
    let world = World::start().await;
    let replica = world.replica().await;
    world.runs.set_down(true);
    let mut made = BTreeSet::new();
    for _ in 0..20 {
        made.insert(world.user("ada").new_workspace().await);
    }
    assert_eq!(world.runs.delivered(), []);
    let before = store::clock(world.superuser().await.pool()).await.unwrap().unix_timestamp();
    world.runs.set_down(false);
    settled(&world).await;
    let told = world.runs.delivered();
    let workspaces: BTreeSet<_> = told.iter().map(|event| event.workspace_id.clone()).collect();
    // Two replicas deliver, and tell nothing twice.
    assert_eq!((told.len(), workspaces), (20, made));
    // It happened when it was done, not when it was told.
    assert!(told.iter().all(|event| event.event_time.unwrap().seconds <= before), "{told:?}");
    drop(replica);
}

#[tokio::test]
async fn a_lost_answer_repeats_the_same_entry() {
    let world = World::start().await;
    let replica = world.replica().await;
    world.runs.set_loses_answers(true);
    world.user("ada").new_workspace().await;
    let told = world.runs.delivered_of("workspace.created", 2).await;
    world.runs.set_loses_answers(false);
    settled(&world).await;
    assert!(told.iter().all(|event| *event == told[0]), "{told:?}");
    drop(replica);
}

#[tokio::test]
async fn what_a_dead_replica_left_behind_is_told_by_another() {
    let world = World::start().await;
    world.runs.set_down(true);
    world.user("ada").new_workspace().await;
    // Claimed, and never heard of again: due when its lease is over.
    let mut tx = world.db().await.system().await.unwrap();
    sqlx::query("UPDATE access.audit_outbox SET due_at = '-infinity'").execute(&mut *tx).await.unwrap();
    let claimed = store::audit_outbox::claim(&mut tx, 10, Duration::from_secs(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claimed.len(), 1);
    world.runs.set_down(false);
    settled(&world).await;
    assert_eq!(world.runs.delivered().len(), 1);
}

#[tokio::test]
async fn what_is_claimed_is_claimed_by_one() {
    // No service runs on this database: nobody else claims.
    let database = pg::local::database().await.unwrap();
    let db = database.connect("tenantatlas_compare").await.unwrap();
    let workspace = domain::id::WorkspaceId(uuid::Uuid::now_v7());
    let mut tx = db.system().await.unwrap();
    let entries: Vec<_> = (0..10).map(|_| (uuid::Uuid::now_v7(), json!({}))).collect();
    store::audit_outbox::insert(&mut tx, workspace, &entries).await.unwrap();
    tx.commit().await.unwrap();
    let (mut first, mut second) = (db.system().await.unwrap(), db.system().await.unwrap());
    let lease = Duration::from_secs(30);
    let one = store::audit_outbox::claim(&mut first, 5, lease).await.unwrap();
    // The first is not committed yet: its entries are passed over, not waited for.
    let other = store::audit_outbox::claim(&mut second, 10, lease).await.unwrap();
    let ids: BTreeSet<_> = one.iter().chain(&other).map(|owed| owed.entry_id).collect();
    assert_eq!((one.len(), other.len(), ids.len()), (5, 5, 10));
}

#[tokio::test]
async fn nothing_is_told_of_a_change_that_was_rolled_back() {
    let world = World::start().await;
    let ada = world.user("ada");
    let request = pb::workspace::CreateWorkspaceRequest { request_id: crate::world::fresh(), name: "Once".into() };
    // Of requests that race with the same id one makes the workspace and the others roll back.
    let calls = (0..8).map(|_| {
        let (mut client, request) = (ada.workspaces(), request.clone());
        async move { client.create_workspace(request).await.unwrap() }
    });
    futures::future::join_all(calls).await;
    settled(&world).await;
    assert_eq!(world.runs.delivered().len(), 1);
}

/// The trail refuses an entry for what it is: it is put aside and told of, the others go on, and an operator has it tried again.
#[tokio::test]
async fn what_is_refused_for_good_is_parked_and_nothing_is_lost() {
    let world = World::start().await;
    world.runs.set_refuses(Some("workspace.created"));
    let workspace_id = world.user("ada").new_workspace().await;
    let owner = world.superuser().await;
    let standing = async || {
        let mut tx = owner.system().await.unwrap();
        store::audit_outbox::standing(&mut tx).await.unwrap()
    };
    let parked = async {
        while standing().await.parked == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), parked).await.expect("it is not tried for ever");
    assert_eq!((standing().await.owed, standing().await.oldest_waits), (0, Duration::ZERO));
    let why: String =
        sqlx::query_scalar("SELECT parked_reason FROM access.audit_outbox").fetch_one(owner.pool()).await.unwrap();
    assert_eq!(why, "FIELD_INVALID");

    // The cause is mended; what is parked stays so until somebody says that it is.
    world.runs.set_refuses(None);
    let second = world.user("ada").new_workspace().await;
    let told = world.runs.delivered_of("workspace.created", 1).await;
    assert_eq!(told[0].workspace_id, second);
    let again: i64 = sqlx::query_scalar("SELECT access.redrive_audit_outbox()").fetch_one(owner.pool()).await.unwrap();
    assert_eq!(again, 1);
    let told = world.runs.delivered_of("workspace.created", 2).await;
    assert_eq!(told[1].workspace_id, workspace_id);
    settled(&world).await;
}
