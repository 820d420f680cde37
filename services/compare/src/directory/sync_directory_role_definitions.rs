//! Starts `directory_role_definitions.sync` for a tenant.

use domain::operability::Question;
use domain::run::RunType;
use server::caller::Caller;

use super::{Collection, DirectorySyncAsked, sync};
use crate::client::Started;
use crate::error::Result;
use crate::state::State;

/// Starts it, or finds the active one.
pub async fn sync_directory_role_definitions(
    state: &State,
    caller: &Caller,
    asked: DirectorySyncAsked,
) -> Result<Started> {
    let kind = (RunType::DirectoryRoleDefinitionsSync, Question::DirectoryRoleDefinitionsSync);
    sync(state, caller, asked, kind, &Collection::OF_ROLE_DEFINITIONS).await
}
