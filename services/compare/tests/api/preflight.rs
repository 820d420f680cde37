//! The promotion preflight and the plan behind it.

use domain::preflight::CoverageState;
use pb::compare::{
    CompareSelection, DerivePromotionPlanRequest, GeneratePromotionPreflightRequest,
    GeneratePromotionPreflightResponse, PromotionAction, Readiness,
};
use pb::workspace::Role;
use serde_json::{Value, json};
use tonic::Code;

use crate::compare::Pair;
use crate::fill::driver;
use crate::world::{World, refusal};

const DRIVER: &str = "windowsDriverUpdateProfile";

async fn preflight(world: &World, selection: CompareSelection) -> GeneratePromotionPreflightResponse {
    let request = GeneratePromotionPreflightRequest { selection: Some(selection), ..Default::default() };
    world.user("ada").compare().generate_promotion_preflight(request).await.unwrap().into_inner()
}

/// Reasons by subject name.
fn reasons(answer: &GeneratePromotionPreflightResponse) -> Vec<(String, Readiness, Vec<String>)> {
    let reasons = |subject: &pb::compare::PreflightSubject| {
        assert!(subject.reasons.iter().all(|reason| reason.message.len() > 20), "{:?}", subject.reasons);
        subject.reasons.iter().map(|reason| reason.reason.clone()).collect()
    };
    answer.subjects.iter().map(|one| (one.display_name.clone(), one.readiness(), reasons(one))).collect()
}

/// A pair whose target could be promoted to.
async fn operable(world: &World) -> Pair {
    let pair = Pair::new(world).await;
    pair.source(world).covered_all().await;
    pair.target(world).covered_all().await;
    pair.target(world).connected().await;
    pair
}

/// The one reason of the one subject of the source.
async fn only_reason(world: &World, pair: &Pair) -> (Readiness, Vec<String>) {
    let answer = preflight(world, pair.selection()).await;
    assert_eq!(answer.subjects.len(), 1, "{answer:?}");
    let (_, readiness, reasons) = reasons(&answer).remove(0);
    (readiness, reasons)
}

fn blocked(reason: &str) -> (Readiness, Vec<String>) {
    (Readiness::Blocked, vec![reason.to_owned()])
}

fn manual(reason: &str) -> (Readiness, Vec<String>) {
    (Readiness::ManualMappingRequired, vec![reason.to_owned()])
}

#[tokio::test]
async fn each_source_subject_is_in_one_class_and_the_counts_agree() {
    let world = World::start().await;
    let pair = operable(&world).await;
    let (source, target) = (pair.source(&world), pair.target(&world));
    source
        .seen(
            DRIVER,
            &[
                driver("s1", "Same", 1),
                driver("s2", "Differs", 1),
                driver("s3", "New", 1),
                driver("s4", "Twice", 1),
                driver("s5", "Twice", 2),
            ],
            true,
        )
        .await;
    target.seen(DRIVER, &[driver("t1", "Same", 1), driver("t2", "Differs", 2), driver("t3", "Theirs", 1)], true).await;
    let answer = preflight(&world, pair.selection()).await;
    assert_eq!(
        reasons(&answer),
        [
            ("Differs".to_owned(), Readiness::Ready, vec![]),
            ("New".to_owned(), Readiness::Ready, vec![]),
            ("Twice".to_owned(), Readiness::ManualMappingRequired, vec!["AMBIGUOUS_SOURCE".to_owned()]),
        ]
    );
    assert_eq!(
        (answer.subjects[0].action(), answer.subjects[1].action()),
        (PromotionAction::Update, PromotionAction::Create)
    );
    let counts = answer.counts.unwrap();
    assert_eq!((counts.ready, counts.ready_create, counts.ready_update), (Some(2), Some(1), Some(1)));
    assert_eq!((counts.blocked, counts.manual_mapping_required, counts.excluded), (Some(0), Some(1), Some(1)));
    assert_eq!((counts.unchanged, counts.only_in_target), (Some(1), Some(1)));
    assert_eq!(answer.reason_counts[0].reason, "AMBIGUOUS_SOURCE");
    assert_eq!((answer.source_tenant_name.as_str(), answer.target_tenant_name.as_str()), ("Model", "Customer"));
}

