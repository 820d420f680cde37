//! Callers. Each repeats a call whose answer was lost, with its request id, as the API asks them to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use dev::client::Session;
use dev::job;
use pb::backup::RunBackupNowRequest;
use pb::compare::{CompareSelection, GeneratePromotionPreflightRequest, Readiness};
use pb::control::{PauseOperationTypeRequest, ResumeOperationTypeRequest};
use pb::directory::SyncDirectoryGroupsRequest;
use pb::inventory::SyncInventoryRequest;
use pb::operation::{
    CancelOperationRunRequest, GetOperationRunRequest, OperationRun, OperationRunStatus, StartOutcome,
};
use pb::promotion::ExecutePromotionRequest;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::recorder::Violation;
use system_tests::recorder::history::Phase;
use system_tests::recorder::looker::is_indeterminate;
use system_tests::recorder::queue::Acknowledged;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Response, Status};

use crate::ground::{Field, POLICIES, Tenant, policy};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a call is repeated. Nothing here is away for so long.
const PERSISTENCE: Duration = Duration::from_secs(180);
/// A run that takes longer is left alone; whether it ends is judged at the end.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// What promotions are about.
const TYPES: [&str; 2] = ["deviceConfiguration", "roleScopeTag"];
/// What is paused now and then.
const PAUSED: [&str; 3] = ["inventory.sync", "promotion.execute", "backup_schedule.run_now"];

static GENERATION: AtomicU64 = AtomicU64::new(1);

/// Lets everybody begin.
pub(crate) fn begin(field: &Arc<Field>, seed: u64) -> Vec<JoinHandle<Result<()>>> {
    let actor = |name: &str, salt: u64| Actor {
        field: Arc::clone(field),
        name: name.to_owned(),
        chance: StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(salt)),
    };
    let mut actors = vec![
        tokio::spawn(actor("syncer-1", 1).sync()),
        tokio::spawn(actor("syncer-2", 2).sync()),
        tokio::spawn(actor("backup", 3).back_up()),
        tokio::spawn(actor("directory", 4).sync_groups()),
        tokio::spawn(actor("pauser", 5).pause()),
        tokio::spawn(actor("canceller", 6).cancel()),
    ];
    for (number, target) in field.targets.iter().enumerate() {
        let promoter = actor(&format!("promoter-{number}"), 10 + number as u64);
        actors.push(tokio::spawn(promoter.promote(target.clone())));
    }
    actors
}

/// Answers that nothing here gives a reason for.
fn is_a_surprise(status: &Status) -> bool {
    !matches!(status.code(), Code::FailedPrecondition | Code::Aborted | Code::OutOfRange)
}

struct Actor {
    field: Arc<Field>,
    name: String,
    chance: StdRng,
}

impl Actor {
    fn goes_on(&self) -> bool {
        !self.field.stop.is_cancelled()
    }

    async fn rest(&mut self, from_ms: u64, to_ms: u64) {
        let time = Duration::from_millis(self.chance.random_range(from_ms..to_ms));
        let _ = self.field.stop.run_until_cancelled(sleep(time)).await;
    }

    fn any_tenant(&mut self) -> Tenant {
        let field = &self.field;
        match self.chance.random_range(0..field.targets.len() + 2) {
            0 => field.source.clone(),
            1 => field.elsewhere.clone(),
            other => field.targets[other - 2].clone(),
        }
    }

