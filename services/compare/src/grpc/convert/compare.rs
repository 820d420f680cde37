//! Selections, compare pages, differences, preflights, plans.

mod preflight;
mod selection;

pub use preflight::{parse_readiness, to_plan, to_preflight_page};
pub use selection::{MAX_SUBJECT_KEY_CHARS, parse_format, parse_selection, parse_states, tokens};

use domain::compare::{CompareCounts, CompareState};
use domain::diff::{Difference, DifferenceKind};
use pb::compare as wire;
use serde_json::{Value, json};
use server::fields;

use super::count;
use super::operability::to_outcome;
use crate::compare::{ComparePage, EvidenceAge, Subject, SubjectDiff};

/// One page of a compare.
pub fn to_compare_page(page: ComparePage) -> wire::PreviewCompareResponse {
    wire::PreviewCompareResponse {
        counts: Some(to_counts(&page.counts)),
        subjects: page.subjects.into_iter().map(to_subject).collect(),
        next_page_token: page.next,
        fingerprint: page.fingerprint.to_string(),
        source_evidence: Some(to_evidence(page.source_evidence)),
        target_evidence: Some(to_evidence(page.target_evidence)),
        source_operability: Some(to_outcome(&page.ends.source)),
        target_operability: Some(to_outcome(&page.ends.target)),
    }
}

/// One subject's differences.
pub fn to_subject_diff(diff: SubjectDiff) -> wire::DiffSubjectResponse {
    wire::DiffSubjectResponse {
        subject: Some(to_subject(diff.subject)),
        differences: diff.differences.into_iter().map(to_difference).collect(),
        truncated: diff.truncated,
    }
}

fn to_counts(counts: &CompareCounts) -> wire::CompareCounts {
    wire::CompareCounts {
        total: count(counts.total),
        identical: count(counts.identical),
        different: count(counts.different),
        missing_in_target: count(counts.missing_in_target),
        only_in_target: count(counts.only_in_target),
        ambiguous: count(counts.ambiguous),
        not_comparable: count(counts.not_comparable),
    }
}

fn to_subject(subject: Subject) -> wire::ComparedSubject {
    wire::ComparedSubject {
        subject_key: subject.subject_key.0,
        policy_type: subject.policy_type.0,
        display_name: subject.display_name,
        platform: subject.platform.unwrap_or_default(),
        state: to_state(subject.state).into(),
        source_count: count(subject.source_count as u64),
        target_count: count(subject.target_count as u64),
    }
}

fn to_state(state: CompareState) -> wire::CompareState {
    match state {
        CompareState::Identical => wire::CompareState::Identical,
        CompareState::Different => wire::CompareState::Different,
        CompareState::MissingInTarget => wire::CompareState::MissingInTarget,
        CompareState::OnlyInTarget => wire::CompareState::OnlyInTarget,
        CompareState::Ambiguous => wire::CompareState::Ambiguous,
        CompareState::NotComparable => wire::CompareState::NotComparable,
    }
}

/// The age of one side's evidence.
fn to_evidence(age: EvidenceAge) -> wire::Evidence {
    wire::Evidence {
        tenant_id: age.tenant_id.to_string(),
        oldest_observed_time: age.oldest_observed_at.map(fields::to_timestamp),
        newest_observed_time: age.newest_observed_at.map(fields::to_timestamp),
        never_observed_policy_types: age.never_observed,
        incomplete_policy_types: age.incomplete,
    }
}

fn to_difference(difference: Difference) -> wire::FieldDifference {
    let kind = match difference.kind {
        DifferenceKind::Added => wire::DifferenceKind::OnlyInSource,
        DifferenceKind::Removed => wire::DifferenceKind::OnlyInTarget,
        DifferenceKind::Changed => wire::DifferenceKind::Changed,
    };
    // A text is shown by its size and the lines of it that the other side lacks.
    let lines_of = |source: bool| -> Option<Value> {
        let text = difference.text.as_ref()?;
        let lines = text.changes.iter().filter(|change| change.added == source);
        Some(lines.map(|change| json!({ "line": change.line, "text": change.text })).collect())
    };
    let shown = |value: Option<Value>, source: bool| match (value, lines_of(source)) {
        (None, _) => String::new(),
        (Some(Value::Object(mut fields)), Some(lines)) => {
            fields.insert("differing_lines".to_owned(), lines);
            Value::Object(fields).to_string()
        }
        (Some(value), _) => value.to_string(),
    };
    wire::FieldDifference {
        kind: kind.into(),
        source_value: shown(difference.source.clone(), true),
        target_value: shown(difference.target.clone(), false),
        path: difference.path,
    }
}
