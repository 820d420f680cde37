//! What a tenant is good for, as the API tells it.

use compare_service::grpc::convert::operability::to_outcome;
use compare_service::tenant::MAX_CHECKS;
use domain::access::{ActorFacts, Role as Held};
use domain::operability::{Asked, Lane, Question, evaluate};
use domain::tenant::{Connection, Lifecycle, TenantFacts};
use pb::compare::{GeneratePromotionPreflightRequest, PreviewCompareRequest};
use pb::tenant::{
    BatchEvaluateOperabilityRequest, EvaluateOperabilityRequest, GetTenantRequest, ListTenantActionsRequest,
    OperabilityCheck, OperabilityLane, OperabilityOutcome, OperabilityQuestion, TenantAction,
};
use pb::workspace::Role;
use tonic::Code;

use crate::compare::Pair;
use crate::lifecycles::{new_tenant_in, one_of_each};
use crate::world::{Caller, World, fresh, refusal};

fn wire_lane(lane: Lane) -> OperabilityLane {
    OperabilityLane::from_str_name(&format!("OPERABILITY_LANE_{}", lane.as_str().to_uppercase())).unwrap()
}

fn wire_question(question: Question) -> OperabilityQuestion {
    OperabilityQuestion::from_str_name(&format!("OPERABILITY_QUESTION_{}", question.as_str().to_uppercase())).unwrap()
}

fn check(tenant_id: &str, lane: Lane, question: Question) -> OperabilityCheck {
    let (lane, question) = (wire_lane(lane).into(), wire_question(question).into());
    OperabilityCheck { tenant_id: tenant_id.to_owned(), lane, question }
}

async fn batch(
    caller: &Caller<'_>,
    workspace_id: &str,
    checks: Vec<OperabilityCheck>,
) -> Result<Vec<OperabilityOutcome>, tonic::Status> {
    let request = BatchEvaluateOperabilityRequest { workspace_id: workspace_id.to_owned(), checks };
    Ok(caller.tenants().batch_evaluate_operability(request).await?.into_inner().outcomes)
}

async fn ask(
    caller: &Caller<'_>,
    workspace_id: &str,
    tenant_id: &str,
    lane: Lane,
    question: Question,
) -> OperabilityOutcome {
    let OperabilityCheck { tenant_id, lane, question } = check(tenant_id, lane, question);
    let request = EvaluateOperabilityRequest { workspace_id: workspace_id.to_owned(), tenant_id, lane, question };
    caller.tenants().evaluate_operability(request).await.unwrap().into_inner().outcome.unwrap()
}

#[tokio::test]
async fn every_question_in_every_lane_is_answered_as_the_domain_decides() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenants = one_of_each(&world, &workspace_id, "ada").await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    for (_, tenant_id) in &tenants {
        ada.entitle(&workspace_id, tenant_id, "bob", Role::Operator).await;
    }
    for (who, role) in [("ada", Held::Owner), ("bob", Held::Operator)] {
        let (mut checks, mut expected) = (Vec::new(), Vec::new());
        for (lifecycle, tenant_id) in &tenants {
            let id = tenant_id.parse().unwrap();
            let actor = ActorFacts { subject: who.into(), workspace_role: role, tenant_roles: [(id, role)].into() };
            let tenant = Some(TenantFacts { lifecycle: *lifecycle, connection: Connection::Missing });
            for (lane, question) in Lane::ALL.iter().flat_map(|lane| Question::ALL.map(|question| (*lane, question))) {
                checks.push(check(tenant_id, lane, question));
                let asked = Asked { lane, question, tenant_id: id, tenant, actor: Some(&actor) };
                expected.push(to_outcome(&evaluate(&asked)));
            }
        }
        assert_eq!(batch(&world.user(who), &workspace_id, checks).await.unwrap(), expected, "{who}");
    }
}

