//! Following runs live: whatever is cut and wherever it is taken up again, every change is seen once and in order.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::compare::{CompareSelection, GeneratePromotionPreflightResponse};
use pb::inventory::SyncInventoryRequest;
use pb::operation::{CancelOperationRunRequest, OperationRunStatus, RunEvent};
use pb::workspace::{RemoveTenantRoleRequest, RemoveWorkspaceMemberRequest, SetTenantRoleRequest};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::story::Story;
use system_tests::watching::{Seen, Service, Subject, Watch};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::Code;

/// A promotion of the demo is over long before.
const LIMIT: Duration = Duration::from_secs(120);
/// Access lost means the stream lost, within this time.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn cut_and_resumed_at_random_at_any_replica_every_event_is_seen_once_in_order() -> Result<()> {
    let plan = Plan { operation_run_replicas: 2, promotion_replicas: 2, ..Plan::test().await? };
    let story = Story::begin(&Script::own(), plan).await?.synced().await?;
    let replicas = sessions_at_every_replica(&story)?;
    let everything = Subject::Workspace(story.scene.workspace_id.clone());
    // Spread out, so that there is something to cut.
    slow_down(&story, 60).await?;

    let watchers = [
        Watcher { seed: 1, service: Service::OperationRuns, at: 0 },
        Watcher { seed: 2, service: Service::OperationRuns, at: 3 },
        Watcher { seed: 3, service: Service::Promotions, at: 1 },
    ];
    let mut watching = Vec::new();
    for watcher in watchers {
        let (ready, is_ready) = oneshot::channel();
        watching.push(tokio::spawn(watcher.watch(replicas.clone(), everything.clone(), ready)));
        timeout(LIMIT, is_ready).await??;
    }
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    let run = job::execute(&story.manager, &selection, &preflight).await?.run.context("a promotion starts")?;
    let snapshots = snapshot_watchers(&replicas, &run.run_id);

    let ended = job::wait_for_end(&story.manager, &run.run_id).await?;
    let truth: Vec<(i64, String)> =
        sqlx::query_as("SELECT rev, kind FROM operation.run_event WHERE run_id = $1::uuid ORDER BY rev")
            .bind(&run.run_id)
            .fetch_all(&story.rows)
            .await?;
    assert!(truth.len() >= 5, "too few changes to prove anything: {truth:?}");
    assert_eq!(ended.revision, i64::try_from(truth.len())?, "revisions are dense");
    for watcher in watching {
        let (events, cuts) = timeout(LIMIT, watcher).await???;
        let seen: Vec<_> = events.iter().map(|event| event.run.as_ref().map(|run| run.revision)).collect();
        let wanted: Vec<_> = truth.iter().map(|(revision, _)| Some(*revision)).collect();
        assert_eq!(seen, wanted, "every event once and in order");
        assert!(cuts > 2, "the stream was hardly cut");
        assert_events_tell_the_story(&events, &ended)?;
    }
    for watcher in snapshots {
        let revisions = timeout(LIMIT, watcher).await???;
        let wanted: Vec<_> = (revisions[0]..=ended.revision).collect();
        assert_eq!(revisions, wanted, "a snapshot, then everything after it");
    }
    a_run_that_has_ended_is_told_in_one_snapshot(&replicas, &run.run_id, ended.revision).await
}

/// One session of the manager at every pair of replicas.
fn sessions_at_every_replica(story: &Story) -> Result<Vec<Session>> {
    let stack = &story.scene.stack;
    let token = stack.token(Persona::Manager)?;
    let pairs = [(0, 0), (1, 0), (0, 1), (1, 1)];
    pairs.into_iter().map(|(promotion, run)| Session::new(&stack.endpoints_of(promotion, run)?, &token)).collect()
}

async fn slow_down(story: &Story, latency_ms: u64) -> Result<()> {
    let slow = FaultRule::new(FaultAction::Latency { latency_ms }).tenant(&story.scene.target.external_tenant_id);
    story.provider.fault(&slow).await?;
    Ok(())
}

struct Watcher {
    /// Of its chance: the same cuts, message for message, every time.
    seed: u64,
    service: Service,
    /// The replica it begins at.
    at: usize,
}

