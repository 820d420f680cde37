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

async fn tables(db: &pg::Db) -> Result<Vec<String>> {
    let all: Vec<String> = sqlx::query_scalar(
        "SELECT schemaname || '.' || tablename FROM pg_tables
         WHERE schemaname IN ('access', 'tenant', 'inventory', 'operation', 'audit') ORDER BY 1",
    )
    .fetch_all(db.pool())
    .await?;
    Ok(all.into_iter().filter(|table| !NOT_OWNED.contains(&table.as_str())).collect())
}

/// The policy as the server prints it: the same for every table, so that what is shown below for the tables the test fills
/// holds for all.
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
        let column = if table == "access.workspace" { "id" } else { "workspace_id" };
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
async fn without_a_workspace_a_role_reads_and_writes_no_row() -> Result<()> {
    let database = local::database().await?;
    let (compare, operation) = (database.connect(COMPARE).await?, database.connect(OPERATION).await?);
    let (workspace, tenant) = seed::workspace(&compare, "ada").await?;
    let (other, _) = seed::workspace(&compare, "eve").await?;
    let version = seed::id();
    let mut tx = compare.workspace(workspace).await?;
    for statement in [
        format!(
            "INSERT INTO inventory.policy_version (workspace_id, id, tenant_id, policy_type, external_id, number, content,
                 content_hash, normal_hash)
             VALUES ('{workspace}', '{version}', '{tenant}', 't', 'x', 1, '{{}}', sha256('a'), sha256('b'))"
        ),
        format!(
            "INSERT INTO inventory.item (workspace_id, tenant_id, policy_type, external_id, subject_key, subject_name,
                 display_name, content_hash, normal_hash, normal_form, current_version_id)
             VALUES ('{workspace}', '{tenant}', 't', 'x', 'k', 'n', 'N', sha256('a'), sha256('b'), '{{}}', '{version}')"
        ),
        format!(
            "INSERT INTO inventory.coverage (workspace_id, tenant_id, policy_type, state, run_id)
             VALUES ('{workspace}', '{tenant}', 't', 'observed', '{version}')"
        ),
        format!(
            "INSERT INTO inventory.sync (workspace_id, tenant_id, run_id, selection_hash, partial)
             VALUES ('{workspace}', '{tenant}', '{version}', sha256('s'), false)"
        ),
        format!(
            "INSERT INTO tenant.provider_connection (workspace_id, tenant_id, id, base_url, authority, client_id,
                 credential_reference)
             VALUES ('{workspace}', '{tenant}', '{version}', 'http://x', 'http://x', 'c', 'env:SECRET')"
        ),
        format!(
            "INSERT INTO access.request (workspace_id, request_id, method, subject, request_hash, response)
             VALUES ('{workspace}', '{version}', 'RenameWorkspace', 'ada', sha256('r'), '{{}}')"
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    let mut tx = operation.workspace(workspace).await?;
    let run = seed::queued_run(&mut tx, workspace).await?;
    sqlx::query(
        "INSERT INTO operation.run_item (workspace_id, run_id, ordinal, key, label) VALUES ($1, $2, 0, 'k', 'L')",
    )
    .bind(workspace)
    .bind(run)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;

    let superuser = database.connect_superuser().await?;
    let mut filled = 0;
    for table in tables(&superuser).await? {
        let db = if table.starts_with("operation.") || table.starts_with("audit.") { &operation } else { &compare };
        let column = if table == "access.workspace" { "id" } else { "workspace_id" };
        let count = format!("SELECT count(*), count(*) FILTER (WHERE {column} = '{workspace}') FROM {table}");
        let (all, own): (i64, i64) = sqlx::query_as(AssertSqlSafe(count.clone())).fetch_one(superuser.pool()).await?;
        if own == 0 {
            continue; // a table that came later; its policy is the same text
        }
        filled += 1;

        let unset: (i64, i64) = sqlx::query_as(AssertSqlSafe(count.clone())).fetch_one(db.pool()).await?;
        assert_eq!(unset, (0, 0), "{table} without a workspace");
        for (mut tx, expected) in [(db.workspace(workspace).await?, own), (db.system().await?, all)] {
            let (seen, _): (i64, i64) = sqlx::query_as(AssertSqlSafe(count.clone())).fetch_one(&mut *tx).await?;
            assert_eq!(seen, expected, "{table}");
        }
        // Deleting is granted for some tables only; where it is, it finds nothing of another workspace.
        let mut tx = db.workspace(Uuid::nil()).await?;
        match sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *tx).await {
            Ok(done) => assert_eq!(done.rows_affected(), 0, "{table}"),
            Err(error) => assert_eq!(failure(&error), Failure::PermissionDenied, "{table}"),
        }
    }
    assert!(filled >= 14, "the test fills what it is about: {filled}");

    // Writing into another workspace is refused, not only invisible.
    let mut tx = compare.workspace(other).await?;
    let error = sqlx::query("INSERT INTO access.member (workspace_id, subject, role) VALUES ($1, 'eve', 'owner')")
        .bind(workspace)
        .execute(&mut *tx)
        .await
        .unwrap_err();
    assert_eq!(failure(&error), Failure::PermissionDenied);
    drop(tx);
    let mut tx = operation.workspace(other).await?;
    assert_eq!(failure(&seed::queued_run(&mut tx, workspace).await.unwrap_err()), Failure::PermissionDenied);
    drop(tx);

    // The setting ends with its transaction, also on the same connection.
    let mut connection = compare.plain().await?;
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
            assert_eq!(any, owned.contains(&schema), "{role} writes {table}");
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
