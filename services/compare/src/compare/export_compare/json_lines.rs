//! An export as JSON Lines: a header object with what is compared and the counts, then one object a subject.

use domain::compare::{CompareState, ComparedSubject, Comparison};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::gather::Gathered;
use super::super::{EvidenceAge, Selected};

pub(super) fn header(gathered: &Gathered, selected: &Selected, comparison: &Comparison<'_>) -> String {
    let line = json!({
        "record": "compare",
        "workspace_id": selected.workspace_id,
        "selection": selected.selection,
        "fingerprint": comparison.fingerprint,
        "counts": comparison.counts,
        "source_tenant_name": gathered.source.name,
        "target_tenant_name": gathered.target.name,
        "source_evidence": evidence(&gathered.source_evidence),
        "target_evidence": evidence(&gathered.target_evidence),
    });
    format!("{line}\n")
}

pub(super) fn line(subject: &ComparedSubject<'_>) -> String {
    let line = json!({
        "record": "subject",
        "subject_key": subject.subject_key,
        "policy_type": subject.policy_type,
        "display_name": subject.display_name,
        "platform": subject.platform,
        "state": state_name(subject.state),
        "source_count": subject.source.len(),
        "target_count": subject.target.len(),
    });
    format!("{line}\n")
}

/// The name of a state, as in JSON.
pub(super) fn state_name(state: CompareState) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

fn evidence(age: &EvidenceAge) -> Value {
    json!({
        "tenant_id": age.tenant_id,
        "oldest_observed_time": age.oldest_observed_at.and_then(text),
        "newest_observed_time": age.newest_observed_at.and_then(text),
        "never_observed_policy_types": age.never_observed,
        "incomplete_policy_types": age.incomplete,
    })
}

fn text(time: OffsetDateTime) -> Option<String> {
    time.format(&Rfc3339).ok()
}
