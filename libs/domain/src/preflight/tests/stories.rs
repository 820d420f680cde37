//! The stories and edge cases of specification 264 that are decisions, by name.

use super::*;
use crate::confirmation::{Confirmation, ConfirmationField, confirm};
use crate::id::PolicyVersionId;

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
