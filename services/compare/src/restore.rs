//! RestoreService: captured content goes back to the tenant it was read from, previewed, confirmed, and written by a run.
//!
//! [`preview_restore`] and [`execute_restore`] read what a preview rests on ([`gather`](mod@gather)) and let `domain::restore`
//! decide; [`RestoreWork`] works on the runs: what `apply` does for every run type, on the ground of one tenant.

mod execute_restore;
mod gather;
mod ground;
mod names;
mod preview_restore;
mod work;

pub use execute_restore::{ExecuteRestore, execute_restore};
pub use gather::MAX_POLICIES;
pub use preview_restore::{PreviewAsked, PreviewPage, preview_restore};
pub(crate) use work::RestoreWork;

use domain::id::WorkspaceId;
use domain::restore::Selection;

/// A parsed selection.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What is to be restored.
    pub selection: Selection,
}
