//! Each reason by an example, the stories of specification 264 that are decisions, and the laws.

mod laws;
mod world;

use time::Duration;

use super::*;
use crate::confirmation::{Confirmation, ConfirmationField, confirm};
use crate::id::PolicyVersionId;
use crate::observe::Invalid;
use crate::plan;
use crate::reference::Standing;
use crate::tenant::Lifecycle;
use world::{Object, World};

fn codes(preflight: &Preflight, name: &str) -> Vec<&'static str> {
    let mut codes: Vec<_> =
        subject(preflight, name).readiness.reasons().iter().map(|reason| reason.code.as_str()).collect();
    codes.dedup();
    codes
}

fn subject<'p>(preflight: &'p Preflight, name: &str) -> &'p PreflightSubject {
    preflight.subjects.iter().find(|subject| subject.display_name == name).expect("the subject is in the preflight")
}

fn class(preflight: &Preflight, name: &str) -> &'static str {
    subject(preflight, name).readiness.as_str()
}

fn item<'p>(preflight: &'p Preflight, name: &str) -> &'p PlanItem {
    match &subject(preflight, name).readiness {
        Readiness::Ready(item) => item,
        other => panic!("{name} is not ready: {other:?}"),
    }
}

/// One policy, missing in the target.
fn one(change: impl FnOnce(&mut Object)) -> World {
    let mut object = Object::new("policy", "A");
    change(&mut object);
    World { source: vec![object], ..World::default() }
}

#[test]
fn a_subject_missing_in_the_target_is_created() {
    let preflight = one(|_| {}).preflight();
    let item = item(&preflight, "A");
    assert_eq!(item.action(), Action::Create);
    assert_eq!(item.desired_hash, Object::new("policy", "A").normal_hash());
    assert_eq!(item.source_version, Object::new("policy", "A").version.unwrap());
    assert_eq!(preflight.counts, PreflightCounts { ready_create: 1, ..PreflightCounts::default() });
}

#[test]
fn a_subject_that_differs_is_updated_as_the_preflight_saw_it() {
    let mut world = one(|_| {});
    world.target.push(Object { content: "other".into(), ..Object::new("policy", "A").with_id("t-1") });
    let preflight = world.preflight();
    let expected = item(&preflight, "A").expected_target.clone().unwrap();
    assert_eq!(expected.external_id.as_str(), "t-1");
    assert_eq!(expected.hash, world.target[0].normal_hash());
    assert_eq!(preflight.counts.ready_update, 1);
}

#[test]
fn identical_and_target_only_subjects_are_counted_and_left_alone() {
    let mut world = one(|_| {});
    world.target =
        vec![Object::new("policy", "A"), Object::new("policy", "B"), Object::new("policy", "B").with_id("2")];
    let preflight = world.preflight();
    assert!(preflight.subjects.is_empty());
    assert_eq!(preflight.counts, PreflightCounts { unchanged: 1, only_in_target: 1, ..PreflightCounts::default() });
    assert_eq!(preflight.ready().count(), 0);
}

#[test]
fn every_blocking_reason_of_the_source_object_is_found() {
    type Change = fn(&mut Object);
    let table: [(Change, &str); 9] = [
        (|o| o.version = None, "SOURCE_CONTENT_MISSING"),
        (|o| o.captured = false, "SOURCE_CONTENT_MISSING"),
        (|o| o.facts.complete = false, "SOURCE_CONTENT_MISSING"),
        (|o| o.facts.secrets = vec!["omaSettings[].value".into()], "SECRET_VALUE_UNAVAILABLE"),
        (|o| o.facts.provider_default = true, "PROVIDER_DEFAULT_OBJECT"),
        (|o| o.facts.invalid = vec![Invalid { path: "name".into(), why: "It has no name.".into() }], "CONTENT_INVALID"),
        (|o| o.kind = "preview".into(), "POLICY_TYPE_NOT_PROMOTABLE"),
        (|o| o.kind = "never".into(), "POLICY_TYPE_NOT_PROMOTABLE"),
        (|o| o.kind = "unheardOf".into(), "POLICY_TYPE_NOT_PROMOTABLE"),
    ];
    for (change, code) in table {
        let preflight = one(change).preflight();
        assert_eq!(codes(&preflight, "A"), [code]);
        assert_eq!(class(&preflight, "A"), "blocked");
        assert_eq!(preflight.counts.blocked, 1);
        assert_eq!(preflight.reason_counts, [(code.parse().unwrap(), 1)]);
    }
}

