//! Laws and examples of the order of work.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{ExternalId, PolicyVersionId};
use crate::plan::{ExpectedTarget, ReferenceName};

fn item(kind: &str, name: &str, references: &[(&str, &str)]) -> PlanItem {
    PlanItem {
        subject_key: SubjectKey(format!("{kind}: {name}")),
        label: name.to_owned(),
        policy_type: kind.into(),
        source_version: PolicyVersionId(Uuid::from_u128(1)),
        expected_target: None,
        desired_hash: Hash::of(name),
        references: references
            .iter()
            .map(|(kind, name)| ReferenceName { kind: (*kind).into(), name: (*name).to_owned() })
            .collect(),
    }
}

fn type_order(policy_type: &PolicyType) -> u32 {
    match policy_type.as_str() {
        "roleScopeTag" => 10,
        "assignmentFilter" => 15,
        _ => 1000,
    }
}

fn keys(plan: &Plan) -> Vec<&str> {
    plan.items.iter().map(|item| item.subject_key.as_str()).collect()
}

#[test]
fn foundations_come_first() {
    let plan = plan(
        vec![
            item("policy", "b", &[("assignmentFilter", "win"), ("roleScopeTag", "emea")]),
            item("assignmentFilter", "win", &[("roleScopeTag", "emea")]),
            item("policy", "a", &[]),
            item("roleScopeTag", "emea", &[]),
        ],
        type_order,
    );
    assert_eq!(keys(&plan), ["roleScopeTag: emea", "assignmentFilter: win", "policy: a", "policy: b"]);
    assert!(plan.cycles.is_empty());
}

#[test]
fn a_reference_beats_the_order_of_types() {
    let plan = plan(
        vec![item("roleScopeTag", "t", &[("policy", "odd")]), item("policy", "odd", &[]), item("policy", "a", &[])],
        type_order,
    );
    assert_eq!(keys(&plan), ["policy: a", "policy: odd", "roleScopeTag: t"]);
}

#[test]
fn references_to_what_is_not_in_the_plan_or_to_itself_do_not_matter() {
    let plan = plan(vec![item("policy", "a", &[("policy", "a"), ("group", "all staff")])], type_order);
    assert_eq!(keys(&plan), ["policy: a"]);
    assert!(plan.cycles.is_empty());
}

#[test]
fn circles_are_reported_and_broken_at_their_smallest_member() {
    let plan = plan(
        vec![
            item("policy", "c", &[("policy", "b")]),
            item("policy", "b", &[("policy", "a")]),
            item("policy", "a", &[("policy", "c")]),
            item("policy", "d", &[("policy", "c")]),
            item("policy", "e", &[]),
        ],
        type_order,
    );
    // d only waits for the circle.
    assert_eq!(keys(&plan), ["policy: e", "policy: a", "policy: b", "policy: c", "policy: d"]);
    let cycles: Vec<Vec<&str>> = plan.cycles.iter().map(|c| c.iter().map(SubjectKey::as_str).collect()).collect();
    assert_eq!(cycles, [["policy: a", "policy: b", "policy: c"]]);
}

#[test]
fn a_circle_through_what_is_there_already_is_no_problem() {
    let there = |mut item: PlanItem| {
        item.expected_target = Some(ExpectedTarget { external_id: ExternalId::new("1"), hash: Hash::of("x") });
        item
    };
    // a needs b, b refers to c, which needs a: only c is there, so b need not wait for it.
    let items = vec![
        item("policy", "a", &[("policy", "b")]),
        item("policy", "b", &[("policy", "c")]),
        there(item("policy", "c", &[("policy", "a")])),
    ];
    let plan = plan(items, type_order);
    assert_eq!(keys(&plan), ["policy: b", "policy: a", "policy: c"]);
    assert!(plan.cycles.is_empty());
}

