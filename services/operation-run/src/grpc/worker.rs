//! OperationRunWorkerService.

use std::time::Duration;

use pb::operation as proto;
use pb::operation::operation_run_worker_service_server::OperationRunWorkerService;
use server::{Failure, caller, fields};
use tonic::{Request, Response, Status};

use super::convert::{
    parse_duration, parse_intents, parse_lease, parse_reason, parse_reports, parse_run_types, to_claimed_item,
    to_claimed_run, to_counts, to_run,
};
use crate::claim_operation_runs::{self, Claim};
use crate::{
    Runs, complete_operation_run, list_claimed_items, record_item_intents, release_operation_run, renew_lease,
    report_item_outcomes,
};

/// Most runs of one claim.
const MOST_RUNS: i32 = 50;
/// Longest wait for the first run.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Longest time a released run is left alone.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// The workers' side.
#[derive(Debug, Clone)]
pub struct WorkerApi(pub Runs);

#[tonic::async_trait]
impl OperationRunWorkerService for WorkerApi {
    async fn claim_operation_runs(
        &self,
        request: Request<proto::ClaimOperationRunsRequest>,
    ) -> Result<Response<proto::ClaimOperationRunsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        if !(1..=MOST_RUNS).contains(&request.max_runs) {
            let why = format!("must be between 1 and {MOST_RUNS}");
            return Err(Failure::invalid_argument("max_runs", why).into());
        }
        if request.types.is_empty() {
            return Err(Failure::invalid_argument("types", "is required").into());
        }
        let claim = Claim {
            worker: fields::text("worker", &request.worker, 200)?.to_owned(),
            types: parse_run_types("types", &request.types)?,
            max_runs: i64::from(request.max_runs),
            wait: parse_duration("wait", request.wait, LONGEST_WAIT)?,
        };
        let claimed = claim_operation_runs::claim(&self.0, &caller, &claim).await.map_err(Failure::from)?;
        let runs = claimed.iter().map(to_claimed_run).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::ClaimOperationRunsResponse { runs }))
    }

    async fn list_claimed_items(
        &self,
        request: Request<proto::ListClaimedItemsRequest>,
    ) -> Result<Response<proto::ListClaimedItemsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let lease = parse_lease(request.lease)?;
        if request.after_ordinal < 0 {
            return Err(Failure::invalid_argument("after_ordinal", "must not be negative").into());
        }
        let limit = fields::page_size(request.page_size, 500, 1000)?;
        let items = list_claimed_items::list(&self.0, &caller, lease, request.after_ordinal, limit)
            .await
            .map_err(Failure::from)?;
        let items = items.iter().map(to_claimed_item).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::ListClaimedItemsResponse { items }))
    }

    async fn renew_lease(
        &self,
        request: Request<proto::RenewLeaseRequest>,
    ) -> Result<Response<proto::RenewLeaseResponse>, Status> {
        let caller = caller(&request)?;
        let lease = parse_lease(request.into_inner().lease)?;
        let renewed = renew_lease::renew(&self.0, &caller, lease).await.map_err(Failure::from)?;
        Ok(Response::new(proto::RenewLeaseResponse {
            lease_ttl: prost_types::Duration::try_from(renewed.ttl).ok(),
            cancel_requested: renewed.cancel_requested || renewed.timed_out,
            timed_out: renewed.timed_out,
        }))
    }

    async fn record_item_intents(
        &self,
        request: Request<proto::RecordItemIntentsRequest>,
    ) -> Result<Response<proto::RecordItemIntentsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let lease = parse_lease(request.lease)?;
        let intents = parse_intents(&request.intents)?;
        let held = record_item_intents::record(&self.0, &caller, lease, &intents).await.map_err(Failure::from)?;
        Ok(Response::new(proto::RecordItemIntentsResponse {
            cancel_requested: held.is_stopping(),
            timed_out: held.timed_out,
        }))
    }

    async fn report_item_outcomes(
        &self,
        request: Request<proto::ReportItemOutcomesRequest>,
    ) -> Result<Response<proto::ReportItemOutcomesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let lease = parse_lease(request.lease)?;
        let reports = parse_reports(&request.outcomes)?;
        let reported = report_item_outcomes::report(&self.0, &caller, lease, reports).await.map_err(Failure::from)?;
        Ok(Response::new(proto::ReportItemOutcomesResponse {
            summary_counts: Some(to_counts(&reported.counts, true)),
            cancel_requested: reported.cancel_requested || reported.timed_out,
            timed_out: reported.timed_out,
        }))
    }

    async fn complete_operation_run(
        &self,
        request: Request<proto::CompleteOperationRunRequest>,
    ) -> Result<Response<proto::CompleteOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let lease = parse_lease(request.lease)?;
        let blocked = match request.blocked {
            None => None,
            Some(blocked) => Some(domain::run::Failure::new(
                parse_reason("blocked.code", &blocked.code)?,
                fields::optional_text("blocked.message", &blocked.message, 1000)?.unwrap_or_default(),
            )),
        };
        let ended = complete_operation_run::complete(&self.0, &caller, lease, blocked).await.map_err(Failure::from)?;
        Ok(Response::new(proto::CompleteOperationRunResponse { run: Some(to_run(&ended)?) }))
    }

    async fn release_operation_run(
        &self,
        request: Request<proto::ReleaseOperationRunRequest>,
    ) -> Result<Response<proto::ReleaseOperationRunResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let lease = parse_lease(request.lease)?;
        let delay = parse_duration("delay", request.delay, LONGEST_DELAY)?;
        let reason = if request.reason.is_empty() { String::new() } else { parse_reason("reason", &request.reason)? };
        release_operation_run::release(&self.0, &caller, lease, delay, &reason).await.map_err(Failure::from)?;
        Ok(Response::new(proto::ReleaseOperationRunResponse {}))
    }
}
