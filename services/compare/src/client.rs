//! The other services this one calls: operation runs are started, the audit trail is written. Both are operation-run-service.

mod audit;
mod operation_runs;

pub use audit::{Audit, NewAuditEvent};
pub use operation_runs::{NewItem, NewRun, OperationRuns, Started};
