//! What was written stays written.

use anyhow::Result;
use pg::{Failure, failure, local};
use sqlx::AssertSqlSafe;

use crate::seed::{self, COMPARE, OPERATION};

#[tokio::test]
async fn audit_entries_versions_and_events_cannot_be_changed() -> Result<()> {
    let database = local::database().await?;
    let (compare, operation) = (database.connect(COMPARE).await?, database.connect(OPERATION).await?);
    let superuser = database.connect_superuser().await?;
    let (workspace, tenant) = seed::workspace(&compare, "ada").await?;
    let mut tx = compare.workspace(workspace).await?;
    sqlx::query(
        "INSERT INTO inventory.policy_version (workspace_id, id, tenant_id, policy_type, external_id, number, content,
             content_hash, normal_hash)
         VALUES ($1, $2, $3, 't', 'x', 1, '{}', $4, $4)",
    )
    .bind(workspace)
    .bind(seed::id())
    .bind(tenant)
    .bind(seed::hash(1))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut tx = operation.workspace(workspace).await?;
    seed::queued_run(&mut tx, workspace).await?; // brings an event and an audit entry
    tx.commit().await?;

    for (db, table, update, rule) in [
        (&operation, "audit.entry", "actor_name = 'Mallory'", "entry_append_only"),
        (&compare, "inventory.policy_version", "content = '[]'", "policy_version_immutable"),
        (&operation, "operation.run_event", "rev = 7", "run_event_immutable"),
    ] {
        let change = format!("UPDATE {table} SET {update}");
        let mut tx = db.system().await?;
        let error = sqlx::query(AssertSqlSafe(change.clone())).execute(&mut *tx).await.unwrap_err();
        assert_eq!(failure(&error), Failure::PermissionDenied, "{table}");
        // The owner has the right, and is stopped by the trigger.
        let error = sqlx::query(AssertSqlSafe(change)).execute(superuser.pool()).await.unwrap_err();
        assert_eq!(failure(&error), Failure::Raised { code: "TA002".into(), constraint: rule.into() }, "{table}");
    }
    for table in ["audit.entry", "inventory.policy_version"] {
        for statement in [format!("DELETE FROM {table}"), format!("TRUNCATE {table} CASCADE")] {
            let error = sqlx::query(AssertSqlSafe(statement.clone())).execute(superuser.pool()).await.unwrap_err();
            assert!(matches!(failure(&error), Failure::Raised { code, .. } if code == "TA002"), "{statement}");
            let db = if table.starts_with("audit") { &operation } else { &compare };
            let mut tx = db.system().await?;
            let error = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut *tx).await.unwrap_err();
            assert_eq!(failure(&error), Failure::PermissionDenied, "{statement}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_service_cannot_forge_an_event() -> Result<()> {
    let database = local::database().await?;
    let operation = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let mut tx = operation.workspace(workspace).await?;
    let error = sqlx::query(
        "INSERT INTO operation.run_event (workspace_id, run_id, rev, kind, related_tenant_ids, type, status, outcome, run)
         VALUES ($1, $1, 1, 'created', '{}', 'inventory.sync', 'queued', 'pending', '{}')",
    )
    .bind(workspace)
    .execute(&mut *tx)
    .await
    .unwrap_err();
    assert_eq!(failure(&error), Failure::PermissionDenied);
    Ok(())
}
