//! OperationRunService.

use std::pin::Pin;
use std::time::Duration;

use domain::id::{RequestId, RunId, WorkspaceId};
use domain::run::{OPERATION_TYPE_PAUSED, RunTenants, RunType};
use futures::Stream;
use pb::operation as proto;
use pb::operation::operation_run_service_server::OperationRunService;
use prost::Message as _;
use server::fields::{self, Page, PageToken};
use server::{Failure, caller};
use tonic::{Request, Response, Status};

use super::convert::{
    parse_duration, parse_import, parse_item_states, parse_new_items, parse_object, parse_run_type, parse_wanted,
    parse_watch, to_attention, to_estimate, to_explanation, to_import_response, to_item, to_run, to_viewer_context,
    to_watch_response,
};
use crate::cancel_operation_run::Cancel;
use crate::start_operation_run::{self, Start, StartResult};
use crate::store::start_answer::Started;
use crate::{
    Runs, cancel_operation_run, explain_operation_run, get_attention_counts, get_operation_run, import_operation_runs,
    list_operation_run_items, list_operation_runs, lookup_operation_run, watch_operation_runs,
};

/// Largest context of a run, in bytes of JSON.
const MOST_CONTEXT_BYTES: usize = 64 << 10;
/// Longest identity and request digest, in bytes.
const MOST_DIGEST_BYTES: usize = 64;
/// Most tenants of one filter.
const MOST_TENANTS: usize = 500;
/// How far back attention counts reach: unless said otherwise, at most.
const USUAL_WINDOW: Duration = Duration::from_secs(24 * 3600);
const LONGEST_WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);

/// The public side.
#[derive(Debug, Clone)]
pub struct OperationRunApi(pub Runs);

#[tonic::async_trait]
impl OperationRunService for OperationRunApi {
    type WatchOperationRunsStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchOperationRunsResponse, Status>> + Send>>;

