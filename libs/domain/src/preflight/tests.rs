//! Each reason by an example. Beside it: the stories of specification 264 that are decisions, and the laws.

mod laws;
mod stories;
mod world;

use time::Duration;

use super::*;
use crate::observe::Invalid;
use crate::plan;
use crate::reference::Standing;
use crate::tenant::{Connection, Lifecycle};
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
    assert_eq!(codes(&partial_source.preflight(), "A"), ["SOURCE_EVIDENCE_STALE"], "another one may have the name");
    let mut partial_target = one(|_| {});
    partial_target.target.push(Object { content: "other".into(), ..Object::new("policy", "A").with_id("t-1") });
    partial_target.target_coverage.get_mut("policy").unwrap().state = CoverageState::Partial;
    assert_eq!(codes(&partial_target.preflight(), "A"), ["TARGET_EVIDENCE_STALE"], "another one may have the name");
}

#[test]
fn what_a_newer_reading_did_not_get_to_is_as_old_as_it_is() {
    let old = |object: Object| Object { observed_at: world::NOW - Duration::days(2), ..object };
    let target = || Object { content: "other".into(), ..Object::new("policy", "A").with_id("t-1") };
    let of = |source: Object, target: Object| World { source: vec![source], target: vec![target], ..World::default() };
    assert_eq!(class(&of(Object::new("policy", "A"), target()).preflight(), "A"), "ready");
    let source_is_old = of(old(Object::new("policy", "A")), target());
    assert_eq!(codes(&source_is_old.preflight(), "A"), ["SOURCE_EVIDENCE_STALE"]);
    let target_is_old = of(Object::new("policy", "A"), old(target()));
    assert_eq!(codes(&target_is_old.preflight(), "A"), ["TARGET_EVIDENCE_STALE"]);
    let at_the_limit = Object { observed_at: world::NOW - Duration::days(1), ..target() };
    assert_eq!(class(&of(Object::new("policy", "A"), at_the_limit).preflight(), "A"), "ready");
}

#[test]
fn a_name_is_as_good_as_the_evidence_of_its_kind() {
    type Change = fn(&mut Coverage);
    let mut world = one(|object| object.facts.references = vec![world::reference("group", "X", Standing::Named)]);
    world.target_names = vec![("group".into(), "x-1".into(), "X".into())];
    assert_eq!(class(&world.preflight(), "A"), "ready");
    let changes: [Change; 4] = [
        |coverage| coverage.observed_at -= Duration::days(2),
        |coverage| coverage.state = CoverageState::Denied,
        |coverage| coverage.state = CoverageState::Failed,
        |coverage| coverage.state = CoverageState::Partial,
    ];
    for change in changes {
        let mut world = world.clone();
        change(world.target_coverage.get_mut("group").unwrap());
        assert_eq!(codes(&world.preflight(), "A"), ["TARGET_EVIDENCE_STALE"]);
    }
    let mut never = world.clone();
    never.target_coverage.remove("group");
    assert_eq!(codes(&never.preflight(), "A"), ["TARGET_EVIDENCE_STALE"]);
    let mut fixed = world;
    fixed.target_coverage.remove("group");
    fixed.source[0].facts.references = vec![world::reference("group", "X", Standing::Fixed)];
    assert_eq!(class(&fixed.preflight(), "A"), "ready", "what is the same in every tenant needs no evidence");
}

#[test]
fn what_a_tenant_does_not_allow_blocks() {
    type Change = fn(&mut World);
    let table: [(Change, &[&str]); 6] = [
        (|w| w.source_tenant.lifecycle = Lifecycle::Archived, &["SOURCE_TENANT_NOT_OPERABLE"]),
        (|w| w.tenant.lifecycle = Lifecycle::Archived, &["TARGET_TENANT_NOT_OPERABLE"]),
        (|w| w.tenant.connection = Connection::Missing, &["PROVIDER_CONNECTION_MISSING"]),
        (|w| w.denied_types = ["policy".into()].into(), &["PROVIDER_PERMISSION_DENIED"]),
        (|w| w.target_coverage.get_mut("policy").unwrap().approval_required = true, &["PROVIDER_APPROVAL_REQUIRED"]),
        (
            |w| {
                w.tenant.lifecycle = Lifecycle::Onboarding;
                w.tenant.connection = Connection::Missing;
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
    assert_eq!(codes(&hidden_in_target.preflight(), "A"), ["SECRET_VALUE_UNAVAILABLE"]);
    let denied_too = World { denied_types: ["policy".into()].into(), ..hidden_in_target };
    assert_eq!(codes(&denied_too.preflight(), "A"), ["SECRET_VALUE_UNAVAILABLE", "PROVIDER_PERMISSION_DENIED"]);
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
        assert_eq!(item(&fixed, "A").references, [], "what is the same in every tenant waits for nobody");
    }
}

#[test]
fn a_missing_counterpart_is_told_apart_from_one_nobody_looked_for() {
    let mut world = one(|object| object.facts.references = vec![world::reference("group", "X", Standing::Named)]);
    let why = |world: &World| subject(&world.preflight(), "A").readiness.reasons()[0].message.clone();
    assert!(why(&world).contains("has no group named \"X\""), "{}", why(&world));
    let coverage = world.target_coverage.get_mut("group").unwrap();
    coverage.state = CoverageState::Denied;
    assert!(why(&world).contains("have not been read"), "{}", why(&world));
    world.target_coverage.remove("group");
    assert!(why(&world).contains("have not been read"), "{}", why(&world));
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
        tenant: TenantFacts { lifecycle: Lifecycle::Archived, connection: Connection::Missing },
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
