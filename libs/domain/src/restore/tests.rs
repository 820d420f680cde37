//! Each fate and each reason by an example, and the laws beside it.

mod laws;
mod world;

use super::*;
use crate::contract::Promotion;
use crate::observe::Invalid;
use crate::preflight::CoverageState;
use crate::reference::Standing;
use crate::tenant::{Connection, Lifecycle};
use world::{NOW, World, content, gone, present, reference, same};

/// A change of the world by which something stands in the way.
type Change<T> = fn(&mut T);

fn fate(preview: &Preview, label: &str) -> (&'static str, Vec<&'static str>) {
    let policy = preview.policies.iter().find(|policy| policy.label == label).expect("the policy is in the preview");
    let mut codes: Vec<_> = policy.fate.reasons().iter().map(|reason| reason.code.as_str()).collect();
    codes.dedup();
    (
        match policy.fate.as_str() {
            "create" => "create",
            "update" => "update",
            "unchanged" => "unchanged",
            _ => "blocked",
        },
        codes,
    )
}

fn item<'p>(preview: &'p Preview, label: &str) -> &'p RestoreItem {
    preview.restored().find(|item| item.plan.label == label).expect("the policy is restored")
}

/// What comes of one policy in a world that is changed by `change`.
fn alone(chosen: Chosen, change: impl FnOnce(&mut World)) -> (&'static str, Vec<&'static str>) {
    let label = chosen.label.clone();
    let mut world = World { chosen: vec![chosen], ..World::default() };
    change(&mut world);
    fate(&world.preview(), &label)
}

fn wanted(chosen: &mut Chosen) -> &mut Content {
    match &mut chosen.now {
        Now::Present { wanted, .. } | Now::Gone { wanted, .. } => wanted.as_mut().expect("content"),
        Now::Same => panic!("nothing is wanted of what is the same"),
    }
}

#[test]
fn what_differs_is_updated_what_is_gone_is_created_and_what_is_the_same_is_left_alone() {
    let world = World {
        chosen: vec![
            present("Changed", "then", "now"),
            gone("Removed", "then"),
            same("Kept"),
            present("Back", "x", "x"),
        ],
        ..World::default()
    };
    let preview = world.preview();
    for (label, expected) in
        [("Changed", "update"), ("Removed", "create"), ("Kept", "unchanged"), ("Back", "unchanged")]
    {
        assert_eq!(fate(&preview, label), (expected, vec![]), "{label}");
    }
    assert_eq!(preview.counts, RestoreCounts { create: 1, update: 1, unchanged: 2, blocked: 0 });
    assert_eq!(preview.counts.restored(), 2);

    let changed = item(&preview, "Changed");
    let expected = changed.plan.expected_target.as_ref().expect("it is updated");
    assert_eq!((expected.external_id.as_str(), expected.hash), ("id-Changed", content("Changed", "now").normal_hash));
    assert_eq!(changed.plan.desired_hash, content("Changed", "then").normal_hash);
    assert_eq!(item(&preview, "Removed").plan.expected_target, None);
}

#[test]
fn assignments_count_when_they_are_restored_along() {
    let mut chosen = present("A", "x", "x");
    wanted(&mut chosen).assignments_hash = Hash::of("other groups");
    assert_eq!(alone(chosen.clone(), |_| {}).0, "unchanged");
    assert_eq!(alone(chosen, |world| world.include_assignments = true).0, "update");
}

