//! Derives the preflight with what a promotion needs to plan. For promotion-service, on behalf of a user.

use domain::plan::PlanItem;
use server::ambient;
use server::caller::Caller;

use super::generate_promotion_preflight::{PreflightPage, summary};
use super::judge::judge;
use super::{Selected, authorise};
use crate::error::{Error, Result};
use crate::identity::PROMOTION;
use crate::state::State;

/// The most subjects one promotion takes: the most items of one run.
pub const MAX_PLANNED_SUBJECTS: usize = 5000;

/// A preflight without its subjects, and the ready ones with what their turn needs.
#[derive(Debug, Clone)]
pub struct PromotionPlan {
    /// Fingerprint, counts and reasons.
    pub preflight: PreflightPage,
    /// The ready subjects, by policy type and key.
    pub ready: Vec<PlanItem>,
}

/// The plan. The user needs what the preflight needs; whether the user may execute it, promotion-service decides.
pub async fn derive_promotion_plan(state: &State, caller: &Caller, selected: &Selected) -> Result<PromotionPlan> {
    caller.require_service(&[PROMOTION])?;
    let (_, actor) = authorise(state, caller, selected).await?;
    let judged = judge(state, caller, selected, ambient::now()).await?;
    let ready: Vec<PlanItem> = judged.preflight.ready().cloned().collect();
    if ready.len() > MAX_PLANNED_SUBJECTS {
        return Err(Error::TooManySubjects { ready: ready.len(), most: MAX_PLANNED_SUBJECTS });
    }
    Ok(PromotionPlan { preflight: summary(judged, &actor), ready })
}
