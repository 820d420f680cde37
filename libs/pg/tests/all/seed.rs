//! Rows the tests start from, written as the services would write them.

use anyhow::Result;
use pg::{Db, Tx};
use uuid::Uuid;

pub(crate) const COMPARE: &str = "tenantatlas_compare";
pub(crate) const PROMOTION: &str = "tenantatlas_promotion";
pub(crate) const OPERATION: &str = "tenantatlas_operation";
pub(crate) const ROLES: [&str; 3] = [COMPARE, PROMOTION, OPERATION];

pub(crate) fn id() -> Uuid {
    Uuid::now_v7()
}

pub(crate) fn hash(of: u8) -> Vec<u8> {
    vec![of; 32]
}

/// A workspace with one owner and one active tenant; returns (workspace, tenant).
pub(crate) async fn workspace(compare: &Db, subject: &str) -> Result<(Uuid, Uuid)> {
    let (workspace, tenant) = (id(), id());
    let mut tx = compare.workspace(workspace).await?;
    sqlx::query("INSERT INTO access.workspace (id, name) VALUES ($1, 'A workspace')")
        .bind(workspace)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO access.member (workspace_id, subject, role) VALUES ($1, $2, 'owner')")
        .bind(workspace)
        .bind(subject)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO tenant.tenant (workspace_id, id, name, external_tenant_id, lifecycle)
         VALUES ($1, $2, 'A tenant', $2::text, 'active')",
    )
    .bind(workspace)
    .bind(tenant)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO access.tenant_role (workspace_id, tenant_id, subject, role) VALUES ($1, $2, $3, 'manager')",
    )
    .bind(workspace)
    .bind(tenant)
    .bind(subject)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok((workspace, tenant))
}

/// A queued run without a tenant, unique by its click.
pub(crate) async fn queued_run(tx: &mut Tx, workspace: Uuid) -> Result<Uuid, sqlx::Error> {
    let run = id();
    sqlx::query(
        "INSERT INTO operation.run
             (workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant, initiator_name, total)
         VALUES ($1, $2, 'inventory.sync', 'unique', $3, false, 'Test', 3)",
    )
    .bind(workspace)
    .bind(run)
    .bind(hash(1))
    .execute(&mut **tx)
    .await?;
    Ok(run)
}

/// What a claim sets.
pub(crate) const CLAIM: &str = "status = 'running', attempt = attempt + 1, fence = fence + 1, lease_owner = 'w',
    lease_expires_at = now() + interval '30 s', started_at = coalesce(started_at, now())";
/// What a release or a rescue sets.
pub(crate) const RELEASE: &str = "status = 'queued', lease_owner = NULL, lease_expires_at = NULL";
/// What finishing with failure sets; it leaves a queued as well as a running run.
pub(crate) const FAIL: &str = "status = 'completed', outcome = 'failed', completed_at = now(), lease_owner = NULL,
    lease_expires_at = NULL";
