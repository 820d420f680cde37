//! One call to another service: what is added to the request, what is made of a broken answer.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Status};
use tower::{Service, ServiceExt as _};
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::Shared;
use crate::body::{self, Ending};
use crate::caller::{Caller, SERVICE_HEADER};
use crate::deadline::{Deadline, read_timeout, write_timeout};
use crate::failure::{Failure, reason, reason_of};
use crate::method::Method;
use crate::secret::Secret;
use crate::stack::around::{Request, Response};
use crate::stack::request_id::REQUEST_ID;
use crate::telemetry::{self, DURATION_BOUNDARIES_S, code_name};

/// What is kept of the caller's time for our own work after the answer.
const MARGIN: Duration = Duration::from_millis(10);

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    opentelemetry::global::meter("tenantatlas.server")
        .f64_histogram("rpc.client.call.duration")
        .with_unit("s")
        .with_description("Duration of outbound calls, to the end of the answer")
        .with_boundaries(DURATION_BOUNDARIES_S.to_vec())
        .build()
});

/// The transport of a generated client: `CompareServiceClient::new(outgoing)`.
#[derive(Clone)]
pub struct Outgoing {
    upstream: Arc<Shared>,
    acting: Acting,
}

#[derive(Clone)]
enum Acting {
    AsSelf,
    OnBehalf { authorization: Option<Secret>, deadline: Option<Deadline>, request_id: Option<HeaderValue> },
}

impl Outgoing {
    pub(super) fn as_self(upstream: Arc<Shared>) -> Self {
        Self { upstream, acting: Acting::AsSelf }
    }

    pub(super) fn on_behalf_of(upstream: Arc<Shared>, caller: &Caller) -> Self {
        let acting = Acting::OnBehalf {
            authorization: caller.authorization.clone(),
            deadline: caller.deadline,
            request_id: caller.request_id.clone(),
        };
        Self { upstream, acting }
    }

    async fn send(self, method: &Method, mut request: Request) -> Response {
        let deadline = match self.deadline(method, &request) {
            Ok(deadline) => deadline,
            Err(failure) => return failure.into_response(),
        };
        if let Some(deadline) = deadline {
            write_timeout(request.headers_mut(), deadline.remaining());
        }
        let exchange = self.exchange(request, deadline);
        let response = match deadline {
            None => exchange.await,
            Some(deadline) => match timeout_at(deadline.instant(), exchange).await {
                Ok(answer) => answer,
                Err(_elapsed) => Err(Failure::deadline_exceeded()),
            },
        };
        match (response, deadline) {
            (Err(failure), _) => failure.into_response(),
            (Ok(response), None) => response,
            (Ok(response), Some(deadline)) => response
                .map(|body| body::until(body, sleep_until(deadline.instant()), || Failure::deadline_exceeded().into())),
        }
    }

    /// Tokens on, request out, headers of the answer in.
    async fn exchange(&self, mut request: Request, deadline: Option<Deadline>) -> Result<Response, Failure> {
        let own = self.identify(&mut request).await?;
        telemetry::inject(&Span::current().context(), request.headers_mut());
        let upstream = Arc::clone(&self.upstream);
        // Whatever the transport calls it (CANCELLED "operation was canceled", "h2 protocol error", a refused
        // connection), it is no answer of the other service: it is away.
        let broken = move |status: Status| {
            if deadline.is_some_and(|deadline| deadline.remaining() <= BEFORE_TONIC) {
                return Failure::deadline_exceeded().caused_by(status);
            }
            upstream.trouble.notify_one();
            Failure::unavailable(upstream.service).caused_by(status)
        };
        match self.upstream.channel.clone().oneshot(request).await {
            Ok(response) => {
                let response = self.own_refusal(response, own.as_ref());
                Ok(body::map_broken(response, move |status| broken(status).into()))
            }
            Err(error) => Err(broken(Status::from_error(error.into()))),
        }
    }

    /// When it is our own token that was refused: forgets it, so that the next call fetches a new one, and says so by the
    /// reason that [`Failure::from_upstream`] does not pass on. Our caller's token is another matter.
    fn own_refusal(&self, response: Response, own: Option<&Secret>) -> Response {
        let refused = Status::from_header_map(response.headers()).filter(|status| refuses_us(status, &self.acting));
        let Some(status) = refused else { return response };
        if let (Some(source), Some(own)) = (&self.upstream.own_token, own) {
            source.forget(own);
        }
        Failure::unauthenticated(reason::SERVICE_TOKEN_INVALID, "this service's own token was refused")
            .caused_by(status)
            .into_response()
    }

