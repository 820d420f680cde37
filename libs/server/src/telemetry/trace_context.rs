//! Trace contexts on their way: in the headers of calls, and as the text that is kept where work is queued.

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::{Context, global};

/// The trace context that these headers carry.
pub(crate) fn extract(headers: &HeaderMap) -> Context {
    global::get_text_map_propagator(|propagator| propagator.extract(&Read(headers)))
}

/// Writes the trace context into these headers.
pub(crate) fn inject(context: &Context, headers: &mut HeaderMap) {
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut Write(headers)));
}

/// The current span's `traceparent`, to be stored where work is queued, so that the worker's trace can link to it.
pub fn current_traceparent() -> Option<String> {
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;
    let mut headers = HeaderMap::new();
    inject(&tracing::Span::current().context(), &mut headers);
    headers.get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Links `span` to the trace that queued its work (messaging conventions: a link, not a parent).
pub fn link_to_traceparent(span: &tracing::Span, traceparent: &str) {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;
    let Ok(value) = http::HeaderValue::from_str(traceparent) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", value);
    let origin = extract(&headers).span().span_context().clone();
    if origin.is_valid() {
        span.add_link(origin);
    }
}

/// The trace id of a `traceparent`, by which tracing tools find the trace; `None` when it is not one.
pub fn trace_id_in(traceparent: &str) -> Option<&str> {
    let id = traceparent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(id)
}

struct Read<'a>(&'a HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct Write<'a>(&'a mut HeaderMap);

impl Injector for Write<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(key), value.try_into()) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_read_out_of_a_traceparent_and_of_nothing_else() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id_in(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for other in ["", "00", "00--00f067aa0ba902b7-01", "00-4bf92f35-00f067aa0ba902b7-01", &"-x".repeat(40)] {
            assert_eq!(trace_id_in(other), None, "{other}");
        }
    }
}
