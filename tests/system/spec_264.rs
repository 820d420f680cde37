//! Cross-tenant promotion execution (specification 264): every acceptance scenario and edge case, by name.
//!
//! `queue` tells user stories 1 and 2 in one scene, from the preflight to the second attempt that finds nothing to do.
//! `boundaries` tells user story 3 and the edge cases in which nothing may begin. `trouble` tells what happens to items that
//! cannot be built, are refused, or have changed meanwhile.

mod boundaries;
mod queue;
mod trouble;

use std::collections::BTreeMap;

use pb::operation::{ItemEffect, ItemState, OperationRun, OperationRunItem};
use tonic::{Code, Status};

/// Items by their names; of a demo's promotion each name occurs once a type.
fn by_label(items: &[OperationRunItem]) -> BTreeMap<(&str, &str), &OperationRunItem> {
    items.iter().map(|item| ((item.policy_type.as_str(), item.label.as_str()), item)).collect()
}

/// The counts of a run are those of its items, and add up.
#[track_caller]
fn assert_counts_agree(run: &OperationRun, items: &[OperationRunItem]) {
    let counts = run.summary_counts.expect("a run has counts");
    let number = |wanted: &dyn Fn(&OperationRunItem) -> bool| {
        Some(i32::try_from(items.iter().filter(|item| wanted(item)).count()).expect("few items"))
    };
    let of_state = |state: ItemState| number(&|item| item.state() == state);
    let of_effect = |effect: ItemEffect| number(&|item| item.effect() == effect);
    assert_eq!(counts.total, number(&|_| true));
    assert_eq!(counts.processed, number(&|item| item.state() != ItemState::Pending));
    assert_eq!(counts.succeeded, of_state(ItemState::Succeeded));
    assert_eq!(counts.failed, of_state(ItemState::Failed));
    assert_eq!(counts.skipped, of_state(ItemState::Skipped));
    assert_eq!(counts.created, of_effect(ItemEffect::Created));
    assert_eq!(counts.updated, of_effect(ItemEffect::Updated));
    assert_eq!(counts.deleted, of_effect(ItemEffect::Deleted));
    assert_eq!(counts.unchanged, of_effect(ItemEffect::Unchanged));
    assert_eq!(counts.processed(), counts.succeeded() + counts.failed() + counts.skipped());
    let lines: i32 = run.failure_summary.iter().map(|line| line.count()).sum();
    assert_eq!(lines, counts.failed() + counts.skipped(), "{:?}", run.failure_summary);
}

/// A refusal is this one, and says why.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = answer.expect_err("this must be refused");
    assert_eq!((status.code(), system_tests::reason(&status).as_str()), (code, reason), "{status:?}");
    status
}