#[tokio::test]
async fn what_this_service_knows_of_tenants_and_evidence_blocks() {
    let world = World::start().await;
    let pair = operable(&world).await;
    let (source, target) = (pair.source(&world), pair.target(&world));
    source.seen(DRIVER, &[driver("s1", "Ring", 1)], true).await;
    assert_eq!(only_reason(&world, &pair).await, (Readiness::Ready, vec![]));

    source.read_hours_ago(DRIVER, 25).await;
    assert_eq!(only_reason(&world, &pair).await, blocked("SOURCE_EVIDENCE_STALE"));
    source.covered(DRIVER, CoverageState::Observed, None, false).await;
    target.read_hours_ago(DRIVER, 25).await;
    assert_eq!(only_reason(&world, &pair).await, blocked("TARGET_EVIDENCE_STALE"));
    target.covered(DRIVER, CoverageState::Denied, Some("PROVIDER_FORBIDDEN"), false).await;
    assert_eq!(only_reason(&world, &pair).await, blocked("PROVIDER_PERMISSION_DENIED"));
    target.covered(DRIVER, CoverageState::Observed, None, true).await;
    assert_eq!(only_reason(&world, &pair).await, blocked("PROVIDER_APPROVAL_REQUIRED"));
    target.covered(DRIVER, CoverageState::Observed, None, false).await;

    source.seen(DRIVER, &[driver("s1", "Ring", 1)], false).await;
    assert_eq!(only_reason(&world, &pair).await, blocked("SOURCE_CONTENT_MISSING"));
    source.seen(DRIVER, &[driver("s1", "Ring", 1)], true).await;
    source
        .sql(&format!(
            "UPDATE tenant.provider_connection SET state = 'disabled' WHERE tenant_id = '{}'",
            pair.target_id
        ))
        .await;
    assert_eq!(only_reason(&world, &pair).await, blocked("PROVIDER_CONNECTION_MISSING"));
    target.connected().await;
    source
        .sql(&format!(
            "UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now() WHERE id = '{}'",
            pair.target_id
        ))
        .await;
    assert_eq!(only_reason(&world, &pair).await, blocked("TARGET_TENANT_NOT_OPERABLE"));
}

#[tokio::test]
async fn what_the_content_says_blocks_or_needs_a_mapping() {
    let world = World::start().await;
    let pair = operable(&world).await;
    let (source, target) = (pair.source(&world), pair.target(&world));
    source
        .seen(
            "roleScopeTag",
            &[
                json!({"id": "0", "displayName": "Default", "isBuiltIn": true}),
                json!({"id": "4", "displayName": "Lab"}),
            ],
            true,
        )
        .await;
    target.seen("roleScopeTag", &[json!({"id": "0", "displayName": "Standard", "isBuiltIn": true})], true).await;
    let tagged = |id: &str, tag: &str| {
        let mut object = driver(id, "Tagged", 1);
        object["roleScopeTagIds"] = json!([tag]);
        object
    };
    let manually_approved = |id: &str| {
        let mut object = driver(id, "Approval", 1);
        object["approvalType"] = json!("manual");
        object
    };
    source.seen(DRIVER, &[tagged("s1", "9"), manually_approved("s2"), driver("s3", "Two there", 1)], true).await;
    target
        .seen(DRIVER, &[driver("t2", "Approval", 1), driver("t3", "Two there", 2), driver("t4", "Two there", 3)], true)
        .await;
    let oma = json!({
        "id": "s4", "@odata.type": "#microsoft.graph.windows10CustomConfiguration", "displayName": "OMA",
        "omaSettings": [{"@odata.type": "#microsoft.graph.omaSettingString", "omaUri": "./x", "displayName": "x",
                         "isEncrypted": true, "value": "****", "secretReferenceValueId": "a_b"}],
    });
    source.seen("customOmaUri", &[oma], true).await;
    source.seen("conditionalAccessPolicy", &[conditional_access("s5")], true).await;
    let answer = preflight(&world, pair.selection()).await;
    let all = reasons(&answer);
    let of =
        |name: &str| all.iter().find(|(known, ..)| known == name).map(|(_, class, why)| (*class, why.clone())).unwrap();
    assert_eq!(of("Tagged"), manual("UNMAPPED_SCOPE_TAG"));
    assert_eq!(of("Approval"), blocked("IMMUTABLE_FIELD_DIFFERS"));
    assert_eq!(of("Two there"), manual("AMBIGUOUS_TARGET"));
    assert_eq!(of("OMA"), blocked("SECRET_VALUE_UNAVAILABLE"));
    assert!(of("CA001").1.contains(&"POLICY_TYPE_NOT_PROMOTABLE".to_owned()));
    assert_eq!(of("Default"), blocked("PROVIDER_DEFAULT_OBJECT"));
    assert_eq!(of("Lab"), (Readiness::Ready, vec![]));

    // A tag that is promoted along maps.
    source.seen(DRIVER, &[tagged("s1", "4")], true).await;
    let answer = preflight(&world, pair.selection()).await;
    let all = reasons(&answer);
    assert!(all.contains(&("Tagged".to_owned(), Readiness::Ready, vec![])), "{all:?}");
}

