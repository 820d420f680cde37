//! Multi Admin Approval: a protected write is refused without a justification, becomes a request with one, and is served when a
//! human has approved the request and the very same bytes come again with its code.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use time::Duration;

use crate::ambient;
use crate::call::{Body, Call, Refusal, Reply};
use crate::kinds::{self, Kind};
use crate::object::Object;
use crate::outcome::{Change, Outcome};
use crate::world::Tenant;

/// Longest justification, in characters.
const JUSTIFICATION_LIMIT: usize = 1024;
const REQUEST: &str = "operationApprovalRequest";

/// What the approval of a write leads to.
pub(crate) enum Gate {
    /// Not protected, or approved: the changes complete the request.
    Open(Vec<Change>),
    /// A request was made or still waits.
    Held(Outcome),
}

/// Decides whether a write may pass. `forced` = protected whatever the tenant's policies say.
pub(crate) fn gate(tenant: &Tenant, call: &Call, kind: &Kind, forced: bool) -> Result<Gate, Refusal> {
    if !forced && !protected(tenant, call, kind) {
        return Ok(Gate::Open(Vec::new()));
    }
    let requests = kinds::by_key(REQUEST).map(|kind| tenant.view_all(kind, call.now)).unwrap_or_default();
    let fingerprint = fingerprint(call);
    if let Some(code) = &call.approval_code {
        let Some(request) = requests.iter().find(|request| request.text("_code") == Some(code)) else {
            return Err(Refusal::bad_request("The approval code in header 'x-msft-approval-code' is not known."));
        };
        if request.text("_fingerprint") != Some(&fingerprint) {
            return Err(Refusal::bad_request("The request differs from the one that was approved."));
        }
        return match request.text("status") {
            Some("approved") => {
                Ok(Gate::Open(vec![Change::Put { object: with_status(request, "completed", call.now) }]))
            }
            Some("needsApproval") => Ok(Gate::Held(held(call, code, Vec::new()))),
            status => {
                let message = format!("The approval request is {}.", status.unwrap_or("unknown"));
                Err(Refusal::new(403, "Forbidden", &message))
            }
        };
    }
    let Some(justification) = &call.justification else { return Err(justification_required()) };
    let text = STANDARD.decode(justification).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text.filter(|text| !text.is_empty() && text.chars().count() <= JUSTIFICATION_LIMIT) else {
        return Err(Refusal::bad_request(
            "Header 'x-msft-approval-justification' must be base64 of 1 to 1024 characters.",
        ));
    };
    let pending = |request: &&std::sync::Arc<Object>| {
        request.text("status") == Some("needsApproval") && request.text("_fingerprint") == Some(&fingerprint)
    };
    if requests.iter().any(|request| pending(&request)) {
        return Err(Refusal::new(409, "Conflict", "An approval request for this operation is pending.").nested());
    }
    let code = ambient::id();
    let request = new_request(call, kind, &code, &fingerprint, &text);
    Ok(Gate::Held(held(call, &code, vec![Change::Put { object: request }])))
}

/// 400 for a protected write that nobody justified.
pub(crate) fn justification_required() -> Refusal {
    Refusal::bad_request("Header 'x-msft-approval-justification' is required to request approval")
}

fn protected(tenant: &Tenant, call: &Call, kind: &Kind) -> bool {
    let policies =
        kinds::by_key("operationApprovalPolicy").map(|kind| tenant.view_all(kind, call.now)).unwrap_or_default();
    kind.approval.is_some() && policies.iter().any(|policy| policy.text("policyType") == kind.approval.as_deref())
}

/// Sees every byte that matters, so that an approved request cannot be exchanged for another.
fn fingerprint(call: &Call) -> String {
    let mut hasher = DefaultHasher::new();
    (call.method.as_str(), call.path.trim_matches('/').to_ascii_lowercase(), &call.query).hash(&mut hasher);
    if let Body::Json(body) = &call.body {
        body.to_string().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn new_request(call: &Call, kind: &Kind, code: &str, fingerprint: &str, justification: &str) -> Object {
    let (now, until) = (ambient::stamp(call.now), ambient::stamp(call.now + Duration::days(3)));
    let body = json!({
        "requestDateTime": now,
        "lastModifiedDateTime": now,
        "expirationDateTime": until,
        "status": "needsApproval",
        "requestJustification": justification,
        "approvalJustification": null,
        "requestor": {"application": {"id": call.app.client_id}},
        "approver": null,
        "requiredOperationApprovalPolicyTypes": [kind.approval],
        "_code": code,
        "_fingerprint": fingerprint,
    });
    Object {
        id: ambient::id(),
        kind: REQUEST.into(),
        order: 0,
        body: body.as_object().cloned().unwrap_or_default(),
        children: std::collections::BTreeMap::new(),
        assignments: Vec::new(),
    }
}

/// The request in another state.
pub(crate) fn with_status(request: &Object, status: &str, now: time::OffsetDateTime) -> Object {
    let mut changed = request.clone();
    changed.body.insert("status".into(), json!(status));
    changed.body.insert("lastModifiedDateTime".into(), json!(ambient::stamp(now)));
    changed
}

fn held(call: &Call, code: &str, changes: Vec<Change>) -> Outcome {
    let refusal =
        Refusal::new(412, "PreconditionFailed", "The operation requires approval by another administrator.").nested();
    let reply: Reply = refusal.header("x-msft-approval-code", code.to_owned()).reply(call);
    Outcome { reply, changes }
}

/// The approval request with this code or id.
pub(crate) fn find(tenant: &Tenant, code: &str) -> Option<Object> {
    let all = tenant.everything();
    let request = all.iter().filter(|object| object.kind == REQUEST);
    let named = |object: &&&std::sync::Arc<Object>| object.text("_code") == Some(code) || object.id == code;
    request.clone().find(|object| named(&object)).map(|found| Object::clone(found))
}

/// The states a human can bring a request to.
pub(crate) fn is_verdict(status: &str) -> bool {
    ["approved", "rejected", "cancelled", "expired"].contains(&status)
}
