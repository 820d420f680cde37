//! What this service counts, beside what the chassis counts of every call.

use std::sync::LazyLock;

use domain::run::{Deadline, RunType};
use opentelemetry::metrics::{Counter, Gauge, Meter, UpDownCounter};
use opentelemetry::{KeyValue, global};

fn meter() -> Meter {
    global::meter("tenantatlas.operation_run")
}

/// Open watches.
pub static WATCHES: LazyLock<UpDownCounter<i64>> =
    LazyLock::new(|| meter().i64_up_down_counter("operation.watch.open").with_description("Open watches").build());

/// Messages sent to watchers.
pub static MESSAGES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("operation.watch.messages").with_description("Messages sent to watchers").build()
});

/// Watches that were ended by us, by reason.
pub static ENDED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("operation.watch.ended").with_description("Watches ended by the service, by reason").build()
});

/// Times a watcher had fallen behind what is in memory and was served from the database.
pub static CAUGHT_UP: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let told = "Reads from the database for watchers that had fallen behind what is in memory";
    meter().u64_counter("operation.watch.catch_ups").with_description(told).build()
});

/// Holes in the revisions of a run: must stay 0.
pub static GAPS: LazyLock<Counter<u64>> =
    LazyLock::new(|| meter().u64_counter("operation.watch.gaps").with_description("Lost events: must stay 0").build());

/// Events in memory.
pub static EVENTS_IN_MEMORY: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter().u64_gauge("operation.watch.events_in_memory").with_description("Events in memory").build()
});

/// For how long a writing transaction has held back what was written after it.
pub static HELD_BACK: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    let told = "For how long one writing transaction has held back the events written after it";
    meter().f64_gauge("operation.watch.held_back").with_unit("s").with_description(told).build()
});

/// Runs taken from silent workers.
pub static RESCUES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("operation.run.rescues").with_description("Runs taken from workers that fell silent").build()
});

/// Runs that were removed because they ended long ago.
pub static REMOVED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("operation.run.removed").with_description("Runs removed because they ended long ago").build()
});

static TIMED_OUT: LazyLock<Counter<u64>> = LazyLock::new(|| {
    let told = "Runs ended because their time was over, by type and by the deadline that passed";
    meter().u64_counter("operation.run.timeouts").with_description(told).build()
});

/// A run was ended because its time was over.
pub fn timed_out(run_type: RunType, deadline: Deadline) {
    let of = [KeyValue::new("run.type", run_type.as_str()), KeyValue::new("deadline", deadline.as_str())];
    TIMED_OUT.add(1, &of);
}
