//! What a request failed of, told once: a category (which decides the gRPC code), a machine-readable reason, a message
//! for people, and details. [`status`] holds the one place where a [`Failure`] becomes a [`tonic::Status`], and
//! [`upstream`] the way back, for a service that passes another one's answer on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};

mod status;
mod upstream;

pub use status::{DOMAIN, trace_id_of};
pub use upstream::{reason_of, retry_delay_of};

/// Machine-readable reasons that the chassis itself gives. Services add their own, in UPPER_SNAKE.
pub mod reason {
    /// UNAUTHENTICATED: there is no `authorization: Bearer ...`.
    pub const TOKEN_MISSING: &str = "TOKEN_MISSING";
    /// UNAUTHENTICATED: the token cannot be trusted (signature, issuer, audience, algorithm, form).
    pub const TOKEN_INVALID: &str = "TOKEN_INVALID";
    /// UNAUTHENTICATED: the token was good once.
    pub const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";
    /// UNAUTHENTICATED: `x-tenantatlas-service` does not carry a valid token of a service.
    pub const SERVICE_TOKEN_INVALID: &str = "SERVICE_TOKEN_INVALID";
    /// UNAUTHENTICATED: a service's token came over a connection whose certificate does not name that service.
    pub const SERVICE_CERTIFICATE_MISMATCH: &str = "SERVICE_CERTIFICATE_MISMATCH";
    /// PERMISSION_DENIED: the call is reserved to services.
    pub const SERVICE_IDENTITY_REQUIRED: &str = "SERVICE_IDENTITY_REQUIRED";
    /// PERMISSION_DENIED: the call needs a person, and a service called for itself.
    pub const USER_IDENTITY_REQUIRED: &str = "USER_IDENTITY_REQUIRED";
    /// PERMISSION_DENIED: metadata `capability` names the one that is missing.
    pub const CAPABILITY_MISSING: &str = "CAPABILITY_MISSING";
    /// INVALID_ARGUMENT: BadRequest says which field and why.
    pub const FIELD_INVALID: &str = "FIELD_INVALID";
    /// INVALID_ARGUMENT: the page token was not issued for this request.
    pub const PAGE_TOKEN_INVALID: &str = "PAGE_TOKEN_INVALID";
    /// INVALID_ARGUMENT: the bytes are no message of this type.
    pub const REQUEST_MALFORMED: &str = "REQUEST_MALFORMED";
    /// NOT_FOUND, also of what is hidden from the actor.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// UNIMPLEMENTED: no such service or method here.
    pub const METHOD_UNKNOWN: &str = "METHOD_UNKNOWN";
    /// RESOURCE_EXHAUSTED: more requests or streams than this process takes; try again later.
    pub const OVERLOADED: &str = "OVERLOADED";
    /// RESOURCE_EXHAUSTED: the caller holds as many streams as one caller may.
    pub const TOO_MANY_STREAMS: &str = "TOO_MANY_STREAMS";
    /// RESOURCE_EXHAUSTED: a message is larger than allowed.
    pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
    /// DEADLINE_EXCEEDED.
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    /// UNAVAILABLE: this process is shutting down; another one, or a later moment, will do.
    pub const DRAINING: &str = "DRAINING";
    /// UNAVAILABLE: something this service depends on cannot be reached.
    pub const UPSTREAM_UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";
    /// CANCELLED.
    pub const CANCELLED: &str = "CANCELLED";
    /// INTERNAL: a defect; metadata `trace_id` is all that is shown of it.
    pub const INTERNAL: &str = "INTERNAL";
}

