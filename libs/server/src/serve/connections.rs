//! Accepting connections, with TLS or without, and speaking HTTP on them: HTTP/2 for gRPC, HTTP/1.1 for gRPC-Web.
//!
//! Not by tonic's `Server`: it puts a timer of its own for `grpc-timeout` around the stack, which answers CANCELLED and
//! now and then beats ours, it has no knob for how much is buffered for a slow reader, and it cannot cut what does not
//! end.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Service, ServiceExt as _};

use crate::ambient;
use crate::config::Limits;
use crate::stack::around::{Request, Response};
use crate::tls::{Inbound, Peer};

/// How often an idle connection is asked whether somebody is still there, and how long the answer may take.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long an HTTP/1.1 request's headers may take.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// What is buffered per stream for a reader that is slower than its writer; hyper's own default is 400 KiB.
const BUFFER_PER_STREAM: usize = 64 << 10;
/// After which time a connection is told to go (its streams stay until they end), so that clients behind a load
/// balancer spread over replicas that came later. Up to a tenth is added, so that they do not all come at once.
const CONNECTION_AGE: Duration = Duration::from_secs(30 * 60);
/// When the system has no more sockets: how long to wait for one.
const BREATH: Duration = Duration::from_millis(100);

/// Accepts until `end` is cancelled, then lets what is in work finish. Dropping the future cuts every connection.
pub(super) async fn serve<S>(
    listener: TcpListener,
    tls: Option<Inbound>,
    app: S,
    limits: Limits,
    end: CancellationToken,
) where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let protocol = protocol(&limits);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = end.cancelled() => break,
            Some(_ended) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                // Closing is the only answer that costs nothing.
                Ok((_, peer)) if open.len() >= limits.max_connections => {
                    tracing::warn!(%peer, limit = limits.max_connections, "too many connections");
                }
                Ok((socket, peer)) => {
                    // A handshake waits for its peer: in the connection's own task, where it is nobody else's time.
                    open.spawn(connection(socket, peer, tls.clone(), app.clone(), protocol.clone(), end.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
        }
    }
    // Closed before waiting: whoever comes now is refused at once and goes elsewhere.
    drop(listener);
    while open.join_next().await.is_some() {}
}

fn protocol(limits: &Limits) -> Builder<TokioExecutor> {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_connection_streams)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_send_buf_size(BUFFER_PER_STREAM);
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    protocol
}

async fn connection<S>(
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<Inbound>,
    app: S,
    protocol: Builder<TokioExecutor>,
    end: CancellationToken,
) where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // Small answers must not wait for more; a socket that refuses is about to fail anyway.
    let _ = socket.set_nodelay(true);
    let info = TcpConnectInfo { local_addr: socket.local_addr().ok(), remote_addr: Some(peer) };
    let Some(tls) = tls else {
        return speak(TokioIo::new(socket), info, Peer::default(), app, protocol, end).await;
    };
    let handshake = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(socket));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = end.cancelled() => return,
    };
    match accepted {
        Ok(Ok((stream, named))) => speak(TokioIo::new(stream), info, named, app, protocol, end).await,
        // A port scan, a probe: nothing was said.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => tracing::debug!(%peer, "left before TLS"),
        Ok(Err(error)) => tracing::info!(%peer, %error, "a TLS handshake failed"),
        Err(_elapsed) => tracing::info!(%peer, within = ?HANDSHAKE_WITHIN, "a TLS handshake took too long"),
    }
}

/// HTTP on a connection that stands, until it ends.
async fn speak<S, I>(
    io: I,
    info: TcpConnectInfo,
    named: Peer,
    app: S,
    protocol: Builder<TokioExecutor>,
    end: CancellationToken,
) where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    I: Read + Write + Unpin + Send + 'static,
{
    let peer = info.remote_addr;
    let app = app.map_request(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        // What `tonic::Request::remote_addr` reads.
        request.extensions_mut().insert(info.clone());
        request.extensions_mut().insert(named.clone());
        request
    });
    let mut serving = pin!(protocol.serve_connection(io, TowerToHyperService::new(app)));
    let age = CONNECTION_AGE + ambient::jitter(CONNECTION_AGE / 10);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = async { tokio::select! { () = end.cancelled() => {}, () = tokio::time::sleep(age) => {} } } => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // The peer went away in the middle: its affair.
        tracing::debug!(%error, ?peer, "connection ended");
    }
}
