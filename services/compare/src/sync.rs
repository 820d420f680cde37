//! Works on runs of `inventory.sync`: reads a tenant by policy type and remembers what it sees.
//!
//! `work` takes a claimed run → [`connect`] opens the way to the tenant's provider → per policy type, foundations first, [`read_type`] reads page by page,
//! has `domain` observe each object with the tenant's names, and `record` writes what it saw. Reading everything again after
//! a crash leaves the same rows: versions are added only for changed content, items are written by their provider id.

mod claimed;
mod connect;
mod read_type;
mod record;
mod storable;
mod work;

pub(crate) use claimed::{Open, away, open, scope_of};
pub use connect::{NotConnected, connect, connect_named, is_withheld, reconnect};
pub use read_type::{Reading, Tally, TypeRead, read_type};
pub(crate) use work::SyncWork;

use domain::id::{RunId, TenantId, WorkspaceId};

/// Whose inventory a run reads.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The run.
    pub run_id: RunId,
}
