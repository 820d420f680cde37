//! ListOperationalControls: what is paused in a workspace, for every member to see.

use domain::id::WorkspaceId;
use domain::run::Pause;
use server::{Caller, Failure};

use crate::Runs;
use crate::control_authority::require_operator;
use crate::error::Result;
use crate::store;
use crate::store::pause::EVERYWHERE;
use crate::visibility::Visibility;

/// The pauses in force in the workspace; without one, those everywhere alone, for operators.
pub async fn list(runs: &Runs, caller: &Caller, workspace: Option<WorkspaceId>) -> Result<Vec<Pause>> {
    match workspace {
        None => {
            require_operator(runs, caller)?;
        }
        Some(workspace) => {
            let user = caller.require_user()?;
            let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
            visibility.may_name(&[]).map_err(Failure::from)?;
        }
    }
    let workspace = workspace.unwrap_or(EVERYWHERE);
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    store::pause::in_force(&mut tx, workspace, None).await
}
