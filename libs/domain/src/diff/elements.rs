//! Which element of one collection is which of the other.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::content;
use crate::json::Path;
use crate::normal_form::{element_label, marked_label};

/// More leftovers than this are paired in order instead of by likeness, which takes their product in time.
const MAX_LIKENESS: usize = 64;

/// Two elements that are one, or one that the other side lacks.
pub(super) struct Pair<'v> {
    pub(super) label: String,
    /// A position for rules about elements; any will do.
    pub(super) position: usize,
    pub(super) source: Option<&'v Value>,
    pub(super) target: Option<&'v Value>,
}

/// Ordered collections are compared position by position.
pub(super) fn ordered<'v>(source: &'v [Value], target: &'v [Value]) -> Vec<Pair<'v>> {
    let pair = |at: usize| Pair { label: at.to_string(), position: at, source: source.get(at), target: target.get(at) };
    (0..source.len().max(target.len())).map(pair).collect()
}

/// Collections without order: by key where there is one, then equal content, then likeness.
pub(super) fn unordered<'v>(source: &'v [Value], target: &'v [Value], keys: &[Path]) -> Vec<Pair<'v>> {
    let mut groups: BTreeMap<Option<String>, (Vec<&'v Value>, Vec<&'v Value>)> = BTreeMap::new();
    for element in source {
        groups.entry(label(element, keys)).or_default().0.push(element);
    }
    for element in target {
        groups.entry(label(element, keys)).or_default().1.push(element);
    }
    groups.into_iter().flat_map(|(label, (ours, theirs))| within(label.as_deref(), ours, theirs)).collect()
}

/// The key, or for plain values and references the value itself; `None` for objects without a key.
fn label(element: &Value, keys: &[Path]) -> Option<String> {
    match element {
        Value::Object(_) => element_label(element, keys).or_else(|| marked_label(element)),
        Value::Array(_) => None,
        scalar => marked_label(scalar),
    }
}

/// Pairs the elements of one label.
fn within<'v>(label: Option<&str>, ours: Vec<&'v Value>, theirs: Vec<&'v Value>) -> Vec<Pair<'v>> {
    if let (Some(label), true, true) = (label, ours.len() <= 1, theirs.len() <= 1) {
        let (source, target) = (ours.first().copied(), theirs.first().copied());
        return vec![Pair { label: label.to_owned(), position: 0, source, target }];
    }
    let (ours, theirs) = without_equals(ours, theirs);
    let paired = alike(ours, theirs);
    let name = |nth: usize| label.map_or_else(|| format!("~{}", nth + 1), |label| format!("{label}#{}", nth + 1));
    let pair = |(nth, (source, target))| Pair { label: name(nth), position: nth, source, target };
    paired.into_iter().enumerate().map(pair).collect()
}

/// Takes out, one for one, what both sides have: a multiset, so `[1,2,2]` and `[2,1]` differ.
fn without_equals<'v>(ours: Vec<&'v Value>, mut theirs: Vec<&'v Value>) -> (Vec<&'v Value>, Vec<&'v Value>) {
    let mut left = Vec::new();
    for element in ours {
        match theirs.iter().position(|other| *other == element) {
            Some(at) => drop(theirs.swap_remove(at)),
            None => left.push(element),
        }
    }
    left.sort_by_cached_key(|element| content(element));
    theirs.sort_by_cached_key(|element| content(element));
    (left, theirs)
}

type Paired<'v> = (Option<&'v Value>, Option<&'v Value>);

/// Pairs leftovers, the likest first; what has nothing in common with anything stays alone. Swapping the sides gives the
/// same pairs in the same order: ties and the final order go by content, whose side does not matter.
fn alike<'v>(ours: Vec<&'v Value>, theirs: Vec<&'v Value>) -> Vec<Paired<'v>> {
    let mut by_content: Vec<String> = ours.iter().chain(&theirs).map(|element| content(element)).collect();
    by_content.sort_unstable();
    let rank = |element: &Value| by_content.binary_search(&content(element)).unwrap_or_else(|place| place);
    let our_ranks: Vec<usize> = ours.iter().map(|element| rank(element)).collect();
    let their_ranks: Vec<usize> = theirs.iter().map(|element| rank(element)).collect();
    let mut candidates = Vec::new();
    if ours.len() <= MAX_LIKENESS && theirs.len() <= MAX_LIKENESS {
        let leaves = |elements: &[&'v Value]| elements.iter().map(|element| leaves(element)).collect::<Vec<_>>();
        let (our_leaves, their_leaves) = (leaves(&ours), leaves(&theirs));
        for (at, mine) in our_leaves.iter().enumerate() {
            for (there, other) in their_leaves.iter().enumerate() {
                let (low, high) = (our_ranks[at].min(their_ranks[there]), our_ranks[at].max(their_ranks[there]));
                candidates.push((Reverse(shared(mine, other)), low, high, at, there));
            }
        }
        candidates.retain(|(shared, ..)| shared.0 > 0);
        candidates.sort_unstable();
    } else {
        candidates.extend((0..ours.len().min(theirs.len())).map(|at| (Reverse(1), at, at, at, at)));
    }
    let (mut used, mut taken) = (vec![false; ours.len()], vec![false; theirs.len()]);
    let mut pairs: Vec<(usize, Paired<'v>)> = Vec::new();
    for (.., at, there) in candidates {
        if !used[at] && !taken[there] {
            (used[at], taken[there]) = (true, true);
            pairs.push((our_ranks[at].min(their_ranks[there]), (Some(ours[at]), Some(theirs[there]))));
        }
    }
    pairs.extend((0..ours.len()).filter(|at| !used[*at]).map(|at| (our_ranks[at], (Some(ours[at]), None))));
    pairs.extend((0..theirs.len()).filter(|at| !taken[*at]).map(|at| (their_ranks[at], (None, Some(theirs[at])))));
    pairs.sort_by_key(|(rank, _)| *rank);
    pairs.into_iter().map(|(_, pair)| pair).collect()
}

/// Every leaf with the fields on its way, sorted.
fn leaves(value: &Value) -> Vec<String> {
    fn gather(value: &Value, way: &str, leaves: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, field)| gather(field, &format!("{way}.{key}"), leaves))
            }
            Value::Array(elements) => elements.iter().for_each(|element| gather(element, &format!("{way}[]"), leaves)),
            leaf => leaves.push(format!("{way}={leaf}")),
        }
    }
    let mut all = Vec::new();
    gather(value, "", &mut all);
    all.sort_unstable();
    all
}

/// How many leaves two sorted lists share.
fn shared(ours: &[String], theirs: &[String]) -> usize {
    let (mut at, mut there, mut shared) = (0, 0, 0);
    while let (Some(mine), Some(other)) = (ours.get(at), theirs.get(there)) {
        match mine.cmp(other) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => there += 1,
            std::cmp::Ordering::Equal => (at, there, shared) = (at + 1, there + 1, shared + 1),
        }
    }
    shared
}
