//! The selected tenant: a convenience that is checked whenever it is read, and never decides anything.

use domain::tenant::Lifecycle;
use pb::tenant::{
    ClearSelectedTenantRequest, GetSelectedTenantRequest, GetSelectedTenantResponse, GetTenantRequest,
    ListTenantActionsRequest, ListTenantsRequest, SelectTenantRequest, StaleSelection, Tenant,
};
use pb::workspace::{RemoveWorkspaceMemberRequest, Role};
use sqlx::AssertSqlSafe;
use tonic::{Code, Status};

use crate::lifecycles::{new_tenant_in, one_of_each};
use crate::world::{Caller, World, bytes, fresh, refusal};

async fn select(caller: &Caller<'_>, workspace_id: &str, tenant_id: &str) -> Result<Tenant, Status> {
    let request = SelectTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.to_owned(),
        tenant_id: tenant_id.to_owned(),
    };
    Ok(caller.tenants().select_tenant(request).await?.into_inner().tenant.unwrap())
}

async fn read(caller: &Caller<'_>, workspace_id: &str) -> GetSelectedTenantResponse {
    let request = GetSelectedTenantRequest { workspace_id: workspace_id.to_owned() };
    caller.tenants().get_selected_tenant(request).await.unwrap().into_inner()
}

/// The id of what is selected; nothing may have been cleared.
async fn selected(caller: &Caller<'_>, workspace_id: &str) -> Option<String> {
    let GetSelectedTenantResponse { tenant, cleared } = read(caller, workspace_id).await;
    assert_eq!(cleared, None);
    tenant.map(|tenant| tenant.tenant_id)
}

/// Why the selection was cleared; the reading after it says nothing of it any more.
async fn cleared(caller: &Caller<'_>, workspace_id: &str) -> StaleSelection {
    let first = read(caller, workspace_id).await;
    assert_eq!(first.tenant, None);
    assert_eq!(read(caller, workspace_id).await, GetSelectedTenantResponse::default(), "it is told once");
    first.cleared.expect("it says why")
}

async fn sql(world: &World, statement: &str) {
    let mut tx = world.superuser().await.system().await.unwrap();
    let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn only_active_lane_eligible_tenants_can_be_selected() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    for (state, tenant_id) in one_of_each(&world, &workspace_id, "ada").await {
        let answer = select(&ada, &workspace_id, &tenant_id).await;
        if state == Lifecycle::Active {
            assert_eq!(answer.unwrap().tenant_id, tenant_id);
            continue;
        }
        let refused = answer.unwrap_err();
        assert!(refused.message().starts_with("Only active tenants can be selected. "), "{refused:?}");
        assert_eq!(refusal::<()>(Err(refused)), (Code::FailedPrecondition, "NOT_SELECTOR_ELIGIBLE".into()), "{state}");
    }
    // What was refused changed nothing.
    let current = read(&ada, &workspace_id).await.tenant.unwrap();
    assert_eq!(current.name, "The active one");
    // A hidden one is absent.
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    let hidden = bytes(select(&world.user("bob"), &workspace_id, &current.tenant_id).await);
    assert_eq!(hidden, bytes(select(&world.user("bob"), &workspace_id, &fresh()).await));
    assert_eq!(hidden.0, Code::NotFound);
}

#[tokio::test]
async fn stale_remembered_context_is_cleared_when_the_tenant_becomes_ineligible() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Contoso").await;
    select(&ada, &workspace_id, &tenant_id).await.unwrap();
    sql(
        &world,
        &format!("UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now() WHERE id = '{tenant_id}'"),
    )
    .await;
    let stale = cleared(&ada, &workspace_id).await;
    assert_eq!(stale.reason, "STALE_REMEMBERED_CONTEXT");
    assert!(stale.guidance.ends_with("Select another one.") && stale.selected_time.is_some(), "{stale:?}");
    // It does not come back by itself.
    sql(&world, &format!("UPDATE tenant.tenant SET lifecycle = 'active', archived_at = NULL WHERE id = '{tenant_id}'"))
        .await;
    assert_eq!(selected(&ada, &workspace_id).await, None);
}

#[tokio::test]
async fn stale_remembered_context_is_cleared_when_the_tenant_is_missing_or_out_of_the_workspace() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Contoso").await;
    let elsewhere = ada.new_workspace().await;
    let foreign = ada.new_tenant(&elsewhere, "Fabrikam").await;
    let mut told = Vec::new();
    for gone in [fresh(), foreign] {
        select(&ada, &workspace_id, &tenant_id).await.unwrap();
        sql(&world, &format!("UPDATE access.selected_tenant SET tenant_id = '{gone}'")).await;
        let StaleSelection { reason, guidance, .. } = cleared(&ada, &workspace_id).await;
        told.push((reason, guidance));
    }
    assert_eq!(told[0].0, "NOT_ENTITLED");
    assert_eq!(told[0], told[1], "nothing tells what there is in another workspace");
}

#[tokio::test]
async fn stale_remembered_context_is_cleared_when_entitlement_is_lost() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Contoso").await;
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Readonly).await;
    let bob = world.user("bob");
    select(&bob, &workspace_id, &tenant_id).await.unwrap();
    sql(&world, "DELETE FROM access.tenant_role WHERE subject = 'bob'").await;
    let stale = cleared(&bob, &workspace_id).await;
    assert_eq!(stale.reason, "NOT_ENTITLED");
    assert!(!stale.guidance.contains("Contoso"), "{stale:?}");
    // Nobody else's is touched.
    select(&ada, &workspace_id, &tenant_id).await.unwrap();
    assert_eq!(selected(&ada, &workspace_id).await, Some(tenant_id));
}

