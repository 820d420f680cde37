//! The compare preview and differences.

use pb::compare::{
    CompareSelection, CompareState, DiffSubjectRequest, DifferenceKind, PreviewCompareRequest, PreviewCompareResponse,
};
use serde_json::json;
use tonic::Code;

use crate::fill::{Tenant, driver};
use crate::world::{World, fresh, refusal};

const DRIVER: &str = "windowsDriverUpdateProfile";

/// Two tenants of ada's to be compared.
pub(crate) struct Pair {
    pub(crate) workspace_id: String,
    pub(crate) source_id: String,
    pub(crate) target_id: String,
}

impl Pair {
    pub(crate) async fn new(world: &World) -> Self {
        let ada = world.user("ada");
        let workspace_id = ada.new_workspace().await;
        let source_id = ada.new_tenant(&workspace_id, "Model").await;
        let target_id = ada.new_tenant(&workspace_id, "Customer").await;
        Self { workspace_id, source_id, target_id }
    }

    pub(crate) fn source<'w>(&self, world: &'w World) -> Tenant<'w> {
        Tenant::new(world, &self.workspace_id, &self.source_id)
    }

    pub(crate) fn target<'w>(&self, world: &'w World) -> Tenant<'w> {
        Tenant::new(world, &self.workspace_id, &self.target_id)
    }

    pub(crate) fn selection(&self) -> CompareSelection {
        CompareSelection {
            workspace_id: self.workspace_id.clone(),
            source_tenant_id: self.source_id.clone(),
            target_tenant_id: self.target_id.clone(),
            ..Default::default()
        }
    }

    /// One subject in each state.
    pub(crate) async fn in_every_state(world: &World) -> Self {
        let pair = Self::new(world).await;
        let (source, target) = (pair.source(world), pair.target(world));
        source.covered_all().await;
        target.covered_all().await;
        source
            .seen(
                DRIVER,
                &[
                    driver("s1", "Same", 1),
                    driver("s2", "Differs", 1),
                    driver("s3", "Missing", 1),
                    driver("s4", "Twice", 1),
                    driver("s5", " TWICE", 2),
                ],
                true,
            )
            .await;
        target
            .seen(DRIVER, &[driver("t1", "Same", 1), driver("t2", "Differs", 2), driver("t3", "Only there", 1)], true)
            .await;
        source.seen(DRIVER, &[driver("s6", "Half", 1)], false).await;
        target.seen(DRIVER, &[driver("t6", "Half", 1)], true).await;
        pair
    }
}

async fn preview(world: &World, request: PreviewCompareRequest) -> PreviewCompareResponse {
    world.user("ada").compare().preview_compare(request).await.unwrap().into_inner()
}

fn names(page: &PreviewCompareResponse) -> Vec<(&str, CompareState)> {
    page.subjects.iter().map(|subject| (subject.display_name.as_str(), subject.state())).collect()
}

#[tokio::test]
async fn every_state_occurs_and_the_counts_agree() {
    let world = World::start().await;
    let pair = Pair::in_every_state(&world).await;
    let page = preview(&world, PreviewCompareRequest { selection: Some(pair.selection()), ..Default::default() }).await;
    assert_eq!(
        names(&page),
        [
            ("Differs", CompareState::Different),
            ("Half", CompareState::NotComparable),
            ("Missing", CompareState::MissingInTarget),
            ("Only there", CompareState::OnlyInTarget),
            ("Same", CompareState::Identical),
            ("Twice", CompareState::Ambiguous),
        ]
    );
    let counts = page.counts.unwrap();
    assert_eq!((counts.total, counts.identical, counts.ambiguous), (Some(6), Some(1), Some(1)));
    let twice = &page.subjects[5];
    assert_eq!((twice.source_count, twice.target_count), (Some(2), Some(0)));
    let evidence = page.source_evidence.unwrap();
    assert_eq!(evidence.tenant_id, pair.source_id);
    assert!(evidence.oldest_observed_time.is_some() && evidence.never_observed_policy_types.is_empty());
}