    async fn start_operation_run(
        &self,
        request: Request<proto::StartOperationRunRequest>,
    ) -> Result<Response<proto::StartOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let start = parse_start(request.into_inner())?;
        let result = start_operation_run::start(&self.0, &caller, start).await.map_err(Failure::from)?;
        Ok(Response::new(to_start_response(&result)?))
    }

    async fn lookup_operation_run(
        &self,
        request: Request<proto::LookupOperationRunRequest>,
    ) -> Result<Response<proto::LookupOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        let id: RequestId = fields::id("request_id", &request.request_id)?;
        check_digest("request_digest", &request.request_digest)?;
        let found = lookup_operation_run::lookup(&self.0, &caller, workspace, id, &request.request_digest)
            .await
            .map_err(Failure::from)?;
        let Some((seen, started)) = found else {
            return Ok(Response::new(proto::LookupOperationRunResponse::default()));
        };
        let outcome = match started {
            Started::Queued => proto::StartOutcome::Queued,
            Started::Deduped => proto::StartOutcome::Deduped,
        };
        let run = Some(to_run(&seen)?);
        Ok(Response::new(proto::LookupOperationRunResponse { run, outcome: outcome.into() }))
    }

    async fn import_operation_runs(
        &self,
        request: Request<proto::ImportOperationRunsRequest>,
    ) -> Result<Response<proto::ImportOperationRunsResponse>, Status> {
        let caller = caller(&request)?;
        let import = parse_import(request.into_inner())?;
        let imported = import_operation_runs::import(&self.0, &caller, &import).await.map_err(Failure::from)?;
        Ok(Response::new(to_import_response(&imported)?))
    }

    async fn get_operation_run(
        &self,
        request: Request<proto::GetOperationRunRequest>,
    ) -> Result<Response<proto::GetOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let id: RunId = fields::id("run_id", &request.into_inner().run_id)?;
        let shown = get_operation_run::get(&self.0, &caller, id).await.map_err(Failure::from)?;
        let (run, viewer_context) = (Some(to_run(&shown.seen)?), Some(to_viewer_context(&shown)));
        Ok(Response::new(proto::GetOperationRunResponse { run, viewer_context }))
    }

    async fn explain_operation_run(
        &self,
        request: Request<proto::ExplainOperationRunRequest>,
    ) -> Result<Response<proto::ExplainOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let id: RunId = fields::id("run_id", &request.into_inner().run_id)?;
        let explained = explain_operation_run::explained(&self.0, &caller, id).await.map_err(Failure::from)?;
        Ok(Response::new(proto::ExplainOperationRunResponse {
            run: Some(to_run(&explained.seen)?),
            moving: Some(domain::run::is_moving(&explained.explanations)),
            explanations: explained.explanations.iter().map(to_explanation).collect(),
            estimate: explained.eta.map(to_estimate),
        }))
    }

    async fn get_attention_counts(
        &self,
        request: Request<proto::GetAttentionCountsRequest>,
    ) -> Result<Response<proto::GetAttentionCountsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        if request.tenant_ids.len() > MOST_TENANTS {
            let why = format!("must have at most {MOST_TENANTS} entries");
            return Err(Failure::invalid_argument("tenant_ids", why).into());
        }
        let tenants = fields::ids("tenant_ids", &request.tenant_ids)?;
        let window = match request.window {
            None => USUAL_WINDOW,
            window => parse_duration("window", window, LONGEST_WINDOW)?,
        };
        let counts =
            get_attention_counts::counts(&self.0, &caller, workspace, &tenants, window).await.map_err(Failure::from)?;
        Ok(Response::new(proto::GetAttentionCountsResponse { counts: Some(to_attention(&counts)) }))
    }

    async fn list_operation_runs(
        &self,
        request: Request<proto::ListOperationRunsRequest>,
    ) -> Result<Response<proto::ListOperationRunsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        let filter_bytes = request.filter.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
        let wanted = parse_wanted("filter", request.filter)?;
        let tokens = PageToken::bound_to("ListOperationRuns", [request.workspace_id.as_bytes(), &filter_bytes]);
        let page = Page::read(tokens, request.page_size, &request.page_token, 50, 500)?;
        let (seen, next_page_token) = list_operation_runs::list(&self.0, &caller, workspace, &wanted, page, tokens)
            .await
            .map_err(Failure::from)?;
        let runs = seen.iter().map(to_run).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::ListOperationRunsResponse { runs, next_page_token }))
    }

    async fn list_operation_run_items(
        &self,
        request: Request<proto::ListOperationRunItemsRequest>,
    ) -> Result<Response<proto::ListOperationRunItemsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id: RunId = fields::id("run_id", &request.run_id)?;
        let states = parse_item_states("states", &request.states)?;
        let names = states.iter().map(|state| state.as_str());
        let tokens = PageToken::bound_to("ListOperationRunItems", std::iter::once(&*request.run_id).chain(names));
        let page = Page::read(tokens, request.page_size, &request.page_token, 100, 1000)?;
        let (items, next_page_token) =
            list_operation_run_items::list(&self.0, &caller, id, &states, page).await.map_err(Failure::from)?;
        let items = items.iter().map(to_item).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::ListOperationRunItemsResponse { items, next_page_token }))
    }

    async fn watch_operation_runs(
        &self,
        request: Request<proto::WatchOperationRunsRequest>,
    ) -> Result<Response<Self::WatchOperationRunsStream>, Status> {
        let caller = caller(&request)?;
        let watch = parse_watch(request.into_inner())?;
        let watcher = watch_operation_runs::watch(&self.0, &caller, watch).await.map_err(Failure::from)?;
        // Polled when the reader has room: nothing is looked for ahead of that, and nothing piles up.
        let stream = futures::stream::unfold(watcher, |mut watcher| async move {
            let next = watcher.next().await?;
            let message = next.map_err(Failure::from).and_then(|delivered| to_watch_response(&delivered));
            Some((message.map_err(Status::from), watcher))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn cancel_operation_run(
        &self,
        request: Request<proto::CancelOperationRunRequest>,
    ) -> Result<Response<proto::CancelOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id: RunId = fields::id("run_id", &request.run_id)?;
        let reason = fields::optional_text("reason", &request.reason, 500)?.map(str::to_owned);
        let order = Cancel { request: fields::id("request_id", &request.request_id)?, run: id, reason };
        let seen = cancel_operation_run::cancel(&self.0, &caller, &order).await.map_err(Failure::from)?;
        Ok(Response::new(proto::CancelOperationRunResponse { run: Some(to_run(&seen)?) }))
    }
}

fn parse_start(request: proto::StartOperationRunRequest) -> Result<Start, Failure> {
    let id: RequestId = fields::id("request_id", &request.request_id)?;
    let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
    let run_type = parse_run_type("type", &request.r#type)?;
    check_digest("identity", &request.identity)?;
    check_digest("request_digest", &request.request_digest)?;
    let tenants = RunTenants {
        tenant: fields::optional_id("tenant_id", &request.tenant_id)?,
        related: fields::ids("related_tenant_ids", &request.related_tenant_ids)?,
    };
    if !tenants.fits(run_type) {
        let why = match run_type {
            RunType::PromotionExecute => {
                "a promotion has a target (tenant_id) and one other source (related_tenant_ids)"
            }
            _ => "a run of this type works on one tenant and refers to no other",
        };
        return Err(Failure::invalid_argument("tenant_id", why));
    }
    let request_digest = match request.request_digest.is_empty() {
        false => request.request_digest.clone(),
        // Without a digest of the user's request, this request itself is what must not differ.
        true => {
            let body = proto::StartOperationRunRequest { request_id: String::new(), ..request.clone() };
            domain::id::Hash::of(body.encode_to_vec()).as_bytes().to_vec()
        }
    };
    Ok(Start {
        request: id,
        workspace,
        run_type,
        tenants,
        identity: request.identity,
        context: parse_object("context", request.context.as_ref(), MOST_CONTEXT_BYTES)?,
        items: parse_new_items(request.items)?,
        request_digest,
    })
}

fn check_digest(field: &str, digest: &[u8]) -> Result<(), Failure> {
    if digest.len() > MOST_DIGEST_BYTES {
        return Err(Failure::invalid_argument(field, format!("must have at most {MOST_DIGEST_BYTES} bytes")));
    }
    Ok(())
}

fn to_start_response(result: &StartResult) -> Result<proto::StartOperationRunResponse, Failure> {
    let paused;
    let (outcome, seen, reason, message) = match result {
        StartResult::Queued(seen) => (proto::StartOutcome::Queued, Some(seen), "", "The operation is queued."),
        StartResult::Deduped(seen) => {
            (proto::StartOutcome::Deduped, Some(seen), "", "The same operation is already under way.")
        }
        StartResult::Blocked(pause) => {
            paused = pause.sentence();
            (proto::StartOutcome::Blocked, None, OPERATION_TYPE_PAUSED, paused.as_str())
        }
        StartResult::ScopeBusy(seen) => (
            proto::StartOutcome::ScopeBusy,
            seen.as_ref(),
            "TENANT_BUSY",
            "Another operation that changes this tenant is under way; start again when it has ended.",
        ),
    };
    Ok(proto::StartOperationRunResponse {
        outcome: outcome.into(),
        run: seen.map(to_run).transpose()?,
        reason: reason.to_owned(),
        message: message.to_owned(),
    })
}
