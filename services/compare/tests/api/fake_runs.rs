//! operation-run-service at the wire: remembers what was started and recorded, and hands runs to workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use pb::audit::audit_service_server::{AuditService, AuditServiceServer};
use pb::audit::{
    AuditEvent, ListAuditEventsRequest, ListAuditEventsResponse, RecordAuditEventRequest, RecordAuditEventResponse,
};
use pb::operation::operation_run_service_server::{OperationRunService, OperationRunServiceServer};
use pb::operation::operation_run_worker_service_server::{OperationRunWorkerService, OperationRunWorkerServiceServer};
use pb::operation::*;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

#[derive(Default)]
struct Book {
    starts: Vec<StartOperationRunRequest>,
    by_request: HashMap<String, OperationRun>,
    queued: Vec<OperationRun>,
    items: HashMap<String, Vec<ClaimedItem>>,
    ended: HashMap<String, OperationRun>,
    /// Recorded on behalf of a user who waits.
    events: Vec<AuditEvent>,
    /// Delivered by the service itself.
    delivered: Vec<AuditEvent>,
    /// Whether the last call carried a user's token and ours beside it.
    on_behalf: bool,
    down: bool,
    loses_answers: bool,
    /// The action whose entries are refused for what they are.
    refuses: Option<String>,
    /// How often each run was claimed; its start is answered as it was.
    attempts: HashMap<String, i32>,
    /// The reasons of runs that were given back.
    released: Vec<String>,
}

#[derive(Clone, Default)]
struct Shared {
    book: Arc<Mutex<Book>>,
    changed: Arc<Notify>,
}

pub(crate) struct FakeRuns {
    shared: Shared,
    endpoint: String,
    server: JoinHandle<()>,
}