fn conditional_access(id: &str) -> Value {
    json!({
        "id": id, "displayName": "CA001", "state": "enabled",
        "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
        "grantControls": {"operator": "OR", "builtInControls": ["mfa"]},
    })
}

#[tokio::test]
async fn assignments_need_their_groups_only_when_asked_for() {
    let world = World::start().await;
    let pair = operable(&world).await;
    let (source, target) = (pair.source(&world), pair.target(&world));
    source.seen("group", &[json!({"id": "g1", "displayName": "Pilot"})], true).await;
    let mut object = driver("s1", "Ring", 1);
    object["assignments"] =
        json!([{"id": "a", "target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "g1"}}]);
    source.seen(DRIVER, &[object], true).await;
    assert_eq!(only_reason(&world, &pair).await, (Readiness::Ready, vec![]));
    let asking = CompareSelection { include_assignments: true, ..pair.selection() };
    assert_eq!(reasons(&preflight(&world, asking.clone()).await)[0].2, ["UNMAPPED_GROUP"]);
    target.seen("group", &[json!({"id": "h1", "displayName": "pilot"})], true).await;
    assert_eq!(reasons(&preflight(&world, asking.clone()).await)[0].1, Readiness::Ready);
    // Two groups of that name: never guessed.
    target.seen("group", &[json!({"id": "h2", "displayName": "Pilot"})], true).await;
    assert_eq!(reasons(&preflight(&world, asking).await)[0].2, ["UNMAPPED_GROUP"]);
}

#[tokio::test]
async fn the_same_evidence_gives_the_same_bytes_and_another_gives_another_fingerprint() {
    use prost::Message as _;
    let world = World::start().await;
    let pair = operable(&world).await;
    pair.source(&world).seen(DRIVER, &[driver("s1", "Ring", 1)], true).await;
    let first = preflight(&world, pair.selection()).await;
    let second = preflight(&world, pair.selection()).await;
    assert_eq!(first.encode_to_vec(), second.encode_to_vec());
    // Read again without finding anything new: the same.
    pair.source(&world).covered(DRIVER, CoverageState::Observed, None, false).await;
    assert_eq!(preflight(&world, pair.selection()).await.fingerprint, first.fingerprint);
    pair.source(&world).seen(DRIVER, &[driver("s1", "Ring", 2)], true).await;
    assert_ne!(preflight(&world, pair.selection()).await.fingerprint, first.fingerprint);
}

#[tokio::test]
async fn the_first_page_is_on_record_before_it_is_shown() {
    let world = World::start().await;
    let pair = operable(&world).await;
    pair.source(&world).seen(DRIVER, &[driver("s1", "A", 1), driver("s2", "B", 1)], true).await;
    let request =
        GeneratePromotionPreflightRequest { selection: Some(pair.selection()), page_size: 1, ..Default::default() };
    let ada = world.user("ada");
    let first = ada.compare().generate_promotion_preflight(request.clone()).await.unwrap().into_inner();
    assert!(world.runs.was_on_behalf());
    let rest = GeneratePromotionPreflightRequest { page_token: first.next_page_token.clone(), ..request.clone() };
    ada.compare().generate_promotion_preflight(rest.clone()).await.unwrap();
    let events = world.runs.events();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.action, "cross_tenant_promotion_preflight.generated");
    assert_eq!((event.actor_subject.as_str(), event.actor_name.as_str()), ("ada", "ada by name"));
    assert_eq!((&event.tenant_id, &event.related_tenant_ids), (&pair.target_id, &vec![pair.source_id.clone()]));
    let detail = server::structure::from_struct(event.detail.as_ref().unwrap());
    assert_eq!(detail["fingerprint"], json!(first.fingerprint));
    assert_eq!((&detail["counts"]["ready"], &detail["source_tenant_id"]), (&json!(2), &json!(pair.source_id)));

    // Changed between pages.
    pair.source(&world).seen(DRIVER, &[driver("s3", "C", 1)], true).await;
    let refused = refusal(ada.compare().generate_promotion_preflight(rest).await);
    assert_eq!(refused, (Code::Aborted, "PREFLIGHT_CHANGED".into()));
    // What cannot be recorded is not told.
    world.runs.set_down(true);
    let refused = refusal(ada.compare().generate_promotion_preflight(request).await);
    assert_eq!(refused.0, Code::Unavailable);
}

#[tokio::test]
async fn capabilities_are_asked_after_entitlements() {
    let world = World::start().await;
    let pair = operable(&world).await;
    let ada = world.user("ada");
    ada.let_in(&pair.workspace_id, "bob", Role::Readonly).await;
    for tenant in [&pair.source_id, &pair.target_id] {
        ada.entitle(&pair.workspace_id, tenant, "bob", Role::Readonly).await;
    }
    // Looking is all a preflight needs.
    let request = GeneratePromotionPreflightRequest { selection: Some(pair.selection()), ..Default::default() };
    world.user("bob").compare().generate_promotion_preflight(request).await.unwrap();
}

#[tokio::test]
async fn the_plan_is_for_promotion_service_on_behalf_of_a_user() {
    let world = World::start().await;
    let pair = operable(&world).await;
    pair.source(&world).seen(DRIVER, &[driver("s1", "New", 1), driver("s2", "Differs", 1)], true).await;
    pair.target(&world).seen(DRIVER, &[driver("t2", "Differs", 2)], true).await;
    let request = DerivePromotionPlanRequest { selection: Some(pair.selection()) };
    for (caller, reason) in [
        (world.user("ada"), "SERVICE_IDENTITY_REQUIRED"),
        (world.service_for("compare-service", "ada"), "SERVICE_IDENTITY_REQUIRED"),
        (world.service("promotion-service"), "USER_IDENTITY_REQUIRED"),
    ] {
        let refused = refusal(caller.compare().derive_promotion_plan(request.clone()).await);
        assert_eq!(refused, (Code::PermissionDenied, reason.to_owned()));
    }
    let outsider = world.service_for("promotion-service", "eve");
    assert_eq!(refusal(outsider.compare().derive_promotion_plan(request.clone()).await).0, Code::NotFound);

    let promotion = world.service_for("promotion-service", "ada");
    let plan = promotion.compare().derive_promotion_plan(request).await.unwrap().into_inner();
    let shown = preflight(&world, pair.selection()).await;
    assert_eq!(plan.preflight.unwrap().fingerprint, shown.fingerprint);
    assert_eq!(plan.subjects.len(), 2);
    let (update, create) = (&plan.subjects[0], &plan.subjects[1]);
    assert_eq!((update.action(), update.target_external_id.as_str()), (PromotionAction::Update, "t2"));
    assert_eq!((create.action(), create.target_external_id.as_str()), (PromotionAction::Create, ""));
    assert_eq!((update.desired_hash.len(), update.target_hash.len(), create.target_hash.len()), (32, 32, 0));
    assert_ne!(update.desired_hash, update.target_hash);
    // Deriving a plan is not what the audit trail calls generating a preflight.
    assert_eq!(world.runs.events().len(), 1);
}
