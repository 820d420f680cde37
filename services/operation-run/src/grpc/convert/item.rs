//! Items: new ones, intents, outcomes, and as people and workers see them.

use std::collections::HashSet;

use domain::id::Hash;
use domain::run::{Failure as ItemFailure, ItemEffect, ItemOutcome, ItemState};
use pb::operation as proto;
use serde_json::Value;
use server::Failure;
use server::fields::{self, to_timestamp};
use server::structure::to_struct;

use super::{parse_object, parse_reason};
use crate::run::Item;
use crate::store::run_item::{NewIntent, NewItem, Report};

/// Most items of a run.
const MOST_ITEMS: usize = 5000;
/// Most intents or outcomes of one call.
const MOST_OF_A_CALL: usize = 500;
/// Largest plan, detail or receipt of an item, in bytes of JSON.
const MOST_BYTES: usize = 60 << 10;

/// The items of a new run, in the order of work.
pub fn parse_new_items(items: Vec<proto::NewRunItem>) -> Result<Vec<NewItem>, Failure> {
    if items.len() > MOST_ITEMS {
        return Err(Failure::invalid_argument("items", format!("must have at most {MOST_ITEMS} entries")));
    }
    let mut keys = HashSet::new();
    let mut parsed = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let at = |field: &str| format!("items[{index}].{field}");
        // Subject keys are long: they carry a policy's name and its discriminators.
        let key = fields::text(&at("key"), &item.key, 2000)?.to_owned();
        if !keys.insert(key.clone()) {
            return Err(Failure::invalid_argument(at("key"), "is the key of an earlier item"));
        }
        let policy_type = fields::optional_text(&at("policy_type"), &item.policy_type, 200)?;
        parsed.push(NewItem {
            label: fields::text(&at("label"), &item.label, 1000)?.to_owned(),
            policy_type: policy_type.unwrap_or_default().to_owned(),
            plan: Value::Object(parse_object(&at("plan"), item.plan.as_ref(), MOST_BYTES)?),
            key,
        });
    }
    Ok(parsed)
}

/// Intents, at least one.
pub fn parse_intents(intents: &[proto::ItemIntent]) -> Result<Vec<NewIntent>, Failure> {
    check_number("intents", intents.len())?;
    let mut ordinals = HashSet::new();
    let parse = |(index, intent): (usize, &proto::ItemIntent)| {
        let at = |field: &str| format!("intents[{index}].{field}");
        if !ordinals.insert(intent.ordinal) {
            return Err(Failure::invalid_argument(at("ordinal"), "has an intent in this call already"));
        }
        Ok(NewIntent {
            ordinal: parse_ordinal(&at("ordinal"), intent.ordinal)?,
            desired_hash: Hash::from_slice(&intent.desired_hash)
                .ok_or_else(|| Failure::invalid_argument(at("desired_hash"), "must have 32 bytes"))?,
            action: match intent.action.as_str() {
                "create" => "create",
                "update" => "update",
                _ => return Err(Failure::invalid_argument(at("action"), "must be `create` or `update`")),
            },
        })
    };
    intents.iter().enumerate().map(parse).collect()
}

/// Outcomes, at least one.
pub fn parse_reports(outcomes: &[proto::ItemOutcome]) -> Result<Vec<Report>, Failure> {
    check_number("outcomes", outcomes.len())?;
    outcomes.iter().enumerate().map(|(index, outcome)| parse_report(index, outcome)).collect()
}

fn parse_report(index: usize, outcome: &proto::ItemOutcome) -> Result<Report, Failure> {
    let at = |field: &str| format!("outcomes[{index}].{field}");
    let message = fields::optional_text(&at("message"), &outcome.message, 1000)?;
    let effect = parse_effect(&at("effect"), outcome.effect)?;
    let unsuccessful = || {
        let code = parse_reason(&at("reason"), &outcome.reason)?;
        match effect {
            None => Ok(ItemFailure::new(code, message.unwrap_or_default())),
            Some(_) => Err(Failure::invalid_argument(at("effect"), "only a succeeded item has one")),
        }
    };
    let receipt = outcome.receipt.as_ref().map(|receipt| parse_object(&at("receipt"), Some(receipt), MOST_BYTES));
    Ok(Report {
        ordinal: parse_ordinal(&at("ordinal"), outcome.ordinal)?,
        outcome: match fields::choice(&at("state"), outcome.state)? {
            proto::ItemState::Succeeded if !outcome.reason.is_empty() => {
                return Err(Failure::invalid_argument(at("reason"), "a succeeded item has none"));
            }
            proto::ItemState::Succeeded => ItemOutcome::Succeeded(effect),
            proto::ItemState::Failed => ItemOutcome::Failed(unsuccessful()?),
            proto::ItemState::Skipped => ItemOutcome::Skipped(unsuccessful()?),
            proto::ItemState::Pending | proto::ItemState::Unspecified => {
                return Err(Failure::invalid_argument(at("state"), "must be SUCCEEDED, FAILED or SKIPPED"));
            }
        },
        message: message.map(str::to_owned),
        detail: Value::Object(parse_object(&at("detail"), outcome.detail.as_ref(), MOST_BYTES)?),
        receipt: receipt.transpose()?.map(Value::Object),
    })
}

