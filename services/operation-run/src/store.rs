//! The only place with SQL: free functions over a connection, one file per table. The use case owns the transaction and
//! says in which workspace it works; row-level security holds the functions to that.

pub mod answered_request;
pub mod audit_entry;
pub mod audit_seal;
pub mod claim_heard;
pub mod notification;
pub mod pause;
pub mod run;
pub mod run_event;
pub mod run_item;
pub mod start_answer;
pub mod viewer;

use serde_json::Value;

/// Values as texts for a `::jsonb` cast in the statement: arrays of JSON have no binary form of their own.
fn json_texts<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<String> {
    values.map(Value::to_string).collect()
}
