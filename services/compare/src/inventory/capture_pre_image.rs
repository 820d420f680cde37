//! Captures the content an object has before a worker changes it. For our own services.

use domain::id::{Hash, PolicyVersionId, RunId};
use domain::observe::{observe, redact};
use serde_json::Value;
use server::ambient;
use server::caller::Caller;
use server::failure::Failure;
use sqlx::PgConnection;

use super::ObjectPlace;
use crate::error::{Error, Result};
use crate::identity::SERVICES;
use crate::names::{self, referable_kinds};
use crate::state::State;
use crate::store;
use crate::store::policy_version::{NewVersion, PolicyVersion, Purpose};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CapturePreImage {
    /// The object.
    pub place: ObjectPlace,
    /// Its raw content.
    pub content: Value,
    /// The run that is about to change it.
    pub run_id: RunId,
}

/// Captures it as a version of the tenant it was read from. Repeating it for the same run and content gives the version there
/// is, so that a worker that starts over leaves one pre-image and not two.
pub async fn capture_pre_image(state: &State, caller: &Caller, request: &CapturePreImage) -> Result<PolicyVersion> {
    caller.require_service(SERVICES)?;
    keep_pre_image(state, request).await
}

/// The same, for a worker of this service.
pub(crate) async fn keep_pre_image(state: &State, request: &CapturePreImage) -> Result<PolicyVersion> {
    let CapturePreImage { place, content, run_id } = request;
    let (workspace, tenant, policy_type) = (place.workspace_id, place.tenant_id, place.policy_type.as_str());
    let contract = state
        .registry
        .get(policy_type)
        .ok_or_else(|| Failure::invalid_argument("policy_type", "is not a known policy type"))?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    if store::tenant::find(&mut tx, workspace, tenant).await?.is_none() {
        return Err(Error::NotFound);
    }
    let kinds: Vec<&str> = referable_kinds(&state.registry).into_iter().collect();
    let names = names::mentioned(&mut tx, workspace, tenant, &kinds, content).await?;
    let observed =
        observe(contract, content, &names).map_err(|why| Failure::invalid_argument("content_json", why.to_string()))?;
    if observed.external_id.as_str() != place.external_id {
        return Err(Failure::invalid_argument("external_id", "is not the id of the content").into());
    }
    store::policy_version::lock_numbers(&mut tx, tenant, policy_type).await?;
    let sought = PreImage { place, run: *run_id, content_hash: observed.content_hash };
    if let Some(version) = sought.find(&mut tx).await? {
        return Ok(version);
    }
    // What is to be changed may hold secrets that the provider gives back: they are not written down.
    let stored = redact(contract, content);
    let new = NewVersion {
        id: PolicyVersionId(ambient::fresh_id()),
        external_id: observed.external_id.clone(),
        content: &stored,
        content_hash: observed.content_hash,
        normal_hash: observed.normal_hash,
    };
    store::policy_version::insert(&mut tx, workspace, tenant, policy_type, *run_id, Purpose::PreImage, &[new]).await?;
    let version = sought.find(&mut tx).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(version)
}

/// What makes two pre-images the same.
struct PreImage<'a> {
    place: &'a ObjectPlace,
    run: RunId,
    content_hash: Hash,
}

impl PreImage<'_> {
    async fn find(&self, conn: &mut PgConnection) -> Result<Option<PolicyVersion>> {
        let ObjectPlace { workspace_id, tenant_id, policy_type, external_id } = self.place;
        let (run, hash) = (self.run, self.content_hash);
        let found =
            store::policy_version::find_pre_image(conn, *workspace_id, *tenant_id, policy_type, external_id, run, hash);
        Ok(found.await?)
    }
}
