//! Guards that two transactions try to get past at the same moment.

use compare_service::store;
use pb::workspace::{RemoveWorkspaceMemberRequest, Role, SetWorkspaceMemberRequest};
use tonic::{Code, Status};

use crate::fill::{Tenant, driver};
use crate::world::{Caller, World, fresh, refusal};

/// Two owners who go at one another at the same moment: one of them remains.
async fn one_owner_remains<A, B>(world: &World, against_bob: impl Fn(String) -> A, against_ada: impl Fn(String) -> B)
where
    A: Future<Output = Result<(), Status>>,
    B: Future<Output = Result<(), Status>>,
{
    let ada = world.user("ada");
    for round in 0..10 {
        let workspace_id = ada.new_workspace().await;
        ada.let_in(&workspace_id, "bob", Role::Owner).await;
        let (first, second) = tokio::join!(against_bob(workspace_id.clone()), against_ada(workspace_id.clone()));
        assert!(first.is_ok() != second.is_ok(), "round {round}: {first:?} {second:?}");
        // Whoever is too late is no longer an owner, or no longer a member.
        let refused = first.and(second).unwrap_err();
        assert!([Code::PermissionDenied, Code::NotFound].contains(&refused.code()), "{refused:?}");
        let owners: i64 =
            sqlx::query_scalar("SELECT count(*) FROM access.member WHERE workspace_id::text = $1 AND role = 'owner'")
                .bind(&workspace_id)
                .fetch_one(world.superuser().await.pool())
                .await
                .unwrap();
        assert_eq!(owners, 1);
    }
}

async fn demote(caller: &Caller<'_>, workspace_id: String, subject: &str) -> Result<(), Status> {
    let request = SetWorkspaceMemberRequest {
        request_id: fresh(),
        workspace_id,
        subject: subject.into(),
        role: Role::Manager.into(),
        display_name: String::new(),
    };
    caller.workspaces().set_workspace_member(request).await.map(drop)
}

async fn remove(caller: &Caller<'_>, workspace_id: String, subject: &str) -> Result<(), Status> {
    let request = RemoveWorkspaceMemberRequest { request_id: fresh(), workspace_id, subject: subject.into() };
    caller.workspaces().remove_workspace_member(request).await.map(drop)
}

#[tokio::test]
async fn two_owners_cannot_take_one_another_away() {
    let world = World::start().await;
    let (ada, bob) = (&world.user("ada"), &world.user("bob"));
    one_owner_remains(&world, |id| demote(ada, id, "bob"), |id| demote(bob, id, "ada")).await;
    one_owner_remains(&world, |id| remove(ada, id, "bob"), |id| remove(bob, id, "ada")).await;
    one_owner_remains(&world, |id| demote(ada, id, "bob"), |id| remove(bob, id, "ada")).await;
}

#[tokio::test]
async fn two_owners_cannot_both_resign() {
    let world = World::start().await;
    let (ada, bob) = (&world.user("ada"), &world.user("bob"));
    for _ in 0..10 {
        let workspace_id = ada.new_workspace().await;
        ada.let_in(&workspace_id, "bob", Role::Owner).await;
        let (first, second) =
            tokio::join!(demote(ada, workspace_id.clone(), "ada"), remove(bob, workspace_id.clone(), "bob"));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert_eq!(refusal(first.and(second)), (Code::FailedPrecondition, "LAST_OWNER".into()));
    }
}

#[tokio::test]
async fn pre_images_captured_at_once_get_numbers_of_their_own() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let object = driver("d1", "Ring", 1);
    Tenant::new(&world, &workspace_id, &tenant_id)
        .has("windowsDriverUpdateProfile", std::slice::from_ref(&object))
        .await;
    let calls = (0..8u32).map(|n| {
        let request = pb::inventory::CapturePreImageRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            policy_type: "windowsDriverUpdateProfile".into(),
            external_id: "d1".into(),
            content_json: driver("d1", "Ring", 2 + n).to_string().into_bytes(),
            run_id: fresh(),
        };
        let mut client = world.service("promotion-service").inventory();
        async move { client.capture_pre_image(request).await.unwrap().into_inner().version.unwrap().number }
    });
    let mut numbers = futures::future::join_all(calls).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (2..10).collect::<Vec<i32>>());
}

#[tokio::test]
async fn of_overlapping_readings_the_newest_asking_has_the_last_word() {
    const KIND: &str = "windowsDriverUpdateProfile";
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let tenant = Tenant::new(&world, &workspace_id, &tenant_id);
    let (workspace, id) = (workspace_id.parse().unwrap(), tenant_id.parse().unwrap());
    let mut db = world.superuser().await.pool().acquire().await.unwrap();
    // A slow reading began; then another one saw the object, and wrote first.
    let slow = store::clock(&mut *db).await.unwrap();
    tenant.has(KIND, &[driver("d1", "Ring", 1)]).await;
    let normal_hash = "SELECT normal_hash FROM inventory.item WHERE external_id = 'd1'";
    let newer: Vec<u8> = sqlx::query_scalar(normal_hash).fetch_one(&mut *db).await.unwrap();
    // What the slow one did not see is there all the same.
    let missing = store::item_write::mark_missing(&mut db, workspace, id, KIND, slow, true).await.unwrap();
    assert_eq!(missing, 0);
    // And what it saw is older, whichever run it was for.
    tenant.seen_at(KIND, &[driver("d1", "Ring", 2)], slow).await;
    let kept: Vec<u8> = sqlx::query_scalar(normal_hash).fetch_one(&mut *db).await.unwrap();
    assert_eq!(kept, newer);
    // A reading that began afterwards did not see it: it is gone, and the slow one does not bring it back.
    let later = store::clock(&mut *db).await.unwrap();
    assert_eq!(store::item_write::mark_missing(&mut db, workspace, id, KIND, later, true).await.unwrap(), 1);
    tenant.seen_at(KIND, &[driver("d1", "Ring", 2)], slow).await;
    let gone = "SELECT missing_confirmed FROM inventory.item WHERE external_id = 'd1'";
    assert!(sqlx::query_scalar::<_, bool>(gone).fetch_one(&mut *db).await.unwrap());
    // Seen again by somebody who asked later, it is back.
    tenant.has(KIND, &[driver("d1", "Ring", 2)]).await;
    assert!(!sqlx::query_scalar::<_, bool>(gone).fetch_one(&mut *db).await.unwrap());
}