#[test]
fn the_tenant_stands_in_the_way() {
    let table: [(&str, Change<World>); 8] = [
        ("TARGET_TENANT_NOT_OPERABLE", |world| world.tenant.lifecycle = Lifecycle::Archived),
        ("TARGET_TENANT_NOT_OPERABLE", |world| world.tenant.lifecycle = Lifecycle::Onboarding),
        ("PROVIDER_CONNECTION_MISSING", |world| world.tenant.connection = Connection::Missing),
        ("PROVIDER_PERMISSION_DENIED", |world| world.denied_types.extend(["policy".into()])),
        ("PROVIDER_PERMISSION_DENIED", |world| world.coverage("policy").state = CoverageState::Denied),
        ("PROVIDER_APPROVAL_REQUIRED", |world| world.coverage("policy").approval_required = true),
        ("TARGET_EVIDENCE_STALE", |world| world.coverage("policy").state = CoverageState::Failed),
        ("TARGET_EVIDENCE_STALE", |world| world.coverage("policy").observed_at = NOW - Duration::days(2)),
    ];
    for (code, change) in table {
        for chosen in [present("A", "then", "now"), gone("A", "then")] {
            assert_eq!(alone(chosen, change), ("blocked", vec![code]), "{code}");
        }
        assert_eq!(alone(same("A"), change).0, "unchanged", "{code}: nothing is to be done");
    }
    let never_read = |world: &mut World| world.forget("policy");
    assert_eq!(alone(gone("A", "then"), never_read), ("blocked", vec!["TARGET_EVIDENCE_STALE"]));
}

#[test]
fn a_type_that_is_not_written_stands_in_the_way() {
    for (kind, promotion) in [("preview", Promotion::PreviewOnly), ("never", Promotion::Never)] {
        let mut chosen = present("A", "then", "now");
        chosen.policy_type = kind.into();
        assert_eq!(world::registry().get(kind).unwrap().promotion, promotion);
        assert_eq!(alone(chosen, |_| {}), ("blocked", vec!["POLICY_TYPE_NOT_PROMOTABLE"]));
    }
    let mut chosen = gone("A", "then");
    chosen.policy_type = "unheardOf".into();
    assert_eq!(alone(chosen, |_| {}), ("blocked", vec!["POLICY_TYPE_NOT_PROMOTABLE"]));
}

#[test]
fn the_captured_content_stands_in_the_way() {
    let table: [(&str, Change<Content>); 4] = [
        ("SECRET_VALUE_UNAVAILABLE", |content| content.facts.secrets = vec!["password".into()]),
        ("SOURCE_CONTENT_MISSING", |content| content.facts.complete = false),
        ("PROVIDER_DEFAULT_OBJECT", |content| content.facts.provider_default = true),
        ("CONTENT_INVALID", |content| content.facts.invalid = vec![Invalid { path: "p".into(), why: "No.".into() }]),
    ];
    for (code, change) in table {
        for mut chosen in [present("A", "then", "now"), gone("A", "then")] {
            change(wanted(&mut chosen));
            assert_eq!(alone(chosen, |_| {}), ("blocked", vec![code]));
        }
    }
    // Equal hashes of content with hidden secrets prove nothing.
    let mut chosen = present("A", "x", "x");
    wanted(&mut chosen).facts.secrets = vec!["password".into()];
    assert_eq!(alone(chosen, |_| {}), ("blocked", vec!["SECRET_VALUE_UNAVAILABLE"]));
    let lost = Chosen { now: Now::Gone { wanted: None, namesakes: 0 }, ..gone("A", "then") };
    assert_eq!(alone(lost, |_| {}), ("blocked", vec!["SOURCE_CONTENT_MISSING"]));
}

#[test]
fn what_the_tenant_has_stands_in_the_way() {
    let change = |change: fn(&mut Option<Box<Content>>, &mut OffsetDateTime, &mut bool)| {
        let mut chosen = present("A", "then", "now");
        if let Now::Present { current, observed_at, doubtful, .. } = &mut chosen.now {
            change(current, observed_at, doubtful);
        }
        alone(chosen, |_| {})
    };
    assert_eq!(change(|_, _, doubtful| *doubtful = true), ("blocked", vec!["TARGET_EVIDENCE_STALE"]));
    assert_eq!(change(|_, seen, _| *seen = NOW - Duration::days(2)), ("blocked", vec!["TARGET_EVIDENCE_STALE"]));
    assert_eq!(change(|current, _, _| *current = None), ("blocked", vec!["TARGET_EVIDENCE_STALE"]));
    let platform = |current: &mut Option<Box<Content>>, _: &mut _, _: &mut _| {
        let current = current.as_mut().unwrap();
        current.facts.immutable.insert("platform".into(), "iOS".into());
    };
    assert_eq!(change(platform), ("blocked", vec!["IMMUTABLE_FIELD_DIFFERS"]));
    let default = |current: &mut Option<Box<Content>>, _: &mut _, _: &mut _| {
        current.as_mut().unwrap().facts.provider_default = true;
    };
    assert_eq!(change(default), ("blocked", vec!["PROVIDER_DEFAULT_OBJECT"]));
}

