//! The tail: every event once, in an order that never changes afterwards, whatever order transactions commit in.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use pg::{Db, local};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::seed::{self, CLAIM, FAIL, OPERATION, RELEASE};

type Position = (i64, i64);

/// The tail query of migration 0008.
async fn tail(db: &Db, after: Position) -> Result<Vec<(i64, i64, Uuid, i64)>> {
    let mut tx = db.system().await?;
    Ok(sqlx::query_as(
        "SELECT xid::text::bigint, seq, run_id, rev FROM operation.run_event
         WHERE (xid, seq) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY xid, seq LIMIT 200",
    )
    .bind(after.0.to_string())
    .bind(after.1)
    .fetch_all(&mut *tx)
    .await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_tail_misses_and_repeats_nothing_under_concurrent_writers() -> Result<()> {
    const WRITERS: usize = 8;
    const RUNS_EACH: usize = 25;
    let database = local::database().await?;
    let db = Db::connect(&pg::Settings::new(database.url_for(OPERATION), "test").max_connections(12)).await?;
    let done = Arc::new(AtomicBool::new(false));

    let reader = {
        let (db, done) = (db.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen: Vec<(i64, i64, Uuid, i64)> = Vec::new();
            loop {
                // Asked before reading: an empty read after the last commit is the end.
                let last_round = done.load(Ordering::Acquire);
                let after = seen.last().map_or((0, 0), |event| (event.0, event.1));
                let events = tail(&db, after).await?;
                if events.is_empty() && last_round {
                    return anyhow::Ok(seen);
                }
                seen.extend(events);
                tokio::task::yield_now().await;
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let db = db.clone();
            tokio::spawn(async move {
                let workspace = seed::id();
                for round in 0..RUNS_EACH {
                    // Two runs per transaction in half of the rounds; the server sleeps before some commits so that
                    // later numbers commit first.
                    let mut tx = db.workspace(workspace).await?;
                    let run = seed::queued_run(&mut tx, workspace).await?;
                    if round % 2 == 0 {
                        seed::queued_run(&mut tx, workspace).await?;
                    }
                    if (writer + round) % 3 == 0 {
                        sqlx::query("SELECT pg_sleep(0.003)").execute(&mut *tx).await?;
                    }
                    tx.commit().await?;
                    for step in [CLAIM, RELEASE, CLAIM, FAIL] {
                        let mut tx = db.workspace(workspace).await?;
                        let statement = format!("UPDATE operation.run SET {step} WHERE workspace_id = $1 AND id = $2");
                        sqlx::query(AssertSqlSafe(statement)).bind(workspace).bind(run).execute(&mut *tx).await?;
                        if (writer + round) % 5 == 0 {
                            sqlx::query("SELECT pg_sleep(0.002)").execute(&mut *tx).await?;
                        }
                        tx.commit().await?;
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    // Other databases of the cluster may hold xmin back for a moment; reading goes on until all is below it.
    let mut tx = db.system().await?;
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM operation.run_event").fetch_one(&mut *tx).await?;
    tx.rollback().await?;
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        loop {
            let mut tx = db.system().await?;
            let settled: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM operation.run_event WHERE xid < pg_snapshot_xmin(pg_current_snapshot())",
            )
            .fetch_one(&mut *tx)
            .await?;
            if settled == written {
                return anyhow::Ok(());
            }
        }
    })
    .await??;
    done.store(true, Ordering::Release);
    let seen = reader.await??;

    assert_eq!(seen.len() as i64, written);
    assert_eq!(written as usize, WRITERS * (RUNS_EACH * 5 + RUNS_EACH.div_ceil(2)));
    let mut newest: HashMap<Uuid, i64> = HashMap::new();
    for pair in seen.windows(2) {
        assert!((pair[0].0, pair[0].1) < (pair[1].0, pair[1].1), "order");
    }
    for (_, _, run, rev) in seen {
        let before = newest.insert(run, rev).unwrap_or(0);
        assert_eq!(rev, before + 1, "revisions of run {run} are dense and in order");
    }
    Ok(())
}

#[tokio::test]
async fn every_change_has_its_event_and_start_and_end_their_audit_entry_or_none_of_it_happened() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let mut tx = db.workspace(workspace).await?;
    let run = seed::id();
    sqlx::query(
        "INSERT INTO operation.run (workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant, initiator_subject,
             initiator_name, context)
         VALUES ($1, $2, 'promotion.execute', 'unique', $3, false, 'ada', 'Ada',
             '{\"source_tenant_id\": \"s\", \"target_tenant_id\": \"t\", \"selection\": {\"types\": [\"a\"]}, \"note\": 1}')",
    )
    .bind(workspace)
    .bind(run)
    .bind(seed::hash(4))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let cancel = "cancel_requested_at = now(), cancel_requested_by = 'bob', cancel_reason = 'wrong tenant'";
    let finish = FAIL.replace("failed", "cancelled");
    for (step, commit) in
        [(CLAIM, false), (CLAIM, true), ("lease_expires_at = now()", true), (cancel, true), (&finish, true)]
    {
        let mut tx = db.workspace(workspace).await?;
        let statement = format!("UPDATE operation.run SET {step} WHERE workspace_id = $1 AND id = $2");
        sqlx::query(AssertSqlSafe(statement)).bind(workspace).bind(run).execute(&mut *tx).await?;
        if commit { tx.commit().await? } else { tx.rollback().await? }
    }

    let mut tx = db.workspace(workspace).await?;
    let events: Vec<(String, i64, String, bool)> = sqlx::query_as(
        "SELECT kind, rev, run ->> 'status', run ? 'request_hash' OR run ? 'identity_hash' OR run ? 'lease_owner'
         FROM operation.run_event WHERE run_id = $1 ORDER BY xid, seq",
    )
    .bind(run)
    .fetch_all(&mut *tx)
    .await?;
    let expected = [
        ("created", 1, "queued"),
        ("claimed", 2, "running"),
        ("cancel_requested", 3, "running"),
        ("completed", 4, "completed"),
    ];
    assert_eq!(events, expected.map(|(kind, rev, status)| (kind.to_owned(), rev, status.to_owned(), false)));

    let entries: Vec<(String, String, Option<String>, String, String)> = sqlx::query_as(
        "SELECT action, actor_kind, actor_subject, outcome, detail::text FROM audit.entry WHERE run_id = $1 ORDER BY id",
    )
    .bind(run)
    .fetch_all(&mut *tx)
    .await?;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].0, "operation_run.queued");
    assert_eq!((entries[1].0.as_str(), entries[1].3.as_str()), ("operation_run.completed", "cancelled"));
    for (_, kind, subject, _, detail) in &entries {
        assert_eq!((kind.as_str(), subject.as_deref()), ("user", Some("ada")));
        assert!(detail.contains("\"selection\"") && detail.contains("\"source_tenant_id\""), "{detail}");
        assert!(!detail.contains("note"), "{detail}");
    }
    assert!(entries[1].4.contains("wrong tenant") && entries[1].4.contains("\"counts\""), "{}", entries[1].4);
    let version: i32 = sqlx::query_scalar("SELECT get_byte(uuid_send(id), 6) >> 4 FROM audit.entry LIMIT 1")
        .fetch_one(&mut *tx)
        .await?;
    assert_eq!(version, 7);
    Ok(())
}

#[tokio::test]
async fn a_batch_writes_one_event_per_run_and_a_lost_insert_none() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let mut tx = db.workspace(workspace).await?;
    let run = seed::queued_run(&mut tx, workspace).await?;
    for _ in 0..4 {
        seed::queued_run(&mut tx, workspace).await?;
    }
    // The same run once more: somebody else was first.
    let lost = sqlx::query(
        "INSERT INTO operation.run (workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant, initiator_name)
         VALUES ($1, $2, 'inventory.sync', 'unique', $3, false, 'Test') ON CONFLICT DO NOTHING",
    )
    .bind(workspace)
    .bind(run)
    .bind(seed::hash(1))
    .execute(&mut *tx)
    .await?;
    assert_eq!(lost.rows_affected(), 0);
    for step in [CLAIM, "lease_expires_at = now()", "processed = 1, succeeded = 1", FAIL] {
        let done = sqlx::query(AssertSqlSafe(format!("UPDATE operation.run SET {step}"))).execute(&mut *tx).await?;
        assert_eq!(done.rows_affected(), 5, "{step}");
    }
    tx.commit().await?;

    let mut tx = db.workspace(workspace).await?;
    let kinds: Vec<(String, i64)> =
        sqlx::query_as("SELECT kind, count(*) FROM operation.run_event GROUP BY kind, rev ORDER BY rev")
            .fetch_all(&mut *tx)
            .await?;
    assert_eq!(kinds, ["created", "claimed", "progressed", "completed"].map(|kind| (kind.to_owned(), 5)));
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM audit.entry").fetch_one(&mut *tx).await?;
    assert_eq!(entries, 10);
    Ok(())
}