    /// The earliest of: what this call was given, what is left of the caller's time, our default for unary calls.
    fn deadline(&self, method: &Method, request: &Request) -> Result<Option<Deadline>, Failure> {
        let own = read_timeout(request.headers()).map(Deadline::after);
        let inherited = match &self.acting {
            Acting::OnBehalf { deadline: Some(deadline), .. } => {
                let left = deadline.remaining().checked_sub(MARGIN).ok_or_else(Failure::deadline_exceeded)?;
                Some(Deadline::after(left))
            }
            _ => None,
        };
        let default = (!method.streaming).then(|| Deadline::after(self.upstream.default_deadline));
        Ok(own.into_iter().chain(inherited).min().or(default))
    }

    /// Puts the tokens on; gives back our own, if it is one of them.
    async fn identify(&self, request: &mut Request) -> Result<Option<Secret>, Failure> {
        let own = match &self.upstream.own_token {
            Some(source) => Some(source.get().await?),
            None => None,
        };
        let headers = request.headers_mut();
        match &self.acting {
            Acting::AsSelf => {
                let own =
                    own.as_ref().ok_or_else(|| Failure::internal("this service has no identity (--client-id)"))?;
                headers.insert(AUTHORIZATION, bearer(own)?);
            }
            Acting::OnBehalf { authorization, request_id, .. } => {
                let passed_on = authorization
                    .as_ref()
                    .ok_or_else(|| Failure::internal("there is no token to pass on for this caller"))?;
                headers.insert(AUTHORIZATION, bearer(passed_on)?);
                if let Some(own) = &own {
                    headers.insert(SERVICE_HEADER, bearer(own)?);
                }
                if let Some(id) = request_id {
                    headers.insert(REQUEST_ID, id.clone());
                }
            }
        }
        Ok(own)
    }
}

/// tonic's own client timer for the same header answers CANCELLED; within this of the deadline, that is what it was.
const BEFORE_TONIC: Duration = Duration::from_millis(2);

fn refuses_us(status: &Status, acting: &Acting) -> bool {
    let reason = reason_of(status);
    status.code() == Code::Unauthenticated
        && match reason.as_deref() {
            Some(reason::SERVICE_TOKEN_INVALID) => true,
            // A new token would change nothing about the certificate.
            Some(reason::SERVICE_CERTIFICATE_MISMATCH) => false,
            _ => matches!(acting, Acting::AsSelf),
        }
}

fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| Failure::internal("a token that is no header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Service<Request> for Outgoing {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    /// Always: waiting for a connection happens inside the call, under its deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let method = this.upstream.methods.at(request.uri().path());
            let span = span(&method, this.upstream.service);
            let begun = Instant::now();
            let ended = Ending::new({
                let (span, method) = (span.clone(), Arc::clone(&method));
                move |code| record(&span, &method, begun, code)
            });
            let response = this.send(&method, request).instrument(span.clone()).await;
            Ok(body::on_end(response, span, ended))
        })
    }
}

fn span(method: &Method, service: &str) -> Span {
    tracing::info_span!(
        "rpc client",
        otel.name = &*method.name,
        otel.kind = "client",
        otel.status_code = field::Empty,
        rpc.system.name = "grpc",
        rpc.method = &*method.name,
        rpc.response.status_code = field::Empty,
        error.type = field::Empty,
        service.peer.name = service,
    )
}

fn record(span: &Span, method: &Method, begun: Instant, code: Code) {
    span.record("rpc.response.status_code", code_name(code));
    let mut labels = vec![
        KeyValue::new("rpc.system.name", "grpc"),
        KeyValue::new("rpc.method", Arc::clone(&method.name)),
        KeyValue::new("rpc.response.status_code", code_name(code)),
    ];
    // For a client everything but OK is an error, by the conventions.
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", code_name(code));
        labels.push(KeyValue::new("error.type", code_name(code)));
    }
    DURATION.record(begun.elapsed().as_secs_f64(), &labels);
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acting = match self.acting {
            Acting::AsSelf => "as itself",
            Acting::OnBehalf { .. } => "on behalf of a caller",
        };
        f.debug_struct("Outgoing").field("service", &self.upstream.service).field("acting", &acting).finish()
    }
}
