//! Faults that are best provoked inside one process. Their numbers are those of the register, `tests/faults/register.rs`.

mod atomic;
mod cutter;
mod owner;
mod request;
mod watch;

use crate::harness::World;

/// That the history of every run is whole: revisions are dense and rise with the positions, fences never fall, there is one
/// beginning and at most one end, the end is the last, and both are audited once.
pub async fn every_history_is_whole(world: &World) {
    let bad: Vec<String> = sqlx::query_scalar(
        "WITH told AS (
             SELECT run_id, rev, kind, (run->>'fence')::bigint AS fence,
                 row_number() OVER (PARTITION BY run_id ORDER BY xid, seq) AS place,
                 max((run->>'fence')::bigint) OVER (PARTITION BY run_id ORDER BY xid, seq) AS highest
             FROM operation.run_event)
         SELECT r.id::text || ': ' || coalesce(string_agg(t.rev || ' ' || t.kind || ' ' || t.fence, ', ' ORDER BY t.place), 'none')
         FROM operation.run r LEFT JOIN told t ON t.run_id = r.id
         GROUP BY r.id, r.rev, r.status
         HAVING count(t.rev) <> r.rev OR bool_or(t.rev <> t.place) OR bool_or(t.fence < t.highest)
             OR count(*) FILTER (WHERE t.kind = 'created') <> 1
             OR count(*) FILTER (WHERE t.kind = 'completed') <> (r.status = 'completed')::int
             OR bool_or(t.kind = 'completed' AND t.rev <> r.rev)
             OR (SELECT count(*) FROM audit.entry a WHERE a.run_id = r.id AND a.action = 'operation_run.queued') <> 1
             OR (SELECT count(*) FROM audit.entry a WHERE a.run_id = r.id AND a.action = 'operation_run.completed')
                 <> (r.status = 'completed')::int",
    )
    .fetch_all(world.superuser.pool())
    .await
    .unwrap();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Waits until so many of the service's connections wait for a lock.
pub async fn wait_for_waiters(world: &World, number: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'tenantatlas_operation' AND wait_event_type = 'Lock'";
    let deadline = tokio::time::Instant::now() + crate::harness::SOON;
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.superuser.pool()).await.unwrap() < number {
        assert!(tokio::time::Instant::now() < deadline, "fewer than {number} ever wait");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
