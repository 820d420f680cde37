//! The guards of runs, items and tenants: what may not happen does not, whoever writes.

use anyhow::Result;
use pg::{Db, Failure, failure, local};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::seed::{self, CLAIM, COMPARE, FAIL, OPERATION, RELEASE};

async fn set(db: &Db, workspace: Uuid, run: Uuid, assignments: &str) -> Result<(), sqlx::Error> {
    let mut tx = db.workspace(workspace).await?;
    let statement = format!("UPDATE operation.run SET {assignments} WHERE workspace_id = $1 AND id = $2");
    let done = sqlx::query(AssertSqlSafe(statement)).bind(workspace).bind(run).execute(&mut *tx).await?;
    assert_eq!(done.rows_affected(), 1);
    tx.commit().await
}

async fn refused(db: &Db, workspace: Uuid, run: Uuid, assignments: &str) -> String {
    let error = set(db, workspace, run, assignments).await.expect_err(assignments);
    failure(&error).constraint().unwrap_or_else(|| panic!("{assignments}: {error}")).to_owned()
}

async fn new_run(db: &Db) -> Result<(Uuid, Uuid)> {
    let workspace = seed::id();
    let mut tx = db.workspace(workspace).await?;
    let run = seed::queued_run(&mut tx, workspace).await?;
    tx.commit().await?;
    Ok((workspace, run))
}

async fn rev(db: &Db, workspace: Uuid, run: Uuid) -> Result<i64> {
    let mut tx = db.workspace(workspace).await?;
    Ok(sqlx::query_scalar("SELECT rev FROM operation.run WHERE id = $1").bind(run).fetch_one(&mut *tx).await?)
}

#[tokio::test]
async fn a_run_walks_the_legal_arrows() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, run) = new_run(&db).await?;
    for (step, expected_rev) in [(CLAIM, 2), (RELEASE, 3), (CLAIM, 4), ("lease_expires_at = now()", 4), (FAIL, 5)] {
        set(&db, workspace, run, step).await?;
        assert_eq!(rev(&db, workspace, run).await?, expected_rev, "{step}");
    }
    Ok(())
}

#[tokio::test]
async fn illegal_transitions_are_refused_by_name() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, run) = new_run(&db).await?;
    let claim_without = |part: &str| CLAIM.replace(part, "");

    // From queued.
    for (assignments, rule) in [
        (claim_without("fence = fence + 1,"), "run_claim_raises_fence"),
        (claim_without("attempt = attempt + 1,"), "run_claim_raises_fence"),
        (claim_without("lease_owner = 'w',"), "run_lease_agrees"),
        (claim_without(", started_at = coalesce(started_at, now())"), "run_started_at_agrees"),
        ("outcome = 'failed'".into(), "run_outcome_agrees"),
        ("status = 'completed', completed_at = now()".into(), "run_outcome_agrees"),
        ("status = 'completed', outcome = 'failed'".into(), "run_completed_at_agrees"),
        ("status = 'waiting'".into(), "run_status_known"),
        (FAIL.replace("failed", "cancelled"), "run_cancelled_was_asked"),
        ("attempt = attempt + 1".into(), "run_attempt_is_a_claim"),
        ("fence = -1".into(), "run_fence_never_falls"),
        ("type = 'promotion.execute'".into(), "run_identity_immutable"),
        ("initiator_name = 'Mallory'".into(), "run_identity_immutable"),
        ("tenant_id = gen_random_uuid()".into(), "run_identity_immutable"),
        ("succeeded = 1".into(), "run_counts_add_up"),
        ("processed = 4, succeeded = 4".into(), "run_counts_within_total"),
        ("processed = 1, failed = 1, created = 1".into(), "run_effects_within_succeeded"),
        ("processed = -1, failed = -1".into(), "run_counts_not_negative"),
    ] {
        assert_eq!(refused(&db, workspace, run, &assignments).await, rule, "{assignments}");
    }

    // From running.
    set(&db, workspace, run, CLAIM).await?;
    for (assignments, rule) in [
        (CLAIM, "run_attempt_is_a_claim"),
        ("fence = fence + 1", "run_lease_stays"),
        ("lease_owner = 'another'", "run_lease_stays"),
        ("fence = fence - 1", "run_fence_never_falls"),
        ("status = 'queued'", "run_lease_agrees"),
        ("started_at = now() - interval '1 h'", "run_started_once"),
        (
            "status = 'completed', outcome = 'succeeded', completed_at = now(), lease_owner = NULL,
             lease_expires_at = NULL, processed = 1, skipped = 1",
            "run_succeeded_means_all",
        ),
    ] {
        assert_eq!(refused(&db, workspace, run, assignments).await, rule, "{assignments}");
    }

    // A cancel intent is durable.
    assert_eq!(refused(&db, workspace, run, "cancel_requested_at = now()").await, "run_cancel_agrees");
    set(&db, workspace, run, "cancel_requested_at = now(), cancel_requested_by = 'ada'").await?;
    let undo = "cancel_requested_at = NULL, cancel_requested_by = NULL";
    assert_eq!(refused(&db, workspace, run, undo).await, "run_cancel_is_durable");
    set(&db, workspace, run, RELEASE).await?; // survives a rescue
    assert_eq!(refused(&db, workspace, run, undo).await, "run_cancel_is_durable");
    Ok(())
}

