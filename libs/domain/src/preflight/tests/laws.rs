//! What holds whatever the two tenants look like.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["policy", "preview", "assignmentFilter", "roleScopeTag"])
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        6 => Just(Standing::Named),
        1 => Just(Standing::Fixed),
        1 => Just(Standing::Ambiguous),
        1 => Just(Standing::Unresolved),
    ]
}

prop_compose! {
    fn object()(
        kind in kind(),
        name in prop::sample::select(vec!["A", "B", "C", "D", "E"]),
        id in 0u8..100,
        content in prop::sample::select(vec!["one", "two"]),
        references in prop::collection::vec(
            (prop::sample::select(vec!["group", "assignmentFilter", "roleScopeTag", "policy"]),
             prop::sample::select(vec!["A", "B", "C", "D", "E"]), standing()), 0..3),
        flaws in prop::collection::vec(0u8..24, 0..2),
    ) -> Object {
        let mut object = Object { content: content.into(), ..Object::new(kind, name).with_id(&format!("{id:02}")) };
        object.facts.references =
            references.into_iter().map(|(kind, name, standing)| world::reference(kind, name, standing)).collect();
        for flaw in flaws {
            match flaw {
                0 => {
                    // The normal form shows the marker of a secret.
                    object.facts.secrets = vec!["s".into()];
                    object.content.push_str(" and a secret");
                }
                1 => object.facts.provider_default = true,
                2 => object.facts.invalid = vec![Invalid { path: "p".into(), why: "No.".into() }],
                3 => object.facts.complete = false,
                4 => object.version = None,
                5 => object.captured = false,
                6 => drop(object.facts.immutable.insert("platform".into(), content.into())),
                _ => {}
            }
        }
        object
    }
}

/// Objects whose provider ids differ, as they do within a tenant.
fn objects() -> impl Strategy<Value = Vec<Object>> {
    prop::collection::vec(object(), 0..14).prop_map(|objects| {
        let mut seen = BTreeSet::new();
        objects.into_iter().filter(|object| seen.insert(object.id.clone())).collect()
    })
}

prop_compose! {
    fn world()(
        source in objects(),
        target in objects(),
        target_names in prop::collection::vec(
            (prop::sample::select(vec!["group", "assignmentFilter", "roleScopeTag"]),
             prop::sample::select(vec!["n1", "n2", "n3", "n4"]),
             prop::sample::select(vec!["A", "B", "C", "D", "E"])), 0..6),
        active in prop::bool::weighted(0.9),
        has_provider_connection in prop::bool::weighted(0.9),
        denied in prop::bool::weighted(0.1),
        approval_required in prop::bool::weighted(0.1),
        stale in prop::bool::weighted(0.1),
        partial in prop::bool::weighted(0.2),
    ) -> World {
        let mut world = World { source, target, ..World::default() };
        world.target_names =
            target_names.into_iter().map(|(kind, id, name)| (kind.into(), id.into(), name.into())).collect();
        world.tenant = TenantFacts {
            lifecycle: if active { Lifecycle::Active } else { Lifecycle::Archived },
            connection: if has_provider_connection { Connection::Unverified } else { Connection::Missing },
        };
        if denied { world.denied_types.insert("policy".into()); }
        let filters = world.target_coverage.get_mut("assignmentFilter").unwrap();
        filters.approval_required = approval_required;
        if partial { filters.state = CoverageState::Partial; }
        if stale { world.source_coverage.get_mut("policy").unwrap().observed_at -= Duration::days(9); }
        world
    }
}

/// Removes the cause of something: each is what an operator would do about a reason.
fn improve(world: &mut World, what: u8, which: prop::sample::Index) {
    let each = |objects: &mut Vec<Object>, change: fn(&mut Object)| {
        if !objects.is_empty() {
            change(which.get_mut(objects));
        }
    };
    match what {
        0 => world.tenant.lifecycle = Lifecycle::Active,
        1 => world.tenant.connection = Connection::Unverified,
        2 => world.denied_types.clear(),
        3 => world.target_coverage.values_mut().for_each(|coverage| coverage.approval_required = false),
        4 => world.target_coverage.values_mut().for_each(|coverage| coverage.state = CoverageState::Observed),
        5 => world.source_coverage.values_mut().for_each(|coverage| coverage.observed_at = world::NOW),
        6 => each(&mut world.source, |object| {
            object.facts.secrets.clear();
            object.content = object.content.replace(" and a secret", "");
        }),
        7 => each(&mut world.source, |object| object.facts.provider_default = false),
        8 => each(&mut world.source, |object| object.facts.invalid.clear()),
        9 => each(&mut world.source, |object| object.facts.complete = true),
        10 => each(&mut world.source, |object| {
            object.captured = true;
            object.version = Object::new("policy", "A").version;
        }),
        11 => each(&mut world.source, |object| object.facts.references.clear()),
        12 => each(&mut world.target, |object| object.facts.complete = true),
        13 => {
            // One of two source objects of the same identity goes.
            let mut counts: BTreeMap<_, u32> = BTreeMap::new();
            world.source.iter().for_each(|o| *counts.entry((o.kind.clone(), o.name.clone())).or_default() += 1);
            let twice = |o: &Object| counts[&(o.kind.clone(), o.name.clone())] > 1;
            if let Some(position) = world.source.iter().position(twice) {
                world.source.remove(position);
            }
        }
        _ => {
            // A group that was missing is created.
            let name = *which.get(&["A", "B", "C", "D", "E"]);
            if !world.target_names.iter().any(|(kind, _, known)| kind == "group" && known == name) {
                world.target_names.push(("group".into(), format!("made-{name}"), name.into()));
            }
        }
    }
}

