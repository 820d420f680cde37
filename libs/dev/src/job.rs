//! The main job, step by step, over the public API: what the demo shows and the system tests tell stories with.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use pb::audit::{AuditEvent, ListAuditEventsRequest};
use pb::compare::{
    CompareSelection, GeneratePromotionPreflightRequest, GeneratePromotionPreflightResponse, PreflightSubject,
    PreviewCompareRequest, PreviewCompareResponse,
};
use pb::inventory::SyncInventoryRequest;
use pb::operation::{
    GetOperationRunRequest, ListOperationRunItemsRequest, OperationRun, OperationRunItem, OperationRunStatus,
    StartOutcome,
};
use pb::promotion::{ExecutePromotionRequest, ExecutePromotionResponse, PromotionConfirmation};
use pb::promotion::{WatchPromotionRunsRequest, watch_promotion_runs_response::Message};
use pb::restore::{
    ExecuteRestoreRequest, ExecuteRestoreResponse, PreviewRestoreRequest, PreviewRestoreResponse, RestoreConfirmation,
    RestorePolicy, RestoreSelection,
};
use pb::tenant::{RegisterTenantRequest, SetProviderConnectionRequest, Tenant};
use pb::workspace::{CreateWorkspaceRequest, SetTenantRoleRequest, SetWorkspaceMemberRequest, Workspace};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::client::Session;
use crate::persona::Persona;

/// No step of the demo takes longer; a real tenant may.
const RUN_LIMIT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(200);

/// A fresh request id.
pub fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Creates a workspace owned by `owner` and gives every other persona its role in it.
pub async fn create_workspace(owner: &Session, name: &str) -> Result<Workspace> {
    let request = CreateWorkspaceRequest { request_id: request_id(), name: name.to_owned() };
    let workspace = owner.workspaces().create_workspace(request).await?.into_inner();
    let workspace = workspace.workspace.context("a created workspace is returned")?;
    for persona in Persona::ALL.into_iter().filter(|persona| *persona != Persona::Owner) {
        if let Some(role) = persona.workspace_role() {
            owner
                .workspaces()
                .set_workspace_member(SetWorkspaceMemberRequest {
                    request_id: request_id(),
                    workspace_id: workspace.workspace_id.clone(),
                    subject: persona.subject(),
                    role: role.into(),
                    display_name: persona.display_name().to_owned(),
                })
                .await?;
        }
    }
    Ok(workspace)
}

/// How a tenant's provider is reached.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Base URL of API and token authority.
    pub base_url: String,
    /// The provider's id of the tenant.
    pub external_tenant_id: String,
    /// Application id.
    pub client_id: String,
    /// `env:NAME` or `file:/path`.
    pub credential_reference: String,
}

/// Registers a tenant, connects its provider and entitles every persona that should see it.
pub async fn register_tenant(owner: &Session, workspace_id: &str, name: &str, provider: &Provider) -> Result<Tenant> {
    let registered = owner
        .tenants()
        .register_tenant(RegisterTenantRequest {
            request_id: request_id(),
            workspace_id: workspace_id.to_owned(),
            name: name.to_owned(),
            external_tenant_id: provider.external_tenant_id.clone(),
            domain: String::new(),
            aliases: Vec::new(),
        })
        .await?
        .into_inner();
    let tenant = registered.tenant.context("a registered tenant is returned")?;
    owner
        .tenants()
        .set_provider_connection(SetProviderConnectionRequest {
            request_id: request_id(),
            workspace_id: workspace_id.to_owned(),
            tenant_id: tenant.tenant_id.clone(),
            base_url: provider.base_url.clone(),
            authority_url: provider.base_url.clone(),
            client_id: provider.client_id.clone(),
            credential_reference: provider.credential_reference.clone(),
        })
        .await?;
    entitle(owner, workspace_id, &tenant.tenant_id).await?;
    Ok(tenant)
}

/// Entitles every persona that should see it to a tenant of the owner.
pub async fn entitle(owner: &Session, workspace_id: &str, tenant_id: &str) -> Result<()> {
    for persona in Persona::ALL.into_iter().filter(|persona| *persona != Persona::Owner) {
        if let Some(role) = persona.tenant_role() {
            owner
                .workspaces()
                .set_tenant_role(SetTenantRoleRequest {
                    request_id: request_id(),
                    workspace_id: workspace_id.to_owned(),
                    tenant_id: tenant_id.to_owned(),
                    subject: persona.subject(),
                    role: role.into(),
                })
                .await?;
        }
    }
    Ok(())
}

