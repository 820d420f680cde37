//! Messages and domain values: `parse_*` reads a message, `to_*` builds one.

mod explain;
mod import;
mod item;
mod run;
mod viewer;
mod watch;

use std::time::Duration;

use domain::run::RunType;
use pb::operation as proto;
use server::{Failure, fields};

pub use explain::{to_attention, to_estimate, to_explanation};
pub use import::{parse_import, to_import_response};
pub use item::{parse_intents, parse_item_states, parse_new_items, parse_reports, to_claimed_item, to_item};
pub use run::{parse_wanted, to_claimed_run, to_counts, to_outcome, to_run};
pub use viewer::to_viewer_context;
pub use watch::{parse_watch, to_watch_response};

use crate::run::Lease;

/// A run type of the catalogue.
pub fn parse_run_type(field: &str, value: &str) -> Result<RunType, Failure> {
    fields::text(field, value, 100)?
        .parse()
        .map_err(|_| Failure::invalid_argument(field, format!("{value:?} is no run type")))
}

/// Run types, each of the catalogue.
pub fn parse_run_types(field: &str, values: &[String]) -> Result<Vec<RunType>, Failure> {
    values.iter().enumerate().map(|(index, value)| parse_run_type(&format!("{field}[{index}]"), value)).collect()
}

/// What a worker holds.
pub fn parse_lease(lease: Option<proto::Lease>) -> Result<Lease, Failure> {
    let lease = fields::required("lease", lease)?;
    let run = fields::id("lease.run_id", &lease.run_id)?;
    if lease.fence < 1 {
        return Err(Failure::invalid_argument("lease.fence", "is required"));
    }
    Ok(Lease { run, fence: lease.fence })
}

/// A duration from zero to `most`; absent is zero.
pub fn parse_duration(field: &str, value: Option<prost_types::Duration>, most: Duration) -> Result<Duration, Failure> {
    let Some(value) = value else { return Ok(Duration::ZERO) };
    match Duration::try_from(value) {
        Ok(duration) if duration <= most => Ok(duration),
        _ => Err(Failure::invalid_argument(field, format!("must be between 0 and {} s", most.as_secs()))),
    }
}

/// A machine-readable reason: UPPER_SNAKE, at most 63 characters.
pub fn parse_reason(field: &str, value: &str) -> Result<String, Failure> {
    let reason = fields::text(field, value, 63)?;
    let upper_snake = reason.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !upper_snake || !reason.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Err(Failure::invalid_argument(field, "must be UPPER_SNAKE"));
    }
    Ok(reason.to_owned())
}

/// A JSON object of at most `most` bytes; absent is the empty one.
pub fn parse_object(
    field: &str,
    value: Option<&prost_types::Struct>,
    most: usize,
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let Some(value) = value else { return Ok(serde_json::Map::new()) };
    let serde_json::Value::Object(object) = server::structure::from_struct(value) else {
        return Err(Failure::invalid_argument(field, "must be an object"));
    };
    if serde_json::to_vec(&object).map_or(true, |bytes| bytes.len() > most) {
        return Err(Failure::invalid_argument(field, format!("must have at most {most} bytes as JSON")));
    }
    Ok(object)
}