#[test]
fn stale_missing_failed_and_denied_evidence_blocks() {
    type Change = fn(&mut World);
    let policy = || PolicyType::from("policy");
    let table: [(Change, &[&str]); 9] = [
        (|w| w.source_coverage.clear(), &["SOURCE_EVIDENCE_STALE"]),
        (|w| w.source_coverage.get_mut("policy").unwrap().observed_at -= Duration::days(2), &["SOURCE_EVIDENCE_STALE"]),
        (|w| w.source_coverage.get_mut("policy").unwrap().state = CoverageState::Failed, &["SOURCE_EVIDENCE_STALE"]),
        (|w| w.source_coverage.get_mut("policy").unwrap().state = CoverageState::Denied, &["SOURCE_EVIDENCE_STALE"]),
        (|w| w.target_coverage.clear(), &["TARGET_EVIDENCE_STALE"]),
        (|w| w.target_coverage.get_mut("policy").unwrap().observed_at -= Duration::days(2), &["TARGET_EVIDENCE_STALE"]),
        (|w| w.target_coverage.get_mut("policy").unwrap().state = CoverageState::Failed, &["TARGET_EVIDENCE_STALE"]),
        (
            |w| w.target_coverage.get_mut("policy").unwrap().state = CoverageState::Denied,
            &["PROVIDER_PERMISSION_DENIED"],
        ),
        // Not all of the target was seen, so the object may be there after all.
        (|w| w.target_coverage.get_mut("policy").unwrap().state = CoverageState::Partial, &["TARGET_EVIDENCE_STALE"]),
    ];
    for (change, expected) in table {
        let mut world = one(|_| {});
        assert!(world.source_coverage.contains_key(&policy()));
        change(&mut world);
        assert_eq!(codes(&world.preflight(), "A"), expected);
    }
    let mut at_the_limit = one(|_| {});
    at_the_limit.source_coverage.get_mut("policy").unwrap().observed_at = world::NOW - Duration::days(1);
    assert_eq!(class(&at_the_limit.preflight(), "A"), "ready");
    let mut partial_source = one(|_| {});
    partial_source.source_coverage.get_mut("policy").unwrap().state = CoverageState::Partial;
    assert_eq!(class(&partial_source.preflight(), "A"), "ready", "what was seen of the source is true");
}

#[test]
fn what_the_target_tenant_does_not_allow_blocks() {
    type Change = fn(&mut World);
    let table: [(Change, &[&str]); 5] = [
        (|w| w.tenant.lifecycle = Lifecycle::Archived, &["TARGET_TENANT_NOT_OPERABLE"]),
        (|w| w.tenant.has_provider_connection = false, &["PROVIDER_CONNECTION_MISSING"]),
        (|w| w.denied_types = ["policy".into()].into(), &["PROVIDER_PERMISSION_DENIED"]),
        (|w| w.target_coverage.get_mut("policy").unwrap().approval_required = true, &["PROVIDER_APPROVAL_REQUIRED"]),
        (
            |w| {
                w.tenant.lifecycle = Lifecycle::Onboarding;
                w.tenant.has_provider_connection = false;
            },
            &["TARGET_TENANT_NOT_OPERABLE", "PROVIDER_CONNECTION_MISSING"],
        ),
    ];
    for (change, expected) in table {
        let mut world = one(|_| {});
        change(&mut world);
        assert_eq!(codes(&world.preflight(), "A"), expected);
    }
}

#[test]
fn an_update_is_blocked_by_what_cannot_change_and_by_what_must_not_be_touched() {
    let with_platform = |platform: Option<&str>| {
        let mut object = Object::new("policy", "A");
        object.content = format!("{platform:?}");
        object.facts.immutable = platform.map(|p| ("platform".to_owned(), p.into())).into_iter().collect();
        object
    };
    let update =
        |source: Object, target: Object| World { source: vec![source], target: vec![target], ..World::default() };
    let differs = update(with_platform(Some("ios")), with_platform(Some("windows10"))).preflight();
    assert_eq!(codes(&differs, "A"), ["IMMUTABLE_FIELD_DIFFERS"]);
    let absent = update(with_platform(Some("ios")), with_platform(None)).preflight();
    assert_eq!(codes(&absent, "A"), ["IMMUTABLE_FIELD_DIFFERS"]);
    let null = update(with_platform(None), with_platform(None));
    let mut null = World { source: vec![Object { content: "new".into(), ..null.source[0].clone() }], ..null };
    null.source[0].facts.immutable.insert("platform".into(), serde_json::Value::Null);
    assert_eq!(class(&null.preflight(), "A"), "ready", "null is absent");

    let changed = || Object { content: "changed".into(), ..Object::new("policy", "A") };
    let mut default = Object::new("policy", "A");
    default.facts.provider_default = true;
    assert_eq!(codes(&update(changed(), default).preflight(), "A"), ["PROVIDER_DEFAULT_OBJECT"]);
    let mut unread = Object::new("policy", "A");
    unread.facts.complete = false;
    assert_eq!(codes(&update(changed(), unread).preflight(), "A"), ["TARGET_EVIDENCE_STALE"]);
    let never_captured = Object { captured: false, ..Object::new("policy", "A") };
    assert_eq!(codes(&update(changed(), never_captured).preflight(), "A"), ["TARGET_EVIDENCE_STALE"]);
}

