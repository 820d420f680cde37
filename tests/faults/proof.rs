//! What must be true after any fault: each policy exactly once in the target, one outcome an item, counts that agree, dense
//! revisions, one beginning and one end in the audit.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use dev::job;
use pb::compare::CompareState;
use pb::operation::{ItemEffect, ItemState, OperationRun, OperationRunItem, OperationRunOutcome, OperationRunStatus};
use system_tests::provider::{Held, Written};
use system_tests::recorder;
use system_tests::recorder::owner::Owners;

use crate::ground::Ground;
use crate::policies;

/// A run of the whole selection did all it should, once.
pub(crate) async fn everything_is_there_once(ground: &Ground, run: &OperationRun) -> Result<()> {
    let number = i32::try_from(policies::NUMBER)?;
    assert_eq!(
        (run.status(), run.outcome()),
        (OperationRunStatus::Completed, OperationRunOutcome::Succeeded),
        "{run:?}"
    );
    let items = items_agree(ground, run).await?;
    assert_eq!(items.len(), policies::NUMBER);
    for item in &items {
        assert_eq!((item.state(), item.effect()), (ItemState::Succeeded, ItemEffect::Created), "{item:?}");
    }
    let counts = run.summary_counts.context("a run has counts")?;
    assert_eq!((counts.succeeded, counts.created), (Some(number), Some(number)), "{counts:?}");
    assert!(run.failure_summary.is_empty(), "{:?}", run.failure_summary);
    history_is_whole(ground, run).await?;

    let source = names(&ground.provider().objects(&ground.story.scene.source.external_tenant_id).await?);
    let target = ground.provider().objects(ground.target()).await?;
    assert_eq!(names(&target), source, "each policy of the source, and nothing else, is in the target once");
    created_once(&target, &ground.provider().committed(ground.target()).await?);
    let source = ground.provider().log(&ground.story.scene.source.external_tenant_id).await?;
    assert!(source.is_empty(), "the source tenant was written to: {source:?}");

    all_identical(ground).await
}

/// Every item has one outcome, and the run's counts are those of its items.
pub(crate) async fn items_agree(ground: &Ground, run: &OperationRun) -> Result<Vec<OperationRunItem>> {
    let items = job::items(&ground.story.manager, &run.run_id).await?;
    let keys: BTreeSet<_> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys.len(), items.len(), "each subject is one item");
    let counts = run.summary_counts.context("a run has counts")?;
    let number = |wanted: &dyn Fn(&OperationRunItem) -> bool| {
        i32::try_from(items.iter().filter(|item| wanted(item)).count()).map(Some).context("few items")
    };
    let of_state = |state: ItemState| number(&|item| item.state() == state);
    let of_effect = |effect: ItemEffect| number(&|item| item.effect() == effect);
    assert_eq!((counts.total, of_state(ItemState::Pending)?), (number(&|_| true)?, Some(0)), "{counts:?}");
    assert_eq!(counts.processed, counts.total);
    assert_eq!(counts.succeeded, of_state(ItemState::Succeeded)?);
    assert_eq!(counts.failed, of_state(ItemState::Failed)?);
    assert_eq!(counts.skipped, of_state(ItemState::Skipped)?);
    assert_eq!(counts.created, of_effect(ItemEffect::Created)?);
    assert_eq!(counts.updated, of_effect(ItemEffect::Updated)?);
    assert_eq!(counts.unchanged, of_effect(ItemEffect::Unchanged)?);
    let lines: i32 = run.failure_summary.iter().map(|line| line.count()).sum();
    assert_eq!(lines, counts.failed() + counts.skipped(), "{:?}", run.failure_summary);
    Ok(items)
}

/// The run's events are dense and end with the one end; fences never fall; beginning and end are audited once.
pub(crate) async fn history_is_whole(ground: &Ground, run: &OperationRun) -> Result<()> {
    let rows = &ground.story.rows;
    single_owner(rows).await?;
    let events: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT rev, kind, coalesce((run->>'fence')::bigint, 0) FROM operation.run_event
         WHERE run_id = $1::uuid ORDER BY xid, seq",
    )
    .bind(&run.run_id)
    .fetch_all(rows)
    .await?;
    let revisions: Vec<i64> = events.iter().map(|(revision, ..)| *revision).collect();
    assert_eq!(revisions, (1..=run.revision).collect::<Vec<_>>(), "revisions are dense and in commit order");
    assert!(events.is_sorted_by_key(|(.., fence)| *fence), "no event of an old fence after one of a newer: {events:?}");
    let ends: Vec<_> =
        events.iter().filter(|(_, kind, _)| kind == "completed").map(|(revision, ..)| *revision).collect();
    assert_eq!(ends, [run.revision], "one end, and nothing after it");
    for action in ["operation_run.queued", "operation_run.completed"] {
        let entries: i64 =
            sqlx::query_scalar("SELECT count(*) FROM audit.entry WHERE run_id = $1::uuid AND action = $2")
                .bind(&run.run_id)
                .bind(action)
                .fetch_one(rows)
                .await?;
        assert_eq!(entries, 1, "{action} is audited once");
    }
    Ok(())
}

/// Every event of the database, in its order, under one owner at a time: the recorder's own judgement.
pub(crate) async fn single_owner(rows: &sqlx::PgPool) -> Result<()> {
    const BATCH: i64 = 5_000;
    let mut owners = Owners::default();
    loop {
        let events = recorder::rows::events_after(rows, owners.position(), BATCH).await?;
        if events.is_empty() {
            return Ok(());
        }
        for event in events {
            owners.take(event)?;
        }
    }
}

/// After another sync of the target every subject compares identical, one to one.
async fn all_identical(ground: &Ground) -> Result<()> {
    ground.story.sync(&ground.story.scene.target.tenant_id).await?;
    let preview = job::preview(&ground.story.manager, &ground.selection).await?;
    let mut identical = 0;
    for subject in &preview.subjects {
        assert_eq!(subject.state(), CompareState::Identical, "{subject:?}");
        assert_eq!((subject.source_count(), subject.target_count()), (1, 1), "{subject:?}");
        identical += 1;
    }
    // And the scope tag that every tenant is born with.
    assert_eq!(identical, policies::NUMBER + 1);
    Ok(())
}

/// How often each object's kind and name occurs.
pub(crate) fn names(objects: &[Held]) -> BTreeMap<(String, String), usize> {
    let mut names = BTreeMap::new();
    for held in objects {
        *names.entry((held.kind.clone(), held.name().to_owned())).or_default() += 1;
    }
    assert!(names.values().all(|number| *number == 1), "an object is there twice: {names:?}");
    names
}

/// Each object was made by one request, and nothing was made and taken away again.
fn created_once(objects: &[Held], committed: &[Written]) {
    let mut made: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for write in committed.iter().filter(|write| creates(write)) {
        *made.entry((&write.path, write.object.as_deref().unwrap_or_default())).or_default() += 1;
    }
    assert_eq!(made.len(), objects.len() - 1, "as many creates as objects, but for the built-in scope tag: {made:?}");
    assert!(made.values().all(|number| *number == 1), "{made:?}");
}

/// Whether this write made a policy: a POST to a collection at the top.
pub(crate) fn creates(write: &Written) -> bool {
    let depth = write.path.trim_matches('/').split('/').count();
    let top = if write.path.contains("/conditionalAccess/") { 3 } else { 2 };
    write.method == "POST" && depth == top && !write.path.contains('(')
}
