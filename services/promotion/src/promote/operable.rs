//! Whether the two tenants of a promotion are still good for one: they were when it was started, and it may have waited since.

use apply::{Refusal, Trouble};
use domain::preflight::ReasonCode;
use pb::tenant::{
    BatchEvaluateOperabilityRequest, OperabilityCheck, OperabilityLane, OperabilityOutcome, OperabilityQuestion,
};

use super::patience::patiently;
use crate::app::App;
use crate::brief::Brief;

/// Asks the authority about both tenants as they are now. The source first: it is what the subjects come from.
pub(super) async fn recheck(app: &App, brief: &Brief) -> Result<Result<(), Refusal>, Trouble> {
    let check = |tenant_id: domain::id::TenantId, question: OperabilityQuestion| OperabilityCheck {
        tenant_id: tenant_id.to_string(),
        lane: OperabilityLane::TenantBound.into(),
        question: question.into(),
    };
    let request = BatchEvaluateOperabilityRequest {
        workspace_id: brief.workspace_id.to_string(),
        checks: vec![
            check(brief.source_tenant_id, OperabilityQuestion::PromotionSource),
            check(brief.target_tenant_id, OperabilityQuestion::PromotionTarget),
        ],
    };
    let answer = patiently(|| async { app.tenants().batch_evaluate_operability(request.clone()).await }).await;
    let outcomes = answer.map_err(|status| Trouble::of_run(&status))?.into_inner().outcomes;
    Ok(judge(&outcomes))
}

fn judge(outcomes: &[OperabilityOutcome]) -> Result<(), Refusal> {
    let [source, target] = outcomes else {
        return Err(Refusal { reason: "INTERNAL", message: "two questions were not given two answers".to_owned() });
    };
    let ends = [
        (source, ReasonCode::SourceTenantNotOperable, "the source tenant cannot be promoted from any more"),
        (target, ReasonCode::TargetTenantNotOperable, "the target tenant cannot be promoted into any more"),
    ];
    for (outcome, code, sentence) in ends {
        if !outcome.allowed() {
            // A tenant in service whose connection is gone says so: what helps is another thing than Restore.
            let no_connection = ReasonCode::ProviderConnectionMissing.as_str();
            let reason = if outcome.reason == no_connection { no_connection } else { code.as_str() };
            return Err(Refusal { reason, message: format!("{sentence}: {}", outcome.guidance) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes() -> OperabilityOutcome {
        OperabilityOutcome { allowed: Some(true), ..Default::default() }
    }

    fn no(reason: &str) -> OperabilityOutcome {
        OperabilityOutcome { reason: reason.into(), guidance: "Restore it first.".into(), ..Default::default() }
    }

    #[test]
    fn each_end_has_its_reason_and_the_guidance_is_passed_on() {
        let reason = |outcomes: &[OperabilityOutcome]| judge(outcomes).err().map(|refusal| refusal.reason);
        assert_eq!(reason(&[yes(), yes()]), None);
        assert_eq!(reason(&[no("LIFECYCLE_MISMATCH"), no("LIFECYCLE_MISMATCH")]), Some("SOURCE_TENANT_NOT_OPERABLE"));
        assert_eq!(reason(&[yes(), no("LIFECYCLE_MISMATCH")]), Some("TARGET_TENANT_NOT_OPERABLE"));
        assert_eq!(reason(&[yes(), no("PROVIDER_CONNECTION_MISSING")]), Some("PROVIDER_CONNECTION_MISSING"));
        assert_eq!(reason(&[yes()]), Some("INTERNAL"), "an answer is never made up");
        let told = judge(&[yes(), no("LIFECYCLE_MISMATCH")]).unwrap_err().message;
        assert_eq!(told, "the target tenant cannot be promoted into any more: Restore it first.");
    }
}