#[test]
fn what_cannot_be_compared_is_never_ready() {
    let mut secret = Object::new("policy", "A");
    secret.facts.secrets = vec!["value".into()];
    let world = World { source: vec![secret.clone()], target: vec![secret.clone()], ..World::default() };
    assert_eq!(codes(&world.preflight(), "A"), ["SECRET_VALUE_UNAVAILABLE"]);
    let hidden_in_target = World { source: vec![Object::new("policy", "A")], target: vec![secret], ..World::default() };
    assert_eq!(codes(&hidden_in_target.preflight(), "A"), ["TARGET_EVIDENCE_STALE"]);
}

#[test]
fn duplicates_need_a_person() {
    let a = || Object::new("policy", "A");
    let twice = World { source: vec![a(), a().with_id("2")], ..World::default() }.preflight();
    assert_eq!(codes(&twice, "A"), ["AMBIGUOUS_SOURCE"]);
    assert_eq!(class(&twice, "A"), "manual_mapping_required");
    let target = vec![a(), a().with_id("2")];
    let twice_there = World { source: vec![a()], target: target.clone(), ..World::default() }.preflight();
    assert_eq!(codes(&twice_there, "A"), ["AMBIGUOUS_TARGET"]);
    let both = World { source: vec![a(), a().with_id("2")], target, ..World::default() }.preflight();
    assert_eq!(codes(&both, "A"), ["AMBIGUOUS_SOURCE", "AMBIGUOUS_TARGET"]);
    assert_eq!(both.counts.manual_mapping_required, 1);
}

#[test]
fn references_without_a_counterpart_need_a_person_each_by_its_kind() {
    let table = [
        ("group", "UNMAPPED_GROUP"),
        ("assignmentFilter", "UNMAPPED_ASSIGNMENT_FILTER"),
        ("roleScopeTag", "UNMAPPED_SCOPE_TAG"),
        ("namedLocation", "UNMAPPED_REFERENCE"),
    ];
    for (kind, code) in table {
        let mut world = one(|object| object.facts.references = vec![world::reference(kind, "X", Standing::Named)]);
        assert_eq!(codes(&world.preflight(), "A"), [code]);
        world.target_names = vec![(kind.into(), "x-1".into(), "X".into())];
        assert_eq!(class(&world.preflight(), "A"), "ready", "{kind}");
        world.target_names.push((kind.into(), "x-2".into(), "x".into()));
        assert_eq!(codes(&world.preflight(), "A"), [code], "two of that name");
        for standing in [Standing::Ambiguous, Standing::Unresolved] {
            let preflight =
                one(|object| object.facts.references = vec![world::reference(kind, "X", standing)]).preflight();
            assert_eq!(codes(&preflight, "A"), [code], "{standing:?}");
            assert_eq!(class(&preflight, "A"), "manual_mapping_required");
        }
        let fixed =
            one(|object| object.facts.references = vec![world::reference(kind, "X", Standing::Fixed)]).preflight();
        assert_eq!(class(&fixed, "A"), "ready");
    }
}

#[test]
fn assignments_count_only_when_asked_for() {
    let mut world = one(|object| {
        object.facts.assignment_references = vec![world::reference("group", "Sales", Standing::Named)];
    });
    let without = world.preflight();
    let item_without = item(&without, "A").clone();
    assert!(item_without.references.is_empty());
    world.include_assignments = true;
    assert_eq!(codes(&world.preflight(), "A"), ["UNMAPPED_GROUP"]);
    world.target_names = vec![("group".into(), "g".into(), "sales".into())];
    let with = world.preflight();
    assert_ne!(item(&with, "A").desired_hash, item_without.desired_hash, "assignments are part of what is wanted");
    assert_eq!(item(&with, "A").references[0].kind.as_str(), "group");
}