/// The kinds of failure, each one gRPC code. UNKNOWN and DATA_LOSS are left out on purpose: nothing of ours says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// No valid identity.
    Unauthenticated,
    /// The request itself is wrong, whatever the state of the system.
    InvalidArgument,
    /// Absent, or hidden from the actor; the two look the same.
    NotFound,
    /// The actor may see the thing but not do this to it.
    PermissionDenied,
    /// It is there already, and differs.
    AlreadyExists,
    /// The state does not allow it now.
    FailedPrecondition,
    /// Lost against a concurrent change: read again, decide again.
    Aborted,
    /// A position that no longer exists, or not yet.
    OutOfRange,
    /// A limit is reached.
    ResourceExhausted,
    /// The caller's time is up.
    DeadlineExceeded,
    /// The caller gave up.
    Cancelled,
    /// Not offered here.
    Unimplemented,
    /// Something needed is away for the moment: trying again may help.
    Unavailable,
    /// A defect.
    Internal,
}

impl Category {
    /// The gRPC code: the only table of its kind.
    pub const fn code(self) -> Code {
        match self {
            Category::Unauthenticated => Code::Unauthenticated,
            Category::InvalidArgument => Code::InvalidArgument,
            Category::NotFound => Code::NotFound,
            Category::PermissionDenied => Code::PermissionDenied,
            Category::AlreadyExists => Code::AlreadyExists,
            Category::FailedPrecondition => Code::FailedPrecondition,
            Category::Aborted => Code::Aborted,
            Category::OutOfRange => Code::OutOfRange,
            Category::ResourceExhausted => Code::ResourceExhausted,
            Category::DeadlineExceeded => Code::DeadlineExceeded,
            Category::Cancelled => Code::Cancelled,
            Category::Unimplemented => Code::Unimplemented,
            Category::Unavailable => Code::Unavailable,
            Category::Internal => Code::Internal,
        }
    }
}

/// A failed request. Cheap to move (one pointer).
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    category: Category,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
    metadata: BTreeMap<String, String>,
    fields: Vec<FieldViolation>,
    preconditions: Vec<Precondition>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// Set when another service's answer is passed on as it came.
    verbatim: Option<Status>,
}

/// One field of the request, and what is wrong with it (google.rpc.BadRequest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The path in the request message, as in the proto: `selection.source_tenant_id`.
    pub field: String,
    /// What is wrong, for people: "must be a UUID".
    pub why: String,
}

/// One gate that is closed (google.rpc.PreconditionFailure).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition {
    /// The kind of gate, UPPER_SNAKE.
    pub kind: String,
    /// What it is about: a resource name or id the actor may see.
    pub subject: String,
    /// What to do about it, for people.
    pub description: String,
}

