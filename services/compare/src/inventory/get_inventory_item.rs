//! Returns one observed object.

use server::caller::Caller;

use super::{ObjectPlace, authorise_view};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::item::Item;

/// The object as last observed.
pub async fn get_inventory_item(state: &State, caller: &Caller, place: &ObjectPlace) -> Result<Item> {
    let (workspace, tenant) = (place.workspace_id, place.tenant_id);
    authorise_view(state, caller, workspace, tenant).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    store::item::find(&mut tx, workspace, tenant, &place.policy_type, &place.external_id).await?.ok_or(Error::NotFound)
}
