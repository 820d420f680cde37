//! Specification 144 by its test numbers: a run's page is good by run, workspace and entitlement, whatever is selected.

use pb::notification::ListNotificationsRequest;
use pb::operation::{
    CancelOperationRunRequest, ContextBanner, FollowUpAction, GetOperationRunRequest, ListOperationRunsRequest,
    ViewerContext,
};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, assert_refused, request_id};

async fn view(world: &World, subject: &str, run_id: &str) -> ViewerContext {
    let request = GetOperationRunRequest { run_id: run_id.into() };
    let shown = world.runs(subject).get_operation_run(request).await.unwrap().into_inner();
    assert_eq!(shown.run.unwrap().run_id, run_id);
    shown.viewer_context.unwrap()
}

async fn select(world: &World, tenant: Uuid) {
    world
        .execute(
            "INSERT INTO access.selected_tenant (workspace_id, subject, tenant_id) VALUES ($1, 'ada', $2)
             ON CONFLICT (workspace_id, subject) DO UPDATE SET tenant_id = excluded.tenant_id",
            &[world.workspace, tenant],
        )
        .await;
}

/// Puts the target where it may not get by itself: the lifecycle's own guards are not what is shown here.
async fn put_target(world: &World, lifecycle: &'static str) {
    let sql = format!(
        "BEGIN; SET LOCAL session_replication_role = replica;
         UPDATE tenant.tenant SET lifecycle = '{lifecycle}', archived_at = CASE WHEN '{lifecycle}' = 'archived' THEN now() END
         WHERE id = '{}'; COMMIT",
        world.target
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(world.superuser.pool()).await.unwrap();
}

/// A sync of the target that ada started and stopped.
async fn ended(world: &World) -> String {
    let run_id = world.start(world.sync(world.target, 1)).await.run.unwrap().run_id;
    let cancel = CancelOperationRunRequest { request_id: request_id(), run_id: run_id.clone(), ..Default::default() };
    world.runs("ada").cancel_operation_run(cancel).await.unwrap();
    run_id
}

#[tokio::test]
async fn t_144_001_a_run_stays_viewable_when_another_tenant_is_selected() {
    let world = World::new().await;
    let run = ended(&world).await;
    select(&world, world.source).await;
    let context = view(&world, "ada", &run).await;
    assert_eq!(context.banner(), ContextBanner::TenantMismatch);
    assert!(context.message.contains("Target") && context.message.contains("Source"), "{context:?}");
    assert_eq!((context.run_tenant_name.as_str(), context.selected_tenant_name.as_str()), ("Target", "Source"));
    // Looking selects nothing.
    assert_eq!(view(&world, "ada", &run).await, context);
    select(&world, world.target).await;
    let context = view(&world, "ada", &run).await;
    assert_eq!((context.banner(), context.message.as_str()), (ContextBanner::None, ""));
    let all: Vec<FollowUpAction> = context.follow_up_actions().collect();
    assert_eq!(all, [FollowUpAction::OpenTenant, FollowUpAction::StartAgain]);
}

#[tokio::test]
async fn t_144_002_a_tenantless_run_is_the_workspaces_and_asks_for_no_tenant() {
    let world = World::new().await;
    let run = Uuid::now_v7();
    world
        .execute(
            "INSERT INTO operation.run (workspace_id, id, type, status, outcome, completed_at, dedupe_rule, identity_hash,
                 mutates_tenant, initiator_name)
             VALUES ($1, $2, 'inventory.sync', 'completed', 'blocked', now(), 'unique', sha256('x'), false, 'System')",
            &[world.workspace, run],
        )
        .await;
    let context = view(&world, "ada", &run.to_string()).await;
    assert_eq!(context.banner(), ContextBanner::TenantlessRun);
    assert_eq!((context.run_tenant_name.as_str(), context.follow_up_actions.len()), ("", 0));
}

