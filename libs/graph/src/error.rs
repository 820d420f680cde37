//! What a failed call means. One value for every failure: a kind to branch on, a reason code that never changes its
//! spelling, and a sentence an operator may read. The provider's ids and internal addresses do not reach the sentence.

mod body;

use std::fmt;
use std::time::Duration;

pub(crate) use body::parse as parse_body;

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Refused for now: too many requests, attempts used up. Nothing was applied.
    Throttled,
    /// No token, or a token the provider does not accept.
    Unauthorized,
    /// Authenticated, but a role, licence or scope is missing.
    Forbidden,
    /// The object or the path does not exist.
    NotFound,
    /// The object is in a state that refuses the write (409, 412 without approval, 423).
    Conflict,
    /// Multi Admin Approval protects this area and no request for approval was made.
    ApprovalRequired,
    /// A request for approval was accepted and waits for a human.
    ApprovalPending,
    /// The provider refuses the content.
    Invalid,
    /// The object or the delta token is gone for good (410).
    Gone,
    /// The provider failed on a read, attempts used up.
    Server,
    /// The provider was not reached: the request was not sent, or it was a read.
    Network,
    /// A write was sent and its fate is not known: only reading tells.
    UnknownOutcome,
    /// The answer is not what this crate understands.
    Decode,
    /// A limit of this crate was passed (body size, pages).
    TooLarge,
}

/// A failed provider call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// What to do about it.
    pub kind: Kind,
    /// Stable, UPPER_SNAKE, a literal of this crate (never the provider's text): fit for reports, failure summaries and metrics.
    pub reason_code: &'static str,
    /// A sentence without ids, tokens or internal addresses; at most [`MAX_MESSAGE_CHARS`] characters.
    pub message: String,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The provider's id of the call, for its support.
    pub request_id: Option<String>,
    /// How long the provider asked to wait, when it did.
    pub retry_after: Option<Duration>,
}

/// The longest message kept, in characters.
pub const MAX_MESSAGE_CHARS: usize = 400;

impl GraphError {
    /// A failure found on this side of the wire.
    pub(crate) fn local(kind: Kind, reason_code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, reason_code, message: message.into(), status: None, request_id: None, retry_after: None }
    }

    /// A body or field of the provider's that is not of the shape this crate reads.
    pub(crate) fn decode(what: impl Into<String>) -> Self {
        Self::local(Kind::Decode, "PROVIDER_ANSWER_NOT_UNDERSTOOD", what)
    }

    /// Whether waiting and asking again can help without anything else changing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::Server | Kind::Network)
    }

    /// The same failure seen as the unknown outcome of a write: kept are status, request id and wait.
    pub(crate) fn into_unknown_outcome(self) -> Self {
        let message = format!("the write was sent and its outcome is unknown: {}", self.message);
        Self { kind: Kind::UnknownOutcome, reason_code: "PROVIDER_OUTCOME_UNKNOWN", message, ..self }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason_code, self.message)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        Ok(())
    }
}

impl std::error::Error for GraphError {}