impl Watcher {
    /// Watches until a run has ended, cutting the stream after every few messages; returns the events and the number of cuts.
    async fn watch(
        self,
        replicas: Vec<Session>,
        subject: Subject,
        ready: oneshot::Sender<()>,
    ) -> Result<(Vec<RunEvent>, usize)> {
        let mut chance = StdRng::seed_from_u64(self.seed);
        let (mut events, mut cuts, mut token, mut at) = (Vec::new(), 0, String::new(), self.at);
        let mut ready = Some(ready);
        loop {
            let mut stream = Watch::open(&replicas[at], self.service, &subject, &token).await?;
            for _ in 0..chance.random_range(1..4) {
                let (seen, after) = stream.next().await?.context("the watch of a workspace has no end")?;
                token = after;
                match seen {
                    Seen::Snapshot(run) => bail!("nothing has run yet: {run:?}"),
                    Seen::Bookmark { initial_end: true } => ready.take().map(|ready| ready.send(())).unwrap_or(Ok(())),
                    Seen::Bookmark { initial_end: false } => Ok(()),
                    Seen::Event(event) => {
                        let over = status_of(&event) == OperationRunStatus::Completed;
                        events.push(*event);
                        if over {
                            return Ok((events, cuts));
                        }
                        Ok(())
                    }
                }
                .map_err(|()| anyhow::anyhow!("nobody waits for this watcher"))?;
            }
            (cuts, at) = (cuts + 1, chance.random_range(0..replicas.len()));
        }
    }
}

fn status_of(event: &RunEvent) -> OperationRunStatus {
    event.run.as_ref().map(|run| run.status()).unwrap_or_default()
}

fn assert_events_tell_the_story(events: &[RunEvent], ended: &pb::operation::OperationRun) -> Result<()> {
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    ensure!(kinds[..2] == ["queued", "started"] && kinds.ends_with(&["completed"]), "{kinds:?}");
    ensure!(kinds[2..kinds.len() - 1].iter().all(|kind| *kind == "progressed"), "{kinds:?}");
    let mut processed = 0;
    for event in events {
        let run = event.run.as_ref().context("an event carries its run")?;
        let counts = run.summary_counts.context("a run has counts")?;
        ensure!(counts.processed() >= processed, "progress never goes back");
        processed = counts.processed();
    }
    let last = events.last().and_then(|event| event.run.as_ref()).context("there are events")?;
    ensure!(last.summary_counts == ended.summary_counts && last.outcome() == ended.outcome(), "{last:?}");
    Ok(())
}

/// Watchers of one run, by both services and at different replicas, who come while it is under way.
fn snapshot_watchers(replicas: &[Session], run_id: &str) -> Vec<JoinHandle<Result<Vec<i64>>>> {
    let begin = |service: Service, at: usize| {
        let (session, subject) = (replicas[at].clone(), Subject::Run(run_id.to_owned()));
        tokio::spawn(async move { revisions_to_the_end(&session, service, &subject).await })
    };
    vec![begin(Service::OperationRuns, 0), begin(Service::OperationRuns, 3), begin(Service::Promotions, 2)]
}

/// The revision of the snapshot, then that of every event until the stream ends by itself.
async fn revisions_to_the_end(session: &Session, service: Service, subject: &Subject) -> Result<Vec<i64>> {
    let mut stream = Watch::open(session, service, subject, "").await?;
    let Some((Seen::Snapshot(run), _)) = stream.next().await? else { bail!("a watch begins with a snapshot") };
    let mut revisions = vec![run.revision];
    let mut snapshots_over = false;
    while let Some((seen, _)) = stream.next().await? {
        match seen {
            Seen::Snapshot(run) => bail!("a second snapshot of the same run: {run:?}"),
            Seen::Bookmark { initial_end } => snapshots_over |= initial_end,
            Seen::Event(event) => {
                ensure!(snapshots_over, "an event before the end of the snapshots");
                revisions.push(event.run.map(|run| run.revision).unwrap_or_default());
            }
        }
    }
    Ok(revisions)
}

async fn a_run_that_has_ended_is_told_in_one_snapshot(replicas: &[Session], run: &str, revision: i64) -> Result<()> {
    for service in [Service::OperationRuns, Service::Promotions] {
        let subject = Subject::Run(run.to_owned());
        let revisions = timeout(LIMIT, revisions_to_the_end(&replicas[1], service, &subject)).await??;
        assert_eq!(revisions, [revision], "{service:?}");
    }
    Ok(())
}

