//! A password in a file: shown when connecting, replaced while running, never told.

use std::time::Duration;

use anyhow::{Context as _, Result};
use pg::local::{Cluster, Start};
use pg::{Db, Settings};

/// A server that asks one role for its password and trusts the others.
async fn asking() -> Result<(Cluster, Db)> {
    let cluster = Cluster::start(&Start::temporary()).await?;
    let admin = Db::connect(&Settings::new(cluster.url(), "test").max_connections(2)).await?;
    let file = cluster.home().join("data/pg_hba.conf");
    let rules = std::fs::read_to_string(&file)?;
    std::fs::write(&file, format!("host all keyed 127.0.0.1/32 scram-sha-256\n{rules}"))?;
    sqlx::raw_sql("CREATE ROLE keyed LOGIN PASSWORD 'first'").execute(admin.pool()).await?;
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(admin.pool()).await?;
    Ok((cluster, admin))
}

async fn until_connects(settings: &Settings) -> Result<Db> {
    let connected = async {
        loop {
            if let Ok(db) = Db::connect(settings).await {
                return db;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), connected).await.context("never let in")
}

#[tokio::test]
async fn a_new_password_counts_for_new_connections_and_is_told_to_nobody() -> Result<()> {
    let (cluster, admin) = asking().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("password");
    std::fs::write(&file, "first\n")?;
    let settings = Settings {
        password_file: Some(file.clone()),
        password_interval: Duration::from_millis(5),
        ..Settings::new(cluster.url_for("keyed", "postgres"), "test").max_connections(1)
    };
    // The server has read its rules when it turns away who has no password.
    let without = Settings { password_file: None, ..settings.clone() };
    let refused = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Err(error) = Db::connect(&without).await {
                return error.to_string();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    refused.await.context("never asked for a password")?;
    let db = until_connects(&settings).await?;

    // Replaced at the server, then in the file, as a secret's rotation does it; then the connection is lost.
    sqlx::raw_sql("ALTER ROLE keyed PASSWORD 'second'").execute(admin.pool()).await?;
    sqlx::raw_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keyed'")
        .execute(admin.pool())
        .await?;
    let told = db.system().await.map(drop).expect_err("the former password is none any more").to_string();
    assert!(!told.contains("first"), "{told}");
    std::fs::write(&file, "second")?;
    let again = async {
        while db.system().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.context("the new password was never used")?;

    // A file that cannot be used changes nothing, and nobody starts with it.
    for (text, why) in [(String::new(), "is empty"), ("x".repeat(4097), "longer than 4096 bytes")] {
        std::fs::write(&file, text)?;
        let told = Db::connect(&settings).await.expect_err("it has no password").to_string();
        assert!(told.contains(why) && told.contains("password"), "{told}");
    }
    std::fs::remove_file(&file)?;
    assert!(Db::connect(&settings).await.is_err());
    drop(db.system().await?);
    db.close().await;
    Ok(())
}