#[tokio::test]
async fn the_same_question_gets_the_same_bytes() {
    use prost::Message as _;
    let world = World::start().await;
    let pair = Pair::in_every_state(&world).await;
    let request = PreviewCompareRequest { selection: Some(pair.selection()), ..Default::default() };
    let (first, second) = (preview(&world, request.clone()).await, preview(&world, request).await);
    assert_eq!(first.encode_to_vec(), second.encode_to_vec());
    assert_eq!(first.fingerprint.len(), 64);
}

#[tokio::test]
async fn pages_follow_one_another_and_belong_to_one_compare() {
    let world = World::start().await;
    let pair = Pair::in_every_state(&world).await;
    let request = PreviewCompareRequest { selection: Some(pair.selection()), page_size: 4, ..Default::default() };
    let first = preview(&world, request.clone()).await;
    let next = PreviewCompareRequest { page_token: first.next_page_token.clone(), ..request.clone() };
    let second = preview(&world, next.clone()).await;
    assert_eq!((second.subjects.len(), second.next_page_token.as_str()), (2, ""));
    assert_eq!((first.counts, &first.fingerprint), (second.counts, &second.fingerprint));
    let mut all = names(&first);
    all.extend(names(&second));
    let whole = preview(&world, PreviewCompareRequest { page_size: 0, ..request }).await;
    assert_eq!(all, names(&whole));

    let narrower = PreviewCompareRequest { states: vec![CompareState::Different.into()], ..next.clone() };
    let refused = refusal(world.user("ada").compare().preview_compare(narrower).await);
    assert_eq!(refused, (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));
    pair.target(&world).seen(DRIVER, &[driver("t9", "New", 1)], true).await;
    let refused = refusal(world.user("ada").compare().preview_compare(next).await);
    assert_eq!(refused, (Code::Aborted, "COMPARE_CHANGED".into()));
}

#[tokio::test]
async fn filters_narrow_and_never_make_a_counterpart_look_missing() {
    let world = World::start().await;
    let pair = Pair::in_every_state(&world).await;
    let all = pair.selection();
    let by = |selection: CompareSelection, states: Vec<i32>| PreviewCompareRequest {
        selection: Some(selection),
        states,
        ..Default::default()
    };
    let different = preview(&world, by(all.clone(), vec![CompareState::Different.into()])).await;
    assert_eq!(names(&different), [("Differs", CompareState::Different)]);
    // Counts stay those of the whole selection.
    assert_eq!(different.counts.unwrap().total, Some(6));
    let named = CompareSelection { name_contains: "SAME".into(), ..all.clone() };
    assert_eq!(names(&preview(&world, by(named, vec![])).await), [("Same", CompareState::Identical)]);
    let keyed = CompareSelection { subject_keys: vec![different.subjects[0].subject_key.clone()], ..all.clone() };
    assert_eq!(names(&preview(&world, by(keyed, vec![])).await), [("Differs", CompareState::Different)]);
    let typed = CompareSelection { policy_types: vec!["settingsCatalogPolicy".into()], ..all.clone() };
    assert!(preview(&world, by(typed, vec![])).await.subjects.is_empty());
    let elsewhere = CompareSelection { platforms: vec!["ios".into()], ..all };
    assert!(preview(&world, by(elsewhere, vec![])).await.subjects.is_empty());
}

#[tokio::test]
async fn what_a_complete_read_no_longer_found_is_gone_and_what_a_partial_one_missed_is_uncertain() {
    let world = World::start().await;
    let pair = Pair::new(&world).await;
    pair.source(&world).has(DRIVER, &[driver("s1", "A", 1), driver("s2", "B", 1)]).await;
    let target = pair.target(&world);
    target.has(DRIVER, &[driver("t1", "A", 1), driver("t2", "B", 1)]).await;
    let missing = |id: &str, confirmed: bool| {
        format!(
            "UPDATE inventory.item SET missing_since = now(), missing_confirmed = {confirmed} WHERE external_id = '{id}'"
        )
    };
    target.sql(&missing("t1", true)).await;
    target.sql(&missing("t2", false)).await;
    let page = preview(&world, PreviewCompareRequest { selection: Some(pair.selection()), ..Default::default() }).await;
    assert_eq!(names(&page), [("A", CompareState::MissingInTarget), ("B", CompareState::NotComparable)]);
}

