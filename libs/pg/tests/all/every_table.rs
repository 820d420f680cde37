//! Every workspace-owned table, filled for two workspaces, and tried by every service role with no workspace and with the wrong
//! one: not a row is read, changed, removed, added or moved. A table that is not filled here fails the test.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use pg::{Db, Failure, Tx, failure, local};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use crate::isolation::{owner_column, tables};
use crate::seed::{self, COMPARE, OPERATION, ROLES};

/// One row of each table: `{w}` is its workspace, `{t}` a tenant of it, `{id}` an id. Nothing else has to be there for it.
const ROWS: &[(&str, &str)] = &[
    ("access.workspace", "(id, name) VALUES ('{w}', 'W')"),
    ("access.member", "(workspace_id, subject, role) VALUES ('{w}', '{id}', 'owner')"),
    ("access.tenant_role", "(workspace_id, tenant_id, subject, role) VALUES ('{w}', '{t}', '{id}', 'owner')"),
    (
        "access.request",
        "(workspace_id, request_id, method, subject, request_hash, response)
         VALUES ('{w}', '{id}', 'SetTenantRole', 'ada', sha256('r'), '{}')",
    ),
    ("access.selected_tenant", "(workspace_id, subject, tenant_id) VALUES ('{w}', '{id}', '{t}')"),
    ("access.audit_outbox", "(workspace_id, entry_id, event) VALUES ('{w}', '{id}', '{}')"),
    ("tenant.tenant", "(workspace_id, id, name, external_tenant_id) VALUES ('{w}', '{id}', 'T', '{id}')"),
    (
        "tenant.provider_connection",
        "(workspace_id, tenant_id, id, base_url, authority, client_id, credential_reference)
         VALUES ('{w}', '{id}', '{id}', 'http://x', 'http://x', 'c', 'env:SECRET')",
    ),
    (
        "tenant.onboarding",
        "(workspace_id, id, tenant_id, started_by, editor, editor_name)
         VALUES ('{w}', '{id}', '{id}', 'ada', 'ada', 'Ada')",
    ),
    (
        "inventory.policy_version",
        "(workspace_id, id, tenant_id, policy_type, external_id, number, content, content_hash, normal_hash)
         VALUES ('{w}', '{id}', '{t}', 't', '{id}', 1, '{}', sha256('a'), sha256('b'))",
    ),
    (
        "inventory.item",
        "(workspace_id, tenant_id, policy_type, external_id, subject_key, subject_name, display_name, content_hash,
          normal_hash, normal_form, current_version_id)
         VALUES ('{w}', '{t}', 't', '{id}', 'k', 'n', 'N', sha256('a'), sha256('b'), '{}', '{id}')",
    ),
    (
        "inventory.coverage",
        "(workspace_id, tenant_id, policy_type, state, run_id) VALUES ('{w}', '{t}', '{id}', 'observed', '{id}')",
    ),
    (
        "inventory.sync",
        "(workspace_id, tenant_id, run_id, selection_hash, partial) VALUES ('{w}', '{t}', '{id}', sha256('s'), false)",
    ),
    (
        "inventory.directory_group",
        "(workspace_id, tenant_id, external_id, display_name, folded_name, security_enabled, mail_enabled, membership,
          on_premises, role_assignable, observed_at)
         VALUES ('{w}', '{t}', '{id}', 'G', 'g', true, false, 'assigned', false, false, now())",
    ),
    (
        "inventory.directory_role_definition",
        "(workspace_id, tenant_id, scope, external_id, display_name, folded_name, description, built_in, template_id,
          observed_at)
         VALUES ('{w}', '{t}', 'intune', '{id}', 'R', 'r', '', true, '', now())",
    ),
    (
        "inventory.directory_sync",
        "(workspace_id, tenant_id, collection, run_id, began_at, observed_count)
         VALUES ('{w}', '{id}', 'group', '{id}', now(), 0)",
    ),
    (
        "inventory.backup_schedule",
        "(workspace_id, id, tenant_id, name, cron, time_zone, catch_up, overlap, keep_last, keep_days, considered_until,
          created_by)
         VALUES ('{w}', '{id}', '{t}', 'S', '0 3 * * *', 'UTC', 'skip', 'skip', 1, 0, now(), 'ada')",
    ),
    ("inventory.backup_slot", "(workspace_id, schedule_id, fire_at) VALUES ('{w}', '{id}', now())"),
    (
        "inventory.backup_set",
        "(workspace_id, id, tenant_id, schedule_id, run_type)
         VALUES ('{w}', '{id}', '{t}', '{id}', 'backup_schedule.run_now')",
    ),
    (
        "inventory.backup_set_entry",
        "(workspace_id, set_id, policy_type, external_id, display_name, version_id)
         VALUES ('{w}', '{id}', 't', '{id}', 'N', '{id}')",
    ),
    (
        "operation.run",
        "(workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant, initiator_name, total)
         VALUES ('{w}', '{id}', 'inventory.sync', 'unique', sha256('i'), false, 'Test', 3)",
    ),
    ("operation.run_item", "(workspace_id, run_id, ordinal, key, label) VALUES ('{w}', '{id}', 0, 'k', 'L')"),
    (
        "operation.run_event",
        "(workspace_id, run_id, rev, kind, related_tenant_ids, type, status, outcome, run)
         VALUES ('{w}', '{id}', 1, 'created', '{}', 'inventory.sync', 'queued', 'pending', '{}')",
    ),
    (
        "operation.start_answer",
        "(workspace_id, request_id, request_hash, run_id, outcome)
         VALUES ('{w}', '{id}', sha256('r'), '{id}', 'queued')",
    ),
    (
        "operation.answered_request",
        "(workspace_id, request_id, method, request_hash, answer)
         VALUES ('{w}', '{id}', 'PauseOperationType', sha256('r'), '{}')",
    ),
    (
        "operation.pause",
        "(workspace_id, id, type, reason, paused_by_kind, paused_by_subject, paused_by_name, pause_request_id)
         VALUES ('{w}', '{id}', 'promotion.execute', 'why', 'user', 'ada', 'Ada', '{id}')",
    ),
    (
        "operation.spent_identity",
        "(workspace_id, type, identity_hash, run_id, completed_at)
         VALUES ('{w}', 'backup_schedule.scheduled', sha256('i'), '{id}', now())",
    ),
    ("operation.notification", "(workspace_id, run_id, subject, created_at) VALUES ('{w}', '{id}', 'ada', now())"),
    ("audit.unsealed", "(workspace_id, entry_id) VALUES ('{w}', '{id}')"),
    (
        "audit.seal",
        "(workspace_id, position, entry_id, previous, hash, sealed_at)
         VALUES ('{w}', 1 + (random() * 1000000000)::bigint, '{id}', sha256('p'), sha256('h'), now())",
    ),
    (
        "audit.entry",
        "(workspace_id, id, action, actor_kind, actor_name, target_kind, target_id, outcome)
         VALUES ('{w}', '{id}', 'a.b', 'system', 'System', 'workspace', '{w}', 'succeeded')",
    ),
];