#[tokio::test]
async fn onboarding_and_archived_tenants_remain_route_valid_when_authorized_even_though_they_are_not_selector_eligible()
{
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    ada.let_in(&workspace_id, "bob", Role::Readonly).await;
    for state in [Lifecycle::Onboarding, Lifecycle::Archived] {
        let tenant_id = new_tenant_in(&world, &workspace_id, "ada", "Contoso", state).await;
        let get = GetTenantRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
        // Membership alone is not enough, whatever the state.
        assert_eq!(refusal(world.user("bob").tenants().get_tenant(get.clone()).await).0, Code::NotFound);
        ada.entitle(&workspace_id, &tenant_id, "bob", Role::Readonly).await;
        for caller in [&ada, &world.user("bob")] {
            let tenant = caller.tenants().get_tenant(get.clone()).await.unwrap().into_inner().tenant.unwrap();
            assert_eq!(tenant.tenant_id, tenant_id, "{state}");
            let said = async |lane, question| ask(caller, &workspace_id, &tenant_id, lane, question).await;
            assert!(said(Lane::TenantBound, Question::TenantBoundViewability).await.allowed(), "{state}");
            assert!(said(Lane::CanonicalRecord, Question::CanonicalRecordViewability).await.allowed(), "{state}");
            let selectable = said(Lane::ActiveSelector, Question::SelectorEligibility).await;
            assert_eq!((selectable.allowed, selectable.reason.as_str()), (Some(false), "NOT_SELECTOR_ELIGIBLE"));
        }
    }
}

#[tokio::test]
async fn a_missing_capability_is_an_answer_and_a_hidden_tenant_is_none() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Contoso").await;
    ada.let_in(&workspace_id, "bob", Role::Readonly).await;
    let bob = world.user("bob");
    let one = |tenant_id: &str| vec![check(tenant_id, Lane::TenantBound, Question::Archive)];
    let hidden = refusal(batch(&bob, &workspace_id, one(&tenant_id)).await);
    assert_eq!(hidden, (Code::NotFound, "NOT_FOUND".into()));
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Readonly).await;
    let answers = batch(&bob, &workspace_id, one(&tenant_id)).await.unwrap();
    let [answer] = answers.as_slice() else { panic!("one answer a question") };
    assert_eq!(
        (answer.reason.as_str(), answer.missing_capability.as_str()),
        ("CAPABILITY_MISSING", "tenant.lifecycle")
    );
    assert!(answer.guidance.contains("owner"), "{}", answer.guidance);
    // One tenant that is not there, and nothing is said of the others.
    let mixed = [one(&tenant_id), one(&fresh())].concat();
    assert_eq!(refusal(batch(&bob, &workspace_id, mixed).await), hidden);
}

#[tokio::test]
async fn a_batch_takes_1_to_500_questions() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Contoso").await;
    let many = |count: usize| vec![check(&tenant_id, Lane::ActiveSelector, Question::SelectorEligibility); count];
    assert_eq!(MAX_CHECKS, 500);
    for fine in [1, 500] {
        let answers = batch(&ada, &workspace_id, many(fine)).await.unwrap();
        assert!(answers.len() == fine && answers.iter().all(|answer| answer.allowed()));
    }
    for wrong in [0, 501] {
        let refused = batch(&ada, &workspace_id, many(wrong)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "checks: must have 1 to 500 entries"));
    }
    let mut unsaid = many(3);
    unsaid[2].lane = 0;
    let refused = batch(&ada, &workspace_id, unsaid).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "checks[2].lane: is required"));
}

