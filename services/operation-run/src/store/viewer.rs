//! The views of `access_api` that a banner needs: names and lifecycles of tenants, and who has selected which. Published by
//! compare-service.

use domain::id::{TenantId, WorkspaceId};
use domain::run::TenantSeen;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Result, UnreadableRow};

/// A run's tenant and the one somebody has selected, as far as they are there.
#[derive(Debug, Default)]
pub struct Tenants {
    pub of_run: Option<TenantSeen>,
    pub selected: Option<TenantSeen>,
}

/// Reads both.
pub async fn tenants(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    subject: &str,
    of_run: Option<TenantId>,
) -> Result<Tenants> {
    let rows: Vec<(Uuid, String, String, bool)> = sqlx::query_as(
        "SELECT d.tenant_id, d.name, d.lifecycle, s.tenant_id IS NOT NULL
         FROM access_api.tenant_directory d
         LEFT JOIN access_api.selected_tenant s
             ON s.workspace_id = d.workspace_id AND s.tenant_id = d.tenant_id AND s.subject = $2
         WHERE d.workspace_id = $1 AND (d.tenant_id = $3 OR s.tenant_id IS NOT NULL)",
    )
    .bind(workspace.uuid())
    .bind(subject)
    .bind(of_run.map(TenantId::uuid))
    .fetch_all(connection)
    .await?;
    let mut tenants = Tenants::default();
    for (id, name, lifecycle, selected) in rows {
        let lifecycle = lifecycle.parse().map_err(|source: domain::access::UnknownName| {
            UnreadableRow::new("access_api.tenant_directory", id, source)
        })?;
        let seen = TenantSeen { id: TenantId(id), name, lifecycle };
        if selected {
            tenants.selected = Some(seen.clone());
        }
        if of_run == Some(seen.id) {
            tenants.of_run = Some(seen);
        }
    }
    Ok(tenants)
}
