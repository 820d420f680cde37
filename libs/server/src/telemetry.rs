//! Logs, traces and metrics. Logs go to standard error; traces and metrics go to an OTLP collector when one is
//! configured; metrics can always be read at /metrics.
//!
//! They are set up once per process: a second chassis in the same process (tests) shares the first one's.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tonic::Code;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{LogFormat, Settings};

mod sampling;
mod trace_context;

pub use sampling::NOT_SAMPLED;
pub use trace_context::{current_traceparent, link_to_traceparent, trace_id_in};
pub(crate) use trace_context::{extract, inject};

/// Bounds of duration histograms in seconds, as the conventions for RPC advise.
pub(crate) const DURATION_BOUNDARIES_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How long the last export may take when the process ends.
const FLUSH_CAP: Duration = Duration::from_secs(5);

static TELEMETRY: Mutex<Option<Telemetry>> = Mutex::new(None);

/// The process's telemetry.
#[derive(Debug, Clone)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    registry: Registry,
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The OTLP exporter.
    #[error("the OTLP exporter cannot be built")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The Prometheus reader.
    #[error("the metrics reader cannot be built")]
    Reader(#[from] opentelemetry_sdk::error::OTelSdkError),
}

impl Telemetry {
    /// Sets everything up, for the service of this name; the first call in the process decides.
    pub(crate) fn start(settings: &Settings, service: &'static str) -> Result<Self, TelemetryError> {
        let mut running = TELEMETRY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return Ok(running.clone());
        }
        let telemetry = Self::build(settings, service)?;
        global::set_text_map_propagator(TraceContextPropagator::new());
        global::set_tracer_provider(telemetry.traces.clone());
        global::set_meter_provider(telemetry.metrics.clone());
        telemetry.install_subscriber(settings, service);
        Ok(running.insert(telemetry).clone())
    }

    fn build(settings: &Settings, service: &'static str) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name(service).build();
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
        let mut traces = SdkTracerProvider::builder().with_resource(resource.clone()).with_sampler(sampling::sampler());
        let mut metrics = SdkMeterProvider::builder().with_resource(resource).with_reader(reader);
        if let Some(endpoint) = &settings.otlp_endpoint {
            let endpoint = endpoint.as_str();
            traces = traces.with_batch_exporter(
                opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?,
            );
            metrics = metrics.with_periodic_exporter(
                opentelemetry_otlp::MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?,
            );
        }
        Ok(Self { traces: traces.build(), metrics: metrics.build(), registry })
    }

    fn install_subscriber(&self, settings: &Settings, service: &'static str) {
        let spans = tracing_opentelemetry::layer().with_tracer(self.traces.tracer(service));
        let lines =
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
        let lines = match settings.log_format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let filter = EnvFilter::new(&settings.log);
        // A test harness may have installed its own: then that one stays.
        let _ = tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            // Spans are ours and on the call's level; what libraries log is no span of ours.
            .with(spans.with_filter(tracing_subscriber::filter::LevelFilter::INFO))
            .try_init();
    }

    /// All metrics in Prometheus's text format.
    pub(crate) fn metrics_text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Sends what is not sent yet. The exporters block, so this happens beside the runtime, and for a bounded time.
    pub(crate) async fn flush(&self) {
        let Self { traces, metrics, .. } = self.clone();
        let flushed = tokio::task::spawn_blocking(move || {
            for result in [traces.force_flush(), metrics.force_flush()] {
                if let Err(error) = result {
                    tracing::warn!(%error, "telemetry could not be sent");
                }
            }
        });
        if tokio::time::timeout(FLUSH_CAP, flushed).await.is_err() {
            tracing::warn!("telemetry could not be sent in time");
        }
    }
}

/// Whether a call that ended so is an error of the server, by the conventions for RPC.
pub(crate) fn is_server_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The name of a code as gRPC spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