/// The statement that adds a row of this table to a workspace.
fn insert(table: &str, row: &str, workspace: Uuid) -> AssertSqlSafe<String> {
    let row = row.replace("{w}", &workspace.to_string()).replace("{t}", &seed::id().to_string());
    AssertSqlSafe(format!("INSERT INTO {table} {}", row.replace("{id}", &seed::id().to_string())))
}

/// The role that works with the tables of this schema.
fn owner_of(table: &str) -> &'static str {
    if table.starts_with("operation.") || table.starts_with("audit.") { OPERATION } else { COMPARE }
}

#[tokio::test]
async fn no_role_touches_a_row_without_its_workspace() -> Result<()> {
    let database = local::database().await?;
    let superuser = database.connect_superuser().await?;
    let present: BTreeSet<String> = tables(&superuser).await?.into_iter().collect();
    let filled: BTreeSet<String> = ROWS.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(present, filled, "every workspace-owned table has one row in ROWS");

    let (theirs, own) = (seed::id(), seed::id());
    fill(&superuser, &[theirs, own]).await?;
    for role in ROLES {
        let db = database.connect(role).await?;
        for &(table, row) in ROWS {
            let tried = Tried { table, row, theirs, own, writable: writable(&superuser, role, table).await? };
            for scope in [Some(own), Some(seed::id()), None] {
                tried.by(&db, scope).await.with_context(|| format!("{role} in {scope:?}"))?;
            }
            if role == owner_of(table) {
                tried.is_there_for_its_owner(&db).await?;
            }
        }
    }
    // And all of it is still there.
    for (table, _) in ROWS {
        let count = format!("SELECT count(*) FROM {table} WHERE {} = '{theirs}'", owner_column(table));
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(superuser.pool()).await?;
        assert_eq!(left, 1, "{table}");
    }
    Ok(())
}

