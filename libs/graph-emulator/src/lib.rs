//! A stand-in for Microsoft Graph over HTTP, for development and tests only: an independent second source of what Graph enforces.
//!
//! It shares no code with the crate that calls Graph. Its facts are in `kinds.toml` and `rules/`; where a fact about the real
//! service was not known, the file says so. Real tenants are loaded from folders of exports.
//!
//! * `object`, `world`, `journal`: tenants and their objects, in memory and on disk
//! * `scene`, `rules`, `present`, `read`, `shipped`, `write`, `assign`, `dispatch`: one call decided against the world
//! * `engine`: faults, throttling, approval, commit and log around that decision
//! * `control`: what tests and people steer it by
//! * `server`, `auth`, `batch`, `admin`, `tls`: HTTP
//! * `load`: exports to objects

mod admin;
mod ambient;
mod approval;
mod arguments;
mod assign;
mod auth;
mod batch;
mod call;
mod catalogue;
mod control;
mod dispatch;
mod emulator;
mod engine;
mod faults;
mod journal;
mod kinds;
mod load;
mod object;
mod odata;
mod outcome;
mod present;
mod read;
mod rules;
mod scene;
mod server;
mod shipped;
mod throttle;
mod tls;
mod world;
mod write;

pub use arguments::Arguments;
pub use control::{Control, TenantSpec, TenantSummary};
pub use emulator::{Emulator, Running};
pub use engine::LogEntry;
pub use faults::{FaultAction, FaultMatch, FaultRule};
pub use load::{Became, LoadedFile, Report};
pub use object::Object;
pub use throttle::Limits;
pub use tls::Identity;
pub use world::Client;
