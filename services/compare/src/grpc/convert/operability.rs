//! Lanes, questions and their answers.

use domain::operability::{Lane, Offer, Question};
use pb::tenant as wire;
use server::failure::Failure;
use server::fields;

use crate::tenant::{Check, MAX_CHECKS, Outcome};

/// A lane of a request.
pub fn parse_lane(field: &str, value: i32) -> Result<Lane, Failure> {
    match fields::choice::<wire::OperabilityLane>(field, value)? {
        wire::OperabilityLane::ActiveSelector => Ok(Lane::ActiveSelector),
        wire::OperabilityLane::RememberedContext => Ok(Lane::RememberedContext),
        wire::OperabilityLane::Administrative => Ok(Lane::Administrative),
        wire::OperabilityLane::TenantBound => Ok(Lane::TenantBound),
        wire::OperabilityLane::OnboardingWorkflow => Ok(Lane::OnboardingWorkflow),
        wire::OperabilityLane::CanonicalRecord => Ok(Lane::CanonicalRecord),
        wire::OperabilityLane::Unspecified => Err(Failure::invalid_argument(field, "is required")),
    }
}

/// The lane of a list: where nothing is said, that of whoever manages tenants.
pub fn parse_listed_lane(field: &str, value: i32) -> Result<Lane, Failure> {
    if value == 0 { Ok(Lane::Administrative) } else { parse_lane(field, value) }
}

/// A question of a request.
pub fn parse_question(field: &str, value: i32) -> Result<Question, Failure> {
    use wire::OperabilityQuestion as Wire;
    match fields::choice::<Wire>(field, value)? {
        Wire::SelectorEligibility => Ok(Question::SelectorEligibility),
        Wire::RememberedContextValidity => Ok(Question::RememberedContextValidity),
        Wire::AdministrativeDiscoverability => Ok(Question::AdministrativeDiscoverability),
        Wire::TenantBoundViewability => Ok(Question::TenantBoundViewability),
        Wire::CanonicalRecordViewability => Ok(Question::CanonicalRecordViewability),
        Wire::Archive => Ok(Question::Archive),
        Wire::Restore => Ok(Question::Restore),
        Wire::StartOnboarding => Ok(Question::StartOnboarding),
        Wire::ResumeOnboarding => Ok(Question::ResumeOnboarding),
        Wire::CompleteOnboarding => Ok(Question::CompleteOnboarding),
        Wire::CancelOnboarding => Ok(Question::CancelOnboarding),
        Wire::ProviderConnectionChange => Ok(Question::ProviderConnectionChange),
        Wire::VerificationReadiness => Ok(Question::VerificationReadiness),
        Wire::InventorySync => Ok(Question::InventorySync),
        Wire::DirectoryGroupsSync => Ok(Question::DirectoryGroupsSync),
        Wire::DirectoryRoleDefinitionsSync => Ok(Question::DirectoryRoleDefinitionsSync),
        Wire::Backup => Ok(Question::Backup),
        Wire::PromotionSource => Ok(Question::PromotionSource),
        Wire::PromotionTarget => Ok(Question::PromotionTarget),
        Wire::ContentRestore => Ok(Question::ContentRestore),
        Wire::Unspecified => Err(Failure::invalid_argument(field, "is required")),
    }
}

/// The questions of a request.
pub fn parse_checks(checks: &[wire::OperabilityCheck]) -> Result<Vec<Check>, Failure> {
    if !(1..=MAX_CHECKS).contains(&checks.len()) {
        return Err(Failure::invalid_argument("checks", format!("must have 1 to {MAX_CHECKS} entries")));
    }
    let parse = |(index, check): (usize, &wire::OperabilityCheck)| {
        let at = |field: &str| format!("checks[{index}].{field}");
        Ok(Check {
            tenant_id: fields::id(&at("tenant_id"), &check.tenant_id)?,
            lane: parse_lane(&at("lane"), check.lane)?,
            question: parse_question(&at("question"), check.question)?,
        })
    };
    checks.iter().enumerate().map(parse).collect()
}

/// An answer.
pub fn to_outcome(outcome: &Outcome) -> wire::OperabilityOutcome {
    match outcome {
        Ok(()) => wire::OperabilityOutcome { allowed: Some(true), ..Default::default() },
        Err(denied) => wire::OperabilityOutcome {
            allowed: Some(false),
            reason: denied.reason.as_str().to_owned(),
            missing_capability: denied.missing_capability.map(|missing| missing.to_string()).unwrap_or_default(),
            guidance: denied.guidance.clone(),
        },
    }
}

/// An action as it is offered.
pub fn to_action(offer: &Offer) -> wire::TenantAction {
    wire::TenantAction {
        action: offer.action.as_str().to_owned(),
        label: offer.action.label().to_owned(),
        outcome: Some(to_outcome(&offer.outcome)),
        requires_confirmation: Some(offer.action.is_confirmed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of the wire but the first has one of the domain's, and each of the domain's is there, by the same name.
    #[test]
    fn lanes_and_questions_of_the_wire_are_those_of_the_domain() {
        let wire_name = |prefix: &str, name: &str| format!("{prefix}{}", name.to_uppercase());
        for lane in Lane::ALL {
            let name = wire_name("OPERABILITY_LANE_", lane.as_str());
            let value = wire::OperabilityLane::from_str_name(&name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(parse_lane("lane", value.into()).unwrap(), lane);
        }
        for question in Question::ALL {
            let name = wire_name("OPERABILITY_QUESTION_", question.as_str());
            let value = wire::OperabilityQuestion::from_str_name(&name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(parse_question("question", value.into()).unwrap(), question);
        }
        let known = |is_known: fn(i32) -> bool| (1..1000).filter(|value| is_known(*value)).count();
        assert_eq!(known(|value| parse_lane("lane", value).is_ok()), Lane::ALL.len());
        assert_eq!(known(|value| parse_question("question", value).is_ok()), Question::ALL.len());
        assert!(parse_lane("lane", 0).is_err() && parse_question("question", 0).is_err());
    }
}
