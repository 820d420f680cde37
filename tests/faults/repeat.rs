//! The same request again and again, side by side, and after a reply that never came.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::stack::Front;
use futures::future::{join_all, try_join_all};
use pb::compare::CompareSelection;
use pb::operation::{CancelOperationRunRequest, OperationRun, StartOutcome};
use pb::promotion::{ExecutePromotionRequest, ExecutePromotionResponse};
use system_tests::rows;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::ground::{Ground, LIMIT, Replicas, within};

/// How many ask at the same time.
const CROWD: usize = 20;

#[tokio::test]
async fn requests_that_come_again_start_nothing_again() -> Result<()> {
    let ground = Ground::prepare(Replicas { promotion: 2, operation_run: 2 }).await?;
    // Whatever is started is still under way when the next one asks.
    ground.slow_down(Duration::from_millis(400)).await?;
    one_click_of_many_queues_the_run(&ground).await?;
    one_request_delivered_many_times_is_one_run(&ground).await?;
    one_mutation_of_a_target_at_a_time(&ground).await?;
    a_request_whose_reply_was_lost_finds_its_run(&ground).await
}

/// Sessions that spread over the replicas.
fn crowd(ground: &Ground) -> Result<Vec<Session>> {
    let stack = &ground.story.scene.stack;
    let token = stack.token(Persona::Manager)?;
    (0..CROWD).map(|one| Session::new(&stack.endpoints_of(one % 2, one / 2 % 2)?, &token)).collect()
}

async fn ask(session: &Session, request: ExecutePromotionRequest) -> Result<ExecutePromotionResponse, Status> {
    Ok(session.promotion().execute_promotion(request).await?.into_inner())
}

async fn one_click_of_many_queues_the_run(ground: &Ground) -> Result<()> {
    let crowd = crowd(ground)?;
    let answers = try_join_all(crowd.iter().map(|session| ask(session, ground.request()))).await?;
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for answer in &answers {
        *outcomes.entry(answer.outcome().as_str_name()).or_default() += 1;
    }
    let wanted = [(StartOutcome::Queued.as_str_name(), 1), (StartOutcome::Deduped.as_str_name(), CROWD - 1)];
    assert_eq!(outcomes, wanted.into());
    let run = the_one_run(&answers)?;
    assert_eq!(promotions(ground).await?, 1);
    stop(ground, &run).await
}

