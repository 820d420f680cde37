use std::time::Duration;

use anyhow::Result;
use pg::local;
use tokio::time::Instant;

use crate::seed::{OPERATION, ROLES};

#[tokio::test]
async fn applies_twice_and_from_several_processes_at_once() -> Result<()> {
    let database = local::shared().await?.empty_database().await?;
    let url = database.url();
    let (a, b, c) = tokio::join!(pg::migrate(&url), pg::migrate(&url), pg::migrate(&url));
    assert_eq!([a?, b?, c?], [pg::newest_schema(); 3]);
    assert_eq!(pg::migrate(&url).await?, pg::newest_schema());
    Ok(())
}

#[tokio::test]
async fn several_databases_of_a_fresh_cluster_are_migrated_at_once() -> Result<()> {
    // A cluster of its own: on the shared one another test may have made the roles already.
    let cluster = local::Cluster::start(&local::Start::temporary()).await?;
    let mut urls = Vec::new();
    for n in 0..6 {
        urls.push(cluster.create_database(&format!("db_{n}")).await?);
    }
    let all = urls.into_iter().map(|url| tokio::spawn(async move { pg::migrate(&url).await }));
    for migrated in all.collect::<Vec<_>>() {
        assert_eq!(migrated.await??, pg::newest_schema());
    }
    cluster.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_role_can_read_the_version_and_wait_for_it() -> Result<()> {
    let database = local::database().await?;
    for role in ROLES {
        let db = database.connect(role).await?;
        pg::wait_for_schema(db.pool(), Instant::now()).await?;
        assert_eq!(pg::schema_version(db.pool()).await?, Some(pg::newest_schema()));
    }
    Ok(())
}

#[tokio::test]
async fn waiting_ends_when_the_migration_is_done_and_not_before_its_deadline_otherwise() -> Result<()> {
    let database = local::shared().await?.empty_database().await?;
    // The roles are cluster-wide, so one of them can connect before its database is migrated.
    local::database().await?;
    let db = database.connect(OPERATION).await?;
    assert_eq!(pg::schema_version(db.pool()).await?, None);
    let too_early = pg::wait_for_schema(db.pool(), Instant::now() + Duration::from_millis(150)).await.unwrap_err();
    assert!(too_early.missing.contains(&1) && too_early.missing.contains(&pg::newest_schema()), "{too_early}");

    let waiting = {
        let pool = db.pool().clone();
        tokio::spawn(async move { pg::wait_for_schema(&pool, Instant::now() + Duration::from_secs(30)).await })
    };
    pg::migrate(&database.url()).await?;
    waiting.await??;
    assert!(pg::missing_migrations(db.pool()).await?.is_empty());
    Ok(())
}

/// Numbers are given out before they land: 0018 came after higher ones, and a program that looked at the newest only would have
/// served without it.
#[tokio::test]
async fn an_older_number_that_is_missing_is_waited_for_and_named() -> Result<()> {
    let database = local::database().await?;
    let owner = database.connect_superuser().await?;
    let late = 18;
    sqlx::query("UPDATE migration.applied SET success = false WHERE version = $1")
        .bind(late)
        .execute(owner.pool())
        .await?;
    let db = database.connect(OPERATION).await?;
    assert_eq!(pg::schema_version(db.pool()).await?, Some(pg::newest_schema()), "the newest is there");
    let refused = pg::wait_for_schema(db.pool(), Instant::now()).await.unwrap_err();
    assert_eq!(refused.missing, [late]);
    assert!(refused.to_string().contains("0018"), "{refused}");

    let (pool, until) = (db.pool().clone(), Instant::now() + Duration::from_secs(30));
    let waiting = tokio::spawn(async move { pg::wait_for_schema(&pool, until).await });
    sqlx::query("UPDATE migration.applied SET success = true WHERE version = $1")
        .bind(late)
        .execute(owner.pool())
        .await?;
    waiting.await??;
    Ok(())
}

#[tokio::test]
async fn an_edited_migration_is_refused_and_a_newer_one_left_alone() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect_superuser().await?;
    sqlx::query(
        "INSERT INTO migration.applied (version, description, success, checksum, execution_time)
         VALUES (9000, 'of the next release', true, '\\x00', 1)",
    )
    .execute(db.pool())
    .await?;
    assert_eq!(pg::migrate(&database.url()).await?, 9000);

    sqlx::query("UPDATE migration.applied SET checksum = '\\x00' WHERE version = 1").execute(db.pool()).await?;
    let error = pg::migrate(&database.url()).await.unwrap_err();
    assert!(matches!(error, pg::MigrationFailed::Apply(sqlx::migrate::MigrateError::VersionMismatch(1))));
    Ok(())
}

#[tokio::test]
async fn objects_carry_names_given_by_us() -> Result<()> {
    let database = local::database().await?;
    let db = database.connect_superuser().await?;
    // Names PostgreSQL makes up end in _check, _check1, _key or _fkey after the column's name; ours are listed with
    // their table's name first, so a generated one shows by containing a column name and that ending.
    let unnamed: Vec<String> = sqlx::query_scalar(
        "SELECT conrelid::regclass || '.' || conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace
         WHERE nspname IN ('access', 'tenant', 'inventory', 'operation', 'audit')
           AND conname ~ '_(check[0-9]*|key[0-9]*)$'",
    )
    .fetch_all(db.pool())
    .await?;
    assert_eq!(unnamed, Vec::<String>::new());
    Ok(())
}
