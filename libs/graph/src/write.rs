//! The write seam: the only place that changes a tenant. It sends what a payload says, once, and reports what is known about
//! it afterwards; it never guesses and never writes again by itself what may have been applied.
//!
//! Some types take several requests. They are ordered so that stopping after any of them leaves an object that `update` brings
//! to the desired content, whatever was done before: a caller that is in doubt reads the object and calls `update`.

mod assign;
mod body;
mod definition_values;
mod localized_messages;

use domain::contract::{Contract, FollowUp, Method as Verb, Promotion, Write, WriteStyle};
use domain::payload::Payload;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Call, Client, Refusal, Success};
use crate::error::{GraphError, Kind};
use crate::path::Path;
use crate::place;
use crate::retry::Effect;

/// What is known about a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The provider accepted every request of it. (Reads may lag behind.)
    Applied(Receipt),
    /// Nothing was changed.
    NotApplied(GraphError),
    /// All, part or nothing of it may have been applied: read the object, and if it is not as desired, call [`update`].
    Unknown {
        /// Kind [`Kind::UnknownOutcome`] when the fate of a request is not known; otherwise the definite refusal of a later
        /// request, after an earlier one was applied.
        error: GraphError,
        /// The object's id, when a create got far enough to know it.
        external_id: Option<String>,
    },
}

/// What the provider said about an applied write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id of the request that created or updated the object, for its support.
    pub request_id: Option<String>,
    /// The object's id.
    pub external_id: String,
    /// The HTTP status of that request.
    pub status: u16,
}

/// Creates an object. The caller has recorded its intent and has looked for an object of this identity: there is no
/// idempotency key, so after [`Outcome::Unknown`] only looking again tells whether it exists.
///
/// Conditional access policies arrive in report-only mode, because their contract says so.
pub async fn create(client: &Client, contract: &Contract, payload: &Payload) -> Outcome {
    let write = match writable(contract, payload) {
        Ok(write) => write,
        Err(error) => return Outcome::NotApplied(error),
    };
    let mut body = payload.create_body(contract);
    body::make_binds_absolute(&mut body, client, contract);
    let place = place::create(contract, write, &payload.content);
    let call = Call::write(Method::POST, &place, &body);
    let created = match client.call(&call).await {
        Ok(success) => success,
        Err(Refusal::NotApplied(error)) => return Outcome::NotApplied(error),
        Err(Refusal::Unknown(error)) => return Outcome::Unknown { error, external_id: None },
    };
    let Some(external_id) = created.body.get("id").and_then(Value::as_str).map(str::to_owned) else {
        let error = GraphError::decode("the created object came back without an id").into_unknown_outcome();
        return Outcome::Unknown { error, external_id: None };
    };
    let receipt = Receipt { request_id: created.request_id.clone(), external_id, status: created.status };
    let mut rest = expected(&created, &write.create.success);
    if rest.is_ok() {
        rest = after_create(client, contract, write, payload, &receipt.external_id).await;
    }
    finish(receipt, rest)
}

/// Makes an object of the tenant say what the payload says. `current` is the object as just read, children included.
pub async fn update(
    client: &Client,
    contract: &Contract,
    external_id: &str,
    payload: &Payload,
    current: &Value,
) -> Outcome {
    let write = match writable(contract, payload) {
        Ok(write) => write,
        Err(error) => return Outcome::NotApplied(error),
    };
    let mut body = payload.update_body(contract, current);
    body::make_binds_absolute(&mut body, client, contract);
    let method = match Verb::from(write.update.method) {
        Verb::Put => Method::PUT,
        Verb::Patch | Verb::Post => Method::PATCH,
    };
    let place = place::written(contract, write, external_id);
    let updated = match client.call(&Call::write(method, &place, &body)).await {
        Ok(success) => success,
        Err(Refusal::NotApplied(error)) => return Outcome::NotApplied(error),
        Err(Refusal::Unknown(error)) => {
            // Every request of an update sets a state, so what follows may follow whether this one arrived or not: otherwise
            // a provider that is only ever heard half would never be brought to the desired state. Its errors tell nothing new.
            let _ = after_update(client, contract, write, payload, external_id).await;
            return Outcome::Unknown { error, external_id: Some(external_id.to_owned()) };
        }
    };
    let receipt =
        Receipt { request_id: updated.request_id.clone(), external_id: external_id.to_owned(), status: updated.status };
    let mut rest = expected(&updated, &write.update.success);
    if rest.is_ok() {
        rest = after_update(client, contract, write, payload, external_id).await;
    }
    finish(receipt, rest)
}

