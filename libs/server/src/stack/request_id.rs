//! `x-request-id`: taken from the caller when it is usable, made otherwise, echoed on the answer, on the span, and sent
//! on to services called on the request's behalf.

use http::{HeaderName, HeaderValue};

use super::around::{Around, Next, Request, Response};
use crate::ambient;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ones are replaced: they end in logs.
const MAX_BYTES: usize = 128;

/// The id of the request, in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Id(pub(crate) HeaderValue);

#[derive(Clone)]
pub(super) struct RequestId;

impl Around for RequestId {
    async fn around(self, mut request: Request, next: impl Next) -> Response {
        let usable = |id: &&HeaderValue| {
            !id.is_empty() && id.len() <= MAX_BYTES && id.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        let id = request.headers().get(REQUEST_ID).filter(usable).cloned().unwrap_or_else(|| {
            HeaderValue::from_str(&ambient::fresh_id().to_string()).expect("a UUID is a header value")
        });
        super::trace::record_request_id(&id);
        request.extensions_mut().insert(Id(id.clone()));
        let mut response = next.run(request).await;
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
}
