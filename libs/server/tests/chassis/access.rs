//! Access facts, read from the real schema by the role that has least.

use domain::access::{Capability, Need, Role};
use domain::id::{TenantId, WorkspaceId};
use server::{AccessReader, Category};
use sqlx::PgPool;
use uuid::Uuid;

const ROLE: &str = "tenantatlas_promotion";

/// A workspace in which Ada manages one of two tenants, and Bob is a member without any.
struct World {
    workspace: WorkspaceId,
    hers: TenantId,
    other: TenantId,
}

async fn build(pool: &PgPool) -> World {
    let [workspace, hers, other] = std::array::from_fn(|_| Uuid::now_v7());
    let run = async |sql: &'static str, ids: &[Uuid]| {
        let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
        query.execute(pool).await.unwrap();
    };
    run("INSERT INTO access.workspace (id, name) VALUES ($1, 'W')", &[workspace]).await;
    run(
        "INSERT INTO access.member (workspace_id, subject, role) VALUES ($1, 'ada', 'manager'), ($1, 'bob', 'owner')",
        &[workspace],
    )
    .await;
    for (n, tenant) in [(1, hers), (2, other)] {
        sqlx::query("INSERT INTO tenant.tenant (workspace_id, id, name, external_tenant_id) VALUES ($1, $2, $3, $3)")
            .bind(workspace)
            .bind(tenant)
            .bind(format!("tenant {n}"))
            .execute(pool)
            .await
            .unwrap();
    }
    let entitle =
        "INSERT INTO access.tenant_role (workspace_id, tenant_id, subject, role) VALUES ($1, $2, 'ada', 'operator')";
    run(entitle, &[workspace, hers]).await;
    World { workspace: WorkspaceId(workspace), hers: TenantId(hers), other: TenantId(other) }
}

#[tokio::test]
async fn facts_are_what_the_tables_say_now() {
    let database = pg::local::database().await.unwrap();
    let owner = database.connect_superuser().await.unwrap();
    let World { workspace, hers, other } = build(owner.pool()).await;
    let db = database.connect(ROLE).await.unwrap();
    let access = AccessReader::new(db.pool().clone());

    let ada = access.facts("ada", workspace).await.unwrap().unwrap();
    assert_eq!((ada.workspace_role, ada.tenant_roles), (Role::Manager, [(hers, Role::Operator)].into()));
    let bob = access.facts("bob", workspace).await.unwrap().unwrap();
    assert_eq!(
        (bob.workspace_role, bob.tenant_roles.len()),
        (Role::Owner, 0),
        "an owner is entitled to no tenant by that"
    );
    assert_eq!(access.facts("eve", workspace).await.unwrap(), None);
    assert_eq!(access.facts("ada", WorkspaceId(Uuid::now_v7())).await.unwrap(), None);
    assert_eq!(access.workspace_of_tenant(other).await.unwrap(), Some(workspace));
    assert_eq!(access.workspace_of_tenant(TenantId(Uuid::now_v7())).await.unwrap(), None);

    let sync = [Need::OnTenant(hers, Capability::TenantInventorySync)];
    access.require("ada", workspace, &[], &sync).await.unwrap();
    let refused = async |subject, tenants: &[TenantId], needs: &[Need]| {
        access.require(subject, workspace, tenants, needs).await.unwrap_err().category()
    };
    assert_eq!(refused("eve", &[], &[]).await, Category::NotFound);
    assert_eq!(refused("ada", &[other], &[]).await, Category::NotFound);
    let manage = [Need::OnTenant(hers, Capability::TenantManage)];
    assert_eq!(refused("ada", &[], &manage).await, Category::PermissionDenied);

    sqlx::query("DELETE FROM access.tenant_role").execute(owner.pool()).await.unwrap();
    assert_eq!(refused("ada", &[], &sync).await, Category::NotFound, "what was revoked is gone with the next request");
}

#[tokio::test]
async fn a_connection_that_died_costs_nobody_an_error() {
    let database = pg::local::database().await.unwrap();
    let owner = database.connect_superuser().await.unwrap();
    let World { workspace, .. } = build(owner.pool()).await;
    let db = database.connect(ROLE).await.unwrap();
    let access = AccessReader::new(db.pool().clone());
    access.facts("ada", workspace).await.unwrap();
    let killed: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()",
    )
    .bind(ROLE)
    .fetch_all(owner.pool())
    .await
    .unwrap();
    assert!(!killed.is_empty());
    assert!(access.facts("ada", workspace).await.unwrap().is_some());
}