#[test]
fn what_is_gone_is_created_only_where_its_name_is_free_and_everything_was_seen() {
    let Now::Gone { wanted, .. } = gone("A", "then").now else { unreachable!() };
    let named = Chosen { now: Now::Gone { wanted, namesakes: 1 }, ..gone("A", "then") };
    assert_eq!(alone(named, |_| {}), ("blocked", vec!["AMBIGUOUS_TARGET"]));
    let partial = |world: &mut World| world.coverage("policy").state = CoverageState::Partial;
    assert_eq!(alone(gone("A", "then"), partial), ("blocked", vec!["TARGET_EVIDENCE_STALE"]));
    assert_eq!(alone(present("A", "then", "now"), partial).0, "update", "what is there was seen");
}

#[test]
fn of_one_name_one_policy_is_written_by_a_run() {
    let twin = |id: &str| Chosen { external_id: id.into(), label: id.into(), ..gone("A", "then") };
    let world = World { chosen: vec![twin("one"), twin("two"), gone("B", "then")], ..World::default() };
    let preview = world.preview();
    assert_eq!(fate(&preview, "one"), ("blocked", vec!["AMBIGUOUS_SOURCE"]));
    assert_eq!(fate(&preview, "two"), ("blocked", vec!["AMBIGUOUS_SOURCE"]));
    assert_eq!(fate(&preview, "B").0, "create");
}

#[test]
fn a_reference_keeps_its_id_while_what_it_refers_to_is_there() {
    let mut chosen = present("A", "then", "now");
    wanted(&mut chosen).facts.references = vec![reference("roleScopeTag", "3", Some("pilot"), Standing::Named)];
    let there = |world: &mut World| world.names.push(("roleScopeTag", "3", "Pilot"));
    assert_eq!(alone(chosen.clone(), there), ("update", vec![]));
    // Of several that share a name, the id says which.
    wanted(&mut chosen).facts.references = vec![reference("roleScopeTag", "3", Some("pilot"), Standing::Ambiguous)];
    let twice = |world: &mut World| {
        world.names.push(("roleScopeTag", "3", "Pilot"));
        world.names.push(("roleScopeTag", "4", "Pilot"));
    };
    assert_eq!(alone(chosen, twice), ("update", vec![]));
}

#[test]
fn a_reference_to_what_is_gone_follows_its_name_or_blocks() {
    let mut chosen = present("A", "then", "now");
    wanted(&mut chosen).facts.references = vec![reference("roleScopeTag", "3", Some("pilot"), Standing::Named)];
    let gone_tag = |world: &mut World| world.recalled.push(("roleScopeTag", "3", "pilot"));
    assert_eq!(alone(chosen.clone(), gone_tag), ("blocked", vec!["UNMAPPED_SCOPE_TAG"]));
    let again = |world: &mut World| {
        gone_tag(world);
        world.names.push(("roleScopeTag", "7", "Pilot"));
    };
    assert_eq!(alone(chosen.clone(), again), ("update", vec![]));
    let twice = |world: &mut World| {
        again(world);
        world.names.push(("roleScopeTag", "8", "Pilot"));
    };
    assert_eq!(alone(chosen, twice), ("blocked", vec!["UNMAPPED_SCOPE_TAG"]));
}

