//! One promotion is one connected story in a tracing tool: from the person's own span through every service to the queued
//! run, and by a link from there to the work on it, down to each request to the provider.

use anyhow::{Context as _, Result};
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::operation::{GetOperationRunRequest, OperationRun, OperationRunOutcome};
use pb::promotion::ExecutePromotionRequest;
use system_tests::collector::{Collector, Seen, SpanKind, hex};
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::story::Story;
use tonic::{Code, Request};

const COMPARE: &str = "compare-service";
const PROMOTION: &str = "promotion-service";
const RUNS: &str = "operation-run-service";
const EXECUTE: &str = "tenantatlas.promotion.v1.PromotionService/ExecutePromotion";
const START: &str = "tenantatlas.operation.v1.OperationRunService/StartOperationRun";
const GET: &str = "tenantatlas.operation.v1.OperationRunService/GetOperationRun";

/// The trace of whoever calls us, and the span in which it does.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

async fn begin() -> Result<(Collector, Story)> {
    let collector = Collector::start().await?;
    let plan = Plan { otlp_endpoint: Some(collector.endpoint().to_owned()), ..Plan::test().await? };
    Ok((collector, Story::begin(&Script::own(), plan).await?.synced().await?))
}

/// The request, as somebody sends it who traces what they do.
fn traced<T>(message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", format!("00-{TRACE}-{SPAN}-01").parse()?);
    Ok(request)
}

async fn execute(story: &Story) -> Result<OperationRun> {
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;
    let request = ExecutePromotionRequest {
        request_id: job::request_id(),
        confirmation: Some(job::confirmation(&selection, &preflight)),
        preflight_fingerprint: preflight.fingerprint,
        selection: Some(selection),
    };
    let started = story.manager.promotion().execute_promotion(traced(request)?).await?.into_inner();
    started.run.context("a run is queued")
}

fn find<'s>(spans: &'s [Seen], service: &str, kind: SpanKind, name: &str) -> Option<&'s Seen> {
    spans.iter().find(|seen| seen.is(service, kind, name))
}

#[tokio::test]
async fn a_promotion_is_one_connected_story() -> Result<()> {
    let (collector, story) = begin().await?;
    let queued = execute(&story).await?;
    let ended = job::wait_for_end(&story.manager, &queued.run_id).await?;
    assert_eq!(ended.outcome(), OperationRunOutcome::Succeeded);
    let started_by = started_by_the_client(&collector).await?;
    let sent = sent(&collector, &started_by, &queued.run_id).await?;
    let work = worked_on(&collector, &sent, &ended).await?;
    each_item_and_its_requests(&collector, &story, &work, &ended).await?;
    story.scene.close().await
}

/// From the client's span into promotion-service and from there into the two others.
async fn started_by_the_client(collector: &Collector) -> Result<Seen> {
    let server =
        collector.find("the server's span", |spans| find(spans, PROMOTION, SpanKind::Server, EXECUTE).cloned()).await?;
    assert_eq!((server.trace().as_str(), hex(&server.span.parent_span_id).as_str()), (TRACE, SPAN));
    assert_eq!(server.attribute("rpc.system.name").as_deref(), Some("grpc"));
    assert_eq!(server.attribute("rpc.method").as_deref(), Some(EXECUTE));
    assert_eq!(server.attribute("rpc.response.status_code").as_deref(), Some("OK"));
    for (service, method) in [
        (COMPARE, "tenantatlas.compare.v1.CompareService/DerivePromotionPlan"),
        (RUNS, "tenantatlas.operation.v1.OperationRunService/LookupOperationRun"),
        (RUNS, START),
    ] {
        collector
            .find(&format!("the call of {method}"), |spans| {
                let call =
                    spans.iter().find(|seen| seen.is(PROMOTION, SpanKind::Client, method) && seen.is_below(&server))?;
                let answered =
                    spans.iter().find(|seen| seen.is(service, SpanKind::Server, method) && seen.is_below(call));
                answered.map(|_| ())
            })
            .await?;
    }
    collector
        .find("the start", |spans| {
            spans.iter().find(|seen| seen.is(RUNS, SpanKind::Server, START) && seen.trace() == TRACE).cloned()
        })
        .await
}

