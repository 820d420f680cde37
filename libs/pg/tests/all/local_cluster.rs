//! The private cluster, also as root, also when its owner is killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pg::local::{Cluster, Place, Start};
use pg::{Db, Settings};

/// Set in the process that owns a cluster and waits to be killed.
const VICTIM: &str = "ATLAS_TEST_VICTIM";

async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .with_context(|| what.to_owned())
}

fn accepts(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[tokio::test]
async fn a_temporary_cluster_starts_serves_and_leaves_nothing() -> Result<()> {
    let cluster = Cluster::start(&Start::temporary()).await?;
    let (home, port) = (cluster.home().to_owned(), cluster.port());
    let url = cluster.create_database("something").await?;
    assert_eq!(cluster.create_database("something").await?, url);
    let db = Db::connect(&Settings::new(url, "test")).await?;
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(db.pool()).await?;
    assert_eq!(fsync, "off");
    db.close().await;
    cluster.stop().await?;
    assert!(!home.exists() && !accepts(port));
    Ok(())
}

#[tokio::test]
async fn a_kept_cluster_is_opened_again_shared_while_open_and_durable() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let start = Start::kept(directory.path().join("kept"));
    let cluster = Cluster::start(&start).await?;
    let url = cluster.create_database("mine").await?;
    let db = Db::connect(&Settings::new(url, "test")).await?;
    sqlx::raw_sql("CREATE TABLE public.kept AS SELECT 7 AS n").execute(db.pool()).await?;
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(db.pool()).await?;
    assert_eq!(fsync, "on");
    db.close().await;

    let second = Cluster::start(&start).await?;
    assert!(cluster.is_ours() && !second.is_ours());
    assert_eq!(second.port(), cluster.port());
    second.stop().await?;
    assert!(accepts(cluster.port()));
    drop(cluster); // as good as stop

    let again = Cluster::start(&start).await?;
    let db = Db::connect(&Settings::new(again.url_for(pg::local::SUPERUSER, "mine"), "test")).await?;
    let n: i32 = sqlx::query_scalar("SELECT n FROM public.kept").fetch_one(db.pool()).await?;
    assert_eq!(n, 7);
    db.close().await;
    again.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_killed_server_starts_again_where_it_was_with_all_it_acknowledged() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&Start::kept(directory.path())).await?;
    let (port, url) = (cluster.port(), cluster.create_database("mine").await?);
    let db = Db::connect(&Settings::new(url, "test")).await?;
    sqlx::raw_sql("CREATE TABLE public.kept (n int)").execute(db.pool()).await?;
    for round in 1..=3 {
        sqlx::query("INSERT INTO public.kept VALUES ($1)").bind(round).execute(db.pool()).await?;
        // In the middle of a transaction, too: it never happened.
        let mut open = db.pool().begin().await?;
        sqlx::query("INSERT INTO public.kept VALUES (99)").execute(&mut *open).await?;
        cluster.kill().await?;
        assert!(!accepts(port));
        drop(open);
        cluster.restart().await?;
        assert_eq!(cluster.port(), port);
        let mut tx = db.system().await?;
        let rows: Vec<i32> = sqlx::query_scalar("SELECT n FROM public.kept ORDER BY n").fetch_all(&mut *tx).await?;
        assert_eq!(rows, (1..=round).collect::<Vec<_>>());
    }
    db.close().await;
    cluster.stop().await?;
    Ok(())
}

#[tokio::test]
async fn of_two_that_start_the_same_kept_cluster_one_runs_it() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let start = Start { durable: false, ..Start::kept(directory.path()) };
    let (one, two) = tokio::join!(Cluster::start(&start), Cluster::start(&start));
    let (one, two) = (one?, two?);
    assert_eq!(one.port(), two.port());
    assert!(one.is_ours() != two.is_ours());
    Ok(())
}

#[tokio::test]
async fn a_directory_of_an_unknown_version_is_told_not_touched() -> Result<()> {
    let directory = tempfile::tempdir()?;
    std::fs::create_dir(directory.path().join("data"))?;
    std::fs::write(directory.path().join("data/PG_VERSION"), "9\n")?;
    let error = Cluster::start(&Start::kept(directory.path())).await.unwrap_err();
    assert!(error.to_string().contains("PostgreSQL 9"), "{error}");
    assert!(directory.path().join("data/PG_VERSION").exists());
    Ok(())
}

/// Not a test by itself: the process that [`no_server_outlives_its_killed_owner`] kills.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "it tells the test that started it where its server is")]
async fn victim() -> Result<()> {
    let Ok(place) = std::env::var(VICTIM) else { return Ok(()) };
    let start = if place == "temporary" { Start::temporary() } else { Start::kept(place) };
    let cluster = Cluster::start(&start).await?;
    eprintln!("owner {} {}", cluster.port(), cluster.home().display());
    tokio::time::sleep(Duration::from_secs(120)).await;
    Ok(())
}

async fn kill_owner(place: &str) -> Result<(u16, PathBuf)> {
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "local_cluster::victim", "--nocapture"])
        .env(VICTIM, place)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let said = BufReader::new(owner.stderr.take().context("stderr")?);
    let line =
        said.lines().map_while(Result::ok).find(|line| line.starts_with("owner ")).context("it did not start")?;
    let mut words = line.split(' ').skip(1);
    let port: u16 = words.next().context("port")?.parse()?;
    let home = PathBuf::from(words.next().context("home")?);
    ensure!(accepts(port), "the server runs");
    owner.kill()?; // SIGKILL: it can clean up nothing
    owner.wait()?;
    Ok((port, home))
}

#[tokio::test]
async fn no_server_outlives_its_killed_owner() -> Result<()> {
    let (port, home) = kill_owner("temporary").await?;
    until("the server of a killed owner is gone", || !accepts(port)).await?;
    until("its directory is gone", || !home.exists()).await?;

    let directory = tempfile::tempdir()?;
    let kept: &Path = directory.path();
    let (port, home) = kill_owner(&kept.display().to_string()).await?;
    until("the server of a killed owner is gone", || !accepts(port)).await?;
    assert!(home.join("data/PG_VERSION").exists());
    // And the kept one opens again at once, even while the old server is still going down.
    let again = Cluster::start(&Start { place: Place::Kept(kept.to_owned()), ..Start::temporary() }).await?;
    assert!(again.is_ours());
    again.stop().await?;
    Ok(())
}
