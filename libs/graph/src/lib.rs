//! Microsoft Graph. The only crate that speaks to it: contracts are data (`contracts/*.toml`), and everything else here
//! reads, paces, repeats and writes by them.
//!
//! A call goes from the top to the bottom:
//! * [`capture`], [`read_one`], [`find_by_key`], [`approval_required`]: reading by contract, checked for completeness
//! * [`create`], [`update`]: the write seam, whose [`Outcome`] is applied, not applied, or unknown
//! * [`Client`]: one tenant: token, turn, attempts, pages, batches; [`Provider`] opens it from a [`Connection`]
//! * `retry`, `pacing`, `error`: decisions over values, with time and chance as arguments (`ambient` is where they come from)
//! * `exchange`: one HTTP request and its answer; `measured`: how it looks to a tracing tool
//!
//! Nothing here knows a database, a run or an RPC. Secrets are read from where a [`CredentialReference`] points, sent to the
//! token endpoint and nowhere else, as far as [`ProviderRules`] allow; traces carry path templates, never ids, and errors carry no ids but the provider's request id.

mod ambient;
mod approval;
mod capture;
mod client;
mod connection;
mod credential;
mod error;
mod exchange;
mod measured;
mod pacing;
mod path;
mod place;
mod provider;
mod registry;
mod retry;
mod rules;
mod settings;
mod token;
mod write;

pub use approval::approval_required;
pub use capture::{Capture, CapturedObject, capture, find_by_key, find_by_name, probe, read_one};
pub use client::{Client, MAX_BATCH_ITEMS, Pages};
pub use connection::{Connection, ConnectionError, PUBLIC_AUTHORITY, PUBLIC_GRAPH};
pub use credential::{CREDENTIAL_UNAVAILABLE, CredentialReference, CredentialReferenceError, Secret};
pub use error::{GraphError, Kind, MAX_MESSAGE_CHARS};
pub use pacing::{BudgetLimits, Family, FamilyLimits, PacingLimits, Rate};
pub use path::{Path, literal};
pub use provider::Provider;
pub use registry::{PromotingError, check_registry, directory_registry, promoting, registry};
pub use retry::RetryPolicy;
pub use rules::{ProviderRules, RuleError, SECRET_PREFIX};
pub use settings::Settings;
pub use write::{Outcome, Receipt, create, update};
