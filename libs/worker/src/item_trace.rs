//! One span per item of a run, up to a number.

use std::sync::atomic::{AtomicUsize, Ordering};

use pb::operation::{ItemOutcome, ItemState};
use server::telemetry::NOT_SAMPLED;
use tracing::{Span, field};

/// Items of one claim that leave a trace. Each has a handful of calls below it, and tracing tools show some ten thousand
/// spans of a trace.
const MOST_ITEM_SPANS: usize = 500;

/// How many items of this claim have begun.
#[derive(Debug, Default)]
pub(crate) struct ItemTrace(AtomicUsize);

impl ItemTrace {
    pub(crate) fn span(&self, ordinal: i32, policy_type: &str) -> Span {
        tracing::info_span!(
            "item",
            otel.name = "process operation_run_item",
            otel.status_code = field::Empty,
            error.type = field::Empty,
            ordinal,
            policy_type,
            item.state = field::Empty,
            item.reason = field::Empty,
            { NOT_SAMPLED } = self.one_too_many(),
        )
    }

    fn one_too_many(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= MOST_ITEM_SPANS
    }
}

/// Says on the span of the item, which is the present one, how it ended.
pub(crate) fn record(outcome: &ItemOutcome) {
    let span = Span::current();
    span.record("item.state", state(outcome.state()));
    if !outcome.reason.is_empty() {
        span.record("item.reason", outcome.reason.as_str());
    }
    if outcome.state() == ItemState::Failed {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", outcome.reason.as_str());
    }
}

const fn state(state: ItemState) -> &'static str {
    match state {
        ItemState::Succeeded => "succeeded",
        ItemState::Failed => "failed",
        ItemState::Skipped => "skipped",
        ItemState::Pending | ItemState::Unspecified => "pending",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_items_leave_a_trace_and_no_more() {
        let trace = ItemTrace::default();
        let left_out: Vec<usize> = (1..=MOST_ITEM_SPANS + 2).filter(|_| trace.one_too_many()).collect();
        assert_eq!(left_out, [MOST_ITEM_SPANS + 1, MOST_ITEM_SPANS + 2]);
    }
}
