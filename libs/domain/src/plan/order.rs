//! Foundations before what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, PlanItem};
use crate::id::{Hash, PolicyType, SubjectKey};

/// The items of a promotion in the order of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Each item after those it refers to; otherwise by the order of its type, then by type and key.
    pub items: Vec<PlanItem>,
    /// Items to be created that refer to one another in a circle, so that no order can do them all; each circle sorted.
    /// A preflight lets no such items through.
    pub cycles: Vec<Vec<SubjectKey>>,
    /// Hash over the items: equal plans do the same. Part of a promotion run's identity.
    pub identity: Hash,
}

/// Orders items. `type_order` is the contracts' order: foundations have small numbers.
///
/// An item always comes after what it refers to and is created by the same plan. It also comes after what it refers to
/// and is only updated, unless that would make a circle: the object is there already, so nothing is lost.
///
/// The result does not depend on the order of the input; keys are unique in it.
pub fn plan(mut items: Vec<PlanItem>, type_order: impl Fn(&PolicyType) -> u32) -> Plan {
    items
        .sort_by_cached_key(|item| (type_order(&item.policy_type), item.policy_type.clone(), item.subject_key.clone()));
    let created: Vec<bool> = items.iter().map(|item| item.action() == Action::Create).collect();
    let (order, cycles) = topological(&edges(&items), &created);
    let cycles = cycles
        .into_iter()
        .map(|cycle| cycle.into_iter().map(|position| items[position].subject_key.clone()).collect())
        .collect();

    let mut by_position: Vec<Option<PlanItem>> = items.into_iter().map(Some).collect();
    let items: Vec<PlanItem> = order.into_iter().filter_map(|position| by_position[position].take()).collect();
    let identity = identity(&items);
    Plan { items, cycles, identity }
}

/// For each item, the positions of those it refers to. An item that refers to itself waits for nothing.
fn edges(items: &[PlanItem]) -> Vec<BTreeSet<usize>> {
    let positions: BTreeMap<&SubjectKey, usize> =
        items.iter().enumerate().map(|(position, item)| (&item.subject_key, position)).collect();
    items
        .iter()
        .enumerate()
        .map(|(position, item)| {
            let referred = item.references.iter().filter_map(|name| positions.get(&name.subject_key()).copied());
            referred.filter(|other| *other != position).collect()
        })
        .collect()
}

/// Positions such that each comes after those it waits for, the smallest possible first, with the circles that could not
/// be honoured. A circle is broken where an item waits only for what is there already, else at its smallest member.
fn topological(waits_for: &[BTreeSet<usize>], created: &[bool]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut waited_for_by = vec![BTreeSet::new(); waits_for.len()];
    for (position, others) in waits_for.iter().enumerate() {
        for other in others {
            waited_for_by[*other].insert(position);
        }
    }
    let mut open: Vec<usize> = waits_for.iter().map(BTreeSet::len).collect();
    let mut free: BTreeSet<usize> = (0..open.len()).filter(|position| open[*position] == 0).collect();
    let mut waiting: BTreeSet<usize> = (0..open.len()).filter(|position| open[*position] > 0).collect();
    let mut order = Vec::with_capacity(open.len());
    let mut cycles = Vec::new();
    loop {
        while let Some(position) = free.pop_first() {
            order.push(position);
            for next in &waited_for_by[position] {
                open[*next] = open[*next].saturating_sub(1);
                if open[*next] == 0 && waiting.remove(next) {
                    free.insert(*next);
                }
            }
        }
        let Some(circle) = first_circle(waits_for, &waited_for_by, &waiting) else { return (order, cycles) };
        let needs_none =
            |position: &usize| !waits_for[*position].iter().any(|other| waiting.contains(other) && created[*other]);
        let next = circle.iter().copied().find(needs_none).unwrap_or_else(|| {
            cycles.push(circle.clone());
            circle[0]
        });
        waiting.remove(&next);
        free.insert(next);
    }
}

/// Positions that wait for one another and for nothing else, sorted: of all such circles the one with the smallest
/// member. There is one whenever something waits and nothing is free.
fn first_circle(
    waits_for: &[BTreeSet<usize>],
    waited_for_by: &[BTreeSet<usize>],
    waiting: &BTreeSet<usize>,
) -> Option<Vec<usize>> {
    waiting.iter().find_map(|start| {
        let ahead = reachable(*start, waits_for, waiting);
        let behind = reachable(*start, waited_for_by, waiting);
        ahead.is_subset(&behind).then(|| ahead.into_iter().collect())
    })
}

/// Where one gets from a position along links between waiting ones.
fn reachable(from: usize, links: &[BTreeSet<usize>], waiting: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(position) = open.pop() {
        open.extend(links[position].iter().filter(|other| waiting.contains(other) && seen.insert(**other)));
    }
    seen
}

fn identity(items: &[PlanItem]) -> Hash {
    Hash::of_parts(items.iter().map(|item| {
        let target = item.expected_target.as_ref();
        Hash::of_parts([
            item.subject_key.as_str().as_bytes(),
            item.policy_type.as_str().as_bytes(),
            item.action().as_str().as_bytes(),
            item.source_version.uuid().as_bytes(),
            target.map_or(&[], |target| target.external_id.as_str().as_bytes()),
            target.map_or(&[], |target| target.hash.as_bytes()),
            item.desired_hash.as_bytes(),
        ])
    }))
}

#[cfg(test)]
mod tests;
