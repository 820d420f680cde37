//! gRPC as bytes: any method by its name, requests from JSON by the descriptor set, answers as they came. What a test says
//! about every method, it says about methods nobody has written yet.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::Value;
use tokio::time::timeout;
use tonic::codegen::http::{HeaderMap, Request};
use tonic::codegen::{Bytes, Service as _};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// Nothing that is asked here takes longer.
const LIMIT: Duration = Duration::from_secs(30);
/// Compressed flag and length before every message.
const PREFIX: usize = 5;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the build writes a valid descriptor set"));

/// Every descriptor of the API.
pub fn descriptors() -> &'static DescriptorPool {
    &POOL
}

/// Every method of the API, as `package.Service/Method`.
pub fn methods() -> BTreeMap<String, MethodDescriptor> {
    let all = POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    all.map(|method| (format!("{}/{}", method.parent_service().full_name(), method.name()), method)).collect()
}

/// A request from JSON, as the method's own message; what the method does not know is an error.
pub fn request(method: &MethodDescriptor, json: &Value) -> Result<Vec<u8>> {
    let message = DynamicMessage::deserialize(method.input(), json)
        .with_context(|| format!("{json} is no {}", method.input().full_name()))?;
    Ok(message.encode_to_vec())
}

/// A server, by its address.
#[derive(Clone)]
pub struct Wire {
    channel: Channel,
}

/// What came back, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub http_status: u16,
    /// What came before the body.
    pub headers: Fields,
    /// Every message up to the one where reading stopped.
    pub messages: Vec<Vec<u8>>,
    /// What came after the body; empty when reading stopped before, or when the headers said it all.
    pub trailers: Fields,
}

/// Headers in their order of name, values as bytes.
pub type Fields = Vec<(String, Vec<u8>)>;

impl Answer {
    /// The status, wherever it was said; OK when it was not said before reading stopped.
    pub fn status(&self) -> Status {
        [&self.trailers, &self.headers]
            .into_iter()
            .find_map(|fields| Status::from_header_map(&to_map(fields)))
            .unwrap_or_else(|| Status::new(Code::Ok, ""))
    }

    /// The same without what is another with every answer: the clock, and the random number of the call's span.
    pub fn comparable(mut self) -> Self {
        self.headers.retain(|(name, _)| !["date", "traceparent"].contains(&name.as_str()));
        self
    }
}

impl Wire {
    /// Connects when first used.
    pub fn to(uri: &str) -> Result<Self> {
        Ok(Self { channel: Endpoint::from_shared(uri.to_owned())?.tcp_nodelay(true).connect_lazy() })
    }

    /// Calls `package.Service/Method` and reads the whole answer, but of a stream that goes on only its first message.
    pub async fn call(&self, method: &str, message: &[u8], headers: &[(&str, &str)]) -> Result<Answer> {
        timeout(LIMIT, self.call_patiently(method, message, headers))
            .await
            .with_context(|| format!("{method} did not answer within {LIMIT:?}"))?
    }

    async fn call_patiently(&self, method: &str, message: &[u8], headers: &[(&str, &str)]) -> Result<Answer> {
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len())?.to_be_bytes());
        framed.extend(message);
        let mut request = Request::post(format!("http://wire/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(tonic::body::Body::new(Full::new(Bytes::from(framed))))?;
        let mut channel = self.channel.clone();
        std::future::poll_fn(|context| channel.poll_ready(context)).await?;
        let (head, mut body) = channel.call(request).await?.into_parts();
        let mut answer = Answer {
            http_status: head.status.as_u16(),
            headers: from_map(&head.headers),
            messages: Vec::new(),
            trailers: Fields::new(),
        };
        let mut unread = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => unread.extend(data),
                Err(frame) => answer.trailers = frame.trailers_ref().map(from_map).unwrap_or_default(),
            }
            answer.messages.extend(take_messages(&mut unread)?);
            if !answer.messages.is_empty() && is_stream(method) {
                break;
            }
        }
        Ok(answer)
    }
}

fn is_stream(method: &str) -> bool {
    static STREAMS: LazyLock<BTreeMap<String, bool>> =
        LazyLock::new(|| methods().into_iter().map(|(name, method)| (name, method.is_server_streaming())).collect());
    STREAMS.get(method).copied().unwrap_or(false)
}

fn take_messages(unread: &mut Vec<u8>) -> Result<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    while let Some((prefix, rest)) = unread.split_at_checked(PREFIX) {
        if prefix[0] != 0 {
            bail!("the answer is compressed, and nobody said that it may be");
        }
        let length = usize::try_from(u32::from_be_bytes(prefix[1..].try_into()?))?;
        let Some((message, rest)) = rest.split_at_checked(length) else { break };
        messages.push(message.to_vec());
        *unread = rest.to_vec();
    }
    Ok(messages)
}

fn from_map(map: &HeaderMap) -> Fields {
    let mut fields: Fields =
        map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    fields.sort();
    fields
}

fn to_map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (
            tonic::codegen::http::HeaderName::from_bytes(name.as_bytes()),
            tonic::codegen::http::HeaderValue::from_bytes(value),
        ) {
            map.append(name, value);
        }
    }
    map
}

/// Addresses of the services, by the service they serve.
#[derive(Clone)]
pub struct Directory {
    compare: Wire,
    promotion: Wire,
    operation_run: Wire,
}

impl Directory {
    /// Of these endpoints.
    pub fn of(endpoints: &dev::client::Endpoints) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            compare: Wire::to(&endpoints.compare)?,
            promotion: Wire::to(&endpoints.promotion)?,
            operation_run: Wire::to(&endpoints.operation_run)?,
        }))
    }

    /// The server of a method, by its package.
    pub fn server_of(&self, method: &str) -> &Wire {
        match method.split('.').nth(1) {
            Some("promotion") => &self.promotion,
            Some("operation" | "control" | "notification" | "audit") => &self.operation_run,
            _ => &self.compare,
        }
    }
}
