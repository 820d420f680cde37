//! Fault 15: subscribers that hardly read, among many that do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::{Scene, Script};
use dev::stack::Plan;
use pb::operation::watch_operation_runs_response::Message;
use pb::operation::{StartOperationRunRequest, StartOutcome, WatchOperationRunsRequest, WatchOperationRunsResponse};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Streaming};

use crate::ground::{LIMIT, tell};

/// Streams that share a connection.
const PER_CONNECTION: usize = 100;
const SLOW: usize = 20;
/// Events of one measurement.
const EVENTS: usize = 40;
/// A service that works on this type, which starts anew with every click.
const SERVICE: &str = "compare-service";
const RUN_TYPE: &str = "backup_schedule.run_now";

#[tokio::test(flavor = "multi_thread")]
async fn fault_15_slow_readers_among_three_hundred_delay_nobody() -> Result<()> {
    slow_among(300).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: cargo dev faults"]
async fn fault_15_slow_readers_among_ten_thousand_delay_nobody() -> Result<()> {
    slow_among(10_000).await
}

async fn slow_among(watchers: usize) -> Result<()> {
    let mut scene = Scene::set(&Script::own(), Plan::test().await?).await?;
    // Nobody works: a run is one event.
    scene.stack.compare[0].kill().await?;
    let service = &mut scene.stack.operation_run[0];
    for limit in ["TENANTATLAS_MAX_STREAMS", "TENANTATLAS_MAX_STREAMS_PER_CALLER"] {
        service.set(limit, &(watchers + 2 * SLOW).to_string());
    }
    service.kill().await?;
    service.restart().await?;

    let heard = Arc::new(AtomicUsize::new(0));
    for _ in 0..watchers / PER_CONNECTION {
        let session = scene.stack.session(Persona::Manager)?;
        for _ in 0..PER_CONNECTION {
            let (stream, heard) = (open(&session, &scene.workspace_id).await?, Arc::clone(&heard));
            tokio::spawn(hear(stream, heard));
        }
    }
    let before = rounds(&scene, &heard, watchers).await?;
    let memory_before = resident(&scene)?;

    // They open their streams, and read one message a second from now on.
    let slow_session = scene.stack.session(Persona::Manager)?;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(open(&slow_session, &scene.workspace_id).await?);
    }
    let hurry = CancellationToken::new();
    let slow: Vec<_> = slow.into_iter().map(|stream| tokio::spawn(hear_slowly(stream, hurry.clone()))).collect();
    let beside = rounds(&scene, &heard, watchers).await?;
    let memory_beside = resident(&scene)?;
    tell(&format!(
        "{watchers} watchers, every one told: half within {:?}, 99 % within {:?}; beside {SLOW} slow ones {:?}, {:?}; \
         memory {memory_before} and {memory_beside} KiB",
        before.0, before.1, beside.0, beside.1
    ));
    // Had anybody waited for the slow ones, it would have been for a second an event.
    ensure!(beside.1 < Duration::from_secs(1).max(before.1 * 3), "others wait: {before:?} {beside:?}");
    ensure!(memory_beside <= memory_before * 3 / 2, "what the slow ones have not read piles up");
    // In the end they are told of everything too.
    hurry.cancel();
    for slow in slow {
        let told = tokio::time::timeout(LIMIT, slow).await.context("a slow one is not told")??;
        ensure!(told? == EVENTS, "a slow one missed something");
    }
    Ok(())
}

/// Times until everybody was told of an event: the middle one, and the one that 99 of 100 do not pass.
async fn rounds(scene: &Scene, heard: &AtomicUsize, watchers: usize) -> Result<(Duration, Duration)> {
    let session = scene.stack.session(Persona::Manager)?;
    let token = scene.stack.issuer.mint_service(SERVICE, Duration::from_secs(3600))?;
    let mut times = Vec::new();
    let mut made = Vec::new();
    for _ in 0..EVENTS {
        let expected = heard.load(Ordering::SeqCst) + watchers;
        let mut request = Request::new(StartOperationRunRequest {
            request_id: job::request_id(),
            workspace_id: scene.workspace_id.clone(),
            r#type: RUN_TYPE.to_owned(),
            tenant_id: scene.target.tenant_id.clone(),
            request_digest: vec![7; 32],
            ..Default::default()
        });
        request.metadata_mut().insert("x-tenantatlas-service", format!("Bearer {token}").parse()?);
        let began = Instant::now();
        let started = session.runs().start_operation_run(request).await?.into_inner();
        ensure!(started.outcome() == StartOutcome::Queued, "{started:?}");
        made.extend(started.run.map(|run| run.run_id));
        while heard.load(Ordering::SeqCst) < expected {
            ensure!(began.elapsed() < LIMIT, "somebody is not told");
            sleep(Duration::from_millis(1)).await;
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    ensure!(made.len() == EVENTS, "every one of them is new");
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

/// A stream whose snapshots have been read.
async fn open(session: &Session, workspace_id: &str) -> Result<Streaming<WatchOperationRunsResponse>> {
    let request = WatchOperationRunsRequest { workspace_id: workspace_id.to_owned(), ..Default::default() };
    let mut stream = session.runs().watch_operation_runs(request).await?.into_inner();
    loop {
        let message = stream.message().await?.context("a watch of a workspace does not end")?;
        if matches!(message.message, Some(Message::Bookmark(bookmark)) if bookmark.initial_end) {
            return Ok(stream);
        }
    }
}

async fn hear(mut stream: Streaming<WatchOperationRunsResponse>, heard: Arc<AtomicUsize>) -> Result<()> {
    while let Some(message) = stream.message().await? {
        if matches!(message.message, Some(Message::Event(_))) {
            heard.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}

/// Reads one message a second, until it may hurry, until it has been told of a whole measurement.
async fn hear_slowly(mut stream: Streaming<WatchOperationRunsResponse>, hurry: CancellationToken) -> Result<usize> {
    let mut events = 0;
    while events < EVENTS {
        let _ = hurry.run_until_cancelled(sleep(Duration::from_secs(1))).await;
        let message = stream.message().await?.context("a watch of a workspace does not end")?;
        events += usize::from(matches!(message.message, Some(Message::Event(_))));
    }
    Ok(events)
}

/// Resident memory of operation-run-service in KiB; 0 where the system does not tell.
fn resident(scene: &Scene) -> Result<u64> {
    let id = scene.stack.operation_run[0].id().context("it runs")?;
    let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it has memory")?;
    Ok(line.split_whitespace().next().context("a number")?.parse()?)
}
