//! The items of a run, and everything that is derived from them: counts, the run's outcome, its failure summary.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::RunOutcome;

/// Where one item of a run is. Everything but `pending` is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Nothing is known yet.
    Pending,
    /// Done as asked.
    Succeeded,
    /// Tried and refused, or impossible; with a reason code.
    Failed,
    /// Left alone on purpose; with a reason code.
    Skipped,
}

/// What a succeeded item did to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemEffect {
    /// The object is new.
    Created,
    /// The object was changed.
    Updated,
    /// The object is gone.
    Deleted,
    /// The object was already as wanted.
    Unchanged,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemOutcome {
    /// Nothing yet.
    Pending,
    /// Done; some items (a policy type of a sync) have no effect of their own.
    Succeeded(Option<ItemEffect>),
    /// Failed, why.
    Failed(Failure),
    /// Skipped, why.
    Skipped(Failure),
}

impl ItemOutcome {
    /// The state alone.
    pub const fn state(&self) -> ItemState {
        match self {
            ItemOutcome::Pending => ItemState::Pending,
            ItemOutcome::Succeeded(_) => ItemState::Succeeded,
            ItemOutcome::Failed(_) => ItemState::Failed,
            ItemOutcome::Skipped(_) => ItemState::Skipped,
        }
    }

    /// The effect of a succeeded item.
    pub const fn effect(&self) -> Option<ItemEffect> {
        match self {
            ItemOutcome::Succeeded(effect) => *effect,
            _ => None,
        }
    }
}

/// A stable reason code with a sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// UPPER_SNAKE, stable, without ids or names.
    pub code: String,
    /// A sentence an operator can act on.
    pub message: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// The closed set of summary counts. `processed = succeeded + failed + skipped ≤ total`, and the four effects together
/// are at most `succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Items there are.
    pub total: u64,
    /// Items with an outcome.
    pub processed: u64,
    /// Items done.
    pub succeeded: u64,
    /// Items failed.
    pub failed: u64,
    /// Items left alone.
    pub skipped: u64,
    /// Succeeded items whose object is new.
    pub created: u64,
    /// Succeeded items whose object changed.
    pub updated: u64,
    /// Succeeded items whose object is gone.
    pub deleted: u64,
    /// Succeeded items whose object was already as wanted.
    pub unchanged: u64,
}

impl Counts {
    /// The canonical keys, in the order they are shown.
    pub const KEYS: [&'static str; 9] =
        ["total", "processed", "succeeded", "failed", "skipped", "created", "updated", "deleted", "unchanged"];

    /// Derives the counts from items.
    pub fn of(items: impl IntoIterator<Item = (ItemState, Option<ItemEffect>)>) -> Self {
        let mut counts = Counts::default();
        for (state, effect) in items {
            counts.add(state, effect);
        }
        counts
    }

    /// Counts one more item.
    pub fn add(&mut self, state: ItemState, effect: Option<ItemEffect>) {
        self.total += 1;
        if state != ItemState::Pending {
            self.processed += 1;
        }
        match state {
            ItemState::Pending => {}
            ItemState::Failed => self.failed += 1,
            ItemState::Skipped => self.skipped += 1,
            ItemState::Succeeded => {
                self.succeeded += 1;
                match effect {
                    Some(ItemEffect::Created) => self.created += 1,
                    Some(ItemEffect::Updated) => self.updated += 1,
                    Some(ItemEffect::Deleted) => self.deleted += 1,
                    Some(ItemEffect::Unchanged) => self.unchanged += 1,
                    None => {}
                }
            }
        }
    }

    /// The counts by canonical key, in the order of [`Counts::KEYS`].
    pub const fn entries(&self) -> [(&'static str, u64); 9] {
        [
            ("total", self.total),
            ("processed", self.processed),
            ("succeeded", self.succeeded),
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("created", self.created),
            ("updated", self.updated),
            ("deleted", self.deleted),
            ("unchanged", self.unchanged),
        ]
    }

    /// Whether the counts can have come from items at all. Imported runs may bring counts that cannot.
    pub const fn is_consistent(&self) -> bool {
        self.processed == self.succeeded + self.failed + self.skipped
            && self.processed <= self.total
            && self.created + self.updated + self.deleted + self.unchanged <= self.succeeded
    }

    /// How far the run is, from 0 to 1, or `None` when that cannot be told: no items, or counts that contradict
    /// themselves. An operator is shown a bar only for `Some`.
    pub fn progress(&self) -> Option<f64> {
        (self.total > 0 && self.is_consistent()).then(|| self.processed as f64 / self.total as f64)
    }
}

/// Derives the outcome of a run that ends now.
///
/// `cancelled`: a stop was asked for. A run that had nothing left to do when the request arrived ends as if it had not
/// been asked. `blocked`: something the run needs was not in place, so it could not begin.
pub fn outcome_of(counts: &Counts, cancelled: bool, blocked: bool) -> RunOutcome {
    let all_processed = counts.processed >= counts.total;
    if cancelled && !(all_processed && counts.total > 0) {
        return RunOutcome::Cancelled;
    }
    if blocked && counts.succeeded == 0 {
        return RunOutcome::Blocked;
    }
    let nothing_went_wrong = !blocked && all_processed && counts.succeeded == counts.processed;
    match (nothing_went_wrong, counts.succeeded) {
        (true, _) => RunOutcome::Succeeded,
        (false, 0) => RunOutcome::Failed,
        (false, _) => RunOutcome::PartiallySucceeded,
    }
}

/// One line of a run's failure summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureLine {
    /// The stable reason code.
    pub code: String,
    /// The sentence of one of the failures with this code (the first in alphabetical order, so that it is stable).
    pub message: String,
    /// How many items have this code.
    pub count: u64,
}

/// Gathers failures by code, the most frequent first, then by code.
pub fn failure_summary<'a>(failures: impl IntoIterator<Item = &'a Failure>) -> Vec<FailureLine> {
    let mut by_code: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for failure in failures {
        let (message, count) = by_code.entry(&failure.code).or_insert((&failure.message, 0));
        *message = (*message).min(&failure.message);
        *count += 1;
    }
    let mut lines: Vec<FailureLine> = by_code
        .into_iter()
        .map(|(code, (message, count))| FailureLine { code: code.to_owned(), message: message.to_owned(), count })
        .collect();
    lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
    lines
}