#[test]
fn a_reference_is_satisfied_by_what_is_promoted_first() {
    let refers = |kind: &str, name: &str, to: &[(&str, &str)]| {
        let mut object = Object::new(kind, name);
        object.facts.references = to.iter().map(|(kind, name)| world::reference(kind, name, Standing::Named)).collect();
        object
    };
    let mut world = World {
        source: vec![
            refers("policy", "A", &[("assignmentFilter", "F"), ("roleScopeTag", "T")]),
            refers("assignmentFilter", "F", &[("roleScopeTag", "T")]),
            refers("roleScopeTag", "T", &[]),
        ],
        ..World::default()
    };
    let preflight = world.preflight();
    assert_eq!(preflight.counts.ready_create, 3);
    let planned =
        plan::plan(preflight.ready().cloned().collect(), |kind| world::registry().get(kind.as_str()).unwrap().order);
    let order: Vec<_> = planned.items.iter().map(|item| item.label.as_str()).collect();
    assert_eq!(order, ["T", "F", "A"]);
    assert!(planned.cycles.is_empty());

    // The foundation is not ready: neither is what needs it, up to the top, each with its own reason.
    world.source[2].facts.secrets = vec!["value".into()];
    let preflight = world.preflight();
    assert_eq!(class(&preflight, "T"), "blocked");
    assert_eq!(codes(&preflight, "F"), ["UNMAPPED_SCOPE_TAG"]);
    assert_eq!(codes(&preflight, "A"), ["UNMAPPED_ASSIGNMENT_FILTER", "UNMAPPED_SCOPE_TAG"]);
    let why = &subject(&preflight, "F").readiness.reasons()[0].message;
    assert!(why.contains("not ready to be promoted itself"), "{why}");
}

#[test]
fn subjects_that_need_each_other_in_a_circle_are_not_ready() {
    let refers = |name: &str, to: &str| {
        let mut object = Object::new("policy", name);
        object.facts.references = vec![world::reference("policy", to, Standing::Named)];
        object
    };
    let preflight = World { source: vec![refers("A", "B"), refers("B", "A")], ..World::default() }.preflight();
    assert_eq!(codes(&preflight, "A"), ["UNMAPPED_REFERENCE"]);
    assert_eq!(codes(&preflight, "B"), ["UNMAPPED_REFERENCE"]);
}

#[test]
fn blocked_outweighs_manual_mapping_and_all_reasons_are_told() {
    let preflight = one(|object| {
        object.facts.secrets = vec!["a".into(), "b".into(), "c".into(), "d".into()];
        object.facts.provider_default = true;
        object.facts.references =
            vec![world::reference("group", "X", Standing::Named), world::reference("group", "Y", Standing::Unresolved)];
    })
    .preflight();
    assert_eq!(class(&preflight, "A"), "blocked");
    let reasons = subject(&preflight, "A").readiness.reasons();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert_eq!(codes(&preflight, "A"), ["SECRET_VALUE_UNAVAILABLE", "PROVIDER_DEFAULT_OBJECT", "UNMAPPED_GROUP"]);
    assert_eq!(preflight.reason_counts.len(), 3);
    assert!(preflight.reason_counts.iter().all(|(_, count)| *count == 1), "one subject counts once for each reason");
}

#[test]
fn sentences_name_things_and_not_ids() {
    let mut world = World {
        source: vec![Object::new("policy", "A").with_id("id-of-a"), Object::new("policy", "A").with_id("id-of-b")],
        tenant: crate::tenant::TenantFacts { lifecycle: Lifecycle::Archived, has_provider_connection: false },
        ..World::default()
    };
    world.source[0].facts.references = [Standing::Named, Standing::Ambiguous, Standing::Unresolved]
        .map(|s| world::reference("group", "Sales", s))
        .to_vec();
    world.source[0].facts.secrets = vec!["value".into()];
    world.target_coverage.clear();
    let preflight = world.preflight();
    let reasons = subject(&preflight, "A").readiness.reasons();
    assert!(reasons.len() >= 7, "{reasons:?}");
    for reason in reasons {
        assert!(!reason.message.contains("id-of") && !reason.message.contains("gid-"), "{}", reason.message);
        assert!(reason.message.ends_with('.') || reason.message.ends_with(')'), "{}", reason.message);
        assert!(!reason.message.contains("  "), "{}", reason.message);
    }
    let text: String = reasons.iter().map(|reason| reason.message.as_str()).collect();
    assert!(text.contains("Fabrikam") && text.contains("\"Sales\"") && text.contains("\"A\""), "{text}");
}

