//! How fast runs come and go, fence, event and audit included, beside how fast this database commits anything at all.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::Scene;
use futures::future::try_join_all;
use pb::operation::{
    ClaimOperationRunsRequest, ClaimedRun, CompleteOperationRunRequest, StartOperationRunRequest, StartOutcome,
};
use sqlx::postgres::PgPoolOptions;
use tonic::Request;
use tonic::metadata::MetadataValue;

use crate::figure::{Times, show_rate};
use crate::watch;

/// Who asks at the same time.
const CALLERS: usize = 8;
/// How often each of them does.
const EACH: usize = 400;
/// A run of a type that starts anew with every click and that nobody works on here but us.
const RUN_TYPE: &str = "backup_schedule.run_now";
const SERVICE: &str = "compare-service";

/// Who starts runs: a user, by way of the service that owns the type.
#[derive(Clone)]
pub(crate) struct Starter {
    session: Session,
    service_token: String,
    workspace_id: String,
    tenant_id: String,
}

impl Starter {
    /// One with connections of its own.
    fn of(scene: &Scene) -> Result<Self> {
        Ok(Self {
            session: scene.stack.session(Persona::Manager)?,
            service_token: scene.stack.issuer.mint_service(SERVICE, Duration::from_secs(3600))?,
            workspace_id: scene.workspace_id.clone(),
            tenant_id: scene.target.tenant_id.clone(),
        })
    }

    /// Starts a run.
    pub(crate) async fn start(&self) -> Result<()> {
        let mut request = Request::new(StartOperationRunRequest {
            request_id: job::request_id(),
            workspace_id: self.workspace_id.clone(),
            r#type: RUN_TYPE.to_owned(),
            tenant_id: self.tenant_id.clone(),
            request_digest: vec![7; 32],
            ..Default::default()
        });
        let token: MetadataValue<_> = format!("Bearer {}", self.service_token).parse()?;
        request.metadata_mut().insert("x-tenantatlas-service", token);
        let started = self.session.runs().start_operation_run(request).await?.into_inner();
        anyhow::ensure!(started.outcome() == StartOutcome::Queued, "{started:?}");
        Ok(())
    }
}

pub(crate) async fn bench() -> Result<()> {
    let mut scene = crate::scene().await?;
    // They would claim what we do.
    for process in scene.stack.compare.iter_mut().chain(&mut scene.stack.promotion) {
        process.kill().await?;
    }
    limit(&scene).await?;
    let starters = (0..CALLERS).map(|_| Starter::of(&scene)).collect::<Result<Vec<_>>>()?;
    create(&starters).await?;
    let token = scene.stack.issuer.mint_service(SERVICE, Duration::from_secs(3600))?;
    let workers = (0..CALLERS).map(|_| Session::new(&scene.stack.endpoints()?, &token)).collect::<Result<Vec<_>>>()?;
    one_by_one(&workers).await?;
    create(&starters).await?;
    in_batches(&workers).await?;
    watch::bench(&scene, &starters[0]).await?;
    scene.stack.operation_run.remove(0).stop().await
}

/// Plain single-row commits by as many connections, on the same database.
async fn limit(scene: &Scene) -> Result<()> {
    let connections = u32::try_from(CALLERS)?;
    let pool = PgPoolOptions::new().max_connections(connections).connect(&scene.stack.database.owner_url()).await?;
    sqlx::query("CREATE TABLE public.bench (id uuid PRIMARY KEY, body text NOT NULL)").execute(&pool).await?;
    let insert = || async {
        for _ in 0..EACH {
            sqlx::query("INSERT INTO public.bench VALUES ($1, $2)")
                .bind(uuid::Uuid::now_v7())
                .bind("a row of about the size of an event, of which there is one for each change of a run")
                .execute(&pool)
                .await?;
        }
        anyhow::Ok(())
    };
    try_join_all((0..CALLERS).map(|_| insert())).await?;
    let began = Instant::now();
    try_join_all((0..CALLERS).map(|_| insert())).await?;
    show_rate("limit: plain INSERT commits, 8 connections", CALLERS * EACH, began.elapsed());
    pool.close().await;
    Ok(())
}

async fn create(starters: &[Starter]) -> Result<()> {
    let one = |starter: &Starter| {
        let starter = starter.clone();
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(EACH);
            for _ in 0..EACH {
                let began = Instant::now();
                starter.start().await?;
                times.push(began.elapsed());
            }
            anyhow::Ok(times)
        })
    };
    let began = Instant::now();
    let mut times = Vec::new();
    for of_one in try_join_all(starters.iter().map(one)).await? {
        times.extend(of_one?);
    }
    show_rate("StartOperationRun, 8 callers", CALLERS * EACH, began.elapsed());
    Times::of(times).show("  each");
    Ok(())
}

async fn claim(worker: &Session, most: i32) -> Result<Vec<ClaimedRun>> {
    let request = ClaimOperationRunsRequest {
        worker: "bench".to_owned(),
        types: vec![RUN_TYPE.to_owned()],
        max_runs: most,
        wait: None,
    };
    Ok(worker.worker().claim_operation_runs(request).await?.into_inner().runs)
}

async fn complete(worker: &Session, claimed: ClaimedRun) -> Result<()> {
    let request = CompleteOperationRunRequest { lease: claimed.lease, blocked: None };
    let ended = worker.worker().complete_operation_run(request).await?.into_inner();
    ended.run.context("a completed run is returned").map(drop)
}

/// Claims until there is nothing left, so many at a time, and completes what was claimed side by side.
async fn drain(workers: &[Session], at_a_time: i32) -> Result<(usize, Duration)> {
    let one = |worker: &Session| {
        let worker = worker.clone();
        tokio::spawn(async move {
            let mut done = 0;
            loop {
                let claimed = claim(&worker, at_a_time).await?;
                if claimed.is_empty() {
                    return anyhow::Ok(done);
                }
                done += claimed.len();
                try_join_all(claimed.into_iter().map(|claimed| complete(&worker, claimed))).await?;
            }
        })
    };
    let began = Instant::now();
    let mut done = 0;
    for of_one in try_join_all(workers.iter().map(one)).await? {
        done += of_one?;
    }
    Ok((done, began.elapsed()))
}

async fn one_by_one(workers: &[Session]) -> Result<()> {
    let (done, within) = drain(workers, 1).await?;
    show_rate("claim 1 + complete 1, 8 workers", done, within);
    Ok(())
}

async fn in_batches(workers: &[Session]) -> Result<()> {
    let (done, within) = drain(&workers[..4], 50).await?;
    show_rate("claim 50 + complete 50 side by side, 4 workers", done, within);
    Ok(())
}
