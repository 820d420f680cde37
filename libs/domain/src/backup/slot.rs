//! The identity of a scheduled backup.

use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use crate::id::{Hash, RequestId};

/// The request by which the backup of this schedule for this time is started: the same from whichever replica, however often. A
/// process that dies after it asked, and the one that asks again, have asked once.
pub fn request_of(schedule: Uuid, fire_at: OffsetDateTime) -> RequestId {
    let seconds = fire_at.unix_timestamp().to_be_bytes();
    let hash = Hash::of_parts([b"backup slot".as_slice(), schedule.as_bytes(), &seconds]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    // Version 8: a UUID whose bits have a meaning of their own.
    RequestId::from(Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn one_slot_one_request() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let time = datetime!(2026-03-29 01:00 UTC);
        assert_eq!(request_of(one, time), request_of(one, time.to_offset(time::macros::offset!(+2))));
        assert_ne!(request_of(one, time), request_of(other, time));
        assert_ne!(request_of(one, time), request_of(one, time + time::Duration::minutes(1)));
    }
}