async fn one_request_delivered_many_times_is_one_run(ground: &Ground) -> Result<()> {
    let request = ground.request();
    let crowd = crowd(ground)?;
    let answers = try_join_all(crowd.iter().map(|session| ask(session, request.clone()))).await?;
    for answer in &answers {
        assert_eq!(answer.outcome(), StartOutcome::Queued, "the first answer, for everybody: {answer:?}");
    }
    let run = the_one_run(&answers)?;
    assert_eq!(promotions(ground).await?, 2);
    audited_once(ground, &run).await?;

    let elsewhere = CompareSelection { name_contains: "Site".into(), ..ground.selection.clone() };
    let reused = ExecutePromotionRequest { selection: Some(elsewhere), ..request.clone() };
    let refused = ask(&crowd[0], reused).await.err().context("a request id stands for one request")?;
    assert_eq!((refused.code(), system_tests::reason(&refused).as_str()), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    assert_eq!(promotions(ground).await?, 2);

    // Also long after it is over, when its preflight would no longer be accepted.
    stop(ground, &run).await?;
    ground.story.sync(&ground.story.scene.target.tenant_id).await?;
    let again = ask(&crowd[1], request).await?;
    assert_eq!(again.run.context("the run it made")?.run_id, run.run_id);
    assert_eq!(promotions(ground).await?, 2);
    Ok(())
}

/// Everybody wants something else of the same target.
async fn one_mutation_of_a_target_at_a_time(ground: &Ground) -> Result<()> {
    let preflight = ground.story.preflight(&ground.selection).await?;
    let open: BTreeSet<_> = preflight.subjects.into_iter().map(|subject| subject.subject_key).collect();
    let keys: Vec<String> = ground.alone().into_iter().filter(|key| open.contains(key)).take(CROWD).collect();
    assert_eq!(keys.len(), CROWD);
    let narrow = try_join_all(keys.into_iter().map(|key| ground.narrow(vec![key]))).await?;
    let crowd = crowd(ground)?;
    let asked = crowd.iter().zip(&narrow).map(|(session, one)| job::execute(session, &one.selection, &one.preflight));
    let mut runs = Vec::new();
    for answer in join_all(asked).await {
        let answer = answer?;
        match answer.outcome() {
            StartOutcome::Queued => runs.extend(answer.run),
            StartOutcome::ScopeBusy => assert_eq!(answer.reason, "TENANT_BUSY", "{answer:?}"),
            other => panic!("{other:?}: {answer:?}"),
        }
    }
    let [run] = runs.as_slice() else { panic!("one of them may go: {runs:?}") };
    assert_eq!(promotions(ground).await?, 3);
    stop(ground, run).await
}

async fn a_request_whose_reply_was_lost_finds_its_run(ground: &Ground) -> Result<()> {
    let stack = &ground.story.scene.stack;
    let proxy = Front::before(stack.promotion[0].address("grpc")?).await?;
    let mut endpoints = stack.endpoints()?;
    endpoints.promotion = format!("http://{}", proxy.address());
    let session = Session::new(&endpoints, &stack.token(Persona::Manager)?)?;
    let preflight = ground.story.preflight(&ground.selection).await?;
    let request = ExecutePromotionRequest {
        preflight_fingerprint: preflight.fingerprint.clone(),
        confirmation: Some(job::confirmation(&ground.selection, &preflight)),
        ..ground.request()
    };

    proxy.swallow_replies(true);
    let (asking, asked) = (session.clone(), request.clone());
    let unheard = tokio::spawn(async move { ask(&asking, asked).await });
    let limit = Instant::now() + LIMIT;
    while promotions(ground).await? < 4 {
        assert!(Instant::now() < limit && !unheard.is_finished(), "the request arrives, and its reply does not");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.cut();
    let unheard = within("the end of a cut call", unheard).await??;
    assert_eq!(unheard.err().context("the connection was cut")?.code(), Code::Unknown);

    proxy.swallow_replies(false);
    let mut heard = ask(&session, request.clone()).await;
    if heard.as_ref().is_err_and(|status| status.code() != Code::Ok) {
        // The first call after a cut may still find the old connection.
        heard = ask(&session, request).await;
    }
    let heard = heard?;
    assert_eq!(heard.outcome(), StartOutcome::Queued);
    let run = heard.run.context("the run it made")?;
    assert_eq!(promotions(ground).await?, 4);
    audited_once(ground, &run).await?;
    stop(ground, &run).await
}

fn the_one_run(answers: &[ExecutePromotionResponse]) -> Result<OperationRun> {
    let runs: BTreeMap<_, _> =
        answers.iter().filter_map(|answer| answer.run.as_ref()).map(|run| (run.run_id.as_str(), run)).collect();
    assert_eq!(runs.len(), 1, "all of them are told of one run");
    Ok((*runs.values().next().context("and of one at all")?).clone())
}

async fn promotions(ground: &Ground) -> Result<i64> {
    rows::count_runs(&ground.story.rows, "promotion.execute").await
}

async fn audited_once(ground: &Ground, run: &OperationRun) -> Result<()> {
    let entries = ground.story.audit("operation_run.queued").await?;
    assert_eq!(entries.iter().filter(|entry| entry.run_id == run.run_id).count(), 1);
    Ok(())
}

async fn stop(ground: &Ground, run: &OperationRun) -> Result<()> {
    let request = CancelOperationRunRequest {
        request_id: job::request_id(),
        run_id: run.run_id.clone(),
        reason: "seen enough".into(),
    };
    ground.story.manager.runs().cancel_operation_run(request).await?;
    ground.end_of(&run.run_id).await?;
    Ok(())
}
