//! What differs between the run types that apply content.

use domain::id::ExternalId;
use domain::plan::{PlanItem, StepReason};
use serde_json::Value;

use crate::trouble::Trouble;

/// What a run stands on: where its content comes from, and where what it replaces is kept.
#[tonic::async_trait]
pub trait Ground: Send + Sync {
    /// The captured content of an item.
    ///
    /// # Errors
    /// [`Trouble::Item`] when it is there no longer.
    async fn content(&self, item: &PlanItem) -> Result<Value, Trouble>;

    /// Keeps what the target has before it is changed, as a version of the target's own. Repeating it keeps it once.
    async fn keep_pre_image(&self, item: &PlanItem, external_id: &ExternalId, current: &Value) -> Result<(), Trouble>;

    /// Whether a new item may be begun: the tenants may have changed since the run was started.
    ///
    /// # Errors
    /// When that cannot be found out now. A refusal is an answer.
    async fn recheck(&self) -> Result<Result<(), Refusal>, Trouble>;

    /// Why an item is left alone or failed, for the people who started the run.
    fn explain(&self, reason: StepReason) -> String;

    /// The content does not mean what was confirmed any more.
    fn content_changed(&self) -> Trouble;
}

/// Why nothing more may be begun. What was begun before is finished all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, UPPER_SNAKE.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl From<&Refusal> for Trouble {
    fn from(refusal: &Refusal) -> Self {
        Self::blocked(refusal.reason, refusal.message.clone())
    }
}
