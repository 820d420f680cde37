//! What every request passes on its way to a handler, in this order, from the outside to the inside. The order is the
//! point: read it here as one column.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method as HttpMethod};
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::{Service, ServiceBuilder};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::config::Settings;
use crate::drain::Drain;
use crate::method::Methods;
use crate::oidc::Verifier;

pub(crate) mod around;
mod authenticate;
mod complete_errors;
mod deadline;
mod measure;
mod no_panic;
pub(crate) mod request_id;
mod shed;
mod streams;
mod trace;

use around::{Request, Response, around};

/// The whole server: the routes inside the stack.
pub(crate) fn stack(
    routes: Routes,
    methods: Methods,
    verifier: Arc<Verifier>,
    drain: &Drain,
    settings: &Settings,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + use<> {
    let limits = &settings.limits;
    ServiceBuilder::new()
        // Browsers ask before they call, and read only what we expose: outermost, also around refusals.
        .layer(cors(settings))
        // gRPC-Web becomes gRPC; everything below sees one protocol.
        .layer(GrpcWebLayer::new())
        // The span of the call, child of the caller's. Outside everything that can answer, so that nothing is unseen.
        .layer(around(trace::Trace::new(methods)))
        // Duration and outcome of every call, refused ones included.
        .layer(around(measure::Measure::new()))
        // The id by which a caller speaks of its request: taken or made, and echoed on every answer.
        .layer(around(request_id::RequestId))
        // A bug in a handler is that call's INTERNAL, and nobody else's trouble.
        .layer(around(no_panic::NoPanic))
        // Refuses at once what would only queue up: before any work is done for it, token checks included.
        .layer(around(shed::Shed::new(limits)))
        // From here on everything, the answer's last byte included, happens before the deadline.
        .layer(around(deadline::Deadlines::new(limits)))
        // Who calls. Nothing below runs for an unknown caller, but for health and reflection.
        .layer(around(authenticate::Authenticate::new(verifier, &settings.tls)))
        // Long-lived answers: bounded per caller, ended when the token expires or the process goes down.
        .layer(around(streams::Streams::new(limits, drain)))
        // Every error carries ErrorInfo, also those that the gRPC library makes itself.
        .layer(around(complete_errors::CompleteErrors))
        .service(routes)
}

fn cors(settings: &Settings) -> CorsLayer {
    let exposed = ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id", "traceparent"]
        .map(HeaderName::from_static);
    let allowed = [
        "authorization",
        "content-type",
        "grpc-timeout",
        "traceparent",
        "tracestate",
        "x-grpc-web",
        "x-request-id",
        "x-user-agent",
    ];
    let layer = CorsLayer::new()
        .allow_methods([HttpMethod::POST])
        .allow_headers(allowed.map(HeaderName::from_static))
        .expose_headers(exposed)
        .max_age(Duration::from_secs(3600));
    match &settings.cors_origins {
        None => layer.allow_origin(Any),
        Some(origins) => layer.allow_origin(AllowOrigin::list(origins.iter().cloned())),
    }
}
