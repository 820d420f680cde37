//! The chassis of a TenantAtlas service: what every one of them needs and none should write. Configuration, telemetry,
//! the stack that each request passes, the caller's identity and access facts, errors, health, reflection, drain, and
//! the way to other services.
//!
//! It knows access and no other noun of the domain. A service is, in `main.rs`:
//!
//! ```ignore
//! let chassis = server::Chassis::start(&args.server, "compare-service", pb::FILE_DESCRIPTOR_SET)?;
//! let limits = chassis.limits();
//! let api = CompareServiceServer::new(Api { .. }).max_decoding_message_size(limits.max_request_bytes);
//! chassis.serve(server::Services::new().add(api)).await
//! ```

pub mod access;
pub mod ambient;
mod body;
pub mod caller;
pub mod client;
pub mod config;
mod deadline;
mod drain;
pub mod failure;
pub mod fields;
mod method;
pub mod oidc;
mod secret;
mod serve;
mod stack;
pub mod structure;
pub mod telemetry;
mod tls;

pub use access::AccessReader;
pub use caller::{Caller, ServiceIdentity, User, caller};
pub use config::{ConfigError, ServerArgs};
pub use deadline::Deadline;
pub use failure::{Category, Failure};
pub use secret::Secret;
pub use serve::{Bound, Chassis, Readiness, Services, StartError, exit_code};
