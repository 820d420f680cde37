//! User story 1 (queue one bounded promotion from the current preflight) and user story 2 (follow it with a truthful
//! summary), in one scene.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;
use std::time::Duration;

use anyhow::{Context, Result};
use dev::job;
use domain::run::Counts;
use pb::compare::{CompareSelection, CompareState, GeneratePromotionPreflightResponse, PromotionAction, Readiness};
use pb::operation::{ItemEffect, ItemState, OperationRun, OperationRunOutcome, OperationRunStatus, StartOutcome};
use pb::promotion::ExecutePromotionRequest;
use serde_json::Value;
use system_tests::provider::{FaultAction, FaultRule, Held};
use system_tests::rows;
use system_tests::story::{Story, subjects_of};
use tonic::Code;

use super::{assert_counts_agree, assert_refused};

/// Slow enough that a promotion is still under way when it is asked for again.
const SLOW: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_promotion_is_queued_followed_and_over() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let selection = story.selection();
    let before = story.provider.objects(&story.scene.target.external_tenant_id).await?;
    let preflight = story.preflight(&selection).await?;

    let run = us1_1_only_ready_subjects_enter_the_run(&story, &selection, &preflight).await?;
    us1_3_asking_again_joins_the_active_run(&story, &selection, &preflight, &run).await?;
    us2_3_another_promotion_into_the_same_target_is_scope_busy(&story, &preflight, &run).await?;
    story.provider.heal().await?;
    let ended = job::follow(&story.manager, &run.run_id, |_| ()).await?;
    us2_2_the_summary_tells_what_became_of_each_item(&story, &preflight, &ended).await?;
    fr011_start_and_end_are_audited(&story, &ended).await?;
    the_source_is_never_written_to_and_each_policy_is_there_once(&story, &before, &ended).await?;
    us1_1_excluded_subjects_stay_visible(&story, &selection, &preflight).await?;
    promoted_subjects_are_identical_after_the_next_sync(&story, &selection, &ended).await?;
    us1_2_without_ready_subjects_no_run_is_created(&story, &selection).await
}

