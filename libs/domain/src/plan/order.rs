//! Foundations before what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanItem;
use crate::id::{Hash, PolicyType, SubjectKey};

/// The items of a promotion in the order of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Each item after those it refers to; otherwise by the order of its type, then by type and key.
    pub items: Vec<PlanItem>,
    /// Items that refer to one another in a circle, each circle sorted. Their order among themselves is arbitrary but
    /// stable: a preflight lets such items through only where the target already has what they refer to.
    pub cycles: Vec<Vec<SubjectKey>>,
    /// Hash over the items: equal plans do the same. Part of a promotion run's identity.
    pub identity: Hash,
}

/// Orders items. `type_order` is the contracts' order: foundations have small numbers.
///
/// The result does not depend on the order of the input; keys are unique in it.
pub fn plan(mut items: Vec<PlanItem>, type_order: impl Fn(&PolicyType) -> u32) -> Plan {
    items
        .sort_by_cached_key(|item| (type_order(&item.policy_type), item.policy_type.clone(), item.subject_key.clone()));
    let (order, cycles) = topological(&edges(&items));
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

/// Positions such that each comes after those it waits for, the smallest possible first, with the circles that had to be
/// broken, each at its smallest member.
fn topological(waits_for: &[BTreeSet<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut waited_for_by = vec![Vec::new(); waits_for.len()];
    for (position, others) in waits_for.iter().enumerate() {
        for other in others {
            waited_for_by[*other].push(position);
        }
    }
    let mut open: Vec<usize> = waits_for.iter().map(BTreeSet::len).collect();
    let mut free: BTreeSet<usize> = (0..open.len()).filter(|position| open[*position] == 0).collect();
    let mut waiting: BTreeSet<usize> = (0..open.len()).filter(|position| open[*position] > 0).collect();
    let mut order = Vec::with_capacity(open.len());
    let mut cycles: Vec<Vec<usize>> = Vec::new();
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
        let Some(cycle) = first_cycle(waits_for, &waiting) else { return (order, cycles) };
        waiting.remove(&cycle[0]);
        free.insert(cycle[0]);
        // Breaking a large circle may leave a smaller one inside it, which has been reported with the large one.
        if !cycles.iter().any(|known| cycle.iter().all(|position| known.contains(position))) {
            cycles.push(cycle);
        }
    }
}

/// The smallest waiting position that waits for itself through others, with all that are in circles with it, sorted.
fn first_cycle(waits_for: &[BTreeSet<usize>], waiting: &BTreeSet<usize>) -> Option<Vec<usize>> {
    let reachable = |from: usize| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(position) = open.pop() {
            open.extend(waits_for[position].iter().filter(|other| waiting.contains(other) && seen.insert(**other)));
        }
        seen
    };
    waiting.iter().find_map(|start| {
        let ahead = reachable(*start);
        ahead.contains(start).then(|| ahead.into_iter().filter(|other| reachable(*other).contains(start)).collect())
    })
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