impl FakeRuns {
    pub(crate) async fn start() -> Self {
        let shared = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(OperationRunServiceServer::new(shared.clone()))
            .add_service(OperationRunWorkerServiceServer::new(shared.clone()))
            .add_service(AuditServiceServer::new(shared.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move { server.await.unwrap() });
        Self { shared, endpoint, server }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Why runs were given back so far; whoever asks gets them at once again, whatever delay was wished.
    pub(crate) fn released(&self) -> Vec<String> {
        self.shared.book().released.clone()
    }

    /// What was started so far.
    pub(crate) fn starts(&self) -> Vec<StartOperationRunRequest> {
        self.shared.book().starts.clone()
    }

    /// What was recorded on behalf of users so far.
    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.shared.book().events.clone()
    }

    /// What the service delivered by itself so far.
    pub(crate) fn delivered(&self) -> Vec<AuditEvent> {
        self.shared.book().delivered.clone()
    }

    /// Waits until that many entries of an action were delivered, and gives them.
    pub(crate) async fn delivered_of(&self, action: &str, at_least: usize) -> Vec<AuditEvent> {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                let found: Vec<_> = self.delivered().into_iter().filter(|event| event.action == action).collect();
                if found.len() >= at_least {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("the entries arrive in time")
    }

    /// Takes entries and answers UNAVAILABLE all the same from now on, or no longer.
    pub(crate) fn set_loses_answers(&self, loses_answers: bool) {
        self.shared.book().loses_answers = loses_answers;
    }

    /// Refuses the entries of an action for what they are from now on, or none.
    pub(crate) fn set_refuses(&self, action: Option<&str>) {
        self.shared.book().refuses = action.map(str::to_owned);
    }

    /// Whether the last call was made by a service on behalf of a user.
    pub(crate) fn was_on_behalf(&self) -> bool {
        self.shared.book().on_behalf
    }

    /// Answers UNAVAILABLE from now on, or no longer.
    pub(crate) fn set_down(&self, down: bool) {
        self.shared.book().down = down;
    }

    /// Hands a run out again as if its worker had died before it reported anything.
    pub(crate) fn again(&self, run_id: &str) {
        let mut book = self.shared.book();
        book.ended.remove(run_id);
        for claimed in book.items.get_mut(run_id).unwrap() {
            let item = claimed.item.as_mut().unwrap();
            (item.state, item.detail) = (ItemState::Pending.into(), None);
        }
        let run = book.by_request.values().find(|run| run.run_id == run_id).cloned();
        book.queued.extend(run);
        drop(book);
        self.shared.changed.notify_waiters();
    }

    /// Waits until a run has ended, and gives its items as they ended.
    pub(crate) async fn ended(&self, run_id: &str) -> (OperationRun, Vec<ClaimedItem>) {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                {
                    let book = self.shared.book();
                    if let Some(run) = book.ended.get(run_id) {
                        return (run.clone(), book.items[run_id].clone());
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("the run ends in time")
    }
}

impl Drop for FakeRuns {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    fn enter<T>(&self, request: &Request<T>) -> Result<MutexGuard<'_, Book>, Status> {
        let mut book = self.book();
        let has = |name: &str| request.metadata().contains_key(name);
        book.on_behalf = has("authorization") && has("x-tenantatlas-service");
        if book.down { Err(Status::unavailable("down for the test")) } else { Ok(book) }
    }
}

fn unasked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("compare-service does not call this"))
}

#[tonic::async_trait]
impl OperationRunService for Shared {
    async fn start_operation_run(
        &self,
        request: Request<StartOperationRunRequest>,
    ) -> Result<Response<StartOperationRunResponse>, Status> {
        let mut book = self.enter(&request)?;
        let start = request.into_inner();
        let answer = |outcome: StartOutcome, run: OperationRun| StartOperationRunResponse {
            outcome: outcome.into(),
            run: Some(run),
            ..Default::default()
        };
        if let Some(run) = book.by_request.get(&start.request_id) {
            return Ok(Response::new(answer(StartOutcome::Queued, run.clone())));
        }
        let run = OperationRun {
            run_id: Uuid::now_v7().to_string(),
            workspace_id: start.workspace_id.clone(),
            tenant_id: start.tenant_id.clone(),
            r#type: start.r#type.clone(),
            status: OperationRunStatus::Queued.into(),
            context: start.context.clone(),
            ..Default::default()
        };
        let items = (1..).zip(&start.items).map(|(ordinal, item)| ClaimedItem {
            item: Some(OperationRunItem {
                ordinal,
                key: item.key.clone(),
                label: item.label.clone(),
                policy_type: item.policy_type.clone(),
                state: ItemState::Pending.into(),
                ..Default::default()
            }),
            plan: item.plan.clone(),
            ..Default::default()
        });
        book.items.insert(run.run_id.clone(), items.collect());
        book.by_request.insert(start.request_id.clone(), run.clone());
        book.queued.push(run.clone());
        book.starts.push(start);
        drop(book);
        self.changed.notify_waiters();
        Ok(Response::new(answer(StartOutcome::Queued, run)))
    }

    async fn lookup_operation_run(
        &self,
        request: Request<LookupOperationRunRequest>,
    ) -> Result<Response<LookupOperationRunResponse>, Status> {
        let book = self.enter(&request)?;
        let run = book.by_request.get(&request.get_ref().request_id).cloned();
        let outcome = if run.is_some() { StartOutcome::Queued } else { StartOutcome::Unspecified };
        Ok(Response::new(LookupOperationRunResponse { run, outcome: outcome.into() }))
    }

    async fn get_operation_run(
        &self,
        _: Request<GetOperationRunRequest>,
    ) -> Result<Response<GetOperationRunResponse>, Status> {
        unasked()
    }

    async fn explain_operation_run(
        &self,
        _: Request<ExplainOperationRunRequest>,
    ) -> Result<Response<ExplainOperationRunResponse>, Status> {
        unasked()
    }

    async fn get_attention_counts(
        &self,
        _: Request<GetAttentionCountsRequest>,
    ) -> Result<Response<GetAttentionCountsResponse>, Status> {
        unasked()
    }