/// The message that is queued with the run.
async fn sent(collector: &Collector, start: &Seen, run_id: &str) -> Result<Seen> {
    let sent = collector
        .find("the queueing of the run", |spans| {
            spans
                .iter()
                .find(|seen| seen.is(RUNS, SpanKind::Producer, "send operation_runs") && seen.is_below(start))
                .cloned()
        })
        .await?;
    for (key, value) in [
        ("messaging.system", "tenantatlas"),
        ("messaging.destination.name", "operation_runs"),
        ("messaging.operation.type", "send"),
        ("messaging.message.id", run_id),
        ("outcome", "queued"),
    ] {
        assert_eq!(sent.attribute(key).as_deref(), Some(value), "{key}");
    }
    Ok(sent)
}

/// The work: a trace of its own, which the run names, with a link to where it was queued.
async fn worked_on(collector: &Collector, sent: &Seen, run: &OperationRun) -> Result<Seen> {
    let work = collector
        .find("the work", |spans| {
            spans.iter().find(|seen| seen.span.name == "process operation_runs" && seen.links_to(sent)).cloned()
        })
        .await?;
    assert_eq!((work.service.as_str(), work.span.kind()), (PROMOTION, SpanKind::Consumer));
    assert!(work.span.parent_span_id.is_empty(), "it is the root of its trace");
    assert_ne!(work.trace(), TRACE);
    assert_eq!(work.span.links.len(), 1);
    assert!(!work.is_error());
    assert_eq!(work.attribute("messaging.message.id").as_deref(), Some(run.run_id.as_str()));
    assert_eq!(work.attribute("messaging.operation.type").as_deref(), Some("process"));
    assert_eq!((run.start_trace_id.as_str(), run.work_trace_id.as_str()), (TRACE, work.trace().as_str()));
    for (service, method) in [
        (RUNS, "tenantatlas.operation.v1.OperationRunWorkerService/RenewLease"),
        (RUNS, "tenantatlas.operation.v1.OperationRunWorkerService/ListClaimedItems"),
        (RUNS, "tenantatlas.operation.v1.OperationRunWorkerService/ReportItemOutcomes"),
        (RUNS, "tenantatlas.operation.v1.OperationRunWorkerService/CompleteOperationRun"),
        (COMPARE, "tenantatlas.inventory.v1.InventoryService/GetPolicyVersionContent"),
    ] {
        let of_the_work = |seen: &&Seen| seen.trace() == work.trace() && seen.is(service, SpanKind::Server, method);
        collector
            .find(&format!("the worker's call of {method}"), |spans| spans.iter().find(of_the_work).map(|_| ()))
            .await?;
    }
    Ok(work)
}

