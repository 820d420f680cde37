//! A layer of the stack as one async function around the rest of it: request in, response out, no `poll_ready`, no
//! hand-written futures. Everything below the outermost layer is infallible: a failure is a response like any other.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tonic::body::Body;
use tower::{Layer, Service};

pub(crate) type Request = http::Request<Body>;
pub(crate) type Response = http::Response<Body>;

/// The rest of the stack, to be run at most once.
pub(crate) trait Next: Send + 'static {
    fn run(self, request: Request) -> impl Future<Output = Response> + Send + 'static;
}

/// One layer.
pub(crate) trait Around: Clone + Send + Sync + 'static {
    fn around(self, request: Request, next: impl Next) -> impl Future<Output = Response> + Send;
}

/// Makes a tower layer of it.
pub(crate) fn around<A: Around>(layer: A) -> AroundLayer<A> {
    AroundLayer(layer)
}

#[derive(Clone)]
pub(crate) struct AroundLayer<A>(A);

impl<A: Clone, S> Layer<S> for AroundLayer<A> {
    type Service = AroundService<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        AroundService { around: self.0.clone(), inner }
    }
}

#[derive(Clone)]
pub(crate) struct AroundService<A, S> {
    around: A,
    inner: S,
}

impl<A, S> Service<Request> for AroundService<A, S>
where
    A: Around,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone stays; the one that was polled ready goes.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let around = self.around.clone();
        Box::pin(async move { Ok(around.around(request, Rest(ready)).await) })
    }
}

struct Rest<S>(S);

impl<S> Next for Rest<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    async fn run(mut self, request: Request) -> Response {
        match self.0.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