    /// Calls until there is an answer; `None`: it was refused, or nobody answered in the end.
    async fn insist<T, F>(&mut self, call: &str, request_id: &str, mut make: impl FnMut(Session) -> F) -> Option<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let limit = Instant::now() + PERSISTENCE;
        while Instant::now() < limit {
            let session = self.field.sessions[self.chance.random_range(0..self.field.sessions.len())].clone();
            self.field.history.note(&self.name, Phase::Invoke, call, request_id, "");
            match timeout(PATIENCE, make(session)).await {
                Ok(Ok(answer)) => return Some(answer.into_inner()),
                Ok(Err(status)) if is_indeterminate(&status) => {
                    self.field.history.note(&self.name, Phase::Info, call, request_id, status.to_string());
                }
                Ok(Err(status)) => {
                    self.field.history.note(&self.name, Phase::Fail, call, request_id, status.to_string());
                    if is_a_surprise(&status) {
                        let violation = Violation::new("every refusal has its reason", format!("{call}: {status:?}"));
                        self.field.violation(&self.name, &violation);
                    }
                    return None;
                }
                Err(_) => self.field.history.note(&self.name, Phase::Info, call, request_id, "no answer"),
            }
            sleep(Duration::from_millis(self.chance.random_range(50..500))).await;
        }
        let told = format!("{call} {request_id} had no answer for {PERSISTENCE:?}");
        self.field.violation(&self.name, &Violation::new("everything recovers by itself", told));
        None
    }

    /// Writes down what a start was answered.
    fn started(
        &self,
        call: &str,
        request_id: &str,
        outcome: StartOutcome,
        run: Option<&OperationRun>,
    ) -> Option<String> {
        let run_id = run.map(|run| run.run_id.clone());
        let told = format!("{} {}", outcome.as_str_name(), run_id.as_deref().unwrap_or_default());
        self.field.history.note(&self.name, Phase::Ok, call, request_id, told);
        let run_id = run_id?;
        if outcome == StartOutcome::Queued {
            let acknowledged = Acknowledged { request_id: request_id.to_owned(), run_id: run_id.clone() };
            self.field.acknowledged.lock().expect("nobody panics").push(acknowledged);
            let workspace_id = run.map(|run| run.workspace_id.clone()).unwrap_or_default();
            // Nobody may be listening.
            let _ = self.field.news.send((workspace_id, run_id.clone()));
        }
        Some(run_id)
    }

    async fn sync_of(&mut self, tenant: &Tenant, types: &[&str]) -> Option<String> {
        let request = SyncInventoryRequest {
            request_id: job::request_id(),
            workspace_id: tenant.workspace_id.clone(),
            tenant_id: tenant.tenant_id.clone(),
            policy_types: types.iter().map(|name| (*name).to_owned()).collect(),
        };
        let id = request.request_id.clone();
        let call = |session: Session| {
            let request = request.clone();
            async move { session.inventory().sync_inventory(request).await }
        };
        let answer = self.insist("SyncInventory", &id, call).await?;
        self.started("SyncInventory", &id, answer.outcome(), answer.run.as_ref())
    }

    async fn sync(mut self) -> Result<()> {
        while self.goes_on() {
            let tenant = self.any_tenant();
            let types: &[&str] = if self.chance.random_bool(0.3) { &[] } else { &TYPES };
            self.sync_of(&tenant, types).await;
            self.rest(500, 4_000).await;
        }
        Ok(())
    }

    async fn back_up(mut self) -> Result<()> {
        while self.goes_on() {
            let tenant = self.any_tenant();
            let request = RunBackupNowRequest {
                request_id: job::request_id(),
                workspace_id: tenant.workspace_id,
                tenant_id: tenant.tenant_id,
                backup_schedule_id: tenant.schedule_id,
            };
            let id = request.request_id.clone();
            let call = |session: Session| {
                let request = request.clone();
                async move { session.backups().run_backup_now(request).await }
            };
            if let Some(answer) = self.insist("RunBackupNow", &id, call).await {
                self.started("RunBackupNow", &id, answer.outcome(), answer.run.as_ref());
            }
            self.rest(500, 4_000).await;
        }
        Ok(())
    }

    async fn sync_groups(mut self) -> Result<()> {
        while self.goes_on() {
            let tenant = self.any_tenant();
            let request = SyncDirectoryGroupsRequest {
                request_id: job::request_id(),
                workspace_id: tenant.workspace_id,
                tenant_id: tenant.tenant_id,
            };
            let id = request.request_id.clone();
            let call = |session: Session| {
                let request = request.clone();
                async move { session.directory().sync_directory_groups(request).await }
            };
            if let Some(answer) = self.insist("SyncDirectoryGroups", &id, call).await {
                self.started("SyncDirectoryGroups", &id, answer.outcome(), answer.run.as_ref());
            }
            self.rest(1_000, 6_000).await;
        }
        Ok(())
    }

    /// Asks some of the runs it hears of to stop.
    async fn cancel(mut self) -> Result<()> {
        let mut news = self.field.news.subscribe();
        let stop = self.field.stop.clone();
        while let Some(heard) = stop.run_until_cancelled(news.recv()).await {
            let Ok((_, run_id)) = heard else { continue };
            if self.chance.random_bool(0.9) {
                continue;
            }
            self.rest(1, 1_500).await;
            let request = CancelOperationRunRequest {
                request_id: job::request_id(),
                run_id: run_id.clone(),
                reason: "the soak wants it".into(),
            };
            let id = request.request_id.clone();
            let call = |session: Session| {
                let request = request.clone();
                async move { session.runs().cancel_operation_run(request).await }
            };
            if self.insist("CancelOperationRun", &id, call).await.is_some() {
                self.field.history.note(&self.name, Phase::Ok, "CancelOperationRun", &id, run_id);
            }
        }
        Ok(())
    }

    async fn pause(mut self) -> Result<()> {
        while self.goes_on() {
            self.rest(20_000, 40_000).await;
            let run_type = PAUSED[self.chance.random_range(0..PAUSED.len())].to_owned();
            let workspace_id = self.field.workspaces[0].clone();
            let request = PauseOperationTypeRequest {
                request_id: job::request_id(),
                workspace_id: workspace_id.clone(),
                r#type: run_type.clone(),
                reason: "the soak wants it".into(),
            };
            let id = request.request_id.clone();
            let call = |session: Session| {
                let request = request.clone();
                async move { session.controls().pause_operation_type(request).await }
            };
            if self.insist("PauseOperationType", &id, call).await.is_some() {
                self.field.history.note(&self.name, Phase::Ok, "PauseOperationType", &id, run_type.clone());
            }
            self.rest(1_000, 5_000).await;
            let request = ResumeOperationTypeRequest {
                request_id: job::request_id(),
                workspace_id,
                r#type: run_type.clone(),
                reason: "enough".into(),
            };
            let id = request.request_id.clone();
            let call = |session: Session| {
                let request = request.clone();
                async move { session.controls().resume_operation_type(request).await }
            };
            if self.insist("ResumeOperationType", &id, call).await.is_some() {
                self.field.history.note(&self.name, Phase::Ok, "ResumeOperationType", &id, run_type);
            }
        }
        Ok(())
    }

    /// Changes the source, reads both ends, and promotes some of what is ready.
    async fn promote(mut self, target: Tenant) -> Result<()> {
        while self.goes_on() {
            let number = self.chance.random_range(0..POLICIES);
            let document = policy(number, GENERATION.fetch_add(1, Ordering::Relaxed));
            // A stand-in that is stopped answers later; what it did not take is not promoted.
            let _ =
                timeout(PATIENCE, self.field.provider.put_document(&self.field.source.external_id, &document)).await;
            let source = self.field.source.clone();
            for tenant in [&source, &target] {
                if let Some(run_id) = self.sync_of(tenant, &TYPES).await {
                    self.end_of(&run_id).await;
                }
            }
            self.promote_once(&source, &target).await;
            self.rest(200, 2_000).await;
        }
        Ok(())
    }

    async fn promote_once(&mut self, source: &Tenant, target: &Tenant) -> Option<()> {
        let whole = CompareSelection {
            workspace_id: target.workspace_id.clone(),
            source_tenant_id: source.tenant_id.clone(),
            target_tenant_id: target.tenant_id.clone(),
            policy_types: vec![TYPES[0].to_owned()],
            ..Default::default()
        };
        let ready = self.preflight(&whole).await?;
        let ready = ready.subjects.iter().filter(|subject| subject.readiness() == Readiness::Ready);
        let subject_keys: Vec<_> =
            ready.map(|subject| subject.subject_key.clone()).take(self.chance.random_range(1..5)).collect();
        if subject_keys.is_empty() {
            return None;
        }
        let some = CompareSelection { subject_keys, ..whole };
        let preflight = self.preflight(&some).await?;
        let request = ExecutePromotionRequest {
            request_id: job::request_id(),
            selection: Some(some.clone()),
            preflight_fingerprint: preflight.fingerprint.clone(),
            confirmation: Some(job::confirmation(&some, &preflight)),
        };
        let id = request.request_id.clone();
        let call = |session: Session| {
            let request = request.clone();
            async move { session.promotion().execute_promotion(request).await }
        };
        let answer = self.insist("ExecutePromotion", &id, call).await?;
        let run_id = self.started("ExecutePromotion", &id, answer.outcome(), answer.run.as_ref())?;
        self.end_of(&run_id).await;
        Some(())
    }

    async fn preflight(
        &mut self,
        selection: &CompareSelection,
    ) -> Option<pb::compare::GeneratePromotionPreflightResponse> {
        let request = GeneratePromotionPreflightRequest {
            selection: Some(selection.clone()),
            page_size: 1000,
            ..Default::default()
        };
        let call = |session: Session| {
            let request = request.clone();
            async move { session.compare().generate_promotion_preflight(request).await }
        };
        self.insist("GeneratePromotionPreflight", "", call).await
    }

    /// Waits for the end of a run, or until it is not worth while any more.
    async fn end_of(&mut self, run_id: &str) -> Option<OperationRun> {
        let limit = Instant::now() + RUN_LIMIT;
        while self.goes_on() && Instant::now() < limit {
            let request = GetOperationRunRequest { run_id: run_id.to_owned() };
            let call = |session: Session| {
                let request = request.clone();
                async move { session.runs().get_operation_run(request).await }
            };
            let run = self.insist("GetOperationRun", "", call).await?.run?;
            if run.status() == OperationRunStatus::Completed {
                return Some(run);
            }
            self.rest(200, 600).await;
        }
        None
    }
}