impl Failure {
    /// A failure of any category. `reason` is UPPER_SNAKE, stable, at most 63 characters; `message` is for people.
    pub fn new(
        category: Category,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            category,
            reason: reason.into(),
            message: message.into(),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            preconditions: Vec::new(),
            retry_after: None,
            source: None,
            verbatim: None,
        }))
    }

    /// UNAUTHENTICATED.
    pub fn unauthenticated(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::Unauthenticated, reason, message)
    }

    /// INVALID_ARGUMENT FIELD_INVALID about one field.
    pub fn invalid_argument(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::invalid_arguments(vec![FieldViolation { field: field.into(), why: why.into() }])
    }

    /// The fields that it is about, and what is wrong with each.
    pub fn violations(&self) -> &[FieldViolation] {
        &self.0.fields
    }

    /// INVALID_ARGUMENT FIELD_INVALID about several fields at once.
    pub fn invalid_arguments(violations: Vec<FieldViolation>) -> Self {
        let message = violations.iter().map(|v| format!("{}: {}", v.field, v.why)).collect::<Vec<_>>().join("; ");
        let mut failure = Self::new(Category::InvalidArgument, reason::FIELD_INVALID, message);
        failure.0.fields = violations;
        failure
    }

    /// NOT_FOUND. There is nothing to say about what was not found, on purpose: what is hidden and what does not exist
    /// give the same bytes.
    pub fn not_found() -> Self {
        Self::new(Category::NotFound, reason::NOT_FOUND, "not found")
    }

    /// PERMISSION_DENIED, for an actor who may know of everything involved.
    pub fn permission_denied(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::PermissionDenied, reason, message)
    }

    /// PERMISSION_DENIED CAPABILITY_MISSING; metadata `capability` names it.
    pub fn capability_missing(capability: domain::access::Capability) -> Self {
        Self::permission_denied(
            reason::CAPABILITY_MISSING,
            format!("this needs the capability {}", capability.as_str()),
        )
        .with("capability", capability.as_str())
    }

    /// ALREADY_EXISTS.
    pub fn already_exists(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::AlreadyExists, reason, message)
    }

    /// FAILED_PRECONDITION: asking again is of no use until the state changes.
    pub fn failed_precondition(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::FailedPrecondition, reason, message)
    }

    /// ABORTED: read again and decide again.
    pub fn aborted(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::Aborted, reason, message)
    }

    /// OUT_OF_RANGE.
    pub fn out_of_range(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::OutOfRange, reason, message)
    }

    /// RESOURCE_EXHAUSTED.
    pub fn resource_exhausted(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Category::ResourceExhausted, reason, message)
    }

    /// DEADLINE_EXCEEDED.
    pub fn deadline_exceeded() -> Self {
        Self::new(Category::DeadlineExceeded, reason::DEADLINE_EXCEEDED, "the deadline of the call has passed")
    }

    /// UNAVAILABLE UPSTREAM_UNAVAILABLE: `what` (a noun: "the database") is away. It carries a retry delay of a second.
    pub fn unavailable(what: &str) -> Self {
        Self::new(Category::Unavailable, reason::UPSTREAM_UNAVAILABLE, format!("{what} is not available"))
            .retry_after(Duration::from_secs(1))
    }

    /// UNAVAILABLE DRAINING: this process is going down; a stream is resumed elsewhere with its last cursor.
    pub fn draining() -> Self {
        Self::new(Category::Unavailable, reason::DRAINING, "the server is shutting down").retry_after(Duration::ZERO)
    }

    /// UNAUTHENTICATED TOKEN_EXPIRED, for a stream whose token ended while it was open. That is not the end of what the
    /// caller was watching (metadata `resumable`): with a new token and its last cursor it goes on where it was.
    pub fn stream_expired() -> Self {
        Self::unauthenticated(
            reason::TOKEN_EXPIRED,
            "the token has expired; open the stream again with a new token and the last resume token",
        )
        .with("resumable", "true")
    }

    /// INTERNAL: a defect, with the error that shows it. The caller sees a trace id, the log sees the chain of sources.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Category::Internal, reason::INTERNAL, "internal error").caused_by(source)
    }

    /// INTERNAL: what a handler panicked with. The panic hook has printed where.
    pub(crate) fn from_panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        Self::internal(format!("panic: {}", text.unwrap_or("without a text")))
    }

    /// Adds an entry to ErrorInfo's metadata: the dynamic parts of the message, for machines. Ignored on NOT_FOUND.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.into(), value.into());
        self
    }

    /// Adds a closed gate (google.rpc.PreconditionFailure).
    #[must_use]
    pub fn precondition(mut self, precondition: Precondition) -> Self {
        self.0.preconditions.push(precondition);
        self
    }

    /// Says when trying again may help (google.rpc.RetryInfo).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Keeps the underlying error for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The category.
    pub fn category(&self) -> Category {
        self.0.category
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason, self.0.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<sqlx::Error> for Failure {
    /// A statement failed in a way its store did not expect. What may be gone in a moment is UNAVAILABLE, anything else
    /// is a defect.
    fn from(error: sqlx::Error) -> Self {
        match pg::failure(&error) {
            pg::Failure::Unavailable | pg::Failure::Timeout | pg::Failure::Serialization | pg::Failure::Deadlock => {
                Self::unavailable("the database").caused_by(error)
            }
            _ => Self::internal(error),
        }
    }
}
