//! References that only another subject of the same promotion can satisfy.
//!
//! A subject may be ready because what it needs is created first. That is the least fixpoint: a subject becomes ready
//! when everything it needs already is, so whatever is ready can be done in some order, and subjects that need each
//! other in a circle are not ready.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::CoverageState;
use super::judge::{Candidate, label};
use super::reason::{Absent, absent};
use super::{Evidence, ReferenceName};
use crate::id::SubjectKey;
use crate::reference::Reference;

/// Finds out which needs are met, and tells those that are not as reasons.
pub(super) fn settle(evidence: &Evidence<'_>, candidates: &mut [Candidate<'_>]) {
    let needs: Vec<Vec<Option<SubjectKey>>> =
        candidates.iter().map(|candidate| candidate.needs.iter().map(|need| needed_key(need)).collect()).collect();
    let keys: Vec<&SubjectKey> = candidates.iter().map(|candidate| candidate.subject.subject_key).collect();
    let could_be_ready =
        |position: usize| candidates[position].reasons.is_empty() && candidates[position].promotable.is_some();
    let ready = ready_keys(&keys, could_be_ready, &needs);
    let promoted: BTreeSet<SubjectKey> =
        candidates.iter().map(|candidate| candidate.subject.subject_key.clone()).collect();
    for (candidate, keys) in candidates.iter_mut().zip(needs) {
        for (need, key) in candidate.needs.iter().zip(keys) {
            let why = match key {
                Some(key) if ready.contains(&key) => continue,
                Some(key) if promoted.contains(&key) => Absent::Unready,
                _ if !was_read(evidence, need) => Absent::Unread,
                _ => Absent::LeftOut,
            };
            let label = label(evidence.registry.get(need.kind.as_str()), &need.kind);
            candidate.reasons.insert(absent(need, why, &label));
        }
    }
}

/// Whether the target's objects of the needed kind are known at all.
fn was_read(evidence: &Evidence<'_>, need: &Reference) -> bool {
    let coverage = evidence.target.coverage.get(&need.kind);
    coverage.is_some_and(|coverage| matches!(coverage.state, CoverageState::Observed | CoverageState::Partial))
}

/// The subject that a reference waits for; a reference without a name waits for nobody who could come.
pub(crate) fn needed_key(need: &Reference) -> Option<SubjectKey> {
    let name = need.name.clone()?;
    Some(ReferenceName { kind: need.kind.clone(), name }.subject_key())
}

/// The keys of all subjects that are ready, starting from those that need nothing; `keys` and `needs` go side by side.
pub(crate) fn ready_keys(
    keys: &[&SubjectKey],
    could_be_ready: impl Fn(usize) -> bool,
    needs: &[Vec<Option<SubjectKey>>],
) -> BTreeSet<SubjectKey> {
    let mut needed_by: BTreeMap<&SubjectKey, Vec<usize>> = BTreeMap::new();
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    for (position, needed) in needs.iter().enumerate() {
        for key in needed.iter().flatten() {
            needed_by.entry(key).or_default().push(position);
        }
    }
    let mut free: Vec<usize> =
        (0..keys.len()).filter(|position| open[*position] == 0 && could_be_ready(*position)).collect();
    let mut ready = BTreeSet::new();
    while let Some(position) = free.pop() {
        let key = keys[position];
        ready.insert(key.clone());
        for dependant in needed_by.get(key).into_iter().flatten() {
            open[*dependant] -= 1;
            if open[*dependant] == 0 && could_be_ready(*dependant) {
                free.push(*dependant);
            }
        }
    }
    ready
}
