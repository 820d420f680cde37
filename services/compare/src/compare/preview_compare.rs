//! Compares two tenants, one page of subjects at a time.

use std::collections::BTreeSet;

use domain::compare::{CompareCounts, CompareState, ComparedSubject};
use domain::id::Hash;
use server::caller::Caller;
use server::fields::Page;

use super::gather::{begin, gather};
use super::{After, Ends, EvidenceAge, Selected, Subject, authorise};
use crate::error::{Error, Result};
use crate::state::State;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CompareAsked {
    /// What to compare.
    pub selected: Selected,
    /// Only subjects in these states; empty for all.
    pub states: BTreeSet<CompareState>,
    /// Which page.
    pub page: Page<After>,
}

/// One page of a compare.
#[derive(Debug, Clone)]
pub struct ComparePage {
    /// Counts over the whole selection.
    pub counts: CompareCounts,
    /// One page, by policy type and key.
    pub subjects: Vec<Subject>,
    /// Token of the next page; empty on the last.
    pub next: String,
    /// Fingerprint of selection and evidence.
    pub fingerprint: Hash,
    /// Age of the source's evidence.
    pub source_evidence: EvidenceAge,
    /// Age of the target's evidence.
    pub target_evidence: EvidenceAge,
    /// What the two tenants are good for.
    pub ends: Ends,
}

/// The page. Pages of one compare belong together by its fingerprint: when the evidence has changed since the first, the next
/// is refused rather than made of something else.
pub async fn preview_compare(state: &State, caller: &Caller, asked: &CompareAsked) -> Result<ComparePage> {
    let (_, actor) = authorise(state, caller, &asked.selected).await?;
    let mut tx = begin(state, caller, &asked.selected).await?;
    let gathered = gather(&mut tx, state, &asked.selected).await?;
    drop(tx);
    let comparison = gathered.compare(&asked.selected);
    if has_changed(&asked.page, comparison.fingerprint) {
        return Err(Error::CompareChanged);
    }
    let wanted = |subject: &&ComparedSubject<'_>| asked.states.is_empty() || asked.states.contains(&subject.state);
    let (subjects, next) =
        page_of(&asked.page, comparison.fingerprint, comparison.subjects.iter().filter(wanted), |subject| {
            (subject.policy_type.as_str(), subject.subject_key.as_str())
        });
    Ok(ComparePage {
        counts: comparison.counts,
        subjects: subjects.into_iter().map(Subject::from).collect(),
        next,
        fingerprint: comparison.fingerprint,
        source_evidence: gathered.source_evidence.clone(),
        target_evidence: gathered.target_evidence.clone(),
        ends: Ends::of(&gathered, &actor),
    })
}

/// Whether a further page is asked for of something that is no longer.
pub(crate) fn has_changed(page: &Page<After>, fingerprint: Hash) -> bool {
    page.after.as_ref().is_some_and(|(first, ..)| *first != fingerprint.to_string())
}

/// One page out of everything, which is sorted by `key`, and the token of the next.
pub(crate) fn page_of<T>(
    page: &Page<After>,
    fingerprint: Hash,
    all: impl Iterator<Item = T>,
    key: impl Fn(&T) -> (&str, &str),
) -> (Vec<T>, String) {
    let after = page.after.as_ref().map(|(_, policy_type, subject_key)| (policy_type.as_str(), subject_key.as_str()));
    let most = usize::try_from(page.fetch()).unwrap_or(usize::MAX);
    let mut rows: Vec<T> = all.filter(|row| after.is_none_or(|after| key(row) > after)).take(most).collect();
    let next = page.cut(&mut rows, |row| {
        let (policy_type, subject_key) = key(row);
        (fingerprint.to_string(), policy_type.to_owned(), subject_key.to_owned())
    });
    (rows, next)
}