/// Also US2-1: the start's answer is the queued run with its one canonical link.
async fn us1_1_only_ready_subjects_enter_the_run(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<OperationRun> {
    for class in [Readiness::Ready, Readiness::Blocked, Readiness::ManualMappingRequired] {
        assert!(!subjects_of(preflight, class).is_empty(), "the demo has subjects that are {class:?}");
    }
    let target = &story.scene.target.external_tenant_id;
    let slow = FaultAction::Latency { latency_ms: u64::try_from(SLOW.as_millis())? };
    story.provider.fault(&FaultRule::new(slow).tenant(target)).await?;

    let started = job::execute(&story.manager, selection, preflight).await?;
    assert_eq!(started.outcome(), StartOutcome::Queued);
    let run = started.run.context("a queued run is returned")?;
    assert_eq!(run.link, format!("/admin/operations/{}", run.run_id));
    assert_eq!((run.status(), run.outcome()), (OperationRunStatus::Queued, OperationRunOutcome::Pending));
    assert_eq!(run.r#type, "promotion.execute");
    assert_eq!(run.tenant_id, story.scene.target.tenant_id);
    assert_eq!(run.related_tenant_ids.as_slice(), from_ref(&story.scene.source.tenant_id));
    assert_eq!(run.initiator_name, "Marco Manager");

    let items = job::items(&story.manager, &run.run_id).await?;
    let keys: BTreeSet<_> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, subjects_of(preflight, Readiness::Ready).into_keys().collect());
    assert_eq!(keys.len(), items.len(), "each subject is one item");

    let context = to_json(run.context.as_ref().context("a run says what it is about")?);
    let counts = preflight.counts.context("a preflight counts")?;
    assert_eq!(context["ready"], counts.ready());
    assert_eq!(context["excluded"], counts.excluded());
    assert_eq!(context["excluded_blocked"], counts.blocked());
    assert_eq!(context["excluded_manual_mapping_required"], counts.manual_mapping_required());
    assert_eq!(context["preflight_fingerprint"], preflight.fingerprint);
    let reasons: BTreeMap<&str, i64> =
        preflight.reason_counts.iter().map(|line| (line.reason.as_str(), line.count().into())).collect();
    assert_eq!(context["excluded_reasons"], serde_json::to_value(reasons)?);
    Ok(run)
}

async fn us1_3_asking_again_joins_the_active_run(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
    run: &OperationRun,
) -> Result<()> {
    let request = ExecutePromotionRequest {
        request_id: job::request_id(),
        selection: Some(selection.clone()),
        preflight_fingerprint: preflight.fingerprint.clone(),
        confirmation: Some(job::confirmation(selection, preflight)),
    };
    // Another click, and the same request delivered twice.
    for _ in 0..2 {
        let again = story.manager.promotion().execute_promotion(request.clone()).await?.into_inner();
        assert_eq!(again.run.context("the active run is returned")?.run_id, run.run_id);
    }
    let elsewhere = CompareSelection { name_contains: "macOS".into(), ..selection.clone() };
    let reused = ExecutePromotionRequest { selection: Some(elsewhere), ..request };
    let answer = story.manager.promotion().execute_promotion(reused).await;
    assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED");

    let click = job::execute(&story.manager, selection, preflight).await?;
    assert_eq!(click.outcome(), StartOutcome::Deduped);
    let joined = click.run.context("the active run is returned")?;
    assert_eq!((joined.run_id.as_str(), joined.link.as_str()), (run.run_id.as_str(), run.link.as_str()));
    assert_eq!(rows::count_runs(&story.rows, "promotion.execute").await?, 1);
    Ok(())
}

async fn us2_3_another_promotion_into_the_same_target_is_scope_busy(
    story: &Story,
    preflight: &GeneratePromotionPreflightResponse,
    run: &OperationRun,
) -> Result<()> {
    let one = subjects_of(preflight, Readiness::Ready).into_keys().next().context("something is ready")?;
    let narrow = CompareSelection { subject_keys: vec![one.to_owned()], ..story.selection() };
    let narrow_preflight = story.preflight(&narrow).await?;
    let answer = job::execute(&story.manager, &narrow, &narrow_preflight).await?;
    assert_eq!((answer.outcome(), answer.reason.as_str()), (StartOutcome::ScopeBusy, "TENANT_BUSY"));
    assert!(!answer.message.is_empty());
    let busy = answer.run.context("who may see the run in the way is shown it")?;
    assert_eq!((busy.run_id.as_str(), busy.link.as_str()), (run.run_id.as_str(), run.link.as_str()));
    assert_ne!(busy.status(), OperationRunStatus::Completed, "the first promotion was still under way");
    assert_eq!(rows::count_runs(&story.rows, "promotion.execute").await?, 1);
    Ok(())
}

async fn us2_2_the_summary_tells_what_became_of_each_item(
    story: &Story,
    preflight: &GeneratePromotionPreflightResponse,
    run: &OperationRun,
) -> Result<()> {
    assert_eq!((run.status(), run.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Succeeded));
    let items = job::items(&story.manager, &run.run_id).await?;
    assert_counts_agree(run, &items);
    let ready = subjects_of(preflight, Readiness::Ready);
    for item in &items {
        assert_eq!(item.state(), ItemState::Succeeded, "{item:?}");
        let wanted = match ready[item.key.as_str()].action() {
            PromotionAction::Create => ItemEffect::Created,
            PromotionAction::Update => ItemEffect::Updated,
            PromotionAction::Unspecified => ItemEffect::Unspecified,
        };
        assert_eq!(item.effect(), wanted, "{item:?}");
    }
    assert_eq!(run.progress_percent, Some(100));
    assert!(run.start_time.is_some() && run.complete_time.is_some());

    // The vocabulary is closed: these keys, and no other.
    let counts = wire_names("tenantatlas.operation.v1.SummaryCounts");
    assert_eq!(counts, Counts::KEYS);
    // The same run by its id alone, as Monitoring opens it.
    assert_eq!(job::get_run(&story.manager, &run.run_id).await?.summary_counts, run.summary_counts);
    Ok(())
}

fn wire_names(message: &str) -> Vec<String> {
    let message = system_tests::wire::descriptors().get_message_by_name(message).expect("the message is ours");
    message.fields().map(|field| field.name().to_owned()).collect()
}

async fn fr011_start_and_end_are_audited(story: &Story, run: &OperationRun) -> Result<()> {
    for (action, outcome) in [("operation_run.queued", "pending"), ("operation_run.completed", "succeeded")] {
        let entries = story.audit(action).await?;
        let of_run: Vec<_> = entries.iter().filter(|entry| entry.run_id == run.run_id).collect();
        let [entry] = of_run.as_slice() else { panic!("{action} once, not {of_run:?}") };
        assert_eq!(entry.outcome, outcome);
        assert_eq!(
            (entry.actor_subject.as_str(), entry.actor_name.as_str()),
            ("manager@demo.example", "Marco Manager")
        );
        assert_eq!(entry.tenant_id, story.scene.target.tenant_id);
        assert_eq!(entry.related_tenant_ids.as_slice(), from_ref(&story.scene.source.tenant_id));
        let detail = to_json(entry.detail.as_ref().context("an entry has a detail")?);
        assert_eq!(detail["source_tenant_id"], story.scene.source.tenant_id, "{detail}");
        assert_eq!(detail["target_tenant_id"], story.scene.target.tenant_id, "{detail}");
        assert_eq!(detail["selection"]["include_assignments"], true, "{detail}");
        assert_eq!(detail["outcome"], outcome);
    }
    Ok(())
}

async fn the_source_is_never_written_to_and_each_policy_is_there_once(
    story: &Story,
    before: &[Held],
    run: &OperationRun,
) -> Result<()> {
    let source = story.provider.log(&story.scene.source.external_tenant_id).await?;
    assert!(source.is_empty(), "the source tenant was written to: {source:?}");

    let target = story.provider.objects(&story.scene.target.external_tenant_id).await?;
    let known: BTreeSet<_> = before.iter().map(|held| (held.kind.as_str(), held.id.as_str())).collect();
    let mut made: BTreeMap<(String, String), usize> = BTreeMap::new();
    for held in target.iter().filter(|held| !known.contains(&(held.kind.as_str(), held.id.as_str()))) {
        *made.entry((held.kind.clone(), held.name().to_owned())).or_default() += 1;
    }
    assert!(made.values().all(|number| *number == 1), "an object was made twice: {made:?}");
    let counts = run.summary_counts.context("a run has counts")?;
    assert_eq!(made.len(), usize::try_from(counts.created())?, "{made:?}");
    let gone: Vec<_> = before.iter().filter(|old| !target.iter().any(|held| held.id == old.id)).collect();
    assert!(gone.is_empty(), "a promotion deletes nothing: {gone:?}");
    Ok(())
}

async fn us1_1_excluded_subjects_stay_visible(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let now = story.preflight(selection).await?;
    for class in [Readiness::Blocked, Readiness::ManualMappingRequired] {
        assert_eq!(subjects_of(&now, class), subjects_of(preflight, class), "{class:?}");
    }
    Ok(())
}

async fn promoted_subjects_are_identical_after_the_next_sync(
    story: &Story,
    selection: &CompareSelection,
    run: &OperationRun,
) -> Result<()> {
    story.sync(&story.scene.target.tenant_id).await?;
    let after = job::preview(&story.manager, selection).await?;
    let now: BTreeMap<_, _> = after.subjects.iter().map(|subject| (subject.subject_key.as_str(), subject)).collect();
    for item in job::items(&story.manager, &run.run_id).await? {
        let subject = now[item.key.as_str()];
        assert_eq!(subject.state(), CompareState::Identical, "{item:?}");
        assert_eq!((subject.source_count(), subject.target_count()), (1, 1), "{subject:?}");
    }
    Ok(())
}

async fn us1_2_without_ready_subjects_no_run_is_created(story: &Story, selection: &CompareSelection) -> Result<()> {
    let preflight = story.preflight(selection).await?;
    assert_eq!(preflight.counts.context("a preflight counts")?.ready, Some(0));
    let answer = job::execute(&story.manager, selection, &preflight).await;
    assert_refused(answer, Code::FailedPrecondition, "NOTHING_READY");
    assert_eq!(rows::count_runs(&story.rows, "promotion.execute").await?, 1);
    Ok(())
}

fn to_json(object: &prost_types::Struct) -> Value {
    system_tests::json::of_struct(object)
}
