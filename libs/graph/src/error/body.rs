//! Reading an error body. Graph answers `{"error":{"code","message","innerError":{..}}}` with varying key case; Intune puts
//! a JSON document inside `message` whose `Message` is the sentence, followed by operation ids and an internal address; the
//! token endpoint answers `{"error":"..","error_description":".."}`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{GraphError, Kind, MAX_MESSAGE_CHARS};

/// Texts that say more than the status does, in the order they are looked for (lower case): fragment, kind, reason.
/// Sources: Multi Admin Approval documentation; IntuneManagement issues 401 and 373; powershell-intune-samples issue 179.
const TELLING: &[(&str, Kind, &str)] = &[
    ("x-msft-approval-justification", Kind::ApprovalRequired, "PROVIDER_APPROVAL_REQUIRED"),
    ("scope tags validation failed", Kind::Invalid, "PROVIDER_SCOPE_TAG_REJECTED"),
    ("added a tag which is not allowed", Kind::Invalid, "PROVIDER_SCOPE_TAG_NOT_ALLOWED"),
    ("secretreferencevalueid", Kind::Invalid, "PROVIDER_SECRET_REFERENCE_REJECTED"),
];

/// Codes of 400 answers worth telling apart (lower case, no separators). `1040`: a conditional access policy names a
/// location that was created a moment ago and is not visible to it yet.
const INVALID_CODES: &[(&str, &str)] = &[
    ("modelvalidationfailure", "PROVIDER_MODEL_VALIDATION_FAILED"),
    ("notsupported", "PROVIDER_NOT_SUPPORTED"),
    ("1040", "PROVIDER_REFERENCE_NOT_VISIBLE_YET"),
];

/// Turns a non-success answer into its error.
pub(crate) fn parse(
    status: u16,
    body: &[u8],
    request_id: Option<String>,
    retry_after: Option<Duration>,
    approval_code: bool,
) -> GraphError {
    let told = Told::read(body);
    let (kind, reason_code) = classify(status, &told, approval_code);
    let message = if told.message.is_empty() { plain_words(status).to_owned() } else { told.message };
    GraphError {
        kind,
        reason_code,
        message,
        status: Some(status),
        request_id: request_id.or(told.request_id),
        retry_after: retry_after.or(told.retry_after),
    }
}

fn classify(status: u16, told: &Told, approval_code: bool) -> (Kind, &'static str) {
    // 412 with an approval code means "accepted, a human must agree"; other 412s are failed preconditions.
    if status == 412 && approval_code {
        return (Kind::ApprovalPending, "PROVIDER_APPROVAL_PENDING");
    }
    if matches!(status, 400 | 403 | 412) {
        let text = told.message.to_lowercase();
        if let Some((_, kind, reason)) = TELLING.iter().find(|(fragment, _, _)| text.contains(fragment)) {
            return (*kind, reason);
        }
    }
    match status {
        400 | 405 | 406 | 415 | 422 => {
            let known = INVALID_CODES.iter().find(|(code, _)| *code == told.code);
            (Kind::Invalid, known.map_or("PROVIDER_REJECTED_CONTENT", |(_, reason)| reason))
        }
        401 => (Kind::Unauthorized, "PROVIDER_TOKEN_REJECTED"),
        403 => (Kind::Forbidden, "PROVIDER_PERMISSION_DENIED"),
        404 => (Kind::NotFound, "PROVIDER_OBJECT_NOT_FOUND"),
        409 | 412 | 423 => (Kind::Conflict, "PROVIDER_CONFLICT"),
        410 => (Kind::Gone, "PROVIDER_OBJECT_GONE"),
        413 => (Kind::TooLarge, "PROVIDER_CONTENT_TOO_LARGE"),
        // 424: an item of a batch whose prerequisite failed; by itself it did nothing.
        424 => (Kind::Conflict, "PROVIDER_DEPENDENCY_FAILED"),
        429 => (Kind::Throttled, "PROVIDER_THROTTLED"),
        500..=599 => (Kind::Server, "PROVIDER_UNAVAILABLE"),
        _ => (Kind::Decode, "PROVIDER_ANSWER_NOT_UNDERSTOOD"),
    }
}

