//! promotion-service: executes promotions and streams their runs to Monitoring. It keeps nothing: truth is the run.
//!
//! - [`execute_promotion`]: from a confirmed preflight to one queued run
//! - [`watch_promotion_runs`]: runs, live
//! - [`promote`]: the worker: what `apply` does item by item, with the content of one tenant, for another

mod app;
mod brief;
mod config;
mod execute_promotion;
mod grpc;
mod promote;
mod watch_promotion_runs;

pub use app::run;
pub use config::Config;
