//! Who may pause and resume types of runs: in a workspace its members with the capability, everywhere the installation's
//! operators, who are no members of anything.

use domain::access::{Capability, Need};
use domain::id::{Hash, RequestId, WorkspaceId};
use domain::run::{ControlScope, PausedBy, RunType};
use server::{Caller, Failure};

use crate::Runs;
use crate::error::Result;
use crate::store::answered_request::Request;
use crate::store::pause::EVERYWHERE;
use crate::visibility::Visibility;

/// What is to be paused or resumed.
#[derive(Debug, Clone)]
pub struct ControlOrder {
    pub request: RequestId,
    /// `None`: everywhere.
    pub workspace: Option<WorkspaceId>,
    pub run_type: RunType,
    pub reason: String,
}

impl ControlOrder {
    /// Where the control is kept.
    pub(crate) fn place(&self) -> WorkspaceId {
        self.workspace.unwrap_or(EVERYWHERE)
    }

    /// How far it reaches.
    pub(crate) fn scope(&self) -> ControlScope {
        self.workspace.map_or(ControlScope::Everywhere, ControlScope::Workspace)
    }

    /// What its request id stands for.
    pub(crate) fn answered(&self, method: &'static str, by: &PausedBy) -> Request {
        let hash = Hash::of_parts([by.subject(), self.run_type.as_str(), &self.reason]);
        Request { workspace: self.place(), id: self.request, method, hash }
    }
}

/// Who orders it, if the caller may.
pub(crate) async fn require(runs: &Runs, caller: &Caller, workspace: Option<WorkspaceId>) -> Result<PausedBy> {
    let Some(workspace) = workspace else { return require_operator(runs, caller).map_err(Into::into) };
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.require(&[Need::InWorkspace(Capability::OperationalControlManage)]).map_err(Failure::from)?;
    Ok(PausedBy::User { subject: user.subject.to_string(), name: user.name.to_string() })
}

/// Refuses whoever is not one of the installation's operators.
pub(crate) fn require_operator(runs: &Runs, caller: &Caller) -> Result<PausedBy, Failure> {
    let operators: Vec<&str> = runs.settings.operators.iter().map(String::as_str).collect();
    let service = caller.require_service(&operators)?;
    Ok(match &caller.user {
        Some(user) => PausedBy::User { subject: user.subject.to_string(), name: user.name.to_string() },
        None => PausedBy::Service(service.name.to_string()),
    })
}
