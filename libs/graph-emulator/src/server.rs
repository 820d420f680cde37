//! HTTP at the edge: the accept loop, the routes, and requests becoming calls. The loop is our own, because a fault may cut a
//! connection without a word, which no response can express.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::admin;
use crate::ambient;
use crate::auth::{self, Grant};
use crate::batch;
use crate::call::{Body, Call, Refusal, Reply, Version};
use crate::control::Control;
use crate::engine::Served;
use crate::faults::Cut;
use crate::odata::json::Metadata;
use crate::odata::query::Options;
use crate::tls::{Acceptor, Identity};

/// Longest body the emulator reads, in bytes: larger than any policy, small enough for a laptop.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// How long a stop waits for open requests.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
struct Edge {
    control: Control,
    scheme: &'static str,
}

/// Accepts connections until told to stop, then drains.
pub(crate) async fn run(
    listener: TcpListener,
    control: Control,
    identity: Option<Identity>,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = identity.map(Acceptor::new);
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let router = router(Edge { control, scheme });
    let open = GracefulShutdown::new();
    // Owns the connections: when this future is dropped, they end with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Replies are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        connections.spawn(serve(stream, acceptor.clone(), router.clone(), open.watcher()));
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, open.shutdown()).await.is_err() {
        tracing::warn!("open connections were cut at the end of the drain");
    }
}

async fn serve(stream: TcpStream, acceptor: Option<Acceptor>, router: Router, watcher: Watcher) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<Cut>() {
                None => Ok(response),
                Some(cut) => {
                    tokio::time::sleep(cut.hold).await;
                    // An error of the service closes the connection without a response.
                    Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a fault rule"))
                }
            }
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new());
    let ended = match acceptor {
        None => watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => watcher.watch(server.serve_connection(TokioIo::new(stream), service)).await,
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                return;
            }
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn router(edge: Edge) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .fallback(graph)
        .with_state(edge.clone())
        .merge(admin::router().with_state(edge.control))
}

async fn token(State(edge): State<Edge>, Path(tenant): Path<String>, request: Request) -> Response {
    let authorization = header(request.headers(), AUTHORIZATION.as_str());
    let Ok(body) = read_body(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let grant = Grant::parse(&body, authorization.as_deref());
    let mut guard = edge.control.engine.state();
    let state = &mut *guard;
    let (status, body) = auth::issue(&state.world, &mut state.tokens, &tenant, &grant, ambient::now());
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), axum::Json(body)).into_response()
}

async fn discovery(State(edge): State<Edge>, Path(tenant): Path<String>, headers: HeaderMap) -> Response {
    let origin = origin(&edge, &headers);
    if edge.control.engine.state().world.tenant(&tenant).is_none() {
        let text = format!("AADSTS90002: Tenant '{tenant}' not found.");
        let body = serde_json::json!({"error": "invalid_tenant", "error_description": text});
        return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
    }
    axum::Json(auth::discovery(&origin, &tenant)).into_response()
}

/// Everything that is not the token endpoint and not the admin is a call of Graph.
async fn graph(State(edge): State<Edge>, request: Request) -> Response {
    let call = match call(&edge, request).await {
        Ok(call) => call,
        Err(refused) => {
            let (refusal, call) = *refused;
            return respond(&call, Served { reply: refusal.reply(&call), cut: None });
        }
    };
    let engine = &edge.control.engine;
    let is_batch = call.path.trim_matches('/').replace("%24", "$").eq_ignore_ascii_case("$batch");
    let served = if is_batch { batch::serve(engine, &call).await } else { engine.serve(call.clone()).await };
    respond(&call, served)
}

