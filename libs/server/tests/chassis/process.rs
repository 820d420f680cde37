//! The chassis as a process of its own: what it says when it starts, what it exports, how it ends.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::issuer::Issuer;
use crate::running::{chassis_of, issuer, token, unary, within};
use crate::script::Script;
use crate::wire::{self, UNARY};

/// Set for the child: its issuer. The child is this test binary, asked for [`child`] alone.
const CHILD: &str = "CHASSIS_TEST_CHILD";

#[tokio::test]
#[ignore = "this is the other process of the tests below; alone it has nothing to do"]
async fn child() {
    let Ok(asked) = std::env::var(CHILD) else { return };
    let mut options = asked.split(' ');
    let chassis = chassis_of(options.next().unwrap(), &options.collect::<Vec<_>>());
    let service =
        pb::promotion::promotion_service_server::PromotionServiceServer::new(Script::new(chassis.clone(), None));
    chassis.serve(server::Services::new().add(service)).await.unwrap();
}

struct Process {
    child: Child,
    grpc: std::net::SocketAddr,
}

impl Process {
    async fn start(issuer: &Issuer, options: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::child", "--ignored", "--nocapture"])
            .env(CHILD, format!("{} {options}", issuer.url()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let grpc = within("the line that says where it listens", async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it ended before it listened");
                // The harness of the child's test may have begun the line.
                if let Some((_, addresses)) = line.split_once("listening grpc=") {
                    let (grpc, admin) = addresses.split_once(" admin=").unwrap();
                    admin.parse::<std::net::SocketAddr>().unwrap();
                    return grpc.parse().unwrap();
                }
            }
        })
        .await;
        // Whoever stops reading must not stop the child.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, grpc }
    }

    async fn end_by(mut self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(sent.success());
        let status = within("the process ends", self.child.wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

#[tokio::test]
async fn both_signals_end_it_well() {
    let issuer = issuer().await;
    for signal in ["-TERM", "-INT"] {
        let process = Process::start(&issuer, "--drain-grace 50ms").await;
        let bearer = format!("Bearer {}", token(&issuer));
        let seen = wire::call(process.grpc, UNARY, &[("authorization", &bearer)], &unary("whoami")).await;
        assert_eq!(seen.status().code(), tonic::Code::Ok);
        process.end_by(signal).await;
    }
}

#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    metrics: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        self.spans.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let resources = request.into_inner().resource_metrics.into_iter();
        let metrics = resources.flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics);
        self.metrics.lock().unwrap().extend(metrics.map(|metric| format!("{} {}", metric.name, metric.unit)));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tokio::test]
async fn what_was_not_sent_yet_is_sent_at_the_end() {
    let collector = Collector::default();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let endpoint = format!("http://{}", incoming.local_addr().unwrap());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()))
            .serve_with_incoming(incoming),
    );
    let issuer = issuer().await;
    let process = Process::start(&issuer, &format!("--otlp-endpoint {endpoint}")).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("authorization", bearer.as_str()), ("traceparent", &parent), ("x-request-id", "ticket-42")];
    for line in ["whoami", "hidden", "broken"] {
        wire::call(process.grpc, UNARY, &headers, &unary(line)).await;
    }
    tokio::time::timeout(Duration::from_secs(30), process.end_by("-TERM")).await.unwrap();

    let spans = collector.spans.lock().unwrap();
    let ours: Vec<&Span> = spans.iter().filter(|span| hex::encode(&span.trace_id) == trace).collect();
    let outcome = |code: &str| {
        let has = |span: &&&Span| attribute(span, "rpc.response.status_code").as_deref() == Some(code);
        let span = ours.iter().find(has).unwrap_or_else(|| panic!("no span of a call that ended {code}"));
        assert_eq!(span.name, UNARY.trim_start_matches('/'));
        assert_eq!((span.kind(), hex::encode(&span.parent_span_id).as_str()), (SpanKind::Server, "00f067aa0ba902b7"));
        assert_eq!(attribute(span, "rpc.system.name").as_deref(), Some("grpc"));
        assert_eq!(attribute(span, "request_id").as_deref(), Some("ticket-42"));
        span.status.as_ref().map(|status| status.code())
    };
    assert_ne!(outcome("OK"), Some(StatusCode::Error));
    assert_ne!(outcome("NOT_FOUND"), Some(StatusCode::Error), "an answer is no error");
    assert_eq!(outcome("INTERNAL"), Some(StatusCode::Error));
    let metrics = collector.metrics.lock().unwrap();
    assert!(metrics.iter().any(|metric| metric == "rpc.server.call.duration s"), "{metrics:?}");
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
