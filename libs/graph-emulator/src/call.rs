//! One Graph request and its answer, freed from HTTP: what a single call and an item of a `$batch` have in common.

use http::Method;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::ambient;
use crate::odata::json::{Metadata, clean_map};
use crate::odata::query::Options;

/// A request for one tenant, already authenticated.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) tenant: String,
    pub(crate) app: App,
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// Below the version segment, still percent-encoded.
    pub(crate) path: String,
    /// Raw query string.
    pub(crate) query: String,
    pub(crate) options: Options,
    pub(crate) body: Body,
    pub(crate) metadata: Metadata,
    /// `scheme://host` as the client wrote it: links in replies begin with it.
    pub(crate) origin: String,
    pub(crate) request_id: String,
    pub(crate) client_request_id: String,
    /// `x-msft-approval-justification` and `x-msft-approval-code`.
    pub(crate) justification: Option<String>,
    pub(crate) approval_code: Option<String>,
    pub(crate) now: OffsetDateTime,
}

/// The application a token was issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) client_id: String,
    /// Granted app roles; `None` = all.
    pub(crate) roles: Option<Vec<String>>,
}

impl App {
    /// Whether any of the roles is granted.
    pub(crate) fn holds(&self, any: &[&String]) -> bool {
        self.roles.as_ref().is_none_or(|held| any.iter().any(|role| held.contains(role)))
    }
}

/// The two versions of Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    Beta,
}

impl Version {
    pub(crate) fn parse(segment: &str) -> Option<Self> {
        match segment.to_ascii_lowercase().as_str() {
            "v1.0" => Some(Version::V1),
            "beta" => Some(Version::Beta),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Version::V1 => "v1.0",
            Version::Beta => "beta",
        }
    }
}

/// What came as a body.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Absent,
    /// A body without `Content-Type`.
    Untyped,
    /// A body that is not JSON: the parser's words.
    Broken(String),
    Json(Value),
}

impl Call {
    /// Whether the call may change something.
    pub(crate) fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// `scheme://host/version`.
    pub(crate) fn base(&self) -> String {
        format!("{}/{}", self.origin, self.version.name())
    }

    /// Writes `@odata.context` into a body, unless no metadata is wanted. It names the parents, by which some clients join children
    /// to them.
    pub(crate) fn context(&self, map: &mut Map<String, Value>, fragment: &str) {
        if self.metadata != Metadata::None {
            map.insert("@odata.context".into(), json!(format!("{}/$metadata#{fragment}", self.base())));
        }
    }

    /// A list that an action requires in its body.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<Value>, Refusal> {
        match clean_map(self.object()?).remove(key) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(Refusal::bad_request(&format!("The parameter '{key}' is required and must be a collection."))),
        }
    }

    /// The JSON object in the body.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        match &self.body {
            Body::Json(Value::Object(map)) => Ok(map.clone()),
            Body::Json(_) => Err(Refusal::bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
            Body::Absent => Err(Refusal::bad_request("Empty Payload. JSON content expected.")),
            Body::Untyped => Err(Refusal::bad_request(
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.",
            )),
            Body::Broken(why) => Err(Refusal::bad_request(&format!("Unable to read JSON request payload. {why}"))),
        }
    }
}

/// An answer before it becomes HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// Id of the object that a write touched, for the log.
    pub(crate) object: Option<String>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body), object: None }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, object: None }
    }

    pub(crate) fn touching(mut self, id: &str) -> Self {
        self.object = Some(id.to_owned());
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A request that Graph refuses.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The message came from the Intune service behind Graph: it travels as JSON inside `message`.
    pub(crate) nested: bool,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.into(), message: message.into(), nested: false, headers: Vec::new() }
    }

    /// Refused by the OData layer: a plain message.
    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// Refused by the Intune service: JSON inside the message.
    pub(crate) fn intune(message: &str) -> Self {
        Self::new(400, "BadRequest", message).nested()
    }

    /// 403 for a missing app role.
    pub(crate) fn forbidden(wanted: &[String]) -> Self {
        let message = format!(
            "Application is not authorized to perform this operation. Application must have one of the following scopes: {}",
            wanted.join(", ")
        );
        Self::new(403, "Forbidden", &message)
    }

    pub(crate) fn segment(name: &str) -> Self {
        Self::bad_request(&format!("Resource not found for the segment '{name}'."))
    }

    pub(crate) fn method() -> Self {
        Self::new(405, "MethodNotAllowed", "Specified HTTP method is not allowed for the request target.")
    }

    pub(crate) fn nested(mut self) -> Self {
        self.nested = true;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The error as a reply to `call`.
    pub(crate) fn reply(self, call: &Call) -> Reply {
        let message = if self.nested { nested_message(&self.message, &call.request_id) } else { self.message };
        let inner = json!({
            "date": ambient::stamp(call.now).split('.').next().unwrap_or_default().trim_end_matches('Z'),
            "request-id": call.request_id,
            "client-request-id": call.client_request_id,
        });
        let body = json!({"error": {"code": self.code, "message": message, "innerError": inner}});
        Reply { status: self.status, headers: self.headers, body: Some(body), object: None }
    }
}

/// How Intune wraps a message: JSON, with an activity id and an internal address that differ every time.
fn nested_message(text: &str, activity: &str) -> String {
    json!({
        "_version": 3,
        "Message": format!(
            "{text} - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000 - Activity ID: {activity} - \
             Url: https://fef.msub03.manage.microsoft.com/StatelessPolicyService/deviceManagement?api-version=5023-08-10"
        ),
        "CustomApiErrorPhrase": "",
        "RetryAfter": null,
        "ErrorSourceService": "",
        "HttpHeaders": "{}"
    })
    .to_string()
}