#[test]
fn what_is_gone_is_restored_before_what_refers_to_it() {
    let mut policy = present("A", "then", "now");
    wanted(&mut policy).facts.references = vec![reference("roleScopeTag", "id-Pilot", Some("pilot"), Standing::Named)];
    let tag = Chosen { policy_type: "roleScopeTag".into(), ..gone("Pilot", "then") };
    let tag = {
        let mut tag = tag;
        wanted(&mut tag).subject_key = SubjectKey::new("roleScopeTag: pilot");
        tag
    };
    let mut world = World { chosen: vec![policy, tag], ..World::default() };
    world.recalled.push(("roleScopeTag", "id-Pilot", "pilot"));
    let preview = world.preview();
    assert_eq!((fate(&preview, "A").0, fate(&preview, "Pilot").0), ("update", "create"));
    let restored = item(&preview, "A");
    assert_eq!(restored.recalled.len(), 1, "the worker has to know what the old id meant");
    assert_eq!(restored.plan.references[0].subject_key(), item(&preview, "Pilot").plan.subject_key);

    // What cannot be restored itself brings nothing along.
    world.denied_types.insert("roleScopeTag".into());
    let preview = world.preview();
    assert_eq!(fate(&preview, "A"), ("blocked", vec!["UNMAPPED_SCOPE_TAG"]));
}

#[test]
fn an_id_that_nobody_knows_blocks_only_where_everything_of_its_kind_was_seen() {
    let mut chosen = present("A", "then", "now");
    let unknown = reference("group", "g-9", None, Standing::Unresolved);
    wanted(&mut chosen).facts.references = vec![unknown.clone()];
    assert_eq!(alone(chosen.clone(), |_| {}), ("blocked", vec!["UNMAPPED_GROUP"]));
    let unread = |world: &mut World| world.forget("group");
    assert_eq!(alone(chosen.clone(), unread), ("update", vec![]), "the provider knows");
    if let Now::Present { current: Some(current), .. } = &mut chosen.now {
        current.facts.references = vec![unknown];
    }
    assert_eq!(alone(chosen, |_| {}), ("update", vec![]), "the object refers to it as it is");
}

#[test]
fn assignments_stand_in_the_way_only_when_they_are_restored() {
    let mut chosen = present("A", "then", "now");
    wanted(&mut chosen).facts.assignment_references = vec![reference("group", "g-9", None, Standing::Unresolved)];
    assert_eq!(alone(chosen.clone(), |_| {}).0, "update");
    assert_eq!(alone(chosen, |world| world.include_assignments = true), ("blocked", vec!["UNMAPPED_GROUP"]));
}

#[test]
fn every_reason_is_a_sentence_and_names_the_tenant_where_it_matters() {
    let mut world = World { chosen: vec![gone("A", "then")], ..World::default() };
    world.tenant.lifecycle = Lifecycle::Archived;
    world.coverage("policy").approval_required = true;
    let preview = world.preview();
    let reasons = preview.policies[0].fate.reasons();
    assert_eq!(reasons.len(), 2);
    for reason in reasons {
        assert!(reason.message.contains("Contoso") && reason.message.ends_with('.'), "{}", reason.message);
    }
    assert_eq!(preview.reason_counts.len(), 2);
}

#[test]
fn an_item_is_read_back_as_it_was_written_and_as_what_every_worker_plans() {
    let mut world = World { chosen: vec![present("A", "then", "now")], ..World::default() };
    wanted(&mut world.chosen[0]).facts.references =
        vec![reference("roleScopeTag", "3", Some("pilot"), Standing::Named)];
    world.recalled.push(("roleScopeTag", "3", "pilot"));
    world.names.push(("roleScopeTag", "7", "Pilot"));
    let preview = world.preview();
    let item = item(&preview, "A");
    assert_eq!(
        item.recalled,
        [Recalled { kind: "roleScopeTag".into(), id: "3".into(), name: "pilot".into(), label: "pilot".into() }]
    );
    let written = serde_json::to_value(item).unwrap();
    assert_eq!(serde_json::from_value::<RestoreItem>(written.clone()).unwrap(), *item);
    assert_eq!(serde_json::from_value::<PlanItem>(written).unwrap(), item.plan);
}

#[test]
fn every_step_reason_is_told_in_the_words_of_a_restore() {
    for reason in StepReason::ALL {
        let told = explain(reason);
        assert!(told.ends_with('.') && !told.contains("promot") && !told.contains("preflight"), "{told}");
    }
}
