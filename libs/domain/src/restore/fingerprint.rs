//! What a preview rests on, as one hash.

use serde_json::{Value, json};

use super::judge::Candidate;
use super::{Content, Evidence, Now, meaning};
use crate::id::Hash;
use crate::tenant::Connection;

/// Marks the scheme, so that a change of it makes every older fingerprint stale.
const SCHEME: &str = "tenantatlas.restore.1";

/// Hash over the selection, what the tenant allows, and of each policy its version, what the tenant has of it, its reasons and
/// the names it relies on.
///
/// Times are not part of it: syncing again without finding anything new keeps it, and evidence that has become stale shows as
/// a reason.
pub(super) fn fingerprint(evidence: &Evidence<'_>, candidates: &[Candidate<'_>]) -> Hash {
    let facts = evidence.tenant;
    let head = json!([SCHEME, evidence.selection, facts.lifecycle, facts.connection != Connection::Missing]);
    let policies = candidates.iter().map(|candidate| policy(evidence, candidate));
    Hash::of_parts(std::iter::once(head).chain(policies).map(|part| part.to_string()))
}

fn policy(evidence: &Evidence<'_>, candidate: &Candidate<'_>) -> Value {
    let chosen = candidate.chosen;
    let means = |content: &Option<Box<Content>>| content.as_ref().map(|content| meaning(evidence.selection, content));
    let now = match &chosen.now {
        Now::Same => json!("same"),
        Now::Present { external_id, current, wanted, observed_at: _, doubtful } => {
            json!([external_id, means(current), means(wanted), doubtful])
        }
        Now::Gone { wanted, namesakes } => json!([means(wanted), namesakes]),
    };
    let reasons: Vec<_> = candidate.reasons.iter().map(|reason| (reason.code, &reason.message)).collect();
    let needs: Vec<_> = candidate.needs.iter().map(|need| (&need.kind, &need.name)).collect();
    json!([
        chosen.policy_type,
        chosen.external_id,
        chosen.version,
        candidate.unchanged,
        now,
        reasons,
        needs,
        candidate.recalled,
        candidate.mapped,
    ])
}
