//! Returns the raw captured content of a version. For our own services.

use domain::id::{PolicyVersionId, TenantId, WorkspaceId};
use serde_json::Value;
use server::caller::Caller;

use crate::error::{Error, Result};
use crate::identity::SERVICES;
use crate::state::State;
use crate::store;
use crate::store::policy_version::PolicyVersion;

/// A version with its content.
#[derive(Debug, Clone)]
pub struct VersionContent {
    /// The version.
    pub version: PolicyVersion,
    /// Its raw content.
    pub content: Value,
}

/// The content. A version of another tenant is not found: content is never presented as another tenant's.
pub async fn get_policy_version_content(
    state: &State,
    caller: &Caller,
    workspace: WorkspaceId,
    tenant: TenantId,
    version: PolicyVersionId,
) -> Result<VersionContent> {
    caller.require_service(SERVICES)?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let found = store::policy_version::find_with_content(&mut tx, workspace, tenant, version).await?;
    let (version, content) = found.ok_or(Error::NotFound)?;
    Ok(VersionContent { version, content })
}