fn rank(readiness: &Readiness) -> u8 {
    match readiness {
        Readiness::Blocked(_) => 0,
        Readiness::ManualMappingRequired(_) => 1,
        Readiness::Ready(_) => 2,
    }
}

proptest! {
    #[test]
    fn each_source_subject_is_in_exactly_one_class_and_the_counts_agree(world in world()) {
        let preflight = world.preflight();
        let source: BTreeSet<_> = world.source.iter().map(|o| (o.kind.clone(), o.name.clone())).collect();
        let classified: BTreeSet<_> =
            preflight.subjects.iter().map(|s| (s.policy_type.clone(), s.display_name.clone())).collect();
        prop_assert_eq!(classified.len(), preflight.subjects.len(), "a subject twice");
        prop_assert!(classified.is_subset(&source));
        prop_assert_eq!(preflight.counts.unchanged as usize, source.len() - classified.len());

        let in_class = |class| preflight.subjects.iter().filter(|s| s.readiness.as_str() == class).count() as u64;
        prop_assert_eq!(preflight.counts.ready(), in_class("ready"));
        prop_assert_eq!(preflight.counts.ready(), preflight.ready().count() as u64);
        prop_assert_eq!(preflight.counts.blocked, in_class("blocked"));
        prop_assert_eq!(preflight.counts.manual_mapping_required, in_class("manual_mapping_required"));
        for subject in &preflight.subjects {
            let classes: Vec<_> = subject.readiness.reasons().iter().map(|reason| reason.code.class()).collect();
            match &subject.readiness {
                Readiness::Ready(item) => {
                    prop_assert!(classes.is_empty());
                    prop_assert_eq!(&item.subject_key, &subject.subject_key);
                }
                Readiness::Blocked(_) => prop_assert!(classes.contains(&ReasonClass::Blocked)),
                Readiness::ManualMappingRequired(_) => {
                    prop_assert!(!classes.is_empty() && !classes.contains(&ReasonClass::Blocked));
                }
            }
        }
        for (code, count) in &preflight.reason_counts {
            let having = preflight.subjects.iter().filter(|s| s.readiness.reasons().iter().any(|r| r.code == *code));
            prop_assert_eq!(*count, having.count() as u64);
        }
    }

    #[test]
    fn the_answer_does_not_depend_on_the_order_of_the_input(
        (world, shuffled) in world().prop_flat_map(|world| {
            let source = Just(world.source.clone()).prop_shuffle();
            let target = Just(world.target.clone()).prop_shuffle();
            let names = Just(world.target_names.clone());
            (Just(world), (source, target, names)).prop_map(|(world, (source, target, target_names))| {
                (world.clone(), World { source, target, target_names, ..world })
            })
        })
    ) {
        prop_assert_eq!(world.preflight(), shuffled.preflight());
    }

    #[test]
    fn removing_a_cause_never_makes_anything_worse(world in world(), what in 0u8..15, which: prop::sample::Index) {
        let before = world.preflight();
        let mut improved = world;
        improve(&mut improved, what, which);
        let after = improved.preflight();
        for subject in &before.subjects {
            // A subject that is gone from the preflight has become identical.
            let Some(now) = after.subjects.iter().find(|s| s.subject_key == subject.subject_key) else { continue };
            prop_assert!(rank(&now.readiness) >= rank(&subject.readiness), "{subject:?} became {now:?}");
            // Content that nobody had read can bring up reasons that nobody could know; its class was the worst already.
            let unread = [ReasonCode::SourceContentMissing, ReasonCode::TargetEvidenceStale];
            if subject.readiness.reasons().iter().any(|reason| unread.contains(&reason.code)) {
                continue;
            }
            let codes = |s: &PreflightSubject| s.readiness.reasons().iter().map(|r| r.code).collect::<BTreeSet<_>>();
            prop_assert!(codes(now).is_subset(&codes(subject)), "{subject:?} became {now:?}");
        }
    }

    #[test]
    fn whatever_is_ready_can_be_done_in_the_order_of_the_plan(world in world()) {
        let preflight = world.preflight();
        let order = |kind: &PolicyType| world::registry().get(kind.as_str()).map_or(u32::MAX, |contract| contract.order);
        let planned = plan::plan(preflight.ready().cloned().collect(), order);
        prop_assert_eq!(planned.items.len() as u64, preflight.counts.ready());
        // Everything a created object refers to is there by the time it is created.
        let mut there: BTreeSet<(String, String)> =
            world.target.iter().map(|o| (o.kind.0.clone(), o.name.to_lowercase())).collect();
        there.extend(world.target_names.iter().map(|(kind, _, name)| (kind.clone(), name.to_lowercase())));
        for item in &planned.items {
            let object = world.source.iter().find(|o| o.kind == item.policy_type && o.name == item.label).unwrap();
            for reference in object.facts.references.iter().filter(|r| r.standing == Standing::Named) {
                let name = reference.name.clone().unwrap();
                prop_assert!(there.contains(&(reference.kind.0.clone(), name)), "{} needs {reference:?}", item.label);
            }
            there.insert((item.policy_type.0.clone(), item.label.to_lowercase()));
        }
    }
}