#[tokio::test]
async fn a_completed_run_absorbs_everything() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, run) = new_run(&db).await?;
    set(&db, workspace, run, FAIL).await?;
    for assignments in [
        FAIL,
        CLAIM,
        "outcome = 'succeeded'",
        "status = 'queued', outcome = 'pending', completed_at = NULL",
        "cancel_requested_at = now(), cancel_requested_by = 'ada'",
        "context = '{\"a\": 1}'",
        "fence = fence + 1",
        "lease_ttl_ms = lease_ttl_ms",
    ] {
        assert_eq!(refused(&db, workspace, run, assignments).await, "run_terminal_absorbs", "{assignments}");
    }
    // The owner of the table is bound as well.
    let superuser = database.connect_superuser().await?;
    assert_eq!(refused(&superuser, workspace, run, CLAIM).await, "run_terminal_absorbs");
    Ok(())
}

#[tokio::test]
async fn a_run_starts_queued_or_blocked_or_imported() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let insert = async |columns: &str, values: &str| -> Result<(), sqlx::Error> {
        let mut tx = db.workspace(workspace).await?;
        let statement = format!(
            "INSERT INTO operation.run (workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant,
                 initiator_name, {columns}) VALUES ($1, $2, 'inventory.sync', 'unique', $3, false, 'Test', {values})"
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(workspace)
            .bind(seed::id())
            .bind(seed::hash(2))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    };
    insert("status, outcome, completed_at", "'completed', 'blocked', now()").await?;
    let history = "status, outcome, completed_at, imported, external_id, imported_by_subject, imported_by_name,
                   imported_at";
    insert(history, "'completed', 'succeeded', now(), true, 'old-1', 'ada', 'Ada', now()").await?;
    for (columns, values) in [
        ("status, outcome, completed_at", "'completed', 'succeeded', now()"),
        ("status, started_at, lease_owner, lease_expires_at", "'running', now(), 'w', now()"),
        ("imported", "true"),
    ] {
        let error = insert(columns, values).await.expect_err(values);
        assert_eq!(failure(&error).constraint(), Some("run_start_state"), "{values}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn the_first_outcome_of_an_item_stands() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, run) = new_run(&db).await?;
    let mut tx = db.workspace(workspace).await?;
    sqlx::query(
        "INSERT INTO operation.run_item (workspace_id, run_id, ordinal, key, label) VALUES ($1, $2, 0, 'k', 'L')",
    )
    .bind(workspace)
    .bind(run)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let set_item = async |assignments: &str| -> Result<(), sqlx::Error> {
        let mut tx = db.workspace(workspace).await?;
        let statement = format!("UPDATE operation.run_item SET {assignments} WHERE run_id = $1");
        sqlx::query(AssertSqlSafe(statement)).bind(run).execute(&mut *tx).await?;
        tx.commit().await
    };
    let rule = async |assignments: &str| -> String {
        let error = set_item(assignments).await.expect_err(assignments);
        failure(&error).constraint().unwrap_or_default().to_owned()
    };
    assert_eq!(rule("effect = 'created'").await, "run_item_effect_agrees");
    assert_eq!(rule("state = 'failed'").await, "run_item_reason_agrees");
    assert_eq!(rule("intent_fence = 3").await, "run_item_intent_agrees");
    assert_eq!(rule("key = 'other'").await, "run_item_identity_immutable");
    set_item("intent_attempt = 1, intent_fence = 3, intent_hash = sha256('x'), intent_at = now(), intent_action = 'create', fence = 3").await?;
    assert_eq!(rule("fence = 2").await, "run_item_fence_never_falls");
    assert_eq!(rule("intent_fence = 2").await, "run_item_fence_never_falls");
    set_item("state = 'succeeded', effect = 'created'").await?;
    assert_eq!(rule("state = 'failed', effect = 'none', reason_code = 'X'").await, "run_item_terminal_absorbs");
    assert_eq!(rule("state = 'succeeded', effect = 'created'").await, "run_item_terminal_absorbs");

    // Counts that do not agree with the items do not commit, in whatever order the statements came.
    let error = set(&db, workspace, run, FAIL).await.unwrap_err();
    assert_eq!(failure(&error), Failure::Raised { code: "TA003".into(), constraint: "run_counts_agree".into() });
    set(&db, workspace, run, &format!("total = 1, processed = 1, succeeded = 1, created = 1, {FAIL}")).await?;
    Ok(())
}

#[tokio::test]
async fn only_completed_runs_can_be_deleted() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, run) = new_run(&db).await?;
    let delete = async || -> Result<u64, sqlx::Error> {
        let mut tx = db.workspace(workspace).await?;
        let done = sqlx::query("DELETE FROM operation.run WHERE id = $1").bind(run).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    };
    assert_eq!(failure(&delete().await.unwrap_err()).constraint(), Some("run_active_stays"));
    set(&db, workspace, run, FAIL).await?;
    assert_eq!(delete().await?, 1);
    Ok(())
}