#[tokio::test]
async fn a_tenant_is_not_compared_with_itself() {
    let world = World::start().await;
    let pair = Pair::new(&world).await;
    let same = CompareSelection { target_tenant_id: pair.source_id.clone(), ..pair.selection() };
    let request = PreviewCompareRequest { selection: Some(same), ..Default::default() };
    // Before anything is looked up: an outsider is told the same.
    for who in ["ada", "eve"] {
        let refused = refusal(world.user(who).compare().preview_compare(request.clone()).await);
        assert_eq!(refused, (Code::InvalidArgument, "SAME_TENANT".into()));
    }
}

#[tokio::test]
async fn differences_name_fields_and_both_values() {
    let world = World::start().await;
    let pair = Pair::in_every_state(&world).await;
    let ada = world.user("ada");
    let diff =
        |key: &str| DiffSubjectRequest { selection: Some(pair.selection()), subject_key: format!("{DRIVER}: {key}") };
    let answer = ada.compare().diff_subject(diff("differs")).await.unwrap().into_inner();
    assert_eq!(answer.differences.len(), 1);
    let difference = &answer.differences[0];
    assert_eq!((difference.path.as_str(), difference.kind()), ("deploymentDeferralInDays", DifferenceKind::Changed));
    assert_eq!((difference.source_value.as_str(), difference.target_value.as_str()), ("1", "2"));
    assert!(ada.compare().diff_subject(diff("same")).await.unwrap().into_inner().differences.is_empty());
    let missing = ada.compare().diff_subject(diff("missing")).await.unwrap().into_inner();
    assert_eq!(missing.subject.unwrap().state(), CompareState::MissingInTarget);
    assert!(missing.differences.len() > 2);
    assert!(
        missing.differences.iter().all(|one| one.kind() == DifferenceKind::OnlyInSource && one.target_value.is_empty())
    );
    let refused = refusal(ada.compare().diff_subject(diff("twice")).await);
    assert_eq!(refused, (Code::FailedPrecondition, "SUBJECT_AMBIGUOUS".into()));
    assert_eq!(refusal(ada.compare().diff_subject(diff("invented")).await).0, Code::NotFound);
}

#[tokio::test]
async fn assignments_count_only_when_the_selection_asks() {
    let world = World::start().await;
    let pair = Pair::new(&world).await;
    let assigned = |id: &str, group: &str| {
        let mut object = driver(id, "Ring", 1);
        object["assignments"] = json!([{"id": fresh(), "target": {
            "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group,
        }}]);
        object
    };
    let (source, target) = (pair.source(&world), pair.target(&world));
    source.has("group", &[json!({"id": "g1", "displayName": "Pilot"})]).await;
    target
        .has("group", &[json!({"id": "g2", "displayName": "pilot"}), json!({"id": "g3", "displayName": "All"})])
        .await;
    source
        .has(
            DRIVER,
            &[assigned("s1", "g1"), {
                let mut o = assigned("s2", "g1");
                o["displayName"] = json!("Other");
                o
            }],
        )
        .await;
    target
        .has(
            DRIVER,
            &[assigned("t1", "g2"), {
                let mut o = assigned("t2", "g3");
                o["displayName"] = json!("Other");
                o
            }],
        )
        .await;
    let states = async |include_assignments: bool| {
        let selection = CompareSelection { include_assignments, ..pair.selection() };
        let page = preview(&world, PreviewCompareRequest { selection: Some(selection), ..Default::default() }).await;
        page.subjects.iter().map(pb::compare::ComparedSubject::state).collect::<Vec<_>>()
    };
    assert_eq!(states(false).await, [CompareState::Identical, CompareState::Identical]);
    assert_eq!(states(true).await, [CompareState::Different, CompareState::Identical]);
    let selection = Some(CompareSelection { include_assignments: true, ..pair.selection() });
    let request = DiffSubjectRequest { selection, subject_key: format!("{DRIVER}: other") };
    let differences = world.user("ada").compare().diff_subject(request).await.unwrap().into_inner().differences;
    assert!(!differences.is_empty());
    assert!(differences.iter().all(|one| one.path.starts_with("assignments[")), "{differences:?}");
}
