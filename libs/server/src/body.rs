//! What the layers do to a response's body: end it early with a status, hold something until it ends, learn how it
//! ended. A gRPC call is over when its body is, not when its headers are sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tracing::Span;

use crate::failure::Failure;
use crate::stack::around::Response;

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// The code in these headers or trailers; `None` when they hold none.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

/// The body, ended by the trailers of `status` as soon as `when` resolves, if it has not ended by itself.
pub(crate) fn until<W, S>(body: Body, when: W, status: S) -> Body
where
    W: Future<Output = ()> + Send + 'static,
    S: FnOnce() -> Status + Send + Unpin + 'static,
{
    Body::new(Until { body: Some(body), when: Box::pin(when), status: Some(status) })
}

struct Until<S> {
    /// `None` once it was cut: dropping it lets go of whatever the stream held.
    body: Option<Body>,
    when: Pin<Box<dyn Future<Output = ()> + Send>>,
    status: Option<S>,
}

impl<S: FnOnce() -> Status + Unpin> http_body::Body for Until<S> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        // What is ready is sent first: a unary answer never touches the timer.
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.when.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.body = None;
        let status = self.status.take().map_or_else(|| Status::cancelled("ended"), |status| status());
        Poll::Ready(Some(trailers(&status)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // It may be cut: only what it has at most is known.
        let mut hint = SizeHint::new();
        if let Some(upper) = self.body.as_ref().and_then(|body| body.size_hint().upper()) {
            hint.set_upper(upper);
        }
        hint
    }
}

/// Called exactly once with the code a call ended with; with CANCELLED when it is dropped before that is known.
pub(crate) struct Ending<F: FnOnce(Code)>(Option<F>);

impl<F: FnOnce(Code)> Ending<F> {
    pub(crate) fn new(then: F) -> Self {
        Self(Some(then))
    }

    fn with(&mut self, code: Code) {
        if let Some(then) = self.0.take() {
            then(code);
        }
    }
}

impl<F: FnOnce(Code)> Drop for Ending<F> {
    fn drop(&mut self) {
        self.with(Code::Cancelled);
    }
}

/// The response, keeping `held` (a permit, a count) until its body has ended or is dropped.
pub(crate) fn holding<T: Send + Unpin + 'static>(response: Response, held: T) -> Response {
    on_end(response, Span::none(), Ending::new(move |_| drop(held)))
}

/// The response, its body polled inside `span`, and `ending` told the code: that of the trailers, or of the headers when
/// they hold it, or CANCELLED when the body is dropped before.
pub(crate) fn on_end<F>(response: Response, span: Span, ending: Ending<F>) -> Response
where
    F: FnOnce(Code) + Send + Unpin + 'static,
{
    let initial = code_in(response.headers());
    response.map(|body| Body::new(OnEnd { body, initial, span, ending }))
}

struct OnEnd<F: FnOnce(Code)> {
    body: Body,
    initial: Option<Code>,
    span: Span,
    ending: Ending<F>,
}

impl<F: FnOnce(Code) + Unpin> http_body::Body for OnEnd<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        let _inside = this.span.enter();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => this.ending.with(this.initial.unwrap_or(Code::Unknown)),
            Poll::Ready(Some(Err(status))) => this.ending.with(status.code()),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.ending.with(code_in(trailers).or(this.initial).unwrap_or(Code::Unknown));
                }
            }
            Poll::Pending => {}
        }
        drop(_inside);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce(Code)> Drop for OnEnd<F> {
    fn drop(&mut self) {
        // Nobody reads on: the whole answer was in the headers, or the caller has gone.
        self.ending.with(self.initial.unwrap_or(Code::Cancelled));
    }
}

/// The response with every status that its headers, its stream or its trailers carry passed through `change`.
pub(crate) fn map_status<F>(response: Response, change: F) -> Response
where
    F: Fn(Status) -> Status + Send + Unpin + 'static,
{
    let (mut parts, body) = response.into_parts();
    parts.headers = with_changed_status(parts.headers, &change);
    Response::from_parts(parts, Body::new(MapStatus { body, change, trailers: true }))
}

/// The response with what broke its stream (not what its sender said in trailers) passed through `change`.
pub(crate) fn map_broken<F>(response: Response, change: F) -> Response
where
    F: Fn(Status) -> Status + Send + Unpin + 'static,
{
    response.map(|body| Body::new(MapStatus { body, change, trailers: false }))
}

struct MapStatus<F> {
    body: Body,
    change: F,
    trailers: bool,
}

impl<F: Fn(Status) -> Status + Unpin> http_body::Body for MapStatus<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        Pin::new(&mut this.body).poll_frame(cx).map(|frame| match frame {
            Some(Err(status)) => Some(Err((this.change)(status))),
            Some(Ok(frame)) if this.trailers => Some(Ok(match frame.into_trailers() {
                Ok(trailers) => Frame::trailers(with_changed_status(trailers, &this.change)),
                Err(frame) => frame,
            })),
            other => other,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Headers or trailers with their status, if it is an error, passed through `change`.
fn with_changed_status(mut headers: HeaderMap, change: impl Fn(Status) -> Status) -> HeaderMap {
    if matches!(code_in(&headers), None | Some(Code::Ok)) {
        return headers;
    }
    if let Some(status) = Status::from_header_map(&headers) {
        let mut changed = change(status);
        // The other headers are still there.
        changed.metadata_mut().clear();
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            headers.remove(name);
        }
        // It was encoded before, or is made of plain text: it can be encoded.
        let _ = changed.add_header(&mut headers);
    }
    headers
}

/// The body, with a panic of the stream behind it turned into the trailers of INTERNAL.
pub(crate) fn guarded(body: Body) -> Body {
    Body::new(Guarded(Some(body)))
}

struct Guarded(Option<Body>);

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let Some(body) = self.0.as_mut() else { return Poll::Ready(None) };
        // A stream that panicked is dropped and never polled again: nobody sees it in a broken state.
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.0 = None;
                Poll::Ready(Some(trailers(&Failure::from_panic(&*panic).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

fn trailers(status: &Status) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}
