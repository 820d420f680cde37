//! Notification messages: one object per locale, one of them the default. `isDefault` can be given to a message but not taken
//! from it, so the default goes first and the others never mention it.

use domain::contract::FollowUp;
use reqwest::Method;
use serde_json::Value;

use super::expected;
use crate::client::{Call, Client, Refusal};
use crate::error::GraphError;
use crate::path::Path;

/// Makes the messages of `object` those wanted: the default first, then the others, then surplus ones are deleted.
pub(super) async fn replace(
    client: &Client,
    follow_up: &FollowUp,
    object: &Path,
    mut wanted: Vec<Value>,
    fresh: bool,
) -> Result<(), GraphError> {
    let collection = object.below(&follow_up.path, &[]);
    let present = if fresh { Vec::new() } else { client.list(&collection).await? };
    wanted.sort_by_key(|message| !is_default(message));
    for message in &wanted {
        match present.iter().find(|there| locale(there) == locale(message)) {
            Some(there) if says_the_same(there, message) => {}
            Some(there) => {
                let mut body = message.clone();
                if let Some(fields) = body.as_object_mut() {
                    // The locale is the message's identity; a message that is not the default does not say so.
                    fields.remove("locale");
                    fields.retain(|key, value| key != "isDefault" || *value == Value::Bool(true));
                }
                let place = collection.below("{id}", &[("id", id(there))]);
                client.call(&Call::write(Method::PATCH, &place, &body)).await.map_err(Refusal::into_error)?;
            }
            None => {
                let answer = client
                    .call(&Call::write(Method::POST, &collection, message).settling(fresh))
                    .await
                    .map_err(Refusal::into_error)?;
                expected(&answer, &follow_up.success)?;
            }
        }
    }
    for surplus in present.iter().filter(|there| !wanted.iter().any(|message| locale(message) == locale(there))) {
        let place = collection.below("{id}", &[("id", id(surplus))]);
        client.call(&Call::delete(&place)).await.map_err(Refusal::into_error)?;
    }
    Ok(())
}

fn says_the_same(there: &Value, wanted: &Value) -> bool {
    let text = |message: &Value, field: &str| message.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    ["subject", "messageTemplate"].iter().all(|field| text(there, field) == text(wanted, field))
        && is_default(there) == is_default(wanted)
}

fn is_default(message: &Value) -> bool {
    message.get("isDefault") == Some(&Value::Bool(true))
}

fn locale(message: &Value) -> String {
    message.get("locale").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
}

fn id(message: &Value) -> &str {
    message.get("id").and_then(Value::as_str).unwrap_or_default()
}
