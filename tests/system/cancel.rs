//! Stopping a promotion: asked for once, it ends; what was done stays done and is told, the rest is left for another time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dev::job;
use pb::compare::CompareState;
use pb::operation::{
    CancelOperationRunRequest, ItemState, OperationRun, OperationRunOutcome, OperationRunStatus, RunFreshness,
    StartOutcome,
};
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::story::Story;
use system_tests::watching::{Seen, Service, Subject, Watch};
use tokio::time::timeout;
use tonic::Code;

/// Slow enough that not everything is done before the wish to stop arrives.
const SLOW_MS: u64 = 400;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_cancelled_promotion_ends_and_can_be_taken_up_by_another() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    let slow = FaultRule::new(FaultAction::Latency { latency_ms: SLOW_MS });
    story.provider.fault(&slow.tenant(&story.scene.target.external_tenant_id)).await?;
    let run = job::execute(&story.manager, &selection, &preflight).await?.run.context("a promotion starts")?;
    let mut watch = Watch::open(&story.manager, Service::OperationRuns, &Subject::Run(run.run_id.clone()), "").await?;
    timeout(LIMIT, until(&mut watch, "progressed")).await??;

    let asked = cancel(&story, &run.run_id).await?;
    assert!(asked.cancel_request_time.is_some());
    assert_ne!(asked.status(), OperationRunStatus::Queued);
    timeout(LIMIT, until(&mut watch, "cancel_requested")).await??;
    let told = timeout(LIMIT, until(&mut watch, "completed")).await??;
    let ended = job::get_run(&story.manager, &run.run_id).await?;
    assert_eq!(told.revision, ended.revision, "nothing follows the end");
    assert_eq!((ended.status(), ended.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Cancelled));
    assert_eq!(ended.freshness(), RunFreshness::TerminalNormal);

    let items = job::items(&story.manager, &run.run_id).await?;
    let (done, left): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.state() == ItemState::Succeeded);
    assert!(!done.is_empty() && !left.is_empty(), "it was stopped in the middle: {} of {}", done.len(), items.len());
    for item in &left {
        assert_eq!((item.state(), item.reason.as_str()), (ItemState::Skipped, "CANCELLED"), "{item:?}");
    }
    let counts = ended.summary_counts.context("a run has counts")?;
    assert_eq!(usize::try_from(counts.succeeded())?, done.len());
    assert_eq!(usize::try_from(counts.skipped())?, left.len());

    // Asking again changes nothing, however often.
    assert_eq!(cancel(&story, &run.run_id).await?.revision, ended.revision);
    let ends = story.audit("operation_run.completed").await?;
    let end = ends.iter().find(|entry| entry.run_id == run.run_id).context("the end is audited")?;
    let detail = end.detail.as_ref().map(system_tests::json::of_struct).context("with details")?;
    assert_eq!(end.outcome, "cancelled");
    assert_eq!(
        (&detail["cancel_requested_by"], &detail["cancel_reason"]),
        (&"manager@demo.example".into(), &REASON.into())
    );

    story.provider.heal().await?;
    the_rest_is_promoted_by_another_run(&story, done.len(), items.len()).await
}

/// Why, in the words of whoever asked.
const REASON: &str = "the change window is over";

async fn cancel(story: &Story, run_id: &str) -> Result<OperationRun> {
    let request = CancelOperationRunRequest {
        request_id: job::request_id(),
        run_id: run_id.to_owned(),
        reason: REASON.to_owned(),
    };
    story.manager.runs().cancel_operation_run(request).await?.into_inner().run.context("the run is returned")
}

async fn until(watch: &mut Watch, kind: &str) -> Result<OperationRun> {
    while let Some((seen, _)) = watch.next().await? {
        if let Seen::Event(event) = seen
            && event.kind == kind
        {
            return event.run.context("an event carries its run");
        }
    }
    bail!("the stream ended without {kind}")
}

async fn the_rest_is_promoted_by_another_run(story: &Story, done: usize, all: usize) -> Result<()> {
    story.sync(&story.scene.target.tenant_id).await?;
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    assert_eq!(usize::try_from(preflight.counts.context("a preflight counts")?.ready())?, all - done);
    let started = job::execute(&story.manager, &selection, &preflight).await?;
    assert_eq!(started.outcome(), StartOutcome::Queued);
    let run = job::wait_for_end(&story.manager, &started.run.context("a promotion starts")?.run_id).await?;
    assert_eq!(run.outcome(), OperationRunOutcome::Succeeded);
    // One that has ended well cannot be stopped any more.
    let request =
        CancelOperationRunRequest { request_id: job::request_id(), run_id: run.run_id.clone(), reason: String::new() };
    let refused = story.manager.runs().cancel_operation_run(request).await.expect_err("it has ended");
    assert_eq!((refused.code(), system_tests::reason(&refused).as_str()), (Code::FailedPrecondition, "RUN_NOT_ACTIVE"));

    story.sync(&story.scene.target.tenant_id).await?;
    let after = job::preview(&story.manager, &selection).await?;
    for item in job::items(&story.manager, &run.run_id).await? {
        let subject = after.subjects.iter().find(|subject| subject.subject_key == item.key);
        assert_eq!(subject.map(|subject| subject.state()), Some(CompareState::Identical), "{item:?}");
    }
    Ok(())
}