    async fn list_operation_runs(
        &self,
        _: Request<ListOperationRunsRequest>,
    ) -> Result<Response<ListOperationRunsResponse>, Status> {
        unasked()
    }

    async fn list_operation_run_items(
        &self,
        _: Request<ListOperationRunItemsRequest>,
    ) -> Result<Response<ListOperationRunItemsResponse>, Status> {
        unasked()
    }

    type WatchOperationRunsStream = tokio_stream::Empty<Result<WatchOperationRunsResponse, Status>>;

    async fn watch_operation_runs(
        &self,
        _: Request<WatchOperationRunsRequest>,
    ) -> Result<Response<Self::WatchOperationRunsStream>, Status> {
        unasked()
    }

    async fn cancel_operation_run(
        &self,
        _: Request<CancelOperationRunRequest>,
    ) -> Result<Response<CancelOperationRunResponse>, Status> {
        unasked()
    }

    async fn import_operation_runs(
        &self,
        _: Request<ImportOperationRunsRequest>,
    ) -> Result<Response<ImportOperationRunsResponse>, Status> {
        unasked()
    }
}

#[tonic::async_trait]
impl OperationRunWorkerService for Shared {
    async fn claim_operation_runs(
        &self,
        request: Request<ClaimOperationRunsRequest>,
    ) -> Result<Response<ClaimOperationRunsResponse>, Status> {
        let wait = request.get_ref().wait.and_then(|wait| std::time::Duration::try_from(wait).ok()).unwrap_or_default();
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            {
                let mut book = self.book();
                let types = &request.get_ref().types;
                if let Some(at) = book.queued.iter().position(|run| types.contains(&run.r#type)) {
                    let mut run = book.queued.remove(at);
                    let attempt = book.attempts.entry(run.run_id.clone()).or_default();
                    *attempt += 1;
                    run.attempt = *attempt;
                    run.status = OperationRunStatus::Running.into();
                    let lease = Lease { run_id: run.run_id.clone(), fence: run.attempt.into() };
                    let claimed = ClaimedRun {
                        run: Some(run),
                        lease: Some(lease),
                        lease_ttl: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
                        ..Default::default()
                    };
                    return Ok(Response::new(ClaimOperationRunsResponse { runs: vec![claimed] }));
                }
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Ok(Response::new(ClaimOperationRunsResponse { runs: Vec::new() }));
            }
        }
    }

    async fn list_claimed_items(
        &self,
        request: Request<ListClaimedItemsRequest>,
    ) -> Result<Response<ListClaimedItemsResponse>, Status> {
        let request = request.into_inner();
        let run_id = request.lease.unwrap_or_default().run_id;
        let items = self.book().items.get(&run_id).cloned().unwrap_or_default();
        let after = |item: &ClaimedItem| item.item.as_ref().unwrap().ordinal > request.after_ordinal;
        Ok(Response::new(ListClaimedItemsResponse { items: items.into_iter().filter(after).collect() }))
    }

    async fn renew_lease(&self, _: Request<RenewLeaseRequest>) -> Result<Response<RenewLeaseResponse>, Status> {
        let lease_ttl = Some(prost_types::Duration { seconds: 30, nanos: 0 });
        Ok(Response::new(RenewLeaseResponse { lease_ttl, ..Default::default() }))
    }

    async fn record_item_intents(
        &self,
        request: Request<RecordItemIntentsRequest>,
    ) -> Result<Response<RecordItemIntentsResponse>, Status> {
        let request = request.into_inner();
        let mut book = self.book();
        let items = book.items.get_mut(&request.lease.unwrap_or_default().run_id).unwrap();
        for intent in request.intents {
            let claimed = items.iter_mut().find(|item| item.item.as_ref().unwrap().ordinal == intent.ordinal).unwrap();
            claimed.intent = Some(intent);
        }
        Ok(Response::new(RecordItemIntentsResponse::default()))
    }