/// The HTTP request as a call; a refusal comes with what is known of the call, for its ids.
async fn call(edge: &Edge, request: Request) -> Result<Call, Box<(Refusal, Call)>> {
    let (parts, body) = request.into_parts();
    let text = |name: &str| header(&parts.headers, name);
    let request_id = ambient::id();
    let path = parts.uri.path().trim_start_matches('/');
    let (version, path) = path.split_once('/').unwrap_or((path, ""));
    let query = parts.uri.query().unwrap_or_default();
    let mut call = Call {
        tenant: String::new(),
        app: crate::call::App { client_id: String::new(), roles: None },
        method: parts.method.clone(),
        version: Version::parse(version).unwrap_or(Version::Beta),
        path: path.to_owned(),
        query: query.to_owned(),
        options: Options::parse(query),
        body: Body::Absent,
        metadata: text(ACCEPT.as_str()).map(|accept| Metadata::of(&accept)).unwrap_or_default(),
        origin: origin(edge, &parts.headers),
        client_request_id: text("client-request-id").unwrap_or_else(|| request_id.clone()),
        request_id,
        justification: text("x-msft-approval-justification"),
        approval_code: text("x-msft-approval-code"),
        now: ambient::now(),
    };
    if Version::parse(version).is_none() {
        let refusal = Refusal::new(404, "ResourceNotFound", &format!("Invalid version: {version}"));
        return Err(Box::new((refusal, call)));
    }
    let authenticated = {
        let state = edge.control.engine.state();
        auth::authenticate(&state.world, &state.tokens, text(AUTHORIZATION.as_str()).as_deref(), call.now)
    };
    match authenticated {
        Ok((tenant, app)) => (call.tenant, call.app) = (tenant, app),
        Err(refusal) => return Err(Box::new((refusal, call))),
    }
    match read_body(Request::from_parts(parts.clone(), body)).await {
        Ok(bytes) => call.body = parse_body(&bytes, text(CONTENT_TYPE.as_str()).as_deref()),
        Err(()) => {
            let refusal = Refusal::new(413, "RequestEntityTooLarge", "The request body is too large.");
            return Err(Box::new((refusal, call)));
        }
    }
    Ok(call)
}

fn parse_body(bytes: &[u8], content_type: Option<&str>) -> Body {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Body::Absent;
    }
    match content_type {
        None => Body::Untyped,
        Some(_) => match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => Body::Json(value),
            Err(error) => Body::Broken(error.to_string()),
        },
    }
}

async fn read_body(request: Request) -> Result<axum::body::Bytes, ()> {
    let limited = http_body_util::Limited::new(request.into_body(), BODY_LIMIT);
    limited.collect().await.map(|collected| collected.to_bytes()).map_err(|_| ())
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Links begin with what the client called us by, also behind a proxy.
fn origin(edge: &Edge, headers: &HeaderMap) -> String {
    let scheme = header(headers, "x-forwarded-proto").unwrap_or_else(|| edge.scheme.to_owned());
    let host = header(headers, "x-forwarded-host").or_else(|| header(headers, HOST.as_str()));
    format!("{scheme}://{}", host.unwrap_or_else(|| "localhost".into()))
}

fn respond(call: &Call, served: Served) -> Response {
    let Reply { status, headers, body, .. } = served.reply;
    let mut response = match body {
        Some(body) => body.to_string().into_response(),
        None => ().into_response(),
    };
    let has_body = response.headers_mut().remove(CONTENT_TYPE).is_some();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = format!(
        "application/json;odata.metadata={};odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        call.metadata.name()
    );
    let diagnostic = r#"{"ServerInfo":{"DataCenter":"Emulator","Slice":"E","Ring":"1","ScaleUnit":"001","RoleInstance":"EM000001"}}"#;
    let mut all = vec![
        ("request-id", call.request_id.clone()),
        ("client-request-id", call.client_request_id.clone()),
        ("x-ms-ags-diagnostic", diagnostic.to_owned()),
        ("cache-control", "no-cache".to_owned()),
    ];
    if has_body {
        all.push(("content-type", json));
    }
    all.extend(headers);
    for (name, value) in all {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    if let Some(cut) = served.cut {
        response.extensions_mut().insert(cut);
    }
    response
}