#[tokio::test]
async fn t_144_003_a_run_of_an_onboarding_archived_or_excluded_tenant_stays_viewable() {
    let world = World::new().await;
    let run = ended(&world).await;
    for (lifecycle, banner) in [
        ("onboarding", ContextBanner::RunTenantOnboarding),
        ("archived", ContextBanner::RunTenantArchived),
        ("draft", ContextBanner::RunTenantNotSelectable),
    ] {
        put_target(&world, lifecycle).await;
        // What was selected before is no longer good, and counts as nothing.
        select(&world, world.target).await;
        let context = view(&world, "ada", &run).await;
        assert_eq!((context.banner(), context.selected_tenant_id.as_str()), (banner, ""), "{lifecycle}");
        assert!(context.message.contains("Target"), "{context:?}");
    }
}

#[tokio::test]
async fn t_144_004_without_an_entitlement_there_is_no_such_run() {
    let world = World::new().await;
    let run = world.queued_promotion(1).await.run_id;
    // una has selected the run's tenant; that entitles to nothing.
    world
        .execute(
            "INSERT INTO access.selected_tenant (workspace_id, subject, tenant_id) VALUES ($1, 'una', $2)",
            &[world.workspace, world.target],
        )
        .await;
    let request = GetOperationRunRequest { run_id: run };
    let hidden = world.runs("una").get_operation_run(request.clone()).await;
    assert_refused(hidden, Code::NotFound, "NOT_FOUND");
    let refused = world.runs("rob").get_operation_run(request).await;
    assert_refused(refused, Code::PermissionDenied, "CAPABILITY_MISSING");
}

#[tokio::test]
async fn t_144_005_a_tenants_link_opens_the_run_whatever_is_selected() {
    let world = World::new().await;
    let run = ended(&world).await;
    let filter = pb::operation::RunFilter { tenant_ids: vec![world.target.to_string()], ..Default::default() };
    let request = ListOperationRunsRequest {
        workspace_id: world.workspace.to_string(),
        filter: Some(filter),
        ..Default::default()
    };
    let listed = world.runs("ada").list_operation_runs(request).await.unwrap().into_inner().runs.remove(0);
    assert_eq!(listed.link, format!("/admin/operations/{run}"));
    select(&world, world.source).await;
    let id = listed.link.rsplit('/').next().unwrap();
    assert_eq!(view(&world, "ada", id).await.banner(), ContextBanner::TenantMismatch);
}

#[tokio::test]
async fn t_144_006_a_notifications_and_monitorings_link_opens_the_run_with_nothing_selected() {
    let world = World::new().await;
    let run = ended(&world).await;
    let workspace_id = world.workspace.to_string();
    let request = ListNotificationsRequest { workspace_id: workspace_id.clone(), ..Default::default() };
    let told = world.notifications("ada").list_notifications(request).await.unwrap().into_inner().notifications;
    let request = ListOperationRunsRequest { workspace_id, ..Default::default() };
    let listed = world.runs("ada").list_operation_runs(request).await.unwrap().into_inner().runs;
    assert_eq!((told[0].link.as_str(), &told[0].link), (listed[0].link.as_str(), &world.get(&run).await.link));
    let id = told[0].link.rsplit('/').next().unwrap();
    assert_eq!(view(&world, "ada", id).await.banner(), ContextBanner::NoTenantSelected);
}

#[tokio::test]
async fn t_144_007_follow_up_actions_shrink_and_the_run_stays_viewable() {
    let world = World::new().await;
    let run = ended(&world).await;
    let offered = async || view(&world, "ada", &run).await.follow_up_actions().collect::<Vec<_>>();
    use FollowUpAction::{Cancel, OpenTenant, SelectTenant, StartAgain};
    assert_eq!(offered().await, [OpenTenant, SelectTenant, StartAgain]);
    for lifecycle in ["onboarding", "archived", "draft"] {
        put_target(&world, lifecycle).await;
        assert_eq!(offered().await, [OpenTenant], "{lifecycle}");
    }
    put_target(&world, "active").await;
    let active = world.start(world.sync(world.target, 1)).await.run.unwrap().run_id;
    put_target(&world, "archived").await;
    let context = view(&world, "ada", &active).await;
    // Stopping what runs is possible wherever the tenant is.
    assert_eq!(context.follow_up_actions().collect::<Vec<_>>(), [OpenTenant, Cancel]);
}
