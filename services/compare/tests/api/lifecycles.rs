//! Tenants in every state of life, without the way there.

use domain::tenant::Lifecycle;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::world::{World, fresh};

/// A tenant of this owner in this state, with no provider connection.
pub(crate) async fn new_tenant_in(
    world: &World,
    workspace_id: &str,
    owner: &str,
    name: &str,
    state: Lifecycle,
) -> String {
    let id = fresh();
    let archived_at = if state == Lifecycle::Archived { "now()" } else { "NULL" };
    let mut statements = vec![
        format!(
            "INSERT INTO tenant.tenant (workspace_id, id, name, external_tenant_id, lifecycle, archived_at)
             VALUES ('{workspace_id}', '{id}', '{name}', '{}', '{state}', {archived_at})",
            Uuid::now_v7()
        ),
        format!(
            "INSERT INTO access.tenant_role (workspace_id, tenant_id, subject, role)
             VALUES ('{workspace_id}', '{id}', '{owner}', 'owner')"
        ),
    ];
    if state == Lifecycle::Onboarding {
        statements.push(format!(
            "INSERT INTO tenant.onboarding (workspace_id, id, tenant_id, started_by, editor, editor_name)
             VALUES ('{workspace_id}', '{}', '{id}', '{owner}', '{owner}', '{owner}')",
            Uuid::now_v7()
        ));
    }
    let mut tx = world.superuser().await.system().await.unwrap();
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    id
}

/// A tenant in each state, in the order of [`Lifecycle::ALL`].
pub(crate) async fn one_of_each(world: &World, workspace_id: &str, owner: &str) -> Vec<(Lifecycle, String)> {
    let mut tenants = Vec::new();
    for state in Lifecycle::ALL {
        tenants.push((state, new_tenant_in(world, workspace_id, owner, &format!("The {state} one"), state).await));
    }
    tenants
}
