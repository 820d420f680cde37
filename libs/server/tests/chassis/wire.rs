//! One gRPC call seen as HTTP/2: no library of the caller's side hides or changes what the server sends.

use std::net::SocketAddr;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tonic::codegen::Bytes;
use tonic::{Code, Status};

/// What came back.
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Seen {
    /// The status, wherever it stood.
    pub(crate) fn status(&self) -> Status {
        Status::from_header_map(&self.trailers)
            .or_else(|| Status::from_header_map(&self.headers))
            .unwrap_or_else(|| Status::new(Code::Unknown, "no status"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) const UNARY: &str = "/tenantatlas.promotion.v1.PromotionService/ExecutePromotion";
pub(crate) const STREAM: &str = "/tenantatlas.promotion.v1.PromotionService/WatchPromotionRuns";

/// Calls with a message.
pub(crate) async fn call(at: SocketAddr, path: &str, headers: &[(&str, &str)], message: &impl Message) -> Seen {
    call_with_bytes(at, path, headers, &message.encode_to_vec()).await
}

/// Calls with whatever stands for a message.
pub(crate) async fn call_with_bytes(at: SocketAddr, path: &str, headers: &[(&str, &str)], bytes: &[u8]) -> Seen {
    let socket = tokio::net::TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let mut request = Request::post(format!("http://{at}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from([&[0], &length[..], bytes].concat())))
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Seen { headers: parts.headers, trailers, body: collected.to_bytes().to_vec() }
}