#[tokio::test]
async fn what_is_selected_is_remembered_per_user_and_workspace() {
    let world = World::start().await;
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    let (one, other) = (ada.new_workspace().await, ada.new_workspace().await);
    let (north, south) = (ada.new_tenant(&one, "North").await, ada.new_tenant(&one, "South").await);
    let west = ada.new_tenant(&other, "West").await;
    ada.let_in(&one, "bob", Role::Readonly).await;
    ada.entitle(&one, &south, "bob", Role::Readonly).await;
    assert_eq!(selected(&ada, &one).await, None);
    select(&ada, &one, &north).await.unwrap();
    select(&ada, &other, &west).await.unwrap();
    select(&bob, &one, &south).await.unwrap();
    assert_eq!(selected(&ada, &one).await, Some(north.clone()));
    assert_eq!(selected(&ada, &other).await, Some(west.clone()));
    assert_eq!(selected(&bob, &one).await, Some(south.clone()));
    // The last one counts.
    select(&ada, &one, &south).await.unwrap();
    assert_eq!(selected(&ada, &one).await, Some(south.clone()));
    let clear = ClearSelectedTenantRequest { request_id: fresh(), workspace_id: one.clone() };
    for _ in 0..2 {
        ada.tenants().clear_selected_tenant(clear.clone()).await.unwrap();
        assert_eq!(selected(&ada, &one).await, None);
    }
    assert_eq!((selected(&ada, &other).await, selected(&bob, &one).await), (Some(west), Some(south.clone())));
    // Whoever leaves the workspace leaves the memory behind.
    let leave = RemoveWorkspaceMemberRequest { request_id: fresh(), workspace_id: one.clone(), subject: "bob".into() };
    ada.workspaces().remove_workspace_member(leave).await.unwrap();
    ada.let_in(&one, "bob", Role::Readonly).await;
    ada.entitle(&one, &south, "bob", Role::Readonly).await;
    assert_eq!(selected(&bob, &one).await, None);
}

#[tokio::test]
async fn a_late_repetition_undoes_nothing() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let (north, south) = (ada.new_tenant(&workspace_id, "North").await, ada.new_tenant(&workspace_id, "South").await);
    let first =
        SelectTenantRequest { request_id: fresh(), workspace_id: workspace_id.clone(), tenant_id: north.clone() };
    let clear = ClearSelectedTenantRequest { request_id: fresh(), workspace_id: workspace_id.clone() };
    let mut client = ada.tenants();
    let answer = client.select_tenant(first.clone()).await.unwrap().into_inner();
    client.clear_selected_tenant(clear.clone()).await.unwrap();
    select(&ada, &workspace_id, &south).await.unwrap();
    assert_eq!(client.select_tenant(first.clone()).await.unwrap().into_inner(), answer);
    client.clear_selected_tenant(clear).await.unwrap();
    assert_eq!(selected(&ada, &workspace_id).await, Some(south.clone()));
    let reused = SelectTenantRequest { tenant_id: south, ..first.clone() };
    assert_eq!(refusal(client.select_tenant(reused).await), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));
    // Many at once are one.
    let again = SelectTenantRequest { request_id: fresh(), ..first };
    let calls = (0..8).map(|_| {
        let (mut client, again) = (ada.tenants(), again.clone());
        async move { client.select_tenant(again).await.unwrap().into_inner() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(selected(&ada, &workspace_id).await, Some(north));
}

/// With any selection, and with one that was forged below the service, everything answers as without.
#[tokio::test]
async fn what_is_selected_decides_no_access() {
    let world = World::start().await;
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    let workspace_id = ada.new_workspace().await;
    let mine = ada.new_tenant(&workspace_id, "Mine").await;
    let hidden = ada.new_tenant(&workspace_id, "Hidden").await;
    let archived = new_tenant_in(&world, &workspace_id, "ada", "Archived", Lifecycle::Archived).await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    for tenant_id in [&mine, &archived] {
        ada.entitle(&workspace_id, tenant_id, "bob", Role::Operator).await;
    }
    let without = all_answers(&bob, &workspace_id, [&mine, &hidden, &archived]).await;
    assert!(
        without.iter().any(|answer| answer.contains("NotFound"))
            && without.iter().any(|answer| answer.contains("Mine"))
    );
    for tenant_id in [&mine, &hidden, &archived] {
        select(&bob, &workspace_id, &mine).await.unwrap();
        sql(&world, &format!("UPDATE access.selected_tenant SET tenant_id = '{tenant_id}' WHERE subject = 'bob'"))
            .await;
        assert_eq!(all_answers(&bob, &workspace_id, [&mine, &hidden, &archived]).await, without);
    }
}

/// What somebody is told about tenants, as text.
async fn all_answers(caller: &Caller<'_>, workspace_id: &str, tenants: [&String; 3]) -> Vec<String> {
    let mut client = caller.tenants();
    let list = ListTenantsRequest { workspace_id: workspace_id.to_owned(), ..Default::default() };
    let mut answers = vec![format!("{:?}", client.list_tenants(list).await.map(|answer| answer.into_inner()))];
    for tenant_id in tenants {
        let (workspace_id, tenant_id) = (workspace_id.to_owned(), tenant_id.clone());
        let get = GetTenantRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
        let answer = client.get_tenant(get).await.map(|answer| answer.into_inner());
        answers.push(format!("{:?}", answer.map_err(|status| status.code())));
        let actions = ListTenantActionsRequest { workspace_id, tenant_id };
        let answer = client.list_tenant_actions(actions).await.map(|answer| answer.into_inner());
        answers.push(format!("{:?}", answer.map_err(|status| status.code())));
    }
    answers
}