/// Starts an inventory sync of every policy type.
pub async fn start_sync(session: &Session, workspace_id: &str, tenant_id: &str) -> Result<OperationRun> {
    let started = session
        .inventory()
        .sync_inventory(SyncInventoryRequest {
            request_id: request_id(),
            workspace_id: workspace_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            policy_types: Vec::new(),
        })
        .await?
        .into_inner();
    match started.outcome() {
        StartOutcome::Queued | StartOutcome::Deduped => started.run.context("a started run is returned"),
        other => bail!("the sync did not start: {} {} {}", other.as_str_name(), started.reason, started.message),
    }
}

/// Syncs a tenant and waits for the end of the run.
pub async fn sync(session: &Session, workspace_id: &str, tenant_id: &str) -> Result<OperationRun> {
    let run = start_sync(session, workspace_id, tenant_id).await?;
    wait_for_end(session, &run.run_id).await
}

/// Asks for a run until it has ended.
pub async fn wait_for_end(session: &Session, run_id: &str) -> Result<OperationRun> {
    let limit = Instant::now() + RUN_LIMIT;
    loop {
        let run = get_run(session, run_id).await?;
        if run.status() == OperationRunStatus::Completed {
            return Ok(run);
        }
        if Instant::now() > limit {
            bail!("run {run_id} has not ended within {RUN_LIMIT:?}: {run:?}");
        }
        sleep(POLL).await;
    }
}

/// One run.
pub async fn get_run(session: &Session, run_id: &str) -> Result<OperationRun> {
    let request = GetOperationRunRequest { run_id: run_id.to_owned() };
    session.runs().get_operation_run(request).await?.into_inner().run.context("a run is returned")
}

/// Every item of a run.
pub async fn items(session: &Session, run_id: &str) -> Result<Vec<OperationRunItem>> {
    let mut items = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListOperationRunItemsRequest {
            run_id: run_id.to_owned(),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = session.runs().list_operation_run_items(request).await?.into_inner();
        items.extend(page.items);
        if page.next_page_token.is_empty() {
            return Ok(items);
        }
        page_token = page.next_page_token;
    }
}

