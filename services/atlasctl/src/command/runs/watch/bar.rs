//! The bar of a run in a terminal. Progress is told only where total and processed are known.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pb::operation::OperationRun;

use crate::words;

/// So that one sees that it lives.
const TICK: Duration = Duration::from_millis(120);

pub(super) struct Bar {
    bar: ProgressBar,
    counts: String,
    is_determinate: bool,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        bar.set_message("connecting");
        Self { bar, counts: String::new(), is_determinate: false }
    }

    pub(super) fn shows(&mut self, run: &OperationRun) {
        let counts = run.summary_counts.unwrap_or_default();
        if let (Some(total), false) = (counts.total.filter(|total| *total > 0), self.is_determinate) {
            // The template is ours and holds; without it the bar would only look plainer.
            if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:24}] {pos}/{len} {wide_msg}") {
                self.bar.set_style(style.progress_chars("=> "));
            }
            self.bar.set_length(u64::try_from(total).unwrap_or(0));
            self.is_determinate = true;
        }
        self.bar.set_position(u64::try_from(counts.processed()).unwrap_or(0));
        self.counts = told(run);
        self.bar.set_message(self.counts.clone());
    }

    /// What is shown is old; it says so until the next state comes.
    pub(super) fn away(&self) {
        self.bar.set_message(format!("reconnecting; last seen {}", self.counts));
    }

    /// Takes the bar off; the last word follows.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

/// Beside the bar, which says how many; what went wrong first, because the end of the line may be cut.
fn told(run: &OperationRun) -> String {
    let counts = run.summary_counts.unwrap_or_default();
    let mut text = format!("{}, {} failed, {} skipped", words::state(run), counts.failed(), counts.skipped());
    for effect in words::effects(run) {
        text += &format!(", {effect}");
    }
    text
}