fn check_number(list: &str, length: usize) -> Result<(), Failure> {
    match length {
        1..=MOST_OF_A_CALL => Ok(()),
        _ => Err(Failure::invalid_argument(list, format!("must have 1 to {MOST_OF_A_CALL} entries"))),
    }
}

fn parse_ordinal(field: &str, value: i32) -> Result<i32, Failure> {
    if value < 1 { Err(Failure::invalid_argument(field, "must be at least 1")) } else { Ok(value) }
}

fn parse_effect(field: &str, value: i32) -> Result<Option<ItemEffect>, Failure> {
    match proto::ItemEffect::try_from(value) {
        Ok(proto::ItemEffect::Unspecified | proto::ItemEffect::None) => Ok(None),
        Ok(proto::ItemEffect::Created) => Ok(Some(ItemEffect::Created)),
        Ok(proto::ItemEffect::Updated) => Ok(Some(ItemEffect::Updated)),
        Ok(proto::ItemEffect::Deleted) => Ok(Some(ItemEffect::Deleted)),
        Ok(proto::ItemEffect::Unchanged) => Ok(Some(ItemEffect::Unchanged)),
        Err(_) => Err(Failure::invalid_argument(field, format!("{value} is not a known value"))),
    }
}

/// Item states to list.
pub fn parse_item_states(field: &str, values: &[i32]) -> Result<Vec<ItemState>, Failure> {
    let parse = |(index, value): (usize, &i32)| {
        let field = format!("{field}[{index}]");
        match fields::choice(&field, *value)? {
            proto::ItemState::Pending => Ok(ItemState::Pending),
            proto::ItemState::Succeeded => Ok(ItemState::Succeeded),
            proto::ItemState::Failed => Ok(ItemState::Failed),
            proto::ItemState::Skipped => Ok(ItemState::Skipped),
            proto::ItemState::Unspecified => Err(Failure::invalid_argument(field, "is required")),
        }
    };
    values.iter().enumerate().map(parse).collect()
}

/// An item as people see it.
pub fn to_item(item: &Item) -> Result<proto::OperationRunItem, Failure> {
    Ok(proto::OperationRunItem {
        ordinal: item.ordinal,
        key: item.key.clone(),
        label: item.label.clone(),
        policy_type: item.policy_type.clone(),
        state: to_state(item.state).into(),
        effect: to_effect(item.state, item.effect).into(),
        reason: item.reason_code.clone().unwrap_or_default(),
        message: item.message.clone().unwrap_or_default(),
        attempt: item.attempt,
        update_time: Some(to_timestamp(item.updated_at)),
        detail: Some(to_struct(&item.detail)?),
    })
}

const fn to_state(state: ItemState) -> proto::ItemState {
    match state {
        ItemState::Pending => proto::ItemState::Pending,
        ItemState::Succeeded => proto::ItemState::Succeeded,
        ItemState::Failed => proto::ItemState::Failed,
        ItemState::Skipped => proto::ItemState::Skipped,
    }
}

const fn to_effect(state: ItemState, effect: Option<ItemEffect>) -> proto::ItemEffect {
    match (state, effect) {
        (ItemState::Succeeded, None) => proto::ItemEffect::None,
        (_, None) => proto::ItemEffect::Unspecified,
        (_, Some(ItemEffect::Created)) => proto::ItemEffect::Created,
        (_, Some(ItemEffect::Updated)) => proto::ItemEffect::Updated,
        (_, Some(ItemEffect::Deleted)) => proto::ItemEffect::Deleted,
        (_, Some(ItemEffect::Unchanged)) => proto::ItemEffect::Unchanged,
    }
}

/// An item as its worker sees it.
pub fn to_claimed_item(item: &Item) -> Result<proto::ClaimedItem, Failure> {
    Ok(proto::ClaimedItem {
        item: Some(to_item(item)?),
        plan: Some(to_struct(&item.plan)?),
        intent: item.intent.as_ref().map(|intent| proto::ItemIntent {
            ordinal: item.ordinal,
            desired_hash: intent.desired_hash.clone(),
            action: intent.action.clone(),
            attempt: intent.attempt,
            fence: intent.fence,
            record_time: Some(to_timestamp(intent.recorded_at)),
        }),
        receipt: item.receipt.as_ref().map(to_struct).transpose()?,
    })
}