/// Below the work one span per item, and below those what is asked of the provider.
async fn each_item_and_its_requests(
    collector: &Collector,
    story: &Story,
    work: &Seen,
    run: &OperationRun,
) -> Result<()> {
    let total = usize::try_from(run.summary_counts.context("a run has counts")?.total())?;
    let items: Vec<Seen> = collector
        .find("a span for every item", |spans| {
            let items =
                spans.iter().filter(|seen| seen.span.name == "process operation_run_item" && seen.is_below(work));
            Some(items.cloned().collect::<Vec<_>>()).filter(|items| items.len() == total)
        })
        .await?;
    for item in &items {
        assert_eq!(item.attribute("item.state").as_deref(), Some("succeeded"));
        assert!(item.attribute("policy_type").is_some() && !item.is_error());
    }
    let objects = story.provider.objects(&story.scene.stack.tenants()[1].external_id).await?;
    let spans = collector.spans();
    let requests: Vec<&Seen> = spans.iter().filter(|seen| seen.attribute("http.request.method").is_some()).collect();
    let writes =
        |seen: &&&Seen| matches!(seen.attribute("http.request.method").as_deref(), Some("POST" | "PATCH" | "PUT"));
    let of_an_item = |seen: &&&Seen| items.iter().any(|item| seen.is_below(item));
    assert!(
        requests.iter().filter(writes).filter(of_an_item).count() >= total,
        "every item was written below its span"
    );
    for request in &requests {
        assert_eq!(request.span.kind(), SpanKind::Client);
        assert_eq!(request.attribute("server.address").as_deref(), Some("127.0.0.1"));
        assert!(request.attribute("server.port").is_some());
        let status: u16 = request.attribute("http.response.status_code").context("they were all answered")?.parse()?;
        assert_eq!(request.is_error(), status >= 400, "{request:?}");
        let method = request.attribute("http.request.method").unwrap_or_default();
        let template = request.attribute("url.template").unwrap_or_default();
        assert_eq!(request.span.name, format!("{method} {template}"));
        assert!(request.attribute("url.full").is_none());
        let named = |id: &&str| request.span.name.contains(id);
        let ids = objects
            .iter()
            .map(|object| object.id.as_str())
            .chain(story.scene.stack.tenants().iter().map(|t| t.external_id.as_str()));
        // Some ids of the stand-in are as short as `0`, which stands in `v2.0`, too.
        assert_eq!(ids.filter(|id| id.len() > 3).find(named), None, "an id in a name");
    }
    let names = spans.iter().map(|seen| seen.span.name.as_str());
    for name in names {
        assert!(!name.contains(&run.run_id) && !name.contains(&run.tenant_id), "an id in a name: {name}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_hidden_or_forbidden_is_no_error_of_the_server() -> Result<()> {
    let (collector, story) = begin().await?;
    let run = execute(&story).await?;
    job::wait_for_end(&story.manager, &run.run_id).await?;
    let request = || traced(GetOperationRunRequest { run_id: run.run_id.clone() });
    let hidden = story.scene.stack.session(Persona::Outsider)?.runs().get_operation_run(request()?).await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    let forbidden =
        story.scene.stack.session(Persona::Readonly)?.runs().get_operation_run(request()?).await.unwrap_err();
    assert_eq!(forbidden.code(), Code::PermissionDenied);
    for code in ["NOT_FOUND", "PERMISSION_DENIED"] {
        let answered = collector
            .find(code, |spans| {
                let ended = |seen: &&Seen| {
                    seen.is(RUNS, SpanKind::Server, GET)
                        && seen.attribute("rpc.response.status_code").as_deref() == Some(code)
                };
                spans.iter().find(ended).cloned()
            })
            .await?;
        assert!(!answered.is_error(), "{code} is an answer");
        assert_eq!(answered.attribute("error.type"), None);
        assert_eq!(answered.trace(), TRACE);
    }
    story.scene.close().await
}

#[tokio::test]
async fn a_rescue_and_the_next_attempt_are_linked_to_what_went_before() -> Result<()> {
    let (collector, mut story) = begin().await?;
    // Writes are held up, so that the worker is at it when it is killed.
    let hold =
        FaultRule::new(FaultAction::Latency { latency_ms: 60_000 }).tenant(&story.scene.stack.tenants()[1].external_id);
    story.provider.fault(&hold.method("WRITE")).await?;
    let run = execute(&story).await?;
    let sent = |spans: &[Seen]| {
        spans.iter().find(|seen| seen.span.kind() == SpanKind::Producer && seen.trace() == TRACE).cloned()
    };
    let sent = collector.find("the queueing of the run", sent).await?;
    let at_it = "tenantatlas.operation.v1.OperationRunWorkerService/RecordItemIntents";
    collector.find("the intent of a write", |spans| find(spans, RUNS, SpanKind::Server, at_it).map(|_| ())).await?;
    story.scene.stack.promotion[0].kill().await?;
    let rescued = collector
        .find("the rescue", |spans| {
            spans.iter().find(|seen| seen.span.name == "rescue operation_runs" && seen.links_to(&sent)).cloned()
        })
        .await?;
    assert_eq!(rescued.attribute("messaging.message.id").as_deref(), Some(run.run_id.as_str()));
    story.provider.heal().await?;
    story.scene.stack.promotion[0].restart().await?;
    let ended = job::wait_for_end(&story.manager, &run.run_id).await?;
    assert!(ended.attempt > 1);

    let last = collector
        .find("the last attempt", |spans| {
            let last = |seen: &&Seen| seen.span.name == "process operation_runs" && seen.trace() == ended.work_trace_id;
            spans.iter().find(last).cloned()
        })
        .await?;
    assert_eq!(last.attribute("attempt"), Some(ended.attempt.to_string()));
    // On a machine that is too busy for short leases there may have been more rescues than the one that was provoked.
    let spans = collector.spans();
    let rescues: Vec<&Seen> = spans.iter().filter(|seen| seen.span.name == "rescue operation_runs").collect();
    let fell_silent = |seen: &Seen| {
        let other = seen.span.links.iter().find(|link| hex(&link.trace_id) != TRACE)?;
        Some(hex(&other.trace_id))
    };
    let before = fell_silent(&last).context("it is linked to the attempt before")?;
    assert!(last.links_to(&sent) && before != last.trace());
    assert!(rescues.iter().any(|rescue| fell_silent(rescue).as_ref() == Some(&before)), "{before}: {rescues:?}");
    let heard = spans.iter().any(|seen| seen.trace() == before && seen.service == RUNS);
    assert!(heard, "what is linked to is the work that was heard of");
    story.scene.close().await
}
