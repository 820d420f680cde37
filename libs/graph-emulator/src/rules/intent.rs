//! Legacy endpoint security: an intent's settings are also reached by the categories of its template.

use http::Method;
use serde_json::Value;

use crate::call::Refusal;
use crate::odata::path::Segment;
use crate::outcome::Outcome;
use crate::present;
use crate::rules;
use crate::shipped;
use crate::world::Object;
use crate::write::Scene;

/// `categories` and `categories/{id}/settings` of one intent.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    let names = rules::names(rest);
    let ["categories", rest @ ..] = names.as_slice() else { return None };
    if scene.call.method != Method::GET {
        return Some(Err(Refusal::method()));
    }
    let path = format!("deviceManagement/intents('{}')/categories", object.id);
    let template = object.text("templateId").unwrap_or_default();
    Some(match rest {
        [] => shipped::list(scene.call, vec![shipped::category(template)], &path),
        [asked, "settings"] if asked.eq_ignore_ascii_case(template) => settings(scene, object)
            .and_then(|items| shipped::list(scene.call, items, &format!("{path}('{asked}')/settings"))),
        [asked, "settings"] => Err(shipped::absent(asked)),
        [asked, ..] => Err(Refusal::segment(asked)),
    })
}

fn settings(scene: &Scene<'_>, object: &Object) -> Result<Vec<Value>, Refusal> {
    match scene.kind.child("settings") {
        Some(child) => present::children(scene, object, child, &[], &[]),
        None => Ok(Vec::new()),
    }
}
