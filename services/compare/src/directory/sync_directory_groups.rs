//! Starts `directory_groups.sync` for a tenant.

use domain::operability::Question;
use domain::run::RunType;
use server::caller::Caller;

use super::{Collection, DirectorySyncAsked, sync};
use crate::client::Started;
use crate::error::Result;
use crate::state::State;

/// Starts it, or finds the active one.
pub async fn sync_directory_groups(state: &State, caller: &Caller, asked: DirectorySyncAsked) -> Result<Started> {
    let kind = (RunType::DirectoryGroupsSync, Question::DirectoryGroupsSync);
    sync(state, caller, asked, kind, &Collection::OF_GROUPS).await
}
