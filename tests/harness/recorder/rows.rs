//! What the checkers judge, read from the database past grants and row-level security.

use anyhow::Result;
use sqlx::PgPool;

use super::owner::{Event, Kind};
use super::queue::Row;
use super::watch::State;

/// Events that are final, after a position, in their order; at most so many.
pub async fn events_after(pool: &PgPool, after: (i64, i64), most: i64) -> Result<Vec<Event>> {
    type Columns = (i64, i64, String, i64, String, i64, i32, i32, String);
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT xid::text::bigint, seq, run_id::text, rev, kind, coalesce((run->>'fence')::bigint, 0),
             coalesce((run->>'attempt')::int, 0), coalesce((run->>'processed')::int, 0), status
         FROM operation.run_event
         WHERE (xid, seq) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY run_event.xid, run_event.seq LIMIT $3",
    )
    .bind(after.0.to_string())
    .bind(after.1)
    .bind(most)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|(xid, seq, run_id, revision, kind, fence, attempt, processed, status)| {
            let kind = Kind::parse(&kind)?;
            Ok(Event { position: (xid, seq), run_id, revision, kind, fence, attempt, processed, status })
        })
        .collect()
}

/// Every state of every run there was, in the order of the events.
pub async fn states(pool: &PgPool) -> Result<Vec<State>> {
    type Columns = (String, String, String, i64, String, String, i32);
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT workspace_id::text, run_id::text, type, rev, status, outcome, coalesce((run->>'processed')::int, 0)
         FROM operation.run_event ORDER BY run_event.xid, run_event.seq",
    )
    .fetch_all(pool)
    .await?;
    let state = |(workspace_id, run_id, run_type, revision, status, outcome, processed)| State {
        workspace_id,
        run_id,
        run_type,
        revision,
        status,
        outcome,
        processed,
    };
    Ok(rows.into_iter().map(state).collect())
}

/// Every run there is.
pub async fn runs(pool: &PgPool) -> Result<Vec<Row>> {
    type Columns = (String, Option<String>, String, String, i64, Option<i64>, i64, i64);
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT r.id::text, r.request_id::text,
             CASE WHEN r.dedupe_rule = 'unique' THEN ''
                 ELSE concat_ws('/', r.workspace_id, r.type, encode(r.identity_hash, 'hex')) END,
             CASE WHEN r.mutates_tenant THEN r.tenant_id::text ELSE '' END,
             (SELECT (extract(epoch FROM min(e.at)) * 1000000)::bigint FROM operation.run_event e WHERE e.run_id = r.id),
             (SELECT (extract(epoch FROM max(e.at)) * 1000000)::bigint FROM operation.run_event e
              WHERE e.run_id = r.id AND e.kind = 'completed'),
             (SELECT count(*) FROM audit.entry a WHERE a.run_id = r.id AND a.action = 'operation_run.queued'),
             (SELECT count(*) FROM audit.entry a WHERE a.run_id = r.id AND a.action = 'operation_run.completed')
         FROM operation.run r",
    )
    .fetch_all(pool)
    .await?;
    let row = |(run_id, request_id, identity, mutates, from, until, begun, ended)| Row {
        run_id,
        request_id,
        identity,
        mutates,
        lived: (from, until),
        audited: (begun, ended),
    };
    Ok(rows.into_iter().map(row).collect())
}
