//! What a service says about its run types.

use domain::run::RunType;

use crate::ending::{Ending, WorkError};
use crate::session::RunSession;

/// The work of one run type.
#[tonic::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The type it works on.
    fn run_type(&self) -> RunType;

    /// Works on a claimed run: gives each open item its outcome. It begins nothing new when
    /// [`RunSession::should_stop`] says so; what is open then is worked on by whoever claims the run next, or skipped if
    /// the run was cancelled.
    ///
    /// # Errors
    /// See [`WorkError`]; an item's own trouble is its outcome and no error.
    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError>;
}
