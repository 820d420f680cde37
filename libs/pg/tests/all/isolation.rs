//! Workspace isolation below the code, and who may touch what.

use anyhow::Result;
use pg::{Failure, failure, local};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::seed::{self, COMPARE, OPERATION, PROMOTION, ROLES};

/// Tables no workspace owns, each with its reason.
const NOT_OWNED: [&str; 2] = [
    "operation.watch_floor", // one row: where retention stands
    "operation.claim_heard", // one row per run type: when a worker last asked for it
];

/// Tables that even their own service only reads (or has one column of): triggers and functions of the schema write them.
const READ_ONLY: [&str; 4] = ["audit.seal", "audit.unsealed", "operation.notification", "operation.spent_identity"];

/// The workspace-owned tables.
pub(crate) async fn tables(db: &pg::Db) -> Result<Vec<String>> {
    let all: Vec<String> = sqlx::query_scalar(
        "SELECT schemaname || '.' || tablename FROM pg_tables
         WHERE schemaname IN ('access', 'tenant', 'inventory', 'operation', 'audit') ORDER BY 1",
    )
    .fetch_all(db.pool())
    .await?;
    Ok(all.into_iter().filter(|table| !NOT_OWNED.contains(&table.as_str())).collect())
}

/// The column of a table that says whose a row is.
pub(crate) fn owner_column(table: &str) -> &'static str {
    if table == "access.workspace" { "id" } else { "workspace_id" }
}

/// The policy as the server prints it: the same for every table.
fn expected_policy(column: &str) -> String {
    format!(
        "(({column} = ( SELECT (NULLIF(current_setting('tenantatlas.workspace_id'::text, true), ''::text))::uuid AS \"nullif\")) \
         OR (( SELECT current_setting('tenantatlas.scope'::text, true) AS current_setting) = 'system'::text))"
    )
}

#[tokio::test]
async fn every_workspace_owned_table_has_a_policy_and_leads_its_key_with_the_workspace() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect_superuser().await?;
    for table in tables(&db).await? {
        let (secured, policy): (bool, Option<String>) = sqlx::query_as(
            "SELECT relrowsecurity, (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy
                 WHERE polrelid = c.oid AND polname = 'workspace_scope' AND polcmd = '*')
             FROM pg_class c WHERE c.oid = $1::regclass",
        )
        .bind(&table)
        .fetch_one(db.pool())
        .await?;
        assert!(secured, "{table} has no row-level security");
        let policy = policy.unwrap_or_else(|| panic!("{table} has no policy"));
        let column = owner_column(&table);
        assert_eq!(policy, expected_policy(column), "{table}");
        let first: String = sqlx::query_scalar(
            "SELECT attname::text FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
             WHERE contype = 'p' AND conrelid = $1::regclass",
        )
        .bind(&table)
        .fetch_one(db.pool())
        .await?;
        assert_eq!(first, column, "first column of the primary key of {table}");
    }
    Ok(())
}

#[tokio::test]
async fn the_scope_ends_with_its_transaction() -> Result<()> {
    let database = local::database().await?;
    let compare = database.connect(COMPARE).await?;
    seed::workspace(&compare, "ada").await?;
    let mut connection = compare.plain().await?;
    // Also on the same connection.
    sqlx::raw_sql("BEGIN; SET LOCAL tenantatlas.scope = 'system'; COMMIT").execute(&mut *connection).await?;
    let after: i64 = sqlx::query_scalar("SELECT count(*) FROM access.member").fetch_one(&mut *connection).await?;
    assert_eq!(after, 0);
    Ok(())
}

#[tokio::test]
async fn a_role_touches_its_own_schemas_only() -> Result<()> {
    let database = local::database().await?;
    let superuser = database.connect_superuser().await?;
    for role in ROLES {
        let owned: &[&str] = match role {
            COMPARE => &["access", "tenant", "inventory"],
            OPERATION => &["operation", "audit"],
            _ => &[],
        };
        let db = database.connect(role).await?;
        for table in tables(&superuser).await?.into_iter().chain(NOT_OWNED.map(str::to_owned)) {
            let schema = table.split('.').next().unwrap_or_default();
            let may_read = sqlx::query(AssertSqlSafe(format!("SELECT FROM {table} LIMIT 1"))).execute(db.pool()).await;
            assert_eq!(may_read.is_ok(), owned.contains(&schema), "{role} reads {table}");
            if let Err(error) = may_read {
                assert_eq!(failure(&error), Failure::PermissionDenied);
            }
            let any: bool = sqlx::query_scalar(
                "SELECT has_table_privilege($1, $2, 'INSERT, UPDATE, DELETE') AND has_schema_privilege($1, $3, 'USAGE')
                     OR has_table_privilege($1, $2, 'TRUNCATE, TRIGGER, REFERENCES')",
            )
            .bind(role)
            .bind(&table)
            .bind(schema)
            .fetch_one(superuser.pool())
            .await?;
            let may_write = owned.contains(&schema) && !READ_ONLY.contains(&table.as_str());
            assert_eq!(any, may_write, "{role} writes {table}");
        }
        for view in ["actor_access", "workspace_of_tenant", "member_workspaces", "tenant_directory"] {
            let read = sqlx::query(AssertSqlSafe(format!("SELECT FROM access_api.{view}"))).execute(db.pool()).await;
            assert!(read.is_ok(), "{role} reads {view}: {read:?}");
            let write = sqlx::query(AssertSqlSafe(format!("DELETE FROM access_api.{view}"))).execute(db.pool()).await;
            assert!(write.is_err(), "{role} writes {view}");
        }
        let (bypasses, superuser_role): (bool, bool) =
            sqlx::query_as("SELECT rolbypassrls, rolsuper FROM pg_roles WHERE rolname = $1")
                .bind(role)
                .fetch_one(superuser.pool())
                .await?;
        assert!(!bypasses && !superuser_role, "{role}");
    }
    Ok(())
}

#[tokio::test]
async fn access_facts_are_published_to_every_role_and_always_fresh() -> Result<()> {
    let database = local::database().await?;
    let compare = database.connect(COMPARE).await?;
    let (workspace, tenant) = seed::workspace(&compare, "ada").await?;
    let promotion = database.connect(PROMOTION).await?;
    type Row = (String, Option<Uuid>, Option<String>);
    let facts = "SELECT workspace_role, tenant_id, tenant_role FROM access_api.actor_access
                 WHERE subject = $1 AND workspace_id = $2";
    let read = async || -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as(facts).bind("ada").bind(workspace).fetch_all(promotion.pool()).await
    };
    assert_eq!(read().await?, vec![("owner".into(), Some(tenant), Some("manager".into()))]);

    let mut tx = compare.workspace(workspace).await?;
    sqlx::query("DELETE FROM access.tenant_role WHERE subject = 'ada'").execute(&mut *tx).await?;
    tx.commit().await?;
    assert_eq!(read().await?, vec![("owner".into(), None, None)]);

    let mut tx = compare.workspace(workspace).await?;
    sqlx::query("DELETE FROM access.member WHERE subject = 'ada'").execute(&mut *tx).await?;
    tx.commit().await?;
    assert_eq!(read().await?, vec![]);

    let name: String = sqlx::query_scalar("SELECT name FROM access_api.tenant_directory WHERE workspace_id = $1")
        .bind(workspace)
        .fetch_one(promotion.pool())
        .await?;
    assert_eq!(name, "A tenant");
    let found: Uuid =
        sqlx::query_scalar("SELECT workspace_id FROM access_api.workspace_of_tenant WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_one(promotion.pool())
            .await?;
    assert_eq!(found, workspace);
    Ok(())
}
