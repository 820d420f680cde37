//! Messages to values (`parse_x`) and back (`to_x`): free functions, one file per area.

pub mod backup;
pub mod compare;
pub mod directory;
pub mod inventory;
pub mod onboarding;
pub mod operability;
pub mod restore;
pub mod tenant;
pub mod workspace;

/// A count as it is sent: `optional`, so that a zero is printed.
fn count(count: u64) -> Option<i32> {
    Some(i32::try_from(count).unwrap_or(i32::MAX))
}
