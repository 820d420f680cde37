//! Preflights and plans.

use std::collections::BTreeSet;

use domain::plan::{Action, PlanItem};
use domain::preflight::{PreflightCounts, PreflightSubject, Readiness};
use pb::compare as wire;
use server::failure::Failure;
use server::fields;

use super::super::count;
use super::super::operability::to_outcome;
use super::to_evidence;
use crate::compare::{PreflightPage, PromotionPlan};

/// Classes of a request, by [`Readiness::as_str`].
pub fn parse_readiness(values: &[i32]) -> Result<BTreeSet<&'static str>, Failure> {
    let parse = |(index, value): (usize, &i32)| {
        let field = format!("readiness[{index}]");
        match fields::choice::<wire::Readiness>(&field, *value)? {
            wire::Readiness::Ready => Ok("ready"),
            wire::Readiness::Blocked => Ok("blocked"),
            wire::Readiness::ManualMappingRequired => Ok("manual_mapping_required"),
            wire::Readiness::Unspecified => Err(Failure::invalid_argument(field, "is required")),
        }
    };
    values.iter().enumerate().map(parse).collect()
}

/// One page of a preflight.
pub fn to_preflight_page(page: PreflightPage) -> wire::GeneratePromotionPreflightResponse {
    let reason_counts = page
        .reason_counts
        .iter()
        .map(|(code, subjects)| wire::ReasonCount { reason: code.as_str().to_owned(), count: count(*subjects) });
    wire::GeneratePromotionPreflightResponse {
        fingerprint: page.fingerprint.to_string(),
        counts: Some(to_counts(&page.counts)),
        reason_counts: reason_counts.collect(),
        subjects: page.subjects.into_iter().map(to_subject).collect(),
        next_page_token: page.next,
        source_evidence: Some(to_evidence(page.source_evidence)),
        target_evidence: Some(to_evidence(page.target_evidence)),
        source_tenant_name: page.source_tenant_name,
        target_tenant_name: page.target_tenant_name,
        source_operability: Some(to_outcome(&page.ends.source)),
        target_operability: Some(to_outcome(&page.ends.target)),
    }
}

/// A plan.
pub fn to_plan(plan: PromotionPlan) -> wire::DerivePromotionPlanResponse {
    wire::DerivePromotionPlanResponse {
        preflight: Some(to_preflight_page(plan.preflight)),
        subjects: plan.ready.into_iter().map(to_planned).collect(),
    }
}

fn to_counts(counts: &PreflightCounts) -> wire::PreflightCounts {
    wire::PreflightCounts {
        ready: count(counts.ready()),
        ready_create: count(counts.ready_create),
        ready_update: count(counts.ready_update),
        blocked: count(counts.blocked),
        manual_mapping_required: count(counts.manual_mapping_required),
        excluded: count(counts.excluded()),
        unchanged: count(counts.unchanged),
        only_in_target: count(counts.only_in_target),
    }
}

fn to_subject(subject: PreflightSubject) -> wire::PreflightSubject {
    let (readiness, action) = match &subject.readiness {
        Readiness::Ready(item) => (wire::Readiness::Ready, to_action(item.action())),
        Readiness::Blocked(_) => (wire::Readiness::Blocked, wire::PromotionAction::Unspecified),
        Readiness::ManualMappingRequired(_) => {
            (wire::Readiness::ManualMappingRequired, wire::PromotionAction::Unspecified)
        }
    };
    let reasons = subject.readiness.reasons().iter().map(|reason| wire::ReadinessReason {
        reason: reason.code.as_str().to_owned(),
        message: reason.message.clone(),
    });
    wire::PreflightSubject {
        reasons: reasons.collect(),
        subject_key: subject.subject_key.0,
        policy_type: subject.policy_type.0,
        display_name: subject.display_name,
        platform: subject.platform.unwrap_or_default(),
        readiness: readiness.into(),
        action: action.into(),
    }
}

fn to_action(action: Action) -> wire::PromotionAction {
    match action {
        Action::Create => wire::PromotionAction::Create,
        Action::Update => wire::PromotionAction::Update,
    }
}

fn to_planned(item: PlanItem) -> wire::PlannedSubject {
    let action = to_action(item.action());
    let (target_external_id, target_hash) = match item.expected_target {
        Some(target) => (target.external_id.0, target.hash.as_bytes().to_vec()),
        None => (String::new(), Vec::new()),
    };
    let references = item.references.into_iter();
    wire::PlannedSubject {
        subject_key: item.subject_key.0,
        policy_type: item.policy_type.0,
        display_name: item.label,
        action: action.into(),
        source_policy_version_id: item.source_version.to_string(),
        desired_hash: item.desired_hash.as_bytes().to_vec(),
        target_external_id,
        target_hash,
        references: references
            .map(|reference| wire::PlannedReference { kind: reference.kind.0, name: reference.name })
            .collect(),
    }
}