/// A later request that failed leaves the write in doubt as a whole, whatever is known about that request.
fn finish(receipt: Receipt, rest: Result<(), GraphError>) -> Outcome {
    match rest {
        Ok(()) => Outcome::Applied(receipt),
        Err(error) => Outcome::Unknown { error, external_id: Some(receipt.external_id) },
    }
}

async fn after_create(
    client: &Client,
    contract: &Contract,
    write: &Write,
    payload: &Payload,
    id: &str,
) -> Result<(), GraphError> {
    let object = place::written(contract, write, id);
    if let Some(follow_up) = write.follow_up.as_ref().filter(|follow_up| follow_up.on_create) {
        let parts = parts(contract, payload);
        // A fresh object has none of its own, so there is nothing to take away.
        if !parts.is_empty() {
            send_parts(client, contract, write.style, follow_up, &object, parts, true).await?;
        }
    }
    assign::assign(client, contract, &object, payload, true).await
}

async fn after_update(
    client: &Client,
    contract: &Contract,
    write: &Write,
    payload: &Payload,
    id: &str,
) -> Result<(), GraphError> {
    let object = place::written(contract, write, id);
    let mut sent = Ok(());
    if let Some(follow_up) = &write.follow_up {
        sent = send_parts(client, contract, write.style, follow_up, &object, parts(contract, payload), false).await;
    }
    if sent.as_ref().is_err_and(|error| error.kind != Kind::UnknownOutcome) {
        return sent;
    }
    sent.and(assign::assign(client, contract, &object, payload, false).await)
}

/// `fresh`: the object was created a moment ago, so it has no parts yet and may not be visible everywhere.
async fn send_parts(
    client: &Client,
    contract: &Contract,
    style: WriteStyle,
    follow_up: &FollowUp,
    object: &Path,
    parts: Vec<Value>,
    fresh: bool,
) -> Result<(), GraphError> {
    match style {
        WriteStyle::Whole => Ok(()),
        WriteStyle::ScheduledActions => {
            let key = follow_up.body_key.as_deref().unwrap_or(&follow_up.field);
            let body = json!({ key: parts });
            replace(client, &object.below(&follow_up.path, &[]), &body, &follow_up.success, fresh).await
        }
        WriteStyle::DefinitionValues => {
            definition_values::replace(client, contract, follow_up, object, parts, fresh).await
        }
        WriteStyle::LocalizedMessages => localized_messages::replace(client, follow_up, object, parts, fresh).await,
    }
}

fn parts(contract: &Contract, payload: &Payload) -> Vec<Value> {
    match payload.follow_up(contract) {
        Some(Value::Array(parts)) => parts,
        _ => Vec::new(),
    }
}

/// An action whose body is the whole set afterwards: a POST that sets, so it may be repeated as one.
async fn replace(client: &Client, path: &Path, body: &Value, success: &[u16], fresh: bool) -> Result<(), GraphError> {
    let call = Call { effect: Effect::Set, ..Call::write(Method::POST, path, body) }.settling(fresh);
    let answer = client.call(&call).await.map_err(Refusal::into_error)?;
    expected(&answer, success)
}

/// Another success than the type's own (202, a body where none belongs) is not taken for one: reading tells.
fn expected(answer: &Success, success: &[u16]) -> Result<(), GraphError> {
    if success.contains(&answer.status) {
        return Ok(());
    }
    let message = format!("the provider answered {} where it should answer {success:?}", answer.status);
    let error = GraphError::decode(message).into_unknown_outcome();
    Err(GraphError { status: Some(answer.status), request_id: answer.request_id.clone(), ..error })
}

/// What must hold before anything is sent. Preflight has said it all before; this is the last door.
fn writable<'c>(contract: &'c Contract, payload: &Payload) -> Result<&'c Write, GraphError> {
    let refuse = |reason, message: String| Err(GraphError::local(Kind::Invalid, reason, message));
    if payload.policy_type != contract.policy_type {
        return refuse(
            "PAYLOAD_OF_ANOTHER_TYPE",
            format!("a {} is not a {}", payload.policy_type, contract.policy_type),
        );
    }
    match &contract.write {
        Some(write) if contract.promotion == Promotion::Promotable => Ok(write),
        _ => refuse("POLICY_TYPE_NOT_PROMOTABLE", format!("{} is not written by this system", contract.policy_type)),
    }
}
