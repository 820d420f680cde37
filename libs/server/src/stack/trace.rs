//! The span of a call, by OpenTelemetry's conventions for RPC: named by the method, child of the caller's span, an error
//! only when the fault is the server's. NOT_FOUND and PERMISSION_DENIED are answers, not errors.

use http::HeaderValue;
use tonic::Code;
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::around::{Around, Next, Request, Response};
use crate::body::{self, Ending};
use crate::failure::trace_id_of;
use crate::method::{Method, Methods};
use crate::telemetry::{self, code_name};

#[derive(Clone)]
pub(super) struct Trace {
    methods: Methods,
}

impl Trace {
    pub(super) fn new(methods: Methods) -> Self {
        Self { methods }
    }
}

impl Around for Trace {
    async fn around(self, mut request: Request, next: impl Next) -> Response {
        let method = self.methods.at(request.uri().path());
        request.extensions_mut().insert(std::sync::Arc::clone(&method));
        if method.probe {
            // Probes come every few seconds and say nothing about a request of anybody.
            return next.run(request).await;
        }
        let span = span(&method);
        // It fails only for a span that is disabled or has begun, and this one is fresh.
        let _ = span.set_parent(telemetry::extract(request.headers()));
        span.record("trace_id", trace_id_of(&span));

        let ended = Ending::new({
            let span = span.clone();
            move |code| record(&span, code)
        });
        let mut response = next.run(request).instrument(span.clone()).await;
        telemetry::inject(&span.context(), response.headers_mut());
        body::on_end(response, span, ended)
    }
}

fn span(method: &Method) -> Span {
    tracing::info_span!(
        "rpc",
        otel.name = &*method.name,
        otel.kind = "server",
        otel.status_code = field::Empty,
        rpc.system.name = "grpc",
        rpc.method = &*method.name,
        rpc.response.status_code = field::Empty,
        error.type = field::Empty,
        enduser.id = field::Empty,
        service.peer.name = field::Empty,
        request_id = field::Empty,
        trace_id = field::Empty,
    )
}

fn record(span: &Span, code: Code) {
    span.record("rpc.response.status_code", code_name(code));
    if telemetry::is_server_fault(code) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", code_name(code));
    }
    tracing::debug!(parent: span, code = code_name(code), "call ended");
}

/// The request id on the span, so that support finds the trace by it.
pub(super) fn record_request_id(id: &HeaderValue) {
    if let Ok(id) = id.to_str() {
        Span::current().record("request_id", id);
    }
}
