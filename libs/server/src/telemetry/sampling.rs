//! Which spans are kept: what the standard variables say (`OTEL_TRACES_SAMPLER`), and of those not the ones that are marked.

use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{Config, SamplingDecision, SamplingResult, ShouldSample};

/// The field that, when it is true as the span begins, leaves the span out of its trace together with everything below it:
/// for the thousandth of many that are alike.
pub const NOT_SAMPLED: &str = "not_sampled";

pub(super) fn sampler() -> Unmarked {
    Unmarked(Config::default().sampler)
}

#[derive(Debug, Clone)]
pub(super) struct Unmarked(Box<dyn ShouldSample>);

impl ShouldSample for Unmarked {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let marked = |pair: &KeyValue| pair.key.as_str() == NOT_SAMPLED && pair.value == Value::Bool(true);
        if attributes.iter().any(marked) {
            // What begins below it goes by its parent, which is this.
            return SamplingResult {
                decision: SamplingDecision::Drop,
                attributes: Vec::new(),
                trace_state: TraceState::default(),
            };
        }
        self.0.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags};

    use super::*;

    fn decision(parent_flags: Option<TraceFlags>, attributes: &[KeyValue]) -> SamplingDecision {
        let parent = parent_flags.map(|flags| {
            let span = SpanContext::new(TraceId::from(7), SpanId::from(7), flags, false, TraceState::default());
            Context::new().with_remote_span_context(span)
        });
        sampler().should_sample(parent.as_ref(), TraceId::from(7), "x", &SpanKind::Internal, attributes, &[]).decision
    }

    #[test]
    fn marked_spans_are_left_out_and_what_is_below_them_goes_by_the_parent() {
        let marked = |mark: bool| [KeyValue::new(NOT_SAMPLED, mark)];
        assert_eq!(decision(Some(TraceFlags::SAMPLED), &marked(true)), SamplingDecision::Drop);
        assert_eq!(decision(None, &marked(true)), SamplingDecision::Drop);
        assert_eq!(decision(None, &marked(false)), SamplingDecision::RecordAndSample);
        assert_eq!(decision(None, &[]), SamplingDecision::RecordAndSample);
        assert_eq!(decision(Some(TraceFlags::NOT_SAMPLED), &[]), SamplingDecision::Drop);
    }
}
