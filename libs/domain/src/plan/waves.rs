//! Which items may be worked on at the same time.

use std::ops::Range;

use super::PlanItem;

/// Cuts a planned order into waves: within one, no item refers to another of it, so that they can be worked on side by
/// side. What a wave creates is known when the next begins.
///
/// Every item is in exactly one wave, and the order is kept.
pub fn waves(items: &[PlanItem]) -> Vec<Range<usize>> {
    let mut waves = Vec::new();
    let mut start = 0;
    for (position, item) in items.iter().enumerate() {
        let wave = &items[start..position];
        let waits = item.references.iter().any(|reference| {
            let key = reference.subject_key();
            wave.iter().any(|other| other.subject_key == key)
        });
        if waits {
            waves.push(start..position);
            start = position;
        }
    }
    if start < items.len() {
        waves.push(start..items.len());
    }
    waves
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::{Hash, PolicyType, PolicyVersionId, SubjectKey};
    use crate::plan::ReferenceName;

    fn item(kind: &str, name: &str, refers_to: &[(&str, &str)]) -> PlanItem {
        let reference =
            |(kind, name): &(&str, &str)| ReferenceName { kind: PolicyType::new(*kind), name: (*name).into() };
        PlanItem {
            subject_key: SubjectKey(format!("{kind}: {name}")),
            label: name.into(),
            policy_type: PolicyType::new(kind),
            source_version: PolicyVersionId(Uuid::nil()),
            expected_target: None,
            desired_hash: Hash::of(name),
            references: refers_to.iter().map(reference).collect(),
        }
    }

    #[test]
    fn a_wave_ends_where_somebody_waits_for_one_of_it() {
        let items = [
            item("tag", "a", &[]),
            item("tag", "b", &[]),
            item("policy", "p", &[("tag", "b")]),
            item("policy", "q", &[("tag", "a")]),
            item("policy", "r", &[("policy", "q")]),
        ];
        assert_eq!(waves(&items), [0..2, 2..4, 4..5]);
    }

    #[test]
    fn without_references_among_them_all_go_at_once() {
        let items = [item("policy", "p", &[("group", "everybody")]), item("policy", "q", &[])];
        assert_eq!(waves(&items).as_slice(), std::slice::from_ref(&(0..2)));
        assert_eq!(waves(&[]), []);
    }
}
