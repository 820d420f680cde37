//! A stand-in for Microsoft Graph over HTTP, for development and tests only: an independent second source of what Graph enforces.
//!
//! It shares no code with the crate that calls Graph. Its facts are in `kinds.toml` and `rules/`; where a fact about the real
//! service was not known, the file says so. Real tenants are loaded from folders of exports.
//!
//! * `world`, `journal`: tenants and their objects, in memory and on disk
//! * `dispatch`, `read`, `write`, `assign`, `present`, `rules`, `shipped`: one call decided against the world
//! * `engine`: faults, throttling, approval, commit and log around that decision
//! * `server`, `auth`, `batch`, `admin`, `tls`: HTTP
//! * `load`: exports to objects

mod admin;
mod ambient;
mod approval;
mod assign;
mod auth;
mod batch;
mod call;
mod catalogue;
mod dispatch;
mod emulator;
mod engine;
mod faults;
mod journal;
mod kinds;
mod load;
mod odata;
mod outcome;
mod present;
mod read;
mod rules;
mod server;
mod shipped;
mod throttle;
mod tls;
mod world;
mod write;

pub use emulator::{Control, Emulator, Running, TenantSpec, TenantSummary};
pub use engine::LogEntry;
pub use faults::{FaultAction, FaultMatch, FaultRule};
pub use load::{Became, LoadedFile, Report};
pub use throttle::Limits;
pub use tls::Identity;
pub use world::{Client, Object};
