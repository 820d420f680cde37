//! The pool when things go wrong, and what errors are said to mean.

use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::Duration;

use anyhow::Result;
use pg::{Begin, Db, Failure, Settings, failure, local};

use crate::seed::{self, OPERATION};

#[tokio::test]
async fn beginning_survives_that_all_pooled_connections_died() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let superuser = database.connect_superuser().await?;
    for _ in 0..3 {
        // Fill the pool, give all back, kill all.
        let mut open = Vec::new();
        for _ in 0..5 {
            open.push(db.system().await?);
        }
        for tx in open {
            tx.rollback().await?;
        }
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND datname = $2")
            .bind(OPERATION)
            .bind(database.name())
            .execute(superuser.pool())
            .await?;
        for _ in 0..5 {
            let mut tx = db.workspace(seed::id()).await?;
            sqlx::query("SELECT FROM operation.run").execute(&mut *tx).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_begin_that_nobody_waits_for_leaves_no_transaction_open() -> Result<()> {
    let database = local::database().await?;
    let db = Db::connect(&Settings::new(database.url_for(OPERATION), "a-service").max_connections(1)).await?;
    for polls in [1, 2, 3, 5].into_iter().cycle().take(40) {
        // Dropped at whatever point it has reached after so many polls.
        let mut begin = Box::pin(db.workspace(seed::id()));
        for _ in 0..polls {
            let begun = poll_fn(|context| Poll::Ready(begin.as_mut().poll(context).is_ready())).await;
            if begun {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(begin);
        // On the only connection there is: a transaction begun earlier would still know its workspace.
        let mut connection = db.plain().await?;
        let workspace: Option<String> =
            sqlx::query_scalar("SELECT nullif(current_setting('tenantatlas.workspace_id', true), '')")
                .fetch_one(&mut *connection)
                .await?;
        assert_eq!(workspace, None, "given up after {polls} polls");
    }
    Ok(())
}

#[tokio::test]
async fn settings_reach_the_connection() -> Result<()> {
    let database = local::database().await?;
    let settings = Settings {
        statement_timeout: Duration::from_millis(1500),
        ..Settings::new(database.url_for(OPERATION), "a-service")
    };
    assert!(!format!("{settings:?}").contains("postgres://"), "a URL may hold a password");
    let db = Db::connect(&settings).await?;
    let mut connection = db.plain().await?;
    for (name, expected) in [
        ("statement_timeout", "1500ms"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("search_path", "pg_catalog"),
        ("application_name", "a-service"),
        ("TimeZone", "UTC"),
    ] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut *connection).await?;
        assert_eq!(value, expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_snapshot_is_read_only_and_sees_one_moment() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let workspace = seed::id();
    let mut snapshot = db.begin(Begin::workspace(workspace).snapshot()).await?;
    let count = "SELECT count(*) FROM operation.run";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *snapshot).await?, 0);
    let mut tx = db.workspace(workspace).await?;
    seed::queued_run(&mut tx, workspace).await?;
    tx.commit().await?;
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *snapshot).await?, 0);
    assert!(seed::queued_run(&mut snapshot, workspace).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_statement_beyond_its_limit_is_a_timeout_and_a_lost_connection_is_unavailable() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect(OPERATION).await?;
    let mut tx = db.begin(Begin::system().statement_timeout(Duration::from_millis(20))).await?;
    let error = sqlx::query("SELECT pg_sleep(20)").execute(&mut *tx).await.unwrap_err();
    assert_eq!(failure(&error), Failure::Timeout);
    drop(tx);

    let mut tx = db.system().await?;
    let error = sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())").execute(&mut *tx).await.unwrap_err();
    assert_eq!(failure(&error), Failure::Unavailable);
    drop(tx);

    let nowhere =
        Settings { acquire_timeout: Duration::from_millis(200), ..Settings::new("postgres://x@127.0.0.1:1/x", "t") };
    assert_eq!(failure(&Db::connect(&nowhere).await.unwrap_err()), Failure::Unavailable);
    Ok(())
}

#[tokio::test]
async fn an_epoch_is_stable_and_belongs_to_one_database() -> Result<()> {
    let (one, two) = (local::database().await?, local::database().await?);
    let (a, b) = (one.connect(OPERATION).await?, two.connect(OPERATION).await?);
    let first = pg::epoch(&mut *a.plain().await?).await?;
    assert_eq!(first, pg::epoch(&mut *a.plain().await?).await?);
    assert_ne!(first, pg::epoch(&mut *b.plain().await?).await?);
    assert_eq!(first.split('-').count(), 3);
    Ok(())
}
