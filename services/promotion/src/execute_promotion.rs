//! ExecutePromotion: what a person confirmed becomes one queued run, or nothing.

use domain::confirmation::{Confirmation, confirm};
use domain::id::{Hash, RequestId};
use domain::operability::Question;
use domain::plan::{Plan, PlanItem, plan};
use domain::run::RunType;
use pb::compare::{CompareSelection, DerivePromotionPlanRequest, DerivePromotionPlanResponse};
use pb::operation::{LookupOperationRunRequest, NewRunItem, StartOperationRunRequest};
use pb::promotion::ExecutePromotionResponse;
use serde_json::json;
use server::structure::to_struct;
use server::{Caller, Failure};

use crate::app::App;
use crate::brief::Brief;
use crate::grpc::convert;

/// What the person asked for, parsed.
pub(crate) struct Request {
    pub(crate) id: RequestId,
    /// Digest of the whole request, by which a repeated id with another body is recognised.
    pub(crate) digest: Hash,
    pub(crate) brief: Brief,
    /// The selection as it came, to be handed on.
    pub(crate) selection: CompareSelection,
    pub(crate) fingerprint: String,
    pub(crate) confirmation: Confirmation,
}

/// Starts the promotion, or says why not. No run exists after a failure.
pub(crate) async fn execute_promotion(
    app: &App,
    caller: &Caller,
    request: Request,
) -> Result<ExecutePromotionResponse, Failure> {
    authorize(app, caller, &request.brief).await?;
    // First of all: a repeated request must find its run, although the preflight it was made for is long gone.
    if let Some(earlier) = lookup(app, caller, &request).await? {
        return Ok(earlier);
    }
    let derived = app
        .compare(caller)
        .derive_promotion_plan(DerivePromotionPlanRequest { selection: Some(request.selection.clone()) })
        .await
        .map_err(Failure::from_upstream)?
        .into_inner();
    check(&request, &derived)?;
    let items = derived.subjects.iter().map(convert::parse_planned_subject).collect::<Result<Vec<_>, _>>()?;
    let registry = app.registry;
    let plan =
        plan(items, |policy_type| registry.get(policy_type.as_str()).map_or(u32::MAX, |contract| contract.order));
    start(app, caller, &request, &derived, &plan).await
}

/// In the order in which every service answers: membership, entitlement to both tenants, capabilities.
async fn authorize(app: &App, caller: &Caller, brief: &Brief) -> Result<(), Failure> {
    let user = caller.require_user()?;
    let tenants = [brief.source_tenant_id, brief.target_tenant_id];
    let needs = [Question::PromotionSource.needs(tenants[0]), Question::PromotionTarget.needs(tenants[1])].concat();
    app.access.require(&user.subject, brief.workspace_id, &tenants, &needs).await?;
    Ok(())
}

/// What an earlier request with this id was answered, if it made or joined a run.
async fn lookup(app: &App, caller: &Caller, request: &Request) -> Result<Option<ExecutePromotionResponse>, Failure> {
    let found = app
        .runs(caller)
        .lookup_operation_run(LookupOperationRunRequest {
            workspace_id: request.brief.workspace_id.to_string(),
            request_id: request.id.to_string(),
            request_digest: request.digest.as_bytes().to_vec(),
        })
        .await
        .map_err(Failure::from_upstream)?
        .into_inner();
    let answer = |run| ExecutePromotionResponse { outcome: found.outcome, run: Some(run), ..Default::default() };
    Ok(found.run.map(answer))
}

/// What was confirmed must be what would happen now.
fn check(request: &Request, derived: &DerivePromotionPlanResponse) -> Result<(), Failure> {
    let preflight = derived.preflight.as_ref();
    let preflight = preflight.ok_or_else(|| Failure::internal("a derived plan came without its preflight"))?;
    if preflight.fingerprint != request.fingerprint {
        return Err(Failure::failed_precondition(
            "PREFLIGHT_STALE",
            "the evidence or the selection has changed since this preflight; generate it again and confirm what it says now",
        ));
    }
    let counts = preflight.counts.unwrap_or_default();
    if counts.ready() == 0 {
        return Err(Failure::failed_precondition(
            "NOTHING_READY",
            "no subject of this selection is ready to be promoted",
        ));
    }
    let actual = Confirmation {
        source: request.brief.source_tenant_id,
        target: request.brief.target_tenant_id,
        ready_count: u64::try_from(counts.ready()).unwrap_or(0),
        excluded_count: u64::try_from(counts.excluded()).unwrap_or(0),
    };
    confirm(&request.confirmation, &actual).map_err(|mismatch| {
        let fields: Vec<_> = mismatch.0.iter().map(|field| field.as_str()).collect();
        Failure::failed_precondition("CONFIRMATION_MISMATCH", mismatch.to_string()).with("fields", fields.join(","))
    })
}

async fn start(
    app: &App,
    caller: &Caller,
    request: &Request,
    derived: &DerivePromotionPlanResponse,
    plan: &Plan,
) -> Result<ExecutePromotionResponse, Failure> {
    let brief = &request.brief;
    let started = app
        .runs(caller)
        .start_operation_run(StartOperationRunRequest {
            request_id: request.id.to_string(),
            workspace_id: brief.workspace_id.to_string(),
            r#type: RunType::PromotionExecute.as_str().to_owned(),
            tenant_id: brief.target_tenant_id.to_string(),
            related_tenant_ids: vec![brief.source_tenant_id.to_string()],
            identity: identity(brief, plan).as_bytes().to_vec(),
            context: Some(context(brief, derived)?),
            items: plan.items.iter().map(new_item).collect::<Result<_, _>>()?,
            request_digest: request.digest.as_bytes().to_vec(),
        })
        .await
        .map_err(Failure::from_upstream)?
        .into_inner();
    Ok(ExecutePromotionResponse {
        outcome: started.outcome,
        run: started.run,
        reason: started.reason,
        message: started.message,
    })
}

/// Two requests are for the same run when source, target, selection and plan are the same.
fn identity(brief: &Brief, plan: &Plan) -> Hash {
    Hash::of_parts([brief.hash(), plan.identity])
}

/// What the run is about, for Monitoring and the audit; no content, no provider ids.
fn context(brief: &Brief, derived: &DerivePromotionPlanResponse) -> Result<prost_types::Struct, Failure> {
    let preflight = derived.preflight.clone().unwrap_or_default();
    let counts = preflight.counts.unwrap_or_default();
    let reasons: serde_json::Map<_, _> =
        preflight.reason_counts.iter().map(|reason| (reason.reason.clone(), json!(reason.count()))).collect();
    to_struct(&json!({
        // At the top, as in every type of run: the audit entries repeat them from there.
        "source_tenant_id": brief.source_tenant_id,
        "target_tenant_id": brief.target_tenant_id,
        "selection": brief.to_context(),
        "source_tenant_name": preflight.source_tenant_name,
        "target_tenant_name": preflight.target_tenant_name,
        "preflight_fingerprint": preflight.fingerprint,
        "ready": counts.ready(),
        "excluded": counts.excluded(),
        "excluded_blocked": counts.blocked(),
        "excluded_manual_mapping_required": counts.manual_mapping_required(),
        "excluded_reasons": reasons,
    }))
}

fn new_item(item: &PlanItem) -> Result<NewRunItem, Failure> {
    let plan = serde_json::to_value(item).map_err(Failure::internal)?;
    Ok(NewRunItem {
        key: item.subject_key.to_string(),
        label: item.line(),
        policy_type: item.policy_type.to_string(),
        plan: Some(to_struct(&plan)?),
    })
}
