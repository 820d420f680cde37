//! Lists the captured versions of one object.

use server::caller::Caller;
use server::fields::Page;

use super::{ObjectPlace, authorise_view};
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::policy_version::PolicyVersion;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct VersionsAsked {
    /// The object.
    pub place: ObjectPlace,
    /// Which page: below this number.
    pub page: Page<i32>,
}

/// One page, newest first, and the token of the next.
pub async fn list_policy_versions(
    state: &State,
    caller: &Caller,
    asked: &VersionsAsked,
) -> Result<(Vec<PolicyVersion>, String)> {
    let VersionsAsked { place, page } = asked;
    let (workspace, tenant) = (place.workspace_id, place.tenant_id);
    authorise_view(state, caller, workspace, tenant).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let mut rows = store::policy_version::list(
        &mut tx,
        workspace,
        tenant,
        &place.policy_type,
        &place.external_id,
        page.after,
        page.fetch(),
    )
    .await?;
    let next = page.cut(&mut rows, |version| version.number);
    Ok((rows, next))
}