/// A whole compare preview: the first page's answer with the subjects of all pages.
pub async fn preview(session: &Session, selection: &CompareSelection) -> Result<PreviewCompareResponse> {
    let mut whole: Option<PreviewCompareResponse> = None;
    let mut page_token = String::new();
    loop {
        let request = PreviewCompareRequest {
            selection: Some(selection.clone()),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = session.compare().preview_compare(request).await?.into_inner();
        page_token = page.next_page_token.clone();
        match &mut whole {
            Some(whole) => whole.subjects.extend(page.subjects),
            None => whole = Some(page),
        }
        if page_token.is_empty() {
            return whole.context("there is a first page");
        }
    }
}

/// A whole preflight: the first page's answer with the subjects of all pages.
pub async fn preflight(
    session: &Session,
    selection: &CompareSelection,
) -> Result<GeneratePromotionPreflightResponse, tonic::Status> {
    let mut subjects: Vec<PreflightSubject> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = GeneratePromotionPreflightRequest {
            selection: Some(selection.clone()),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let mut page = session.compare().generate_promotion_preflight(request).await?.into_inner();
        subjects.append(&mut page.subjects);
        if page.next_page_token.is_empty() {
            page.subjects = subjects;
            return Ok(page);
        }
        page_token = std::mem::take(&mut page.next_page_token);
    }
}

/// What a person who has read this preflight would confirm.
pub fn confirmation(
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> PromotionConfirmation {
    let counts = preflight.counts.unwrap_or_default();
    PromotionConfirmation {
        source_tenant_id: selection.source_tenant_id.clone(),
        target_tenant_id: selection.target_tenant_id.clone(),
        ready_count: counts.ready,
        excluded_count: counts.excluded,
    }
}

/// Executes what a preflight found ready.
pub async fn execute(
    session: &Session,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<ExecutePromotionResponse, tonic::Status> {
    let request = ExecutePromotionRequest {
        request_id: request_id(),
        selection: Some(selection.clone()),
        preflight_fingerprint: preflight.fingerprint.clone(),
        confirmation: Some(confirmation(selection, preflight)),
    };
    Ok(session.promotion().execute_promotion(request).await?.into_inner())
}

/// A whole restore preview: the first page's answer with the policies of all pages.
pub async fn restore_preview(
    session: &Session,
    selection: &RestoreSelection,
) -> Result<PreviewRestoreResponse, tonic::Status> {
    let mut policies: Vec<RestorePolicy> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = PreviewRestoreRequest {
            selection: Some(selection.clone()),
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let mut page = session.restores().preview_restore(request).await?.into_inner();
        policies.append(&mut page.policies);
        if page.next_page_token.is_empty() {
            page.policies = policies;
            return Ok(page);
        }
        page_token = std::mem::take(&mut page.next_page_token);
    }
}

/// Restores what a preview shows as to be created or updated, as a person who has read it would confirm.
pub async fn restore(
    session: &Session,
    selection: &RestoreSelection,
    preview: &PreviewRestoreResponse,
) -> Result<ExecuteRestoreResponse, tonic::Status> {
    let counts = preview.counts.unwrap_or_default();
    let request = ExecuteRestoreRequest {
        request_id: request_id(),
        selection: Some(selection.clone()),
        preview_fingerprint: preview.fingerprint.clone(),
        confirmation: Some(RestoreConfirmation {
            tenant_id: selection.tenant_id.clone(),
            create_count: counts.create,
            update_count: counts.update,
            blocked_count: counts.blocked,
        }),
    };
    Ok(session.restores().execute_restore(request).await?.into_inner())
}

/// What the audit trail has of a run, oldest first.
pub async fn audit_of_run(session: &Session, workspace_id: &str, run_id: &str) -> Result<Vec<AuditEvent>> {
    let request = ListAuditEventsRequest {
        workspace_id: workspace_id.to_owned(),
        run_id: run_id.to_owned(),
        ..Default::default()
    };
    let mut events = session.audit().list_audit_events(request).await?.into_inner().events;
    events.reverse();
    Ok(events)
}

/// Follows a promotion run live to its end, resuming whenever the stream is cut, and shows every state to `seen`.
pub async fn follow(session: &Session, run_id: &str, mut seen: impl FnMut(&OperationRun)) -> Result<OperationRun> {
    let limit = Instant::now() + RUN_LIMIT;
    let mut resume_token = String::new();
    let mut last = None;
    while Instant::now() < limit {
        let request = WatchPromotionRunsRequest {
            run_id: run_id.to_owned(),
            resume_token: resume_token.clone(),
            ..Default::default()
        };
        let mut stream = match session.promotion().watch_promotion_runs(request).await {
            Ok(stream) => stream.into_inner(),
            Err(status) if may_return(&status) => {
                last = Some(status);
                sleep(POLL).await;
                continue;
            }
            Err(status) => return Err(status.into()),
        };
        loop {
            let response = match stream.message().await {
                Ok(Some(response)) => response,
                Ok(None) => break,
                Err(status) if may_return(&status) => {
                    last = Some(status);
                    break;
                }
                Err(status) => return Err(status.into()),
            };
            resume_token = response.resume_token;
            let run = match response.message {
                Some(Message::Snapshot(run)) => run,
                Some(Message::Event(event)) => event.run.context("an event carries its run")?,
                Some(Message::Bookmark(_)) | None => continue,
            };
            seen(&run);
            if run.status() == OperationRunStatus::Completed {
                return Ok(run);
            }
        }
        sleep(POLL).await;
    }
    bail!("run {run_id} has not ended within {RUN_LIMIT:?}; the last interruption was {last:?}")
}

/// Whether a stream that ended so can be taken up again: a drain, a restart, a cut connection. tonic calls the last one by
/// several names; a status of our own has a reason, and then its code says what it is.
fn may_return(status: &tonic::Status) -> bool {
    let cut = status.details().is_empty() && matches!(status.code(), Code::Cancelled | Code::Unknown | Code::Internal);
    status.code() == Code::Unavailable || cut
}
