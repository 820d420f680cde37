//! The usual beginning of a story: people, two synced tenants, and the steps of the main job with nothing to explain.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::{Scene, Script};
use dev::stack::Plan;
use pb::audit::{AuditEvent, ListAuditEventsRequest};
use pb::compare::{CompareSelection, GeneratePromotionPreflightResponse, PreflightSubject, Readiness};
use pb::operation::{ListOperationRunsRequest, OperationRun, RunFilter};
use sqlx::PgPool;

use crate::provider::StandIn;
use crate::rows;

/// A scene, seen from all sides.
pub struct Story {
    /// The processes, the workspace, the tenants.
    pub scene: Scene,
    /// Who promotes.
    pub manager: Session,
    /// Who decides about members.
    pub owner: Session,
    /// The provider's stand-in.
    pub provider: StandIn,
    /// The rows.
    pub rows: PgPool,
}

impl Story {
    /// The demo's two tenants, both synced.
    pub async fn of_the_demo() -> Result<Self> {
        Self::begin(&Script::own(), Plan::test().await?).await?.synced().await
    }

    /// Any two tenants, not synced yet.
    pub async fn begin(script: &Script, plan: Plan) -> Result<Self> {
        let scene = Scene::set(script, plan).await?;
        Ok(Self {
            manager: scene.stack.session(Persona::Manager)?,
            owner: scene.stack.session(Persona::Owner)?,
            provider: StandIn::of(&scene.stack)?,
            rows: rows::pool(&scene.stack).await?,
            scene,
        })
    }

    /// After a sync of both tenants, side by side.
    pub async fn synced(self) -> Result<Self> {
        let (source, target) = (self.scene.source.tenant_id.as_str(), self.scene.target.tenant_id.as_str());
        tokio::try_join!(self.sync(source), self.sync(target))?;
        Ok(self)
    }

    /// Syncs a tenant to the end.
    pub async fn sync(&self, tenant_id: &str) -> Result<OperationRun> {
        job::sync(&self.manager, &self.scene.workspace_id, tenant_id).await
    }

    /// Everything of the source, compared with the target.
    pub fn selection(&self) -> CompareSelection {
        self.scene.selection()
    }

    /// The preflight of a selection, as the manager gets it.
    pub async fn preflight(&self, selection: &CompareSelection) -> Result<GeneratePromotionPreflightResponse> {
        Ok(job::preflight(&self.manager, selection).await?)
    }

    /// Promotes what is ready, to the end.
    pub async fn promote(&self, selection: &CompareSelection) -> Result<OperationRun> {
        let preflight = self.preflight(selection).await?;
        let started = job::execute(&self.manager, selection, &preflight).await?;
        let run = started.run.with_context(|| format!("no run: {} {}", started.reason, started.message))?;
        job::wait_for_end(&self.manager, &run.run_id).await
    }

    /// The promotion runs of the workspace, newest first.
    pub async fn promotions(&self) -> Result<Vec<OperationRun>> {
        let filter = RunFilter { types: vec!["promotion.execute".into()], ..Default::default() };
        let request = ListOperationRunsRequest {
            workspace_id: self.scene.workspace_id.clone(),
            filter: Some(filter),
            page_size: 500,
            ..Default::default()
        };
        Ok(self.manager.runs().list_operation_runs(request).await?.into_inner().runs)
    }

    /// Audit entries of the workspace with this action, newest first.
    pub async fn audit(&self, action: &str) -> Result<Vec<AuditEvent>> {
        let request = ListAuditEventsRequest {
            workspace_id: self.scene.workspace_id.clone(),
            actions: vec![action.to_owned()],
            page_size: 1000,
            ..Default::default()
        };
        Ok(self.manager.audit().list_audit_events(request).await?.into_inner().events)
    }
}

/// The subjects of a preflight with this readiness, by their key.
pub fn subjects_of(
    preflight: &GeneratePromotionPreflightResponse,
    readiness: Readiness,
) -> BTreeMap<&str, &PreflightSubject> {
    let all = preflight.subjects.iter().filter(|subject| subject.readiness() == readiness);
    all.map(|subject| (subject.subject_key.as_str(), subject)).collect()
}
