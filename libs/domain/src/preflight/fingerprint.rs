//! What a preflight rests on, as one hash.

use serde_json::{Value, json};

use super::Evidence;
use super::judge::Candidate;
use crate::id::Hash;
use crate::tenant::Connection;

/// Marks the scheme, so that a change of it makes every older fingerprint stale.
const SCHEME: &str = "tenantatlas.preflight.1";

/// Hash over the selection, the compare (hashes of both sides), each candidate's class with its reasons, the source
/// content it would promote, the names it relies on, and what the target tenant allows.
///
/// Times are not part of it: syncing again without finding anything new keeps it, and evidence that has become stale
/// shows as a reason.
pub(super) fn fingerprint(evidence: &Evidence<'_>, candidates: &[Candidate<'_>]) -> Hash {
    let facts = evidence.target_tenant.facts;
    let head = json!([
        SCHEME,
        evidence.selection,
        evidence.comparison.fingerprint,
        facts.lifecycle,
        facts.connection != Connection::Missing,
    ]);
    let texts = std::iter::once(head).chain(candidates.iter().map(subject)).map(|part| part.to_string());
    Hash::of_parts(texts)
}

fn subject(candidate: &Candidate<'_>) -> Value {
    let subject = candidate.subject;
    let objects = |rows: &[&crate::compare::SubjectRow]| -> Vec<Value> {
        rows.iter().map(|row| json!([row.external_id, row.normal_hash, row.assignments_hash])).collect()
    };
    let reasons: Vec<_> = candidate.reasons.iter().map(|reason| (reason.code, &reason.message)).collect();
    let needs: Vec<_> = candidate.needs.iter().map(|need| (&need.kind, &need.name)).collect();
    json!([
        subject.subject_key,
        objects(&subject.source),
        objects(&subject.target),
        candidate.promotable.map(|(_, version)| version),
        reasons,
        needs,
        candidate.mapped,
    ])
}
