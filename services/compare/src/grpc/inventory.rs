//! InventoryService on the wire.

use pb::inventory as wire;
use pb::inventory::inventory_service_server::InventoryService;
use server::fields::{self, Page, PageToken};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::inventory::{
    binding, parse_content, parse_place, parse_policy_types, to_coverage, to_item, to_policy_type, to_reference_name,
    to_version,
};
use crate::inventory::{self, CapturePreImage, ItemsAsked, SyncInventory, VersionsAsked};
use crate::workspace::MAX_NAME_CHARS;

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);
/// The same for names, which services read in bulk.
const NAMES_PAGE: (u32, u32) = (1000, 5000);

#[tonic::async_trait]
impl InventoryService for Api {
    async fn sync_inventory(
        &self,
        request: Request<wire::SyncInventoryRequest>,
    ) -> Result<Response<wire::SyncInventoryResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = SyncInventory {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            policy_types: parse_policy_types("policy_types", &message.policy_types, &self.state.registry)?,
        };
        let started = inventory::sync_inventory(&self.state, &caller, &asked).await?.0;
        Ok(Response::new(wire::SyncInventoryResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }

    async fn list_inventory_items(
        &self,
        request: Request<wire::ListInventoryItemsRequest>,
    ) -> Result<Response<wire::ListInventoryItemsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let types = parse_policy_types("policy_types", &message.policy_types, &self.state.registry)?;
        let policy_types: Vec<String> = types.into_iter().map(|policy_type| policy_type.0).collect();
        let name = fields::optional_text("name_contains", &message.name_contains, MAX_NAME_CHARS)?.unwrap_or_default();
        let tokens = PageToken::bound_to("ListInventoryItems", binding(&message, &policy_types, name));
        let asked = ItemsAsked {
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            name_contains: name.to_owned(),
            include_missing: message.include_missing,
            page: Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?,
            policy_types,
        };
        let (items, next_page_token) = inventory::list_inventory_items(&self.state, &caller, &asked).await?;
        let items = items.iter().map(|item| to_item(asked.tenant_id, item)).collect();
        Ok(Response::new(wire::ListInventoryItemsResponse { items, next_page_token }))
    }

    async fn get_inventory_item(
        &self,
        request: Request<wire::GetInventoryItemRequest>,
    ) -> Result<Response<wire::GetInventoryItemResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let place = parse_place(&message.workspace_id, &message.tenant_id, &message.policy_type, &message.external_id)?;
        let item = inventory::get_inventory_item(&self.state, &caller, &place).await?;
        Ok(Response::new(wire::GetInventoryItemResponse { item: Some(to_item(place.tenant_id, &item)) }))
    }

    async fn list_policy_versions(
        &self,
        request: Request<wire::ListPolicyVersionsRequest>,
    ) -> Result<Response<wire::ListPolicyVersionsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let place = parse_place(&message.workspace_id, &message.tenant_id, &message.policy_type, &message.external_id)?;
        let parts = [&message.workspace_id, &message.tenant_id, &message.policy_type, &message.external_id];
        let tokens = PageToken::bound_to("ListPolicyVersions", parts);
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let (versions, next_page_token) =
            inventory::list_policy_versions(&self.state, &caller, &VersionsAsked { place, page }).await?;
        let versions = versions.iter().map(to_version).collect();
        Ok(Response::new(wire::ListPolicyVersionsResponse { versions, next_page_token }))
    }

    async fn get_inventory_coverage(
        &self,
        request: Request<wire::GetInventoryCoverageRequest>,
    ) -> Result<Response<wire::GetInventoryCoverageResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let tenant = fields::id("tenant_id", &message.tenant_id)?;
        let types = inventory::get_inventory_coverage(&self.state, &caller, workspace, tenant).await?;
        Ok(Response::new(wire::GetInventoryCoverageResponse { types: types.iter().map(to_coverage).collect() }))
    }

    async fn list_policy_types(
        &self,
        request: Request<wire::ListPolicyTypesRequest>,
    ) -> Result<Response<wire::ListPolicyTypesResponse>, Status> {
        server::caller(&request)?;
        let policy_types = inventory::list_policy_types(&self.state).iter().map(to_policy_type).collect();
        Ok(Response::new(wire::ListPolicyTypesResponse { policy_types }))
    }

    async fn get_policy_version_content(
        &self,
        request: Request<wire::GetPolicyVersionContentRequest>,
    ) -> Result<Response<wire::GetPolicyVersionContentResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let tenant = fields::id("tenant_id", &message.tenant_id)?;
        let version = fields::id("policy_version_id", &message.policy_version_id)?;
        let found = inventory::get_policy_version_content(&self.state, &caller, workspace, tenant, version).await?;
        Ok(Response::new(wire::GetPolicyVersionContentResponse {
            version: Some(to_version(&found.version)),
            content_json: found.content.to_string().into_bytes(),
            normal_hash: found.version.normal_hash.as_bytes().to_vec(),
        }))
    }

    async fn list_reference_names(
        &self,
        request: Request<wire::ListReferenceNamesRequest>,
    ) -> Result<Response<wire::ListReferenceNamesResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let tenant = fields::id("tenant_id", &message.tenant_id)?;
        let tokens = PageToken::bound_to("ListReferenceNames", [&message.workspace_id, &message.tenant_id]);
        let page = Page::read(tokens, message.page_size, &message.page_token, NAMES_PAGE.0, NAMES_PAGE.1)?;
        let (names, next_page_token) =
            inventory::list_reference_names(&self.state, &caller, workspace, tenant, &page).await?;
        let names = names.into_iter().map(to_reference_name).collect();
        Ok(Response::new(wire::ListReferenceNamesResponse { names, next_page_token }))
    }

    async fn capture_pre_image(
        &self,
        request: Request<wire::CapturePreImageRequest>,
    ) -> Result<Response<wire::CapturePreImageResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = CapturePreImage {
            place: parse_place(&message.workspace_id, &message.tenant_id, &message.policy_type, &message.external_id)?,
            content: parse_content("content_json", &message.content_json)?,
            run_id: fields::id("run_id", &message.run_id)?,
        };
        let version = inventory::capture_pre_image(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::CapturePreImageResponse { version: Some(to_version(&version)) }))
    }
}