// --- stories of specification 264 ---

#[test]
fn us1_1_only_ready_subjects_enter_the_plan_and_the_excluded_stay_visible() {
    let mut blocked = Object::new("policy", "Blocked");
    blocked.facts.secrets = vec!["value".into()];
    let mut manual = Object::new("policy", "Manual");
    manual.facts.references = vec![world::reference("group", "Nobody", Standing::Named)];
    let world = World { source: vec![Object::new("policy", "Ready"), blocked, manual], ..World::default() };
    let preflight = world.preflight();
    let planned = plan::plan(preflight.ready().cloned().collect(), |_| 1000);
    assert_eq!(planned.items.iter().map(|item| item.label.as_str()).collect::<Vec<_>>(), ["Ready"]);
    assert_eq!((preflight.counts.ready(), preflight.counts.excluded()), (1, 2));
    assert_eq!(preflight.subjects.len(), 3);
}

#[test]
fn us1_3_the_same_executable_plan_has_the_same_identity() {
    let world = one(|_| {});
    let identity = |world: &World| plan::plan(world.preflight().ready().cloned().collect(), |_| 1000).identity;
    assert_eq!(identity(&world), identity(&world));
    let mut changed = one(|_| {});
    changed.source[0].content = "changed".into();
    assert_ne!(identity(&world), identity(&changed));
}

#[test]
fn us3_3_a_preflight_over_other_evidence_has_another_fingerprint() {
    type Change = fn(&mut World);
    let base = || {
        let mut world = one(|object| object.facts.references = vec![world::reference("group", "X", Standing::Named)]);
        world.target_names = vec![("group".into(), "x-1".into(), "X".into())];
        world
    };
    let changes: [(&str, Change); 10] = [
        ("the source's content", |w| w.source[0].content = "changed".into()),
        ("the source's version", |w| w.source[0].version = Some(PolicyVersionId(uuid::Uuid::from_u128(99)))),
        ("another subject", |w| w.source.push(Object::new("policy", "B"))),
        ("the target's content", |w| w.target.push(Object { content: "t".into(), ..Object::new("policy", "A") })),
        ("a name it relies on", |w| w.target_names[0].1 = "x-2".into()),
        ("a class", |w| w.source[0].facts.provider_default = true),
        ("staleness", |w| w.staleness_limit = Duration::ZERO),
        ("the target tenant", |w| w.tenant.lifecycle = Lifecycle::Archived),
        ("the selection", |w| w.include_assignments = true),
        ("the filter", |w| w.filter.name_contains = Some("a".into())),
    ];
    let fingerprint = base().preflight().fingerprint;
    assert_eq!(base().preflight().fingerprint, fingerprint);
    for (what, change) in changes {
        let mut world = base();
        change(&mut world);
        assert_ne!(world.preflight().fingerprint, fingerprint, "{what}");
    }
    let mut synced_again = base();
    for coverage in synced_again.source_coverage.values_mut().chain(synced_again.target_coverage.values_mut()) {
        coverage.observed_at += Duration::minutes(1);
    }
    assert_eq!(synced_again.preflight().fingerprint, fingerprint, "a sync that finds nothing new changes nothing");
    let mut unrelated = base();
    unrelated.target_names.push(("group".into(), "y".into(), "Y".into()));
    assert_eq!(unrelated.preflight().fingerprint, fingerprint, "a name it does not rely on");
}

#[test]
fn fr004_the_confirmation_repeats_what_the_preflight_counts() {
    let world = one(|_| {});
    let preflight = world.preflight();
    let selection = world.selection();
    let actual = Confirmation {
        source: selection.source,
        target: selection.target,
        ready_count: preflight.counts.ready(),
        excluded_count: preflight.counts.excluded(),
    };
    assert_eq!(confirm(&actual, &actual), Ok(()));
    let mistaken = Confirmation { ready_count: 2, ..actual };
    assert_eq!(confirm(&mistaken, &actual).unwrap_err().0, [ConfirmationField::ReadyCount]);
}

#[test]
fn edge_no_ready_subject_remains_after_truth_is_evaluated_again() {
    let mut world = one(|_| {});
    assert_eq!(world.preflight().ready().count(), 1);
    world.target = world.source.clone();
    let again = world.preflight();
    assert_eq!(again.ready().count(), 0);
    assert_eq!(again.counts.unchanged, 1);
}
