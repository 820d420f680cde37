//! `$batch`: up to 20 requests in one, each with its own status. Items share the token and nothing else.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value, json};

use crate::ambient;
use crate::call::{Body, Call, Refusal, Reply};
use crate::engine::{Engine, Served};
use crate::odata::json::Metadata;
use crate::odata::query::Options;

/// Most items in one batch.
const LIMIT: usize = 20;

struct Item {
    id: String,
    depends_on: Vec<String>,
    call: Call,
}

/// Serves the batch that `outer` carries.
pub(crate) async fn serve(engine: &Engine, outer: &Call) -> Served {
    match items(outer) {
        Ok(items) => run(engine, items).await,
        Err(refusal) => Served { reply: refusal.reply(outer), cut: None },
    }
}

fn items(outer: &Call) -> Result<Vec<Item>, Refusal> {
    if outer.method != Method::POST {
        return Err(Refusal::method());
    }
    let body = outer.object()?;
    let Some(Value::Array(requests)) = body.get("requests") else {
        return Err(Refusal::bad_request("Invalid batch payload format."));
    };
    if requests.is_empty() || requests.len() > LIMIT {
        return Err(Refusal::bad_request(&format!("Number of batch request steps must be between 1 and {LIMIT}.")));
    }
    let items = requests.iter().map(|request| item(outer, request)).collect::<Result<Vec<_>, _>>()?;
    let known: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    for (at, item) in items.iter().enumerate() {
        if known[..at].contains(&item.id.as_str()) {
            return Err(Refusal::bad_request(&format!("Duplicate request id {} in batch.", item.id)));
        }
        // An item may wait for earlier ones only: so no cycle can be written.
        if let Some(unknown) = item.depends_on.iter().find(|id| !known[..at].contains(&id.as_str())) {
            return Err(Refusal::bad_request(&format!("Invalid dependsOn {unknown} of request {}.", item.id)));
        }
    }
    Ok(items)
}

/// Ids are text; some clients write them as numbers.
fn id_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn item(outer: &Call, request: &Value) -> Result<Item, Refusal> {
    let invalid = || Refusal::bad_request("Invalid batch payload format.");
    let id = id_of(request.get("id")).ok_or_else(invalid)?;
    let method = request.get("method").and_then(Value::as_str).ok_or_else(invalid)?;
    let method: Method = method.to_ascii_uppercase().parse().map_err(|_| invalid())?;
    let url = request.get("url").and_then(Value::as_str).ok_or_else(invalid)?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.contains("$batch") || path.contains("://") {
        return Err(Refusal::bad_request("Batch items must have relative addresses."));
    }
    let headers: HashMap<String, String> = request
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned())))
        .collect();
    let body = match request.get("body") {
        None | Some(Value::Null) => Body::Absent,
        Some(_) if !headers.contains_key("content-type") => Body::Untyped,
        Some(body) => Body::Json(body.clone()),
    };
    let request_id = ambient::id();
    let call = Call {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        options: Options::parse(query),
        body,
        metadata: headers.get("accept").map_or(outer.metadata, |accept| Metadata::of(accept)),
        client_request_id: headers.get("client-request-id").cloned().unwrap_or_else(|| request_id.clone()),
        request_id,
        justification: headers.get("x-msft-approval-justification").cloned(),
        approval_code: headers.get("x-msft-approval-code").cloned(),
        ..outer.clone()
    };
    let depends_on = request.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
    Ok(Item { id, depends_on: depends_on.filter_map(|id| id_of(Some(id))).collect(), call })
}

async fn run(engine: &Engine, items: Vec<Item>) -> Served {
    let mut statuses: HashMap<String, u16> = HashMap::new();
    let (mut responses, mut cut) = (Vec::new(), None);
    for item in items {
        let failed = item.depends_on.iter().any(|id| statuses.get(id).is_none_or(|status| *status >= 400));
        let reply = if failed {
            let refusal = Refusal::new(424, "FailedDependency", "A request this one depends on has failed.");
            refusal.reply(&item.call)
        } else {
            let served = engine.serve(item.call.clone()).await;
            // A batch travels over one connection: what cuts one item cuts all.
            cut = cut.or(served.cut);
            served.reply
        };
        statuses.insert(item.id.clone(), reply.status);
        responses.push(response(&item, reply));
    }
    Served { reply: Reply::new(200, json!({"responses": responses})), cut }
}

fn response(item: &Item, reply: Reply) -> Value {
    let mut headers: Map<String, Value> =
        reply.headers.iter().map(|(name, value)| (canonical(name), json!(value))).collect();
    headers.insert("request-id".into(), json!(item.call.request_id));
    headers.insert("client-request-id".into(), json!(item.call.client_request_id));
    let mut response = Map::from_iter([("id".to_owned(), json!(item.id)), ("status".to_owned(), json!(reply.status))]);
    if let Some(body) = reply.body {
        headers.insert("Content-Type".into(), json!("application/json"));
        // What is no JSON document (a bare count) travels as base64, as the batch format says for other media types.
        let body = if body.is_object() { body } else { json!(STANDARD.encode(body.to_string())) };
        response.insert("body".into(), body);
    }
    response.insert("headers".into(), Value::Object(headers));
    Value::Object(response)
}

/// `retry-after` as batch replies write header names.
fn canonical(name: &str) -> String {
    match name {
        "retry-after" => "Retry-After".into(),
        "location" => "Location".into(),
        other => other.into(),
    }
}
