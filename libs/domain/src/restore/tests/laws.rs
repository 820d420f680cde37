//! What holds whatever was chosen and whatever the tenant has.

use proptest::prelude::*;

use super::*;
use crate::plan;

const TAGS: [(&str, &str, &str); 3] =
    [("roleScopeTag", "1", "one"), ("roleScopeTag", "2", "two"), ("roleScopeTag", "3", "three")];

prop_compose! {
    fn chosen()(
        name in prop::sample::select(vec!["A", "B", "C", "D"]),
        id in 0u8..6,
        shape in 0u8..4,
        (then, now) in (prop::sample::select(vec!["x", "y"]), prop::sample::select(vec!["x", "y"])),
        tags in prop::collection::vec(0usize..3, 0..3),
        flaw in 0u8..12,
    ) -> Chosen {
        let mut chosen = match shape {
            0 => same(name),
            1 => gone(name, then),
            _ => present(name, then, now),
        };
        chosen.external_id = ExternalId::new(format!("id-{id}"));
        if let Now::Present { external_id, .. } = &mut chosen.now {
            *external_id = chosen.external_id.clone();
        }
        if shape > 0 {
            let content = wanted(&mut chosen);
            content.facts.references =
                tags.iter().map(|tag| reference(TAGS[*tag].0, TAGS[*tag].1, Some(TAGS[*tag].2), Standing::Named)).collect();
            match flaw {
                0 => content.facts.secrets = vec!["s".into()],
                1 => content.facts.complete = false,
                2 => content.facts.provider_default = true,
                _ => {}
            }
        }
        chosen
    }
}

prop_compose! {
    fn world()(
        chosen in prop::collection::vec(chosen(), 0..8),
        standing in prop::collection::vec(0u8..3, 3),
        assignments: bool,
    ) -> World {
        let mut seen = BTreeSet::new();
        let chosen = chosen.into_iter().filter(|chosen| seen.insert(chosen.external_id.clone())).collect();
        let mut world = World { chosen, include_assignments: assignments, ..World::default() };
        for (tag, standing) in TAGS.into_iter().zip(standing) {
            match standing {
                0 => world.names.push(tag),
                1 => world.recalled.push(tag),
                _ => {}
            }
        }
        world
    }
}

proptest! {
    #[test]
    fn everything_chosen_has_one_fate_and_the_counts_say_so(world in world()) {
        let preview = world.preview();
        let counts = preview.counts;
        prop_assert_eq!(preview.policies.len(), world.chosen.len());
        prop_assert_eq!(counts.create + counts.update + counts.unchanged + counts.blocked, world.chosen.len() as u64);
        prop_assert_eq!(preview.restored().count() as u64, counts.restored());
        for policy in &preview.policies {
            prop_assert_eq!(policy.fate.as_str() == "blocked", !policy.fate.reasons().is_empty());
        }
    }

    #[test]
    fn the_order_of_the_chosen_does_not_matter(world in world()) {
        let reversed = World { chosen: world.chosen.iter().rev().cloned().collect(), ..world.clone() };
        prop_assert_eq!(world.preview(), reversed.preview());
    }

    #[test]
    fn what_is_restored_can_be_done_in_some_order_and_each_item_is_one_of_a_name(world in world()) {
        let items: Vec<PlanItem> = world.preview().restored().map(|item| item.plan.clone()).collect();
        let keys: BTreeSet<_> = items.iter().map(|item| item.subject_key.clone()).collect();
        prop_assert_eq!(keys.len(), items.len());
        prop_assert!(plan::plan(items, |_| 0).cycles.is_empty());
    }

    #[test]
    fn another_thing_to_do_is_another_fingerprint(one in world(), other in world()) {
        let (one, other) = (one.preview(), other.preview());
        if one.policies != other.policies {
            prop_assert_ne!(one.fingerprint, other.fingerprint);
        }
    }

    #[test]
    fn time_alone_changes_no_fingerprint(world in world()) {
        let mut later = world.clone();
        for coverage in later.coverage.values_mut() {
            coverage.observed_at -= Duration::hours(3);
        }
        prop_assert_eq!(world.preview(), later.preview());
    }
}
