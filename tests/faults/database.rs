//! Faults 11 to 13: the database server is killed, an older copy of it comes back, a transaction writes for long. Each has a server of
//! its own, so that nobody else suffers from it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::operation::{ListOperationRunsRequest, OperationRunOutcome, WatchOperationRunsRequest};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use system_tests::recorder::looker::{Heard, Looker, Seen, is_indeterminate};
use system_tests::recorder::rows::states;
use system_tests::recorder::watch::Wanted;
use system_tests::story::Story;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::ground::{Ground, LIMIT, Replicas, tell};
use crate::proof;

/// A story on a server of its own, whose files go when it is over.
struct Alone {
    story: Story,
    files: Files,
}

struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        // A server that is still going down may hold some of them: they lie among other things that git ignores.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Alone {
    async fn begin() -> Result<Self> {
        let plan = Plan::breakable().await?;
        let files = Files(plan.state.join("postgres"));
        Ok(Self { story: Story::begin(&Script::own(), plan).await?, files })
    }

    fn cluster(&mut self) -> Result<&mut pg::local::Cluster> {
        self.story.scene.stack.database.cluster()
    }

    /// Somebody who watches everything of the workspace.
    fn looker(&self, seed: u64) -> Result<Seen> {
        let wanted = Wanted { workspace_id: self.story.scene.workspace_id.clone(), ..Default::default() };
        let session = self.story.scene.stack.session(Persona::Manager)?;
        Ok(Looker::of(vec![session], wanted, StdRng::seed_from_u64(seed)).begin(|heard| {
            if let Heard::Violation(violation) = heard {
                tell(&violation.to_string());
            }
        }))
    }

    /// Syncs the source, however long the services take to find their database again.
    async fn sync(&self) -> Result<String> {
        let limit = Instant::now() + LIMIT;
        loop {
            match self.story.sync(&self.story.scene.source.tenant_id).await {
                Ok(run) if run.outcome() == OperationRunOutcome::Succeeded => return Ok(run.run_id),
                Ok(run) => anyhow::bail!("{run:?}"),
                Err(error) => ensure!(Instant::now() < limit, "{error:#}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits until everybody has begun to look.
async fn all_look(seen: &[&Seen]) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    while !seen.iter().all(|seen| seen.lock().expect("nobody panics").has_begun()) {
        ensure!(Instant::now() < limit, "somebody is not shown anything");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Waits until everybody was told of everything that is in the database, rightly.
async fn all_told(alone: &Alone, seen: &[&Seen]) -> Result<()> {
    let truth = states(&alone.story.rows).await?;
    let limit = Instant::now() + LIMIT;
    for seen in seen {
        loop {
            let judged = seen.lock().expect("nobody panics").clone();
            match judged.against(&truth) {
                Ok(()) => break,
                Err(violation) => ensure!(Instant::now() < limit, "{violation}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// A transaction that is rolled back is not on disk at once. A server that is killed then has never heard of it, and gives its
/// number to the next one: which must not lie before what watchers have seen.
#[tokio::test]
async fn fault_11_numbers_that_a_killed_server_gives_away_again_hide_no_event() -> Result<()> {
    let mut alone = Alone::begin().await?;
    // Nothing reaches the disk by itself for a while.
    sqlx::query("ALTER SYSTEM SET wal_writer_delay = '10s'").execute(&alone.story.rows).await?;
    sqlx::query("SELECT pg_reload_conf()").execute(&alone.story.rows).await?;
    alone.sync().await?;
    let before = alone.looker(1)?;
    all_look(&[&before]).await?;

    let newest = number_of_a_transaction_that_is_rolled_back(&alone, 200).await?;
    // The services look at what is new many times a second: they know that all of these have ended.
    sleep(Duration::from_millis(400)).await;
    alone.cluster()?.kill().await?;
    alone.cluster()?.restart().await?;
    let again = number_of_a_transaction_that_is_rolled_back(&alone, 1).await?;
    ensure!(
        again <= newest,
        "the server has forgotten nothing, and this test has shown nothing: {again} after {newest}"
    );
    alone.sync().await?;
    all_told(&alone, &[&before]).await?;

    // And whoever began to look after they had ended.
    number_of_a_transaction_that_is_rolled_back(&alone, 200).await?;
    let between = alone.looker(2)?;
    all_look(&[&between]).await?;
    alone.cluster()?.kill().await?;
    alone.cluster()?.restart().await?;
    alone.sync().await?;
    all_told(&alone, &[&before, &between]).await?;
    proof::single_owner(&alone.story.rows).await?;
    drop(alone.files);
    Ok(())
}

/// The number of the last of so many transactions that leave nothing behind.
async fn number_of_a_transaction_that_is_rolled_back(alone: &Alone, times: usize) -> Result<i64> {
    let mut number = 0;
    for _ in 0..times {
        let mut open = begin(alone).await?;
        number = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint").fetch_one(&mut *open).await?;
        open.rollback().await?;
    }
    Ok(number)
}

/// A transaction, also when the pool's connections died with their server.
async fn begin(alone: &Alone) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let limit = Instant::now() + LIMIT;
    loop {
        match alone.story.rows.begin().await {
            Ok(mut open) => {
                if sqlx::query("SELECT 1").execute(&mut *open).await.is_ok() {
                    return Ok(open);
                }
            }
            Err(error) => ensure!(Instant::now() < limit, "{error}"),
        }
    }
}

#[tokio::test]
#[ignore = "minutes: cargo dev faults"]
async fn fault_11_a_database_killed_under_load_loses_nothing_and_everybody_recovers() -> Result<()> {
    let plan = Plan::breakable().await?;
    let _files = Files(plan.state.join("postgres"));
    let mut ground = Ground::prepare_on(plan, Replicas { promotion: 2, operation_run: 2 }).await?;
    ground.slow_down(Duration::from_millis(25)).await?;
    let run = ground.execute().await?;
    for kill in 1..=4 {
        let before = ground.processed(&run.run_id, kill * 15).await?;
        ground.story.scene.stack.database.cluster()?.kill().await?;
        sleep(Duration::from_millis(700)).await;
        ground.story.scene.stack.database.cluster()?.restart().await?;
        let back = Instant::now();
        let after = ground.until(&run.run_id, |_| true).await?;
        ensure!(back.elapsed() < Duration::from_secs(10), "it took {:?}", back.elapsed());
        let processed = |run: &pb::operation::OperationRun| run.summary_counts.unwrap_or_default().processed();
        ensure!(processed(&after) >= processed(&before), "progress went back: {before:?} {after:?}");
        tell(&format!("kill {kill} after {} items, answered again after {:?}", processed(&before), back.elapsed()));
    }
    ground.provider().heal().await?;
    let ended = ground.end_of(&run.run_id).await?;
    let stack = &mut ground.story.scene.stack;
    for process in stack.compare.iter_mut().chain(&mut stack.promotion).chain(&mut stack.operation_run) {
        ensure!(!process.has_ended()?, "{} did not live through it", process.name());
    }
    proof::everything_is_there_once(&ground, &ended).await
}

/// A copy from before comes back, as a new history. Nobody goes on silently with the old one.
#[tokio::test]
#[ignore = "minutes: cargo dev faults"]
async fn fault_12_an_older_copy_of_the_database_begins_a_new_history() -> Result<()> {
    let mut alone = Alone::begin().await?;
    alone.sync().await?;
    let data = alone.cluster()?.home().join("data");
    let copy = alone.files.0.join("copy");
    alone.cluster()?.shut_down().await?;
    copy_folder(&data, &copy)?;
    alone.cluster()?.restart().await?;
    let lost = alone.sync().await?;
    let session = alone.story.scene.stack.session(Persona::Manager)?;
    let of_everything = |token: &str| WatchOperationRunsRequest {
        workspace_id: alone.story.scene.workspace_id.clone(),
        resume_token: token.to_owned(),
        ..Default::default()
    };
    let mut open = session.runs().watch_operation_runs(of_everything("")).await?.into_inner();
    let token = loop {
        use pb::operation::watch_operation_runs_response::Message;
        let message = open.message().await?.context("it goes on")?;
        if matches!(message.message, Some(Message::Bookmark(bookmark)) if bookmark.initial_end) {
            break message.resume_token;
        }
    };
    let (old, resumed) = (token.clone(), of_everything(&token));
    let fresh = of_everything("");
    let list = ListOperationRunsRequest {
        workspace_id: alone.story.scene.workspace_id.clone(),
        page_size: 500,
        ..Default::default()
    };

    alone.cluster()?.shut_down().await?;
    std::fs::remove_dir_all(&data)?;
    copy_folder(&copy, &data)?;
    // As a backup is restored: up to where it goes, on a timeline of its own.
    std::fs::write(data.join("recovery.signal"), "")?;
    let own = Command::new("chown")
        .arg("--reference")
        .arg(data.join("PG_VERSION"))
        .arg(data.join("recovery.signal"))
        .status()?;
    ensure!(own.success(), "the server may read it");
    let mut settings = std::fs::read_to_string(data.join("postgresql.auto.conf"))?;
    settings.push_str("\nrestore_command = 'false'\n");
    std::fs::write(data.join("postgresql.auto.conf"), settings)?;
    alone.cluster()?.restart().await?;

    // The open stream ends, at once or by way of an outage; taken up again it is told that its history is another.
    let end = loop {
        match open.message().await {
            Ok(Some(_)) => {}
            Ok(None) => anyhow::bail!("it ended as if all were well"),
            Err(status) => break status,
        }
    };
    let limit = Instant::now() + LIMIT;
    let mut refused = end;
    while is_indeterminate(&refused) {
        ensure!(Instant::now() < limit, "{refused:?}");
        sleep(Duration::from_millis(100)).await;
        refused = match session.runs().watch_operation_runs(resumed.clone()).await {
            Err(status) => status,
            Ok(stream) => match stream.into_inner().message().await {
                Err(status) => status,
                // Not noticed yet: until then it stands still.
                Ok(_) => Status::unavailable("it said something"),
            },
        };
    }
    assert_eq!((refused.code(), system_tests::reason(&refused).as_str()), (Code::OutOfRange, "CURSOR_EPOCH"));
    // Whoever begins anew sees what is there, and what is lost is not.
    let listed = session.runs().list_operation_runs(list).await?.into_inner().runs;
    ensure!(!listed.iter().any(|run| run.run_id == lost), "the copy is older than it");
    let mut anew = session.runs().watch_operation_runs(fresh).await?.into_inner();
    let mut shown = Vec::new();
    loop {
        use pb::operation::watch_operation_runs_response::Message;
        let message = anew.message().await?.context("it goes on")?;
        ensure!(message.resume_token != old, "a token of the new history");
        match message.message.context("every message says something")? {
            Message::Snapshot(run) => shown.push(run.run_id),
            Message::Bookmark(_) => break,
            Message::Event(event) => anyhow::bail!("{event:?}"),
        }
    }
    shown.sort();
    let mut there: Vec<_> = listed.into_iter().map(|run| run.run_id).collect();
    there.sort();
    assert_eq!(shown, there);
    // And the new history goes on.
    let next = alone.sync().await?;
    loop {
        let message = anew.message().await?.context("it goes on")?;
        if let Some(pb::operation::watch_operation_runs_response::Message::Event(event)) = message.message
            && event.run.is_some_and(|run| run.run_id == next && run.complete_time.is_some())
        {
            return Ok(());
        }
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(done.success(), "cp -a {} {}", from.display(), to.display());
    Ok(())
}

/// The alert on `operation_watch_held_back_seconds` fires above the same five seconds (`tests/manifests/alerts.rs`); the service
/// says so itself.
#[tokio::test]
async fn fault_13_a_writer_that_takes_long_is_told_of_and_work_goes_on() -> Result<()> {
    held_back_for(Duration::from_secs(6)).await
}

#[tokio::test]
#[ignore = "minutes: cargo dev faults"]
async fn fault_13_a_minute_of_writing_holds_up_the_watch_and_loses_nothing() -> Result<()> {
    held_back_for(Duration::from_secs(60)).await
}

async fn held_back_for(time: Duration) -> Result<()> {
    const TOLD_WITHIN: Duration = Duration::from_secs(15);
    let alone = Alone::begin().await?;
    alone.sync().await?;
    let seen = alone.looker(3)?;
    all_look(&[&seen]).await?;
    let told = seen.lock().expect("nobody panics").counts().0;

    let mut long = begin(&alone).await?;
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *long).await?;
    let began = Instant::now();
    // Runs are started, claimed and ended meanwhile.
    let mut ended = Vec::new();
    while began.elapsed() < time {
        ended.push(alone.sync().await?);
        sleep(Duration::from_millis(100)).await;
    }
    let log = alone.story.scene.stack.operation_run[0].log().to_owned();
    while !std::fs::read_to_string(&log)?.contains("a transaction has been writing for long") {
        ensure!(began.elapsed() < time + TOLD_WITHIN, "nobody is told");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(seen.lock().expect("nobody panics").counts().0, told, "nothing of it is final");
    long.rollback().await?;
    all_told(&alone, &[&seen]).await?;
    tell(&format!("{} runs meanwhile, told in order afterwards", ended.len()));
    proof::single_owner(&alone.story.rows).await
}