fn plain_words(status: u16) -> &'static str {
    match status {
        401 => "the provider does not accept the token",
        403 => "the provider refuses access",
        404 => "the provider does not know the object",
        429 => "the provider asks for fewer requests",
        500..=599 => "the provider is unavailable",
        _ => "the provider refused the request without saying why",
    }
}

/// What a body says, key case and nesting removed.
#[derive(Default)]
struct Told {
    /// Lower case, letters and digits only.
    code: String,
    message: String,
    request_id: Option<String>,
    retry_after: Option<Duration>,
}

impl Told {
    fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(root)) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        match lookup(&root, "error") {
            Some(Value::Object(error)) => Self::of_graph(error),
            // The token endpoint: `error` is the code, the first line of the description the sentence.
            Some(Value::String(code)) => {
                let description = text(&root, "error_description");
                let first_line = description.lines().next().unwrap_or_default();
                Self { code: squash(code), message: clean(first_line), ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    fn of_graph(error: &Map<String, Value>) -> Self {
        let outer = text(error, "message");
        let inner = lookup(error, "innererror").and_then(Value::as_object);
        let request_id = inner.map(|i| text(i, "requestid")).filter(|id| !id.is_empty());
        let mut told = Self { code: squash(&text(error, "code")), request_id, ..Self::default() };
        match serde_json::from_str::<Value>(outer.trim()) {
            Ok(Value::Object(nested)) => {
                told.message = clean(&text(&nested, "message"));
                told.retry_after = lookup(&nested, "retryafter").and_then(seconds);
                let phrase = text(&nested, "customapierrorphrase");
                if !phrase.is_empty() {
                    told.code = squash(&phrase);
                }
            }
            _ => told.message = clean(&outer),
        }
        told
    }
}

/// Key case and separators vary (`innerError`, `innererror`, `request-id`, `requestId`): `wanted` is lower case without any.
fn lookup<'a>(map: &'a Map<String, Value>, wanted: &str) -> Option<&'a Value> {
    map.iter().find(|(key, _)| squash(key) == squash(wanted)).map(|(_, value)| value)
}

