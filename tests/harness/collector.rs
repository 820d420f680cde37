//! A collector of OpenTelemetry's protocol: receives what the services export, and lets tests look at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What a test waits for has been exported long before.
const LIMIT: Duration = Duration::from_secs(60);

/// A running collector; ends with the test's runtime.
#[derive(Clone)]
pub struct Collector {
    endpoint: String,
    received: Arc<watch::Sender<Received>>,
}

#[derive(Default)]
struct Received {
    spans: Vec<Seen>,
    /// Names and units of metrics.
    metrics: BTreeMap<String, String>,
    /// Everything as it came.
    bytes: Vec<u8>,
}

/// A span, and the service that made it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `service.name`.
    pub service: String,
    /// The span.
    pub span: Span,
}

impl Collector {
    /// Listens on a port of its own.
    pub async fn start() -> Result<Self> {
        let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).map_err(|error| anyhow::anyhow!(error))?;
        let endpoint = format!("http://{}", incoming.local_addr()?);
        let collector = Self { endpoint, received: Arc::new(watch::Sender::new(Received::default())) };
        let traces = TraceServiceServer::new(collector.clone());
        let metrics = MetricsServiceServer::new(collector.clone()).max_decoding_message_size(64 << 20);
        let traces = traces.max_decoding_message_size(64 << 20);
        tokio::spawn(Server::builder().add_service(traces).add_service(metrics).serve_with_incoming(incoming));
        Ok(collector)
    }

    /// Where services export to.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The spans received so far.
    pub fn spans(&self) -> Vec<Seen> {
        self.received.borrow().spans.clone()
    }

    /// Names and units of the metrics received so far.
    pub fn metrics(&self) -> BTreeMap<String, String> {
        self.received.borrow().metrics.clone()
    }

    /// Waits until something is found among the spans.
    pub async fn find<T>(&self, what: &str, find: impl Fn(&[Seen]) -> Option<T>) -> Result<T> {
        let mut changes = self.received.subscribe();
        let look = async {
            loop {
                if let Some(found) = find(&changes.borrow_and_update().spans) {
                    return Ok(found);
                }
                changes.changed().await?;
            }
        };
        match tokio::time::timeout(LIMIT, look).await {
            Ok(found) => found,
            Err(_) => bail!("{what} was not exported; there are: {:#?}", outline(&self.spans())),
        }
    }

    /// Whether this text stands anywhere in what was received: a name, an attribute, an event, a label.
    pub fn holds(&self, text: &str) -> bool {
        let received = self.received.borrow();
        received.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn take(&self, message: &impl prost::Message, add: impl FnOnce(&mut Received)) {
        self.received.send_modify(|received| {
            received.bytes.extend(message.encode_to_vec());
            add(received);
        });
    }
}

impl Seen {
    /// The trace it is part of, as people write it.
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// An attribute, as text.
    pub fn attribute(&self, key: &str) -> Option<String> {
        text_of(&self.span.attributes, key)
    }

    /// Whether its status is an error.
    pub fn is_error(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }

    /// Whether it is a direct child of another.
    pub fn is_below(&self, parent: &Self) -> bool {
        self.span.trace_id == parent.span.trace_id && self.span.parent_span_id == parent.span.span_id
    }

    /// Whether it links to another.
    pub fn links_to(&self, other: &Self) -> bool {
        let origin = (&other.span.trace_id, &other.span.span_id);
        self.span.links.iter().any(|link| (&link.trace_id, &link.span_id) == origin)
    }

    /// Name and kind, as a test asks for them.
    pub fn is(&self, service: &str, kind: SpanKind, name: &str) -> bool {
        self.service == service && self.span.kind() == kind && self.span.name == name
    }
}

fn outline(spans: &[Seen]) -> Vec<String> {
    let line = |seen: &Seen| format!("{} {} {} {:?}", seen.trace(), seen.service, seen.span.name, seen.span.kind());
    spans.iter().map(line).collect()
}

fn text_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Bytes as people write them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        self.take(&request, |received| {
            for resource in &request.resource_spans {
                let attributes = resource.resource.as_ref().map(|resource| resource.attributes.as_slice());
                let service = text_of(attributes.unwrap_or_default(), "service.name").unwrap_or_default();
                let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
                received.spans.extend(spans.map(|span| Seen { service: service.clone(), span: span.clone() }));
            }
        });
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let request = request.into_inner();
        self.take(&request, |received| {
            let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            let metrics = scopes.flat_map(|scope| &scope.metrics);
            received.metrics.extend(metrics.map(|metric| (metric.name.clone(), metric.unit.clone())));
        });
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
