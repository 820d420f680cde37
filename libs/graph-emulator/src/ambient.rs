//! The only place of the emulator that reads the clock or draws random numbers. Decisions take both as arguments.

use rand::Rng as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The current moment, UTC.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A new random object id.
pub(crate) fn id() -> String {
    id_from(bytes())
}

/// The object id that sixteen bytes make.
pub(crate) fn id_from(bytes: [u8; 16]) -> String {
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Sixteen random bytes.
#[allow(clippy::disallowed_methods)]
pub(crate) fn bytes() -> [u8; 16] {
    rand::rng().random()
}

/// A date as Graph writes it.
pub(crate) fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("a UTC moment of this century has an RFC 3339 form")
}

/// The id that Graph uses where it means "none".
pub(crate) fn is_zero(id: &str) -> bool {
    id.parse::<Uuid>().is_ok_and(|id| id.is_nil())
}
