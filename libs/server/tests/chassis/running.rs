//! A server under test, and an issuer beside it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use pb::promotion::promotion_service_client::PromotionServiceClient;
use pb::promotion::promotion_service_server::PromotionServiceServer;
use pb::promotion::{ExecutePromotionRequest, WatchPromotionRunsRequest};
use server::{Chassis, ServerArgs, Services, StartError};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::issuer::{Issuer, IssuerConfig, PersonaClaims};
use crate::script::Script;

/// Longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Parser)]
#[command(args_override_self = true)]
struct Cli {
    #[command(flatten)]
    server: ServerArgs,
}

/// A running server.
pub(crate) struct Running {
    pub(crate) chassis: Chassis,
    pub(crate) grpc: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) serving: JoinHandle<Result<(), StartError>>,
}

impl Running {
    /// Serves [`Script`] with these options, for tokens of this issuer.
    pub(crate) async fn start(issuer: &Issuer, options: &[&str]) -> Self {
        let chassis = chassis(issuer, options);
        Self::serve(chassis.clone(), Script::new(chassis, None)).await
    }

    pub(crate) async fn serve(chassis: Chassis, script: Script) -> Self {
        let limits = chassis.limits();
        let service = PromotionServiceServer::new(script).max_decoding_message_size(limits.max_request_bytes);
        let bound = chassis.bind(Services::new().add(service)).await.unwrap();
        let (grpc, admin) = (bound.grpc_address(), bound.admin_address());
        Self { chassis, grpc, admin, serving: tokio::spawn(bound.run()) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    pub(crate) fn channel(&self) -> Channel {
        Channel::from_shared(self.url()).unwrap().connect_lazy()
    }

    pub(crate) fn client(&self) -> PromotionServiceClient<Channel> {
        PromotionServiceClient::new(self.channel())
    }

    /// Plays one line of the script and gives the answer's text.
    pub(crate) async fn play(&self, line: &str, token: &str) -> Result<String, Status> {
        let answer = self.client().execute_promotion(with_token(unary(line), token)).await?;
        Ok(answer.into_inner().message)
    }
}

pub(crate) fn chassis(issuer: &Issuer, options: &[&str]) -> Chassis {
    chassis_of(issuer.url(), options)
}

pub(crate) fn chassis_of(issuer: &str, options: &[&str]) -> Chassis {
    try_chassis_of(issuer, options).unwrap()
}

pub(crate) fn try_chassis_of(issuer: &str, options: &[&str]) -> Result<Chassis, StartError> {
    let fixed = ["test", "--oidc-issuer", issuer, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let quick = ["--drain-grace", "0ms", "--log", "error"];
    let args = Cli::parse_from(fixed.iter().chain(&quick).chain(options));
    Chassis::start(&args.server, "promotion-service", pb::FILE_DESCRIPTOR_SET)
}

pub(crate) async fn issuer() -> Issuer {
    let config = IssuerConfig::new(([127, 0, 0, 1], 0).into());
    Issuer::start(config.service("promotion-service", "hunter2")).await.unwrap()
}

pub(crate) fn ada() -> PersonaClaims {
    PersonaClaims { sub: "ada@example.com".into(), name: "Ada".into() }
}

/// A good token of Ada.
pub(crate) fn token(issuer: &Issuer) -> String {
    issuer.mint(&ada(), Duration::from_secs(300)).unwrap()
}

pub(crate) fn unary(line: &str) -> ExecutePromotionRequest {
    ExecutePromotionRequest { preflight_fingerprint: line.into(), ..Default::default() }
}

pub(crate) fn stream(line: &str) -> WatchPromotionRunsRequest {
    WatchPromotionRunsRequest { run_id: line.into(), ..Default::default() }
}

pub(crate) fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// Waits for something that must happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// Asks until the answer is the right one.
pub(crate) async fn eventually<T, F: Future<Output = T>>(what: &str, ask: impl Fn() -> F, right: impl Fn(&T) -> bool) {
    drop(sought(what, ask, right).await);
}

/// Asks until the answer is the right one, and gives it.
pub(crate) async fn sought<T, F: Future<Output = T>>(what: &str, ask: impl Fn() -> F, right: impl Fn(&T) -> bool) -> T {
    within(what, async {
        loop {
            let answer = ask().await;
            if right(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}
