//! `rpc.server.call.duration`: every call from its headers to the end of its answer, by method and status, and the
//! number of streams open now (their durations say nothing while they last).

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, UpDownCounter};
use tokio::time::Instant;
use tracing::Span;

use super::around::{Around, Next, Request, Response};
use crate::body::{self, Ending};
use crate::method::Method;
use crate::telemetry::{self, DURATION_BOUNDARIES_S, code_name};

#[derive(Clone)]
pub(super) struct Measure {
    duration: Histogram<f64>,
    open_streams: UpDownCounter<i64>,
}

impl Measure {
    pub(super) fn new() -> Self {
        let meter = opentelemetry::global::meter("tenantatlas.server");
        Self {
            duration: meter
                .f64_histogram("rpc.server.call.duration")
                .with_unit("s")
                .with_description("Duration of inbound calls, to the end of the answer")
                .with_boundaries(DURATION_BOUNDARIES_S.to_vec())
                .build(),
            open_streams: meter
                .i64_up_down_counter("tenantatlas.server.streams.open")
                .with_unit("{stream}")
                .with_description("Streams open now")
                .build(),
        }
    }
}

impl Around for Measure {
    async fn around(self, request: Request, next: impl Next) -> Response {
        let Some(method) = request.extensions().get::<Arc<Method>>().cloned() else {
            return next.run(request).await;
        };
        let begun = Instant::now();
        let labels = [KeyValue::new("rpc.method", Arc::clone(&method.name))];
        if method.streaming {
            self.open_streams.add(1, &labels);
        }
        let ended = Ending::new(move |code| {
            let [method_label] = labels;
            if method.streaming {
                self.open_streams.add(-1, std::slice::from_ref(&method_label));
            }
            let mut labels = vec![
                KeyValue::new("rpc.system.name", "grpc"),
                method_label,
                KeyValue::new("rpc.response.status_code", code_name(code)),
            ];
            if telemetry::is_server_fault(code) {
                labels.push(KeyValue::new("error.type", code_name(code)));
            }
            self.duration.record(begun.elapsed().as_secs_f64(), &labels);
        });
        body::on_end(next.run(request).await, Span::none(), ended)
    }
}