#[tokio::test]
async fn archive_restore_and_resume_onboarding_remain_lifecycle_safe_and_capability_aware() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    let bob = world.user("bob");
    let changes = ["resume_onboarding", "archive", "restore"];
    for (state, tenant_id) in one_of_each(&world, &workspace_id, "ada").await {
        ada.entitle(&workspace_id, &tenant_id, "bob", Role::Operator).await;
        let all = actions(&ada, &workspace_id, &tenant_id).await;
        assert_eq!(all.len(), domain::operability::Action::ALL.len());
        let enabled = |actions: &[TenantAction]| -> Vec<String> {
            let offered = actions.iter().filter(|action| changes.contains(&action.action.as_str()));
            let enabled = offered.filter(|action| action.outcome.as_ref().unwrap().allowed());
            enabled.map(|action| action.label.clone()).collect()
        };
        let expected: &[&str] = match state {
            Lifecycle::Draft => &[],
            Lifecycle::Onboarding => &["Resume onboarding"],
            Lifecycle::Active => &["Archive"],
            Lifecycle::Archived => &["Restore"],
        };
        assert_eq!(enabled(&all), expected, "{state}");
        for action in &all {
            let outcome = action.outcome.as_ref().unwrap();
            assert_eq!(outcome.allowed(), outcome.reason.is_empty() && outcome.guidance.is_empty(), "{action:?}");
            assert!(outcome.missing_capability.is_empty(), "an owner lacks nothing");
            let confirmed = ["archive", "restore", "promote_into", "restore_content"].contains(&action.action.as_str());
            assert_eq!(action.requires_confirmation(), confirmed, "{}", action.action);
        }
        // Who lacks the capability is told that, whatever the state.
        let bobs = actions(&bob, &workspace_id, &tenant_id).await;
        assert!(enabled(&bobs).is_empty(), "{state}");
        let reasons = bobs.iter().filter(|action| changes.contains(&action.action.as_str()));
        for outcome in reasons.map(|action| action.outcome.as_ref().unwrap()) {
            assert_eq!(outcome.reason, "CAPABILITY_MISSING", "{state}");
        }
    }
}

async fn actions(caller: &Caller<'_>, workspace_id: &str, tenant_id: &str) -> Vec<TenantAction> {
    let request = ListTenantActionsRequest { workspace_id: workspace_id.into(), tenant_id: tenant_id.into() };
    caller.tenants().list_tenant_actions(request).await.unwrap().into_inner().actions
}

#[tokio::test]
async fn compare_and_preflight_say_what_both_ends_are_good_for_before_anybody_asks_for_a_promotion() {
    let world = World::start().await;
    let pair = Pair::new(&world).await;
    let ada = world.user("ada");
    ada.let_in(&pair.workspace_id, "bob", Role::Readonly).await;
    for tenant_id in [&pair.source_id, &pair.target_id] {
        ada.entitle(&pair.workspace_id, tenant_id, "bob", Role::Readonly).await;
    }
    let reasons = async |who: &str| ends(&world.user(who), &pair).await.map(|outcome| outcome.reason);
    assert_eq!(reasons("ada").await, ["", "PROVIDER_CONNECTION_MISSING"]);
    pair.target(&world).connected().await;
    assert_eq!(reasons("ada").await, ["", ""]);
    // Whoever may only look is told what is missing, and looks all the same.
    let [source, target] = ends(&world.user("bob"), &pair).await;
    assert!(source.allowed());
    assert_eq!(
        (target.reason.as_str(), target.missing_capability.as_str()),
        ("CAPABILITY_MISSING", "workspace_baselines.manage")
    );
    for tenant_id in [&pair.source_id, &pair.target_id] {
        let archive = "UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now() WHERE id =";
        pair.source(&world).sql(&format!("{archive} '{tenant_id}'")).await;
    }
    assert_eq!(reasons("ada").await, ["LIFECYCLE_MISMATCH", "LIFECYCLE_MISMATCH"]);
    assert_eq!(reasons("bob").await, ["LIFECYCLE_MISMATCH", "CAPABILITY_MISSING"]);
}

/// Source and target, as the preview and the preflight tell them alike.
async fn ends(caller: &Caller<'_>, pair: &Pair) -> [OperabilityOutcome; 2] {
    let selection = Some(pair.selection());
    let preview = PreviewCompareRequest { selection: selection.clone(), ..Default::default() };
    let preview = caller.compare().preview_compare(preview).await.unwrap().into_inner();
    let preflight = GeneratePromotionPreflightRequest { selection, ..Default::default() };
    let preflight = caller.compare().generate_promotion_preflight(preflight).await.unwrap().into_inner();
    assert_eq!(
        (&preflight.source_operability, &preflight.target_operability),
        (&preview.source_operability, &preview.target_operability)
    );
    [preview.source_operability.unwrap(), preview.target_operability.unwrap()]
}