fn text(map: &Map<String, Value>, wanted: &str) -> String {
    lookup(map, wanted).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn squash(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The sentence alone: Intune's trailers are cut, addresses and GUIDs replaced, white space folded, the length bounded.
fn clean(message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let trailers = [" - operation id", " - activity id", " - url:", "operation id (for customer support)"];
    let end = trailers.iter().filter_map(|t| lower.find(t)).min().unwrap_or(message.len());
    // Lower-casing ASCII keeps byte offsets, so `end` is a character boundary of the original too.
    let words = message[..end].split_whitespace().map(|word| match word {
        w if w.contains("://") => "<address>".to_owned(),
        w => hide_guids(w),
    });
    let sentence = words.collect::<Vec<_>>().join(" ");
    let sentence = sentence.trim().trim_end_matches(['-', ' ']).to_owned();
    if sentence.chars().count() <= MAX_MESSAGE_CHARS {
        return sentence;
    }
    sentence.chars().take(MAX_MESSAGE_CHARS - 1).chain(['…']).collect()
}

fn hide_guids(word: &str) -> String {
    const GUID_LEN: usize = 36;
    let bytes = word.as_bytes();
    let mut out = String::with_capacity(word.len());
    let mut at = 0;
    while at < bytes.len() {
        if at + GUID_LEN <= bytes.len() && is_guid(&bytes[at..at + GUID_LEN]) {
            out.push_str("<id>");
            at += GUID_LEN;
            continue;
        }
        // Step by whole characters: a word may hold any script.
        let step = word[at..].chars().next().map_or(1, char::len_utf8);
        out.push_str(&word[at..at + step]);
        at += step;
    }
    out
}

fn is_guid(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> GraphError {
        parse(status, body.as_bytes(), None, None, false)
    }

    #[test]
    fn json_inside_the_message_is_read_and_stripped() {
        let inner = r#"{"_version":3,"Message":"Property 'x' is invalid for 0f8fad5b-d9cb-469f-a165-70867728950e - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000 - Activity ID: 7c9e6679-7425-40de-944b-e07fc1f90ae7 - Url: https://fef.msub01.manage.microsoft.com/StatelessX","CustomApiErrorPhrase":"","RetryAfter":null,"HttpHeaders":"{}"}"#;
        let body = serde_json::json!({"error": {"code": "BadRequest", "message": inner,
            "innerError": {"date": "2026-01-01", "request-id": "r-1"}}});
        let error = of(400, &body.to_string());
        assert_eq!((error.kind, error.reason_code), (Kind::Invalid, "PROVIDER_REJECTED_CONTENT"));
        assert_eq!(error.message, "Property 'x' is invalid for <id>");
        assert_eq!(error.request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn key_case_varies() {
        for body in [
            r#"{"error":{"Code":"ModelValidationFailure","Message":"m","innererror":{"requestId":"r"}}}"#,
            r#"{"Error":{"code":"modelValidationFailure","message":"m","InnerError":{"request-id":"r"}}}"#,
        ] {
            let error = of(400, body);
            assert_eq!(error.reason_code, "PROVIDER_MODEL_VALIDATION_FAILED");
            assert_eq!(error.request_id.as_deref(), Some("r"), "{body}");
        }
    }

    #[test]
    fn statuses_and_texts_have_their_reasons() {
        let message = |m: &str| serde_json::json!({"error": {"code": "BadRequest", "message": m}}).to_string();
        let approval = message("Header 'x-msft-approval-justification' is required to request approval");
        for (status, body, kind, reason) in [
            (400, approval.clone(), Kind::ApprovalRequired, "PROVIDER_APPROVAL_REQUIRED"),
            (403, approval, Kind::ApprovalRequired, "PROVIDER_APPROVAL_REQUIRED"),
            (400, message("Scope Tags validation failed : Filters x"), Kind::Invalid, "PROVIDER_SCOPE_TAG_REJECTED"),
            (
                400,
                message("Added a tag which is not allowed by the current role: 0"),
                Kind::Invalid,
                "PROVIDER_SCOPE_TAG_NOT_ALLOWED",
            ),
            (
                400,
                message("SecretReferenceValueId invalid for create."),
                Kind::Invalid,
                "PROVIDER_SECRET_REFERENCE_REJECTED",
            ),
            (
                400,
                r#"{"error":{"code":"1040","message":"x"}}"#.into(),
                Kind::Invalid,
                "PROVIDER_REFERENCE_NOT_VISIBLE_YET",
            ),
            (403, String::new(), Kind::Forbidden, "PROVIDER_PERMISSION_DENIED"),
            (404, "<html>".into(), Kind::NotFound, "PROVIDER_OBJECT_NOT_FOUND"),
            (412, String::new(), Kind::Conflict, "PROVIDER_CONFLICT"),
            (429, String::new(), Kind::Throttled, "PROVIDER_THROTTLED"),
            (504, String::new(), Kind::Server, "PROVIDER_UNAVAILABLE"),
            (302, String::new(), Kind::Decode, "PROVIDER_ANSWER_NOT_UNDERSTOOD"),
        ] {
            let error = of(status, &body);
            assert_eq!((error.kind, error.reason_code), (kind, reason), "{status} {body}");
            assert!(!error.message.is_empty());
        }
        assert_eq!(parse(412, b"", None, None, true).kind, Kind::ApprovalPending);
    }

    #[test]
    fn the_token_endpoint_speaks_its_own_dialect() {
        let error = of(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 7c9e6679-7425-40de-944b-e07fc1f90ae7"}"#,
        );
        assert_eq!(error.message, "AADSTS7000215: Invalid client secret provided.");
        assert_eq!(error.kind, Kind::Unauthorized);
    }

    #[test]
    fn messages_are_bounded_in_any_script() {
        let long = "ä€".repeat(600);
        let error = of(400, &serde_json::json!({"error": {"code": "x", "message": long}}).to_string());
        assert_eq!(error.message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