#[tokio::test]
async fn tenant_lifecycle_moves_along_its_arrows_only() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(COMPARE).await?;
    let (workspace, tenant) = seed::workspace(&db, "ada").await?;
    let move_to = async |lifecycle: &str| -> Result<i64, sqlx::Error> {
        let mut tx = db.workspace(workspace).await?;
        let version = sqlx::query_scalar(
            "UPDATE tenant.tenant SET lifecycle = $2, archived_at = CASE WHEN $2 = 'archived' THEN now() END
             WHERE id = $1 RETURNING version",
        )
        .bind(tenant)
        .bind(lifecycle)
        .fetch_one(&mut *tx)
        .await?;
        // The workflow record goes along, as it must.
        sqlx::query(
            "UPDATE tenant.onboarding SET state = CASE $2 WHEN 'draft' THEN 'cancelled' ELSE 'completed' END, ended_at = now()
             WHERE tenant_id = $1 AND state = 'in_progress' AND $2 <> 'onboarding'",
        )
        .bind(tenant)
        .bind(lifecycle)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO tenant.onboarding (workspace_id, id, tenant_id, started_by, editor, editor_name)
             SELECT $1, gen_random_uuid(), $2, 'ada', 'ada', 'Ada' WHERE $3 = 'onboarding' ON CONFLICT DO NOTHING",
        )
        .bind(workspace)
        .bind(tenant)
        .bind(lifecycle)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(version)
    };
    let states = ["draft", "onboarding", "active", "archived"];
    let legal = [
        ("draft", "onboarding"),
        ("onboarding", "draft"),
        ("onboarding", "active"),
        ("active", "archived"),
        ("archived", "active"),
    ];
    // How to come to each state from `active` again, so that every pair is tried from a real state.
    let superuser = database.connect_superuser().await?;
    for from in states {
        for to in states {
            let mut connection = superuser.plain().await?;
            let place = format!(
                "SET session_replication_role = replica;
                 UPDATE tenant.tenant SET lifecycle = '{from}',
                     archived_at = CASE WHEN '{from}' = 'archived' THEN now() END;
                 DELETE FROM tenant.onboarding;
                 INSERT INTO tenant.onboarding (workspace_id, id, tenant_id, started_by, editor, editor_name)
                     SELECT workspace_id, gen_random_uuid(), id, 'ada', 'ada', 'Ada' FROM tenant.tenant
                     WHERE lifecycle = 'onboarding';
                 SET session_replication_role = origin"
            );
            sqlx::raw_sql(AssertSqlSafe(place)).execute(&mut *connection).await?;
            drop(connection);
            let moved = move_to(to).await;
            assert_eq!(moved.is_ok(), from == to || legal.contains(&(from, to)), "{from} -> {to}");
            if let Err(error) = moved {
                assert_eq!(failure(&error).constraint(), Some("tenant_lifecycle"), "{from} -> {to}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_tenant_is_in_onboarding_exactly_while_one_is_under_way() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(COMPARE).await?;
    let (workspace, tenant) = seed::workspace(&db, "ada").await?;
    let begin = format!(
        "INSERT INTO tenant.onboarding (workspace_id, id, tenant_id, started_by, editor, editor_name)
         VALUES ('{workspace}', gen_random_uuid(), '{tenant}', 'ada', 'ada', 'Ada')"
    );
    let to = |lifecycle: &str| format!("UPDATE tenant.tenant SET lifecycle = '{lifecycle}' WHERE id = '{tenant}'");
    let end =
        "UPDATE tenant.onboarding SET state = 'cancelled', ended_at = now() WHERE state = 'in_progress'".to_owned();
    let apply = async |statements: &[&String]| -> Result<(), sqlx::Error> {
        let mut tx = db.workspace(workspace).await?;
        for statement in statements {
            sqlx::query(AssertSqlSafe((*statement).clone())).execute(&mut *tx).await?;
        }
        tx.commit().await
    };
    let refused = |result: Result<(), sqlx::Error>| failure(&result.unwrap_err()).constraint().map(str::to_owned);
    let place = to("draft");
    let superuser = database.connect_superuser().await?;
    let place = format!("SET session_replication_role = replica; {place}; SET session_replication_role = origin");
    sqlx::raw_sql(AssertSqlSafe(place)).execute(&mut *superuser.plain().await?).await?;

    assert_eq!(refused(apply(&[&begin]).await).as_deref(), Some("tenant_onboarding_agrees"));
    assert_eq!(refused(apply(&[&to("onboarding")]).await).as_deref(), Some("tenant_onboarding_agrees"));
    apply(&[&begin, &to("onboarding")]).await?;
    assert_eq!(refused(apply(&[&begin]).await).as_deref(), Some("onboarding_one_in_progress"));
    assert_eq!(refused(apply(&[&to("active")]).await).as_deref(), Some("tenant_onboarding_agrees"));
    assert_eq!(refused(apply(&[&end]).await).as_deref(), Some("tenant_onboarding_agrees"));
    apply(&[&to("draft"), &end]).await?;
    let again = "UPDATE tenant.onboarding SET state = 'in_progress', ended_at = NULL".to_owned();
    assert_eq!(refused(apply(&[&again]).await).as_deref(), Some("onboarding_terminal_absorbs"));
    Ok(())
}

#[tokio::test]
async fn a_credential_is_a_reference() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(COMPARE).await?;
    let (workspace, tenant) = seed::workspace(&db, "ada").await?;
    for (reference, accepted) in [
        ("env:GRAPH_SECRET", true),
        ("file:/run/secrets/graph", true),
        ("k8s:atlas/graph/client-secret", true),
        ("tXe8Q~u2mVYs3Rk0oJ9qWbZ5hN7cL1pD4fG6a", false),
        ("env:not a name", false),
        ("file:relative", false),
        ("", false),
    ] {
        let mut tx = db.workspace(workspace).await?;
        let inserted = sqlx::query(
            "INSERT INTO tenant.provider_connection
                 (workspace_id, tenant_id, id, base_url, authority, client_id, credential_reference)
             VALUES ($1, $2, $3, 'https://graph.example', 'https://login.example', 'client', $4)",
        )
        .bind(workspace)
        .bind(tenant)
        .bind(seed::id())
        .bind(reference)
        .execute(&mut *tx)
        .await;
        assert_eq!(inserted.is_ok(), accepted, "{reference}");
        if let Err(error) = inserted {
            assert_eq!(failure(&error).constraint(), Some("provider_connection_credential_is_reference"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn deadlines_are_set_once_and_in_order() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, run) = new_run(&db).await?;
    for deadline in ["queue_deadline = now() + interval '1 h'", "run_deadline = now() + interval '1 h'"] {
        assert_eq!(refused(&db, workspace, run, deadline).await, "run_deadlines_stay", "{deadline}");
    }
    let insert = async |queue: &str, run: &str| -> Result<(), sqlx::Error> {
        let mut tx = db.workspace(workspace).await?;
        let statement = format!(
            "INSERT INTO operation.run (workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant,
                 initiator_name, queue_deadline, run_deadline)
             VALUES ($1, $2, 'inventory.sync', 'unique', $3, false, 'Test', now() + interval '{queue}',
                 now() + interval '{run}')"
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(workspace)
            .bind(seed::id())
            .bind(seed::hash(2))
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    };
    insert("1 h", "1 h").await?;
    for (queue, run) in [("2 h", "1 h"), ("0", "1 h")] {
        let error = insert(queue, run).await.expect_err(queue);
        assert_eq!(failure(&error).constraint(), Some("run_deadlines_in_order"), "{queue} {run}");
    }
    Ok(())
}

#[tokio::test]
async fn time_in_a_pause_counts_once() -> Result<()> {
    let database = local::database().await?;
    let superuser = database.connect_superuser().await?;
    let (workspace, other) = (seed::id(), seed::id());
    let mut connection = superuser.plain().await?;
    // Hours of one day: from, until (none: still paused), whose, of what.
    for (from, until, owner, run_type) in [
        (2, Some(4), workspace, "a"),
        (3, Some(6), Uuid::nil(), "a"),
        (8, Some(9), workspace, "a"),
        (20, None, workspace, "a"),
        (0, Some(24), other, "a"),
        (0, Some(24), workspace, "b"),
    ] {
        let mut tx = sqlx::Connection::begin(&mut *connection).await?;
        sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO operation.pause (workspace_id, id, type, reason, paused_at, paused_by_kind, paused_by_subject,
                 paused_by_name, pause_request_id, resumed_at, resume_reason, resumed_by_kind, resumed_by_subject,
                 resumed_by_name, resume_request_id)
             SELECT $1, $2, $3, 'why', '2026-01-01Z'::timestamptz + $4 * interval '1 h', 'user', 'ada', 'Ada', $2, u.at,
                 CASE WHEN u.at IS NOT NULL THEN 'why' END, CASE WHEN u.at IS NOT NULL THEN 'user' END,
                 CASE WHEN u.at IS NOT NULL THEN 'ada' END, CASE WHEN u.at IS NOT NULL THEN 'Ada' END,
                 CASE WHEN u.at IS NOT NULL THEN $2 END
             FROM (SELECT '2026-01-01Z'::timestamptz + $5 * interval '1 h' AS at) u",
        )
        .bind(owner)
        .bind(seed::id())
        .bind(run_type)
        .bind(from)
        .bind(until)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
    }
    for (since, until, hours) in
        [(0, 24, 9), (3, 4, 1), (5, 8, 1), (6, 8, 0), (0, 3, 1), (8, 9, 1), (21, 22, 1), (12, 12, 0), (9, 8, 0)]
    {
        let paused: i32 = sqlx::query_scalar(
            "SELECT (extract(epoch FROM operation.paused_time($1, 'a', '2026-01-01Z'::timestamptz + $2 * interval '1 h',
                 '2026-01-01Z'::timestamptz + $3 * interval '1 h')) / 3600)::int",
        )
        .bind(workspace)
        .bind(since)
        .bind(until)
        .fetch_one(&mut *connection)
        .await?;
        assert_eq!(paused, hours, "from {since} to {until}");
    }
    Ok(())
}