#[tokio::test]
async fn lost_access_ends_the_stream_as_if_there_had_never_been_anything() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    // Under way for much longer than this test looks at it.
    slow_down(&story, 2500).await?;
    let run = job::execute(&story.manager, &selection, &preflight).await?.run.context("a promotion starts")?;
    let run_id = run.run_id;
    let run = Subject::Run(run_id.clone());
    let everything = Subject::Workspace(story.scene.workspace_id.clone());

    let mut of_run = Vec::new();
    let mut of_workspace = Vec::new();
    for service in [Service::OperationRuns, Service::Promotions] {
        of_run.push(opened(&story.manager, service, &run).await?);
        of_workspace.push(opened(&story.manager, service, &everything).await?);
    }
    let workspace_id = story.scene.workspace_id.clone();
    let subject = Persona::Manager.subject();
    let (role, tenant_id) = (subject.clone(), selection.source_tenant_id.clone());
    let request = RemoveTenantRoleRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.clone(),
        tenant_id,
        subject: role,
    };
    story.owner.workspaces().remove_tenant_role(request).await?;
    let limit = Instant::now() + REVOKED_WITHIN;
    nothing_more_is_done(&story, &selection, &preflight, &run_id).await?;
    ends_as_not_found(of_run, limit).await?;
    let refused = Watch::open(&story.manager, Service::OperationRuns, &run, "").await;
    assert_eq!(refused.err().map(|status| status.code()), Some(Code::NotFound));

    // Entitled again, the streams are there again; and whoever leaves loses every one of them.
    let request = SetTenantRoleRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.clone(),
        tenant_id: selection.source_tenant_id.clone(),
        subject: subject.clone(),
        role: pb::workspace::Role::Manager.into(),
    };
    story.owner.workspaces().set_tenant_role(request).await?;
    let mut all = of_workspace;
    for service in [Service::OperationRuns, Service::Promotions] {
        all.push(opened(&story.manager, service, &run).await?);
    }
    let request = RemoveWorkspaceMemberRequest { request_id: job::request_id(), workspace_id, subject };
    story.owner.workspaces().remove_workspace_member(request).await?;
    let limit = Instant::now() + REVOKED_WITHIN;
    nothing_more_is_done(&story, &selection, &preflight, &run_id).await?;
    ends_as_not_found(all, limit).await
}

/// What the manager did a moment ago is refused by the very next request, as if the things had never been there.
async fn nothing_more_is_done(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
    run_id: &str,
) -> Result<()> {
    let executed = job::execute(&story.manager, selection, preflight).await.map(drop);
    let cancel =
        CancelOperationRunRequest { request_id: job::request_id(), run_id: run_id.to_owned(), reason: String::new() };
    let cancelled = story.manager.runs().cancel_operation_run(cancel).await.map(drop);
    let sync = SyncInventoryRequest {
        request_id: job::request_id(),
        workspace_id: selection.workspace_id.clone(),
        tenant_id: selection.source_tenant_id.clone(),
        policy_types: Vec::new(),
    };
    let synced = story.manager.inventory().sync_inventory(sync).await.map(drop);
    for refused in [executed, cancelled, synced] {
        let refused = refused.err().context("the mutation went through")?;
        assert_eq!((refused.code(), system_tests::reason(&refused).as_str()), (Code::NotFound, "NOT_FOUND"));
    }
    Ok(())
}

/// A stream whose first message has come.
async fn opened(session: &Session, service: Service, subject: &Subject) -> Result<Watch> {
    let mut stream = Watch::open(session, service, subject, "").await?;
    timeout(LIMIT, stream.next()).await??.context("a stream begins with something")?;
    Ok(stream)
}

async fn ends_as_not_found(streams: Vec<Watch>, limit: Instant) -> Result<()> {
    for mut stream in streams {
        let ended = loop {
            let next = timeout_at(limit, stream.next()).await.context("the stream outlives the access")?;
            match next {
                Ok(Some(_)) => {}
                Ok(None) => bail!("the stream ended as if all were well"),
                Err(status) => break status,
            }
        };
        assert_eq!((ended.code(), system_tests::reason(&ended).as_str()), (Code::NotFound, "NOT_FOUND"), "{ended:?}");
        assert_eq!(ended.message(), "not found");
    }
    Ok(())
}