#[test]
fn the_identity_is_what_will_be_done() {
    let base = || vec![item("policy", "a", &[]), item("policy", "b", &[])];
    let identity = |items| plan(items, type_order).identity;
    let changed = |change: fn(&mut PlanItem)| {
        let mut items = base();
        change(&mut items[1]);
        identity(items)
    };
    let others = [
        identity(vec![item("policy", "a", &[])]),
        changed(|item| item.desired_hash = Hash::of("other")),
        changed(|item| item.source_version = PolicyVersionId(Uuid::from_u128(2))),
        changed(|item| {
            item.expected_target = Some(ExpectedTarget { external_id: ExternalId::new("1"), hash: Hash::of("x") });
        }),
        changed(|item| item.subject_key = SubjectKey::new("policy: z")),
    ];
    assert!(others.iter().all(|other| *other != identity(base())));
    let relabelled = changed(|item| item.label = "B".to_owned());
    assert_eq!(relabelled, identity(base()), "what people call it changes nothing");
}

prop_compose! {
    /// Items that refer only to items with a smaller number, in any types, shuffled.
    fn acyclic()(size in 1usize..25)(
        types in prop::collection::vec(prop::sample::select(vec!["roleScopeTag", "assignmentFilter", "policy"]), size),
        links in prop::collection::vec((0..size, 0..size), 0..size * 2),
        order in Just((0..size).collect::<Vec<_>>()).prop_shuffle(),
    ) -> Vec<PlanItem> {
        let mut items: Vec<PlanItem> = types.iter().enumerate().map(|(n, kind)| item(kind, &n.to_string(), &[])).collect();
        for (from, to) in links {
            if to < from {
                let name = ReferenceName { kind: types[to].into(), name: to.to_string() };
                items[from].references.push(name);
            }
        }
        order.into_iter().map(|position| items[position].clone()).collect()
    }
}

proptest! {
    #[test]
    fn every_item_comes_once_and_after_what_it_refers_to(items in acyclic()) {
        let plan = plan(items.clone(), type_order);
        prop_assert!(plan.cycles.is_empty());
        prop_assert_eq!(plan.items.len(), items.len());
        let position: BTreeMap<_, _> = plan.items.iter().enumerate().map(|(n, i)| (i.subject_key.clone(), n)).collect();
        prop_assert_eq!(position.len(), items.len());
        for item in &plan.items {
            for reference in &item.references {
                prop_assert!(position[&reference.subject_key()] < position[&item.subject_key]);
            }
        }
    }

    #[test]
    fn the_plan_does_not_depend_on_the_order_of_the_input(items in acyclic()) {
        let mut sorted = items.clone();
        sorted.sort_by(|a, b| a.subject_key.cmp(&b.subject_key));
        prop_assert_eq!(plan(items, type_order), plan(sorted, type_order));
    }

    #[test]
    fn circles_lose_no_item(links in prop::collection::vec((0usize..8, 0usize..8), 0..24)) {
        let items: Vec<PlanItem> = (0..8)
            .map(|n: usize| {
                let mine: Vec<String> = links.iter().filter(|l| l.0 == n).map(|l| l.1.to_string()).collect();
                let references: Vec<(&str, &str)> = mine.iter().map(|name| ("policy", name.as_str())).collect();
                item("policy", &n.to_string(), &references)
            })
            .collect();
        let plan = plan(items, type_order);
        let distinct: BTreeSet<_> = plan.items.iter().map(|item| &item.subject_key).collect();
        prop_assert_eq!(distinct.len(), 8);
        prop_assert!(plan.cycles.iter().all(|cycle| cycle.len() > 1));
    }
}

#[test]
fn a_name_becomes_a_line_whatever_the_provider_lets_through() {
    let line = |label: &str| PlanItem { label: label.into(), ..item("group", "Nurses", &[]) }.line();
    assert_eq!(line("Windows - BitLocker"), "Windows - BitLocker");
    assert_eq!(line("two\nlines\u{1b}[31m"), "two lines [31m");
    assert_eq!(line(" \t"), item("group", "Nurses", &[]).subject_key.to_string(), "never empty");
    assert_eq!(line(&"ä".repeat(1001)).chars().count(), 1000);
}
