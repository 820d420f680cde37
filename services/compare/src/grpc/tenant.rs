//! TenantService on the wire.

use domain::tenant::search::Searched;
use pb::tenant as wire;
use pb::tenant::tenant_service_server::TenantService;
use server::fields::{self, Page, PageToken};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::operability::{parse_checks, parse_lane, parse_listed_lane, parse_question, to_action, to_outcome};
use super::convert::tenant::{to_provider_connection, to_selection, to_tenant};
use crate::tenant::{
    self, Check, ClearSelectedTenant, MAX_ADDRESS_CHARS, MAX_DOMAIN_CHARS, MAX_QUERY_CHARS, RegisterTenant,
    SelectTenant, SetProviderConnection, checked_route,
};
use crate::workspace::MAX_NAME_CHARS;

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);

#[tonic::async_trait]
impl TenantService for Api {
    async fn register_tenant(
        &self,
        request: Request<wire::RegisterTenantRequest>,
    ) -> Result<Response<wire::RegisterTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = RegisterTenant {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            name: fields::text("name", &message.name, MAX_NAME_CHARS)?.to_owned(),
            // One spelling, so that a tenant cannot be registered twice in two.
            external_tenant_id: fields::uuid("external_tenant_id", &message.external_tenant_id)?.to_string(),
            domain: fields::optional_text("domain", &message.domain, MAX_DOMAIN_CHARS)?.unwrap_or_default().to_owned(),
        };
        let tenant = tenant::register_tenant(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::RegisterTenantResponse { tenant: Some(to_tenant(&tenant)) }))
    }

    async fn get_tenant(
        &self,
        request: Request<wire::GetTenantRequest>,
    ) -> Result<Response<wire::GetTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let id = fields::id("tenant_id", &message.tenant_id)?;
        let tenant = tenant::get_tenant(&self.state, &caller, workspace, id).await?;
        Ok(Response::new(wire::GetTenantResponse { tenant: Some(to_tenant(&tenant)) }))
    }

    async fn list_tenants(
        &self,
        request: Request<wire::ListTenantsRequest>,
    ) -> Result<Response<wire::ListTenantsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let lane = parse_listed_lane("lane", message.lane)?;
        let tokens = PageToken::bound_to("ListTenants", [message.workspace_id.as_str(), lane.as_str()]);
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let (tenants, next_page_token) = tenant::list_tenants(&self.state, &caller, workspace, lane, &page).await?;
        let tenants = tenants.iter().map(to_tenant).collect();
        Ok(Response::new(wire::ListTenantsResponse { tenants, next_page_token }))
    }

    async fn search_tenants(
        &self,
        request: Request<wire::SearchTenantsRequest>,
    ) -> Result<Response<wire::SearchTenantsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let query = fields::text("query", &message.query, MAX_QUERY_CHARS)?;
        let searched = fields::required("query", Searched::read(query))?;
        let tokens = PageToken::bound_to("SearchTenants", [message.workspace_id.as_str(), query]);
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let (tenants, next_page_token) =
            tenant::search_tenants(&self.state, &caller, workspace, &searched, &page).await?;
        let tenants = tenants.iter().map(to_tenant).collect();
        Ok(Response::new(wire::SearchTenantsResponse { tenants, next_page_token }))
    }

    async fn select_tenant(
        &self,
        request: Request<wire::SelectTenantRequest>,
    ) -> Result<Response<wire::SelectTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = SelectTenant {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
        };
        let tenant = tenant::select_tenant(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::SelectTenantResponse { tenant: Some(to_tenant(&tenant)) }))
    }

    async fn get_selected_tenant(
        &self,
        request: Request<wire::GetSelectedTenantRequest>,
    ) -> Result<Response<wire::GetSelectedTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let workspace = fields::id("workspace_id", &request.get_ref().workspace_id)?;
        let selection = tenant::get_selected_tenant(&self.state, &caller, workspace).await?;
        Ok(Response::new(to_selection(selection)))
    }

    async fn clear_selected_tenant(
        &self,
        request: Request<wire::ClearSelectedTenantRequest>,
    ) -> Result<Response<wire::ClearSelectedTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = ClearSelectedTenant {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
        };
        tenant::clear_selected_tenant(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::ClearSelectedTenantResponse {}))
    }

    async fn evaluate_operability(
        &self,
        request: Request<wire::EvaluateOperabilityRequest>,
    ) -> Result<Response<wire::EvaluateOperabilityResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let check = Check {
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            lane: parse_lane("lane", message.lane)?,
            question: parse_question("question", message.question)?,
        };
        let outcome = tenant::evaluate_operability(&self.state, &caller, workspace, &check).await?;
        Ok(Response::new(wire::EvaluateOperabilityResponse { outcome: Some(to_outcome(&outcome)) }))
    }

    async fn batch_evaluate_operability(
        &self,
        request: Request<wire::BatchEvaluateOperabilityRequest>,
    ) -> Result<Response<wire::BatchEvaluateOperabilityResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let checks = parse_checks(&message.checks)?;
        let outcomes = tenant::batch_evaluate_operability(&self.state, &caller, workspace, &checks).await?;
        let outcomes = outcomes.iter().map(to_outcome).collect();
        Ok(Response::new(wire::BatchEvaluateOperabilityResponse { outcomes }))
    }

    async fn list_tenant_actions(
        &self,
        request: Request<wire::ListTenantActionsRequest>,
    ) -> Result<Response<wire::ListTenantActionsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let id = fields::id("tenant_id", &message.tenant_id)?;
        let actions = tenant::list_tenant_actions(&self.state, &caller, workspace, id).await?;
        Ok(Response::new(wire::ListTenantActionsResponse { actions: actions.iter().map(to_action).collect() }))
    }

    async fn set_provider_connection(
        &self,
        request: Request<wire::SetProviderConnectionRequest>,
    ) -> Result<Response<wire::SetProviderConnectionResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = SetProviderConnection {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            route: checked_route(
                fields::text("base_url", &message.base_url, MAX_ADDRESS_CHARS)?,
                fields::text("authority_url", &message.authority_url, MAX_ADDRESS_CHARS)?,
                fields::text("client_id", &message.client_id, MAX_ADDRESS_CHARS)?,
                fields::text("credential_reference", &message.credential_reference, MAX_ADDRESS_CHARS)?,
            )?,
        };
        let connection = tenant::set_provider_connection(&self.state, &caller, &asked).await?;
        let provider_connection = Some(to_provider_connection(&connection));
        Ok(Response::new(wire::SetProviderConnectionResponse { provider_connection }))
    }

    async fn get_provider_connection(
        &self,
        request: Request<wire::GetProviderConnectionRequest>,
    ) -> Result<Response<wire::GetProviderConnectionResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let id = fields::id("tenant_id", &message.tenant_id)?;
        let connection = tenant::get_provider_connection(&self.state, &caller, workspace, id).await?;
        let provider_connection = Some(to_provider_connection(&connection));
        Ok(Response::new(wire::GetProviderConnectionResponse { provider_connection }))
    }
}