/// One row of each table for each workspace, whatever else would have to be there: as a replica, nothing is checked but the row.
async fn fill(superuser: &Db, workspaces: &[Uuid]) -> Result<()> {
    let mut connection = superuser.plain().await?;
    let mut tx = connection.begin().await?;
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await?;
    for &(table, row) in ROWS {
        for &workspace in workspaces {
            sqlx::query(insert(table, row, workspace)).execute(&mut *tx).await.context(table)?;
        }
    }
    Ok(tx.commit().await?)
}

/// The columns of a table that a role may update at all.
async fn writable(superuser: &Db, role: &str, table: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "SELECT quote_ident(attname) FROM pg_attribute
         WHERE attrelid = $2::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
             AND has_column_privilege($1, attrelid, attnum, 'UPDATE') ORDER BY attnum",
    )
    .bind(role)
    .bind(table)
    .fetch_all(superuser.pool())
    .await?)
}

/// A table, with a row of a workspace that is not the role's.
struct Tried<'a> {
    table: &'a str,
    row: &'a str,
    theirs: Uuid,
    own: Uuid,
    writable: Vec<String>,
}

impl Tried<'_> {
    /// Everything a role could try on their row, in a scope that is not theirs.
    async fn by(&self, db: &Db, scope: Option<Uuid>) -> Result<()> {
        let Self { table, row, theirs, own, ref writable } = *self;
        let column = owner_column(table);
        let seen = format!("SELECT {column} FROM {table} WHERE {column} = '{theirs}'");
        finds_nothing(db, scope, &seen).await?;
        if scope.is_none() {
            finds_nothing(db, scope, &format!("SELECT {column} FROM {table}")).await?;
        }
        for column in writable {
            let set = format!("UPDATE {table} SET {column} = {column}");
            finds_nothing(db, scope, &format!("{set} WHERE {} = '{theirs}'", owner_column(table))).await?;
        }
        finds_nothing(db, scope, &format!("DELETE FROM {table} WHERE {column} = '{theirs}'")).await?;
        let mut tx = begin(db, scope).await?;
        let added = sqlx::query(insert(table, row, theirs)).execute(&mut *tx).await;
        ensure!(added.as_ref().is_err_and(is_refused), "adds to {table}: {added:?}");
        drop(tx);
        // Nor is a row of one's own handed over.
        let mut tx = begin(db, scope).await?;
        let moved = format!("UPDATE {table} SET {column} = '{theirs}' WHERE {column} = '{own}'");
        let moved = sqlx::query(AssertSqlSafe(moved)).execute(&mut *tx).await;
        ensure!(moved.as_ref().map_or(true, |done| done.rows_affected() == 0), "moves a row of {table}: {moved:?}");
        Ok(())
    }

    /// What is hidden above is there: who may see it does.
    async fn is_there_for_its_owner(&self, db: &Db) -> Result<()> {
        let Self { table, theirs, own, .. } = *self;
        let column = owner_column(table);
        let both = format!("{column} IN ('{theirs}', '{own}')");
        let seen = || AssertSqlSafe(format!("SELECT DISTINCT {column} FROM {table} WHERE {both}"));
        let mut tx = db.workspace(theirs).await?;
        let in_it: Vec<Uuid> = sqlx::query_scalar(seen()).fetch_all(&mut *tx).await?;
        drop(tx);
        let mut tx = db.system().await?;
        let everywhere: Vec<Uuid> = sqlx::query_scalar(seen()).fetch_all(&mut *tx).await?;
        ensure!(in_it == [theirs] && everywhere.len() == 2, "{table}: {in_it:?} {everywhere:?}");
        Ok(())
    }
}

async fn begin(db: &Db, scope: Option<Uuid>) -> Result<Tx> {
    match scope {
        Some(workspace) => Ok(db.workspace(workspace).await?),
        None => Ok(db.pool().begin().await?),
    }
}

/// The statement finds no row, or is refused altogether.
async fn finds_nothing(db: &Db, scope: Option<Uuid>, statement: &str) -> Result<()> {
    let mut tx = begin(db, scope).await?;
    match sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await {
        Ok(done) => ensure!(done.rows_affected() == 0, "{statement}: {} rows", done.rows_affected()),
        Err(error) => ensure!(is_refused(&error), "{statement}: {error}"),
    }
    Ok(())
}

fn is_refused(error: &sqlx::Error) -> bool {
    failure(error) == Failure::PermissionDenied
}
