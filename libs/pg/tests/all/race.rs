//! Uniqueness is decided by indexes: two connections race each of them.

use anyhow::Result;
use pg::{Db, Failure, failure, local};
use uuid::Uuid;

use crate::seed::{self, OPERATION};

struct Wanted {
    workspace: Uuid,
    rule: &'static str,
    identity: u8,
    tenant: Option<Uuid>,
    request: Option<Uuid>,
}

async fn start(db: Db, wanted: Wanted) -> Result<Uuid, sqlx::Error> {
    let run = seed::id();
    let mut tx = db.workspace(wanted.workspace).await?;
    sqlx::query(
        "INSERT INTO operation.run (workspace_id, id, type, dedupe_rule, identity_hash, mutates_tenant, tenant_id,
             request_id, request_hash, initiator_name)
         VALUES ($1, $2, 'promotion.execute', $3, $4, $5, $6, $7, $8, 'Test')",
    )
    .bind(wanted.workspace)
    .bind(run)
    .bind(wanted.rule)
    .bind(seed::hash(wanted.identity))
    .bind(wanted.tenant.is_some())
    .bind(wanted.tenant)
    .bind(wanted.request)
    .bind(wanted.request.map(|_| seed::hash(9)))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(run)
}

/// Starts 16 at once; exactly one wins, and each loser is told the name of `index`.
async fn one_wins(db: &Db, index: &str, wanted: impl Fn() -> Wanted) -> Result<Uuid> {
    let racers: Vec<_> = (0..16).map(|_| tokio::spawn(start(db.clone(), wanted()))).collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await? {
            Ok(run) => winners.push(run),
            Err(error) => assert_eq!(failure(&error), Failure::UniqueViolation { constraint: index.into() }),
        }
    }
    assert_eq!(winners.len(), 1, "{index}");
    Ok(winners[0])
}

async fn complete(db: &Db, workspace: Uuid, run: Uuid) -> Result<()> {
    let mut tx = db.workspace(workspace).await?;
    sqlx::query(
        "UPDATE operation.run SET status = 'completed', outcome = 'failed', completed_at = now() WHERE id = $1",
    )
    .bind(run)
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn one_active_run_per_identity_and_another_after_it_ended() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let wanted = || Wanted { workspace, rule: "while_active", identity: 1, tenant: None, request: None };
    let first = one_wins(&db, "run_identity_while_active", wanted).await?;
    complete(&db, workspace, first).await?;
    one_wins(&db, "run_identity_while_active", wanted).await?;
    // Another workspace has its own.
    start(db.clone(), Wanted { workspace: seed::id(), ..wanted() }).await?;
    Ok(())
}

#[tokio::test]
async fn a_strict_identity_is_used_once_for_ever() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let wanted = || Wanted { workspace, rule: "forever", identity: 2, tenant: None, request: None };
    let first = one_wins(&db, "run_identity_forever", wanted).await?;
    complete(&db, workspace, first).await?;
    assert!(start(db.clone(), wanted()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_request_id_makes_one_run() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, request) = (seed::id(), seed::id());
    let wanted = || Wanted { workspace, rule: "unique", identity: 3, tenant: None, request: Some(request) };
    let first = one_wins(&db, "run_request_once", wanted).await?;
    complete(&db, workspace, first).await?;
    assert!(start(db.clone(), wanted()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn one_active_mutation_per_target_tenant() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let (workspace, tenant) = (seed::id(), seed::id());
    let identity = std::sync::atomic::AtomicU8::new(10);
    let wanted = || Wanted {
        workspace,
        rule: "while_active",
        identity: identity.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        tenant: Some(tenant),
        request: None,
    };
    let first = one_wins(&db, "run_one_mutation_per_tenant", wanted).await?;
    start(db.clone(), Wanted { tenant: Some(seed::id()), ..wanted() }).await?;
    complete(&db, workspace, first).await?;
    one_wins(&db, "run_one_mutation_per_tenant", wanted).await?;
    Ok(())
}

/// Whoever waits in the index for a run that is just being removed finds out that it was there.
#[tokio::test]
async fn an_identity_for_ever_outlives_its_run_also_for_whoever_waited() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let wanted = || Wanted { workspace, rule: "forever", identity: 7, tenant: None, request: None };
    let first = start(db.clone(), wanted()).await?;
    complete(&db, workspace, first).await?;

    let mut removal = db.workspace(workspace).await?;
    sqlx::query("DELETE FROM operation.run WHERE id = $1").bind(first).execute(&mut *removal).await?;
    let waiting = tokio::spawn(start(db.clone(), wanted()));
    let superuser = database.connect_superuser().await?;
    loop {
        let blocked: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO operation.run%')",
        )
        .fetch_one(superuser.pool())
        .await?;
        if blocked {
            break;
        }
        assert!(!waiting.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    removal.commit().await?;
    let spent = Failure::Raised { code: "TA001".into(), constraint: "run_identity_spent".into() };
    assert_eq!(failure(&waiting.await?.expect_err("it was there")), spent);
    assert_eq!(failure(&start(db, wanted()).await.expect_err("it was there")), spent);
    Ok(())
}
