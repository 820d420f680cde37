//! A service that does what the request says.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use pb::promotion::promotion_service_client::PromotionServiceClient;
use pb::promotion::promotion_service_server::PromotionService;
use pb::promotion::{
    ExecutePromotionRequest, ExecutePromotionResponse, WatchPromotionRunsRequest, WatchPromotionRunsResponse,
};
use server::client::Upstream;
use server::{Chassis, Deadline, Failure, caller};
use tonic::{Request, Response, Status};

pub(crate) struct Script {
    chassis: Chassis,
    other: Option<Upstream>,
    /// How many calls play "forever".
    stuck: AtomicU32,
}

impl Script {
    pub(crate) fn new(chassis: Chassis, other: Option<Upstream>) -> Self {
        Self { chassis, other, stuck: AtomicU32::new(0) }
    }
}

type Watch = Pin<Box<dyn Stream<Item = Result<WatchPromotionRunsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl PromotionService for Script {
    async fn execute_promotion(
        &self,
        request: Request<ExecutePromotionRequest>,
    ) -> Result<Response<ExecutePromotionResponse>, Status> {
        let caller = caller(&request)?;
        let line = request.get_ref().preflight_fingerprint.clone();
        let message = match line.split_once(' ').unwrap_or((&line, "")) {
            ("whoami", _) => {
                let user = caller.user.as_ref().map_or("-", |user| &user.subject);
                let service = caller.service.as_ref().map_or("-", |service| &service.name);
                format!("{user} {service}")
            }
            ("peer", _) => caller.peer.as_ref().map_or("-", |service| &service.name).to_owned(),
            ("debug", _) => format!("{caller:?} {:?}", self.chassis),
            ("deadline", _) => Deadline::of(&request).unwrap().remaining().as_millis().to_string(),
            ("request-id", _) => request.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned(),
            ("forever", _) => {
                self.stuck.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            }
            ("stuck", _) => self.stuck.load(Ordering::SeqCst).to_string(),
            ("panic", why) => panic!("{why}"),
            ("hidden", _) => return Err(Failure::not_found().into()),
            ("broken", why) => return Err(Failure::internal(why.to_owned()).into()),
            ("raw", why) => return Err(Status::unknown(why)),
            ("gate", why) => return Err(Failure::failed_precondition("NOTHING_READY", why.to_owned()).into()),
            ("service-only", _) => caller.require_service(&["promotion-service"])?.name.to_string(),
            ("ask", line) => {
                let other = self.other.as_ref().unwrap().on_behalf_of(&caller);
                let answer = PromotionServiceClient::new(other).execute_promotion(crate::running::unary(line)).await;
                answer.map_err(Failure::from_upstream)?.into_inner().message
            }
            (other, _) => panic!("no such line: {other}"),
        };
        Ok(Response::new(ExecutePromotionResponse { message, ..Default::default() }))
    }

    type WatchPromotionRunsStream = Watch;

    async fn watch_promotion_runs(
        &self,
        request: Request<WatchPromotionRunsRequest>,
    ) -> Result<Response<Watch>, Status> {
        let tick = |n: u32| WatchPromotionRunsResponse { resume_token: n.to_string(), ..Default::default() };
        let ticks = stream::iter(0..).then(move |n| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(tick(n))
        });
        Ok(Response::new(match request.get_ref().run_id.as_str() {
            "ticks" => Box::pin(ticks),
            "silence" => Box::pin(stream::pending()),
            "panic" => Box::pin(stream::iter(0..).map(move |n| {
                assert!(n < 2, "the third one");
                Ok(tick(n))
            })),
            // Ends itself when the process goes down, after a last cursor.
            "polite" => {
                let drain = self.chassis.drain_token();
                let goodbye = stream::once(drain.cancelled_owned())
                    .flat_map(move |()| stream::iter([Ok(tick(777)), Err(Failure::draining().into())]));
                Box::pin(stream::iter([Ok(tick(0))]).chain(goodbye))
            }
            other => return Err(Status::invalid_argument(other)),
        }))
    }
}
