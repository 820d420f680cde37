//! PromotionService on the wire: parse once, act, answer.

pub(crate) mod convert;

use pb::promotion::promotion_service_server::PromotionService;
use pb::promotion::{
    ExecutePromotionRequest, ExecutePromotionResponse, WatchPromotionRunsRequest, WatchPromotionRunsResponse,
};
use server::caller;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::execute_promotion::execute_promotion;
use crate::watch_promotion_runs::watch_promotion_runs;

/// The service.
pub(crate) struct Promotions(pub(crate) App);

#[tonic::async_trait]
impl PromotionService for Promotions {
    async fn execute_promotion(
        &self,
        request: Request<ExecutePromotionRequest>,
    ) -> Result<Response<ExecutePromotionResponse>, Status> {
        let caller = caller(&request)?;
        let parsed = convert::parse_execute_promotion(request.into_inner(), self.0.registry)?;
        Ok(Response::new(execute_promotion(&self.0, &caller, parsed).await?))
    }

    type WatchPromotionRunsStream = ReceiverStream<Result<WatchPromotionRunsResponse, Status>>;

    async fn watch_promotion_runs(
        &self,
        request: Request<WatchPromotionRunsRequest>,
    ) -> Result<Response<Self::WatchPromotionRunsStream>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(watch_promotion_runs(&self.0, &caller, request.into_inner()).await?))
    }
}
