//! The outcome of an item, as it is reported.

use std::borrow::Cow;

use domain::id::ExternalId;
use domain::run::ItemEffect;
use graph::Receipt;
use pb::operation::{ItemOutcome, ItemState};
use serde_json::json;
use server::Failure;
use server::structure::to_struct;

/// Longer sentences are cut: operation-run-service takes at most this many characters.
const MOST_MESSAGE_CHARS: usize = 1000;

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    state: ItemState,
    effect: Option<ItemEffect>,
    reason: Cow<'static, str>,
    message: String,
    external_id: Option<ExternalId>,
    receipt: Option<Receipt>,
}

impl Done {
    /// The target is as wanted, by our doing or already.
    pub(crate) fn succeeded(effect: ItemEffect, external_id: ExternalId, receipt: Option<Receipt>) -> Self {
        Self {
            state: ItemState::Succeeded,
            effect: Some(effect),
            reason: "".into(),
            message: String::new(),
            external_id: Some(external_id),
            receipt,
        }
    }

    /// Left alone.
    pub(crate) fn skipped(reason: &'static str, message: impl Into<String>) -> Self {
        Self::without_effect(ItemState::Skipped, reason, message)
    }

    /// Tried and refused.
    pub(crate) fn failed(reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::without_effect(ItemState::Failed, reason, message)
    }

    fn without_effect(state: ItemState, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        // Names and the provider's words may hold control characters; a message is one line.
        let words: String = message.into();
        let message = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_MESSAGE_CHARS).collect();
        Self { state, effect: None, reason: reason.into(), message, external_id: None, receipt: None }
    }

    /// The object that stands in the target now, if the item succeeded.
    pub(crate) fn external_id(&self) -> Option<&ExternalId> {
        self.external_id.as_ref()
    }

    /// As operation-run-service takes it.
    pub(crate) fn to_outcome(&self, ordinal: i32) -> Result<ItemOutcome, Failure> {
        let receipt = self.external_id.as_ref().map(|external_id| {
            to_struct(&json!({
                "external_id": external_id,
                "request_id": self.receipt.as_ref().and_then(|receipt| receipt.request_id.clone()),
                "status": self.receipt.as_ref().map(|receipt| receipt.status),
            }))
        });
        Ok(ItemOutcome {
            ordinal,
            state: self.state.into(),
            effect: self.effect.map_or(0, |effect| to_effect(effect).into()),
            reason: self.reason.clone().into_owned(),
            message: self.message.clone(),
            detail: None,
            receipt: receipt.transpose()?,
        })
    }
}

fn to_effect(effect: ItemEffect) -> pb::operation::ItemEffect {
    match effect {
        ItemEffect::Created => pb::operation::ItemEffect::Created,
        ItemEffect::Updated => pb::operation::ItemEffect::Updated,
        ItemEffect::Deleted => pb::operation::ItemEffect::Deleted,
        ItemEffect::Unchanged => pb::operation::ItemEffect::Unchanged,
    }
}
