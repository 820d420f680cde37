//! InventoryService: what was last observed in a tenant, and the captured content behind it. Reads never call the provider.

mod capture_pre_image;
mod get_inventory_coverage;
mod get_inventory_item;
mod get_policy_version_content;
mod list_inventory_items;
mod list_policy_types;
mod list_policy_versions;
mod list_reference_names;
mod sync_inventory;

pub(crate) use capture_pre_image::keep_pre_image;
pub use capture_pre_image::{CapturePreImage, capture_pre_image};
pub use get_inventory_coverage::{TypeCoverage, get_inventory_coverage};
pub use get_inventory_item::get_inventory_item;
pub use get_policy_version_content::{VersionContent, get_policy_version_content};
pub use list_inventory_items::{ItemsAsked, list_inventory_items};
pub use list_policy_types::{KnownType, PromotionClass, list_policy_types};
pub use list_policy_versions::{VersionsAsked, list_policy_versions};
pub use list_reference_names::{NameOfReference, list_reference_names};
pub use sync_inventory::{SyncInventory, sync_inventory};
pub(crate) use sync_inventory::{items as selected_items, selection};

use domain::access::{Capability, Need};
use domain::id::{TenantId, WorkspaceId};
use server::caller::Caller;

use crate::error::Result;
use crate::state::State;

/// The object of a tenant that a request is about.
#[derive(Debug, Clone)]
pub struct ObjectPlace {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The object's type.
    pub policy_type: String,
    /// The object's id at the provider.
    pub external_id: String,
}

/// The most characters of a provider's id.
pub const MAX_EXTERNAL_ID_CHARS: usize = 512;
/// The most bytes of an object's content in a request.
pub const MAX_CONTENT_BYTES: usize = 4 << 20;
/// The most characters of a policy type's key.
pub const MAX_POLICY_TYPE_CHARS: usize = 100;

/// What looking at a tenant's inventory needs.
async fn authorise_view(state: &State, caller: &Caller, workspace: WorkspaceId, tenant: TenantId) -> Result<()> {
    let need = Need::OnTenant(tenant, Capability::TenantView);
    state.authorise(caller, workspace, &[tenant], &[need]).await?;
    Ok(())
}
