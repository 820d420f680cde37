//! The edge: parses a request once into domain values, calls the use case, builds the reply. Nothing is decided here.

mod audit;
mod control;
pub mod convert;
mod notification;
mod operation_run;
mod worker;

pub use audit::AuditApi;
pub use control::ControlApi;
pub use notification::NotificationApi;
pub use operation_run::OperationRunApi;
pub use worker::WorkerApi;
