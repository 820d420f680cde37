//! The join: both sides sorted by identity, walked together once.

use super::{CompareCounts, CompareState, ComparedSubject, Comparison, Evidence, Selection, SubjectRow};
use crate::id::Hash;
use crate::identity::folded_name;
use crate::json::canonical;

/// Compares two tenants' subjects. The same rows in any order and the same selection give the same answer.
pub fn compare<'r>(source: &'r [SubjectRow], target: &'r [SubjectRow], selection: &Selection) -> Comparison<'r> {
    let (source, target) = (sorted(source), sorted(target));
    let needle = selection.filter.name_contains.as_deref().map(folded_name).filter(|needle| !needle.is_empty());
    let (mut source, mut target) = (source.as_slice(), target.as_slice());
    let mut subjects = Vec::new();
    let mut counts = CompareCounts::default();
    while let Some(first) = earlier(source.first(), target.first()) {
        let (ours, rest_of_source) = split_at_end_of(source, first);
        let (theirs, rest_of_target) = split_at_end_of(target, first);
        (source, target) = (rest_of_source, rest_of_target);
        if ours.iter().chain(theirs).any(|row| selection.filter.passes(row, needle.as_deref())) {
            let subject = subject(ours, theirs, selection.include_assignments);
            counts.add(subject.state);
            subjects.push(subject);
        }
    }
    Comparison { fingerprint: fingerprint(selection, &subjects), subjects, counts }
}

fn sorted(rows: &[SubjectRow]) -> Vec<&SubjectRow> {
    let mut rows: Vec<&SubjectRow> = rows.iter().collect();
    rows.sort_unstable_by(|a, b| identity(a).cmp(&identity(b)).then_with(|| a.external_id.cmp(&b.external_id)));
    rows
}

fn identity(row: &SubjectRow) -> (&str, &str) {
    (row.policy_type.as_str(), row.subject_key.as_str())
}

fn earlier<'r>(source: Option<&&'r SubjectRow>, target: Option<&&'r SubjectRow>) -> Option<&'r SubjectRow> {
    match (source, target) {
        (Some(ours), Some(theirs)) => Some(if identity(ours) <= identity(theirs) { ours } else { theirs }),
        (one, other) => one.or(other).copied(),
    }
}

/// The rows with that identity, and what follows them.
fn split_at_end_of<'s, 'r>(
    rows: &'s [&'r SubjectRow],
    first: &SubjectRow,
) -> (&'s [&'r SubjectRow], &'s [&'r SubjectRow]) {
    let count = rows.iter().take_while(|row| identity(row) == identity(first)).count();
    rows.split_at(count)
}

fn subject<'r>(source: &[&'r SubjectRow], target: &[&'r SubjectRow], assignments: bool) -> ComparedSubject<'r> {
    let shown = source.first().or(target.first()).expect("a subject has a row on one side at least");
    ComparedSubject {
        subject_key: &shown.subject_key,
        policy_type: &shown.policy_type,
        display_name: &shown.display_name,
        platform: shown.platform.as_deref(),
        state: state(source, target, assignments),
        source: source.to_vec(),
        target: target.to_vec(),
    }
}

fn state(source: &[&SubjectRow], target: &[&SubjectRow], assignments: bool) -> CompareState {
    match (source, target) {
        ([_], []) => CompareState::MissingInTarget,
        ([], [_]) => CompareState::OnlyInTarget,
        ([ours], [theirs]) => {
            let evidence = ours.evidence.max(theirs.evidence);
            let equal = ours.normal_hash == theirs.normal_hash
                && (!assignments || ours.assignments_hash == theirs.assignments_hash);
            match (evidence, equal) {
                (Evidence::Incomplete, _) | (Evidence::SecretsHidden, true) => CompareState::NotComparable,
                (Evidence::Whole, true) => CompareState::Identical,
                (_, false) => CompareState::Different,
            }
        }
        _ => CompareState::Ambiguous,
    }
}

/// Everything the states rest on. Names and platforms are part of the content's hash, and a policy type begins its
/// subject keys, so neither is said twice: hashing is what a large compare spends its time on.
fn fingerprint(selection: &Selection, subjects: &[ComparedSubject<'_>]) -> Hash {
    let mut evidence = Vec::with_capacity(subjects.len() * 256);
    let mut say = |part: &[u8]| {
        evidence.extend_from_slice(&(part.len() as u32).to_be_bytes());
        evidence.extend_from_slice(part);
    };
    say(b"compare.v1");
    say(serde_json::to_value(selection).map(|value| canonical(&value)).unwrap_or_default().as_bytes());
    for subject in subjects {
        say(subject.subject_key.as_str().as_bytes());
        for (side, rows) in [(b's', &subject.source), (b't', &subject.target)] {
            for row in rows {
                let trust = match row.evidence {
                    Evidence::Whole => b'w',
                    Evidence::SecretsHidden => b'h',
                    Evidence::Incomplete => b'i',
                };
                say(&[side, trust]);
                say(row.external_id.as_str().as_bytes());
                say(row.normal_hash.as_ref());
                if selection.include_assignments {
                    say(row.assignments_hash.as_ref());
                }
            }
        }
    }
    Hash::of(evidence)
}