    async fn report_item_outcomes(
        &self,
        request: Request<ReportItemOutcomesRequest>,
    ) -> Result<Response<ReportItemOutcomesResponse>, Status> {
        let request = request.into_inner();
        let mut book = self.book();
        let items = book.items.get_mut(&request.lease.unwrap_or_default().run_id).unwrap();
        for outcome in request.outcomes {
            let claimed = items.iter_mut().find(|item| item.item.as_ref().unwrap().ordinal == outcome.ordinal).unwrap();
            let item = claimed.item.as_mut().unwrap();
            if item.state == i32::from(ItemState::Pending) {
                item.state = outcome.state;
                item.effect = outcome.effect;
                item.reason = outcome.reason;
                item.message = outcome.message;
                item.detail = outcome.detail;
                claimed.receipt = outcome.receipt;
            }
        }
        Ok(Response::new(ReportItemOutcomesResponse::default()))
    }

    async fn complete_operation_run(
        &self,
        request: Request<CompleteOperationRunRequest>,
    ) -> Result<Response<CompleteOperationRunResponse>, Status> {
        let request = request.into_inner();
        let run_id = request.lease.unwrap_or_default().run_id;
        let mut book = self.book();
        let mut run =
            OperationRun { run_id: run_id.clone(), status: OperationRunStatus::Completed.into(), ..Default::default() };
        run.failure_summary.extend(request.blocked);
        book.ended.insert(run_id, run.clone());
        drop(book);
        self.changed.notify_waiters();
        Ok(Response::new(CompleteOperationRunResponse { run: Some(run) }))
    }

    async fn release_operation_run(
        &self,
        request: Request<ReleaseOperationRunRequest>,
    ) -> Result<Response<ReleaseOperationRunResponse>, Status> {
        let request = request.into_inner();
        let run_id = request.lease.unwrap_or_default().run_id;
        let mut book = self.book();
        book.released.push(request.reason);
        let run = book.by_request.values().find(|run| run.run_id == run_id).cloned();
        book.queued.extend(run);
        drop(book);
        self.changed.notify_waiters();
        Ok(Response::new(ReleaseOperationRunResponse {}))
    }
}

#[tonic::async_trait]
impl AuditService for Shared {
    type ExportAuditEventsStream = tokio_stream::Empty<Result<pb::audit::ExportAuditEventsResponse, Status>>;

    async fn export_audit_events(
        &self,
        _: Request<pb::audit::ExportAuditEventsRequest>,
    ) -> Result<Response<Self::ExportAuditEventsStream>, Status> {
        unasked()
    }

    async fn verify_audit_trail(
        &self,
        _: Request<pb::audit::VerifyAuditTrailRequest>,
    ) -> Result<Response<pb::audit::VerifyAuditTrailResponse>, Status> {
        unasked()
    }

    async fn record_audit_event(
        &self,
        request: Request<RecordAuditEventRequest>,
    ) -> Result<Response<RecordAuditEventResponse>, Status> {
        if request.metadata().contains_key("x-tenantatlas-service") {
            let mut book = self.enter(&request)?;
            book.events.extend(request.into_inner().event);
            return Ok(Response::new(RecordAuditEventResponse {}));
        }
        let mut book = self.book();
        if book.down {
            return Err(Status::unavailable("down for the test"));
        }
        if request.get_ref().event.as_ref().is_some_and(|event| book.refuses.as_ref() == Some(&event.action)) {
            return Err(server::Failure::invalid_argument("event.detail", "is not taken, for the test").into());
        }
        book.delivered.extend(request.into_inner().event);
        let loses_answers = book.loses_answers;
        drop(book);
        self.changed.notify_waiters();
        if loses_answers {
            return Err(Status::unavailable("the answer is lost"));
        }
        Ok(Response::new(RecordAuditEventResponse {}))
    }

    async fn list_audit_events(
        &self,
        _: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        unasked()
    }
}
