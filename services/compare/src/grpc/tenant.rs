//! TenantService on the wire.

use domain::tenant::search::Searched;
use pb::tenant as wire;
use pb::tenant::tenant_service_server::TenantService;
use server::fields::{self, Page, PageToken};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::onboarding::{
    parse_change, parse_onboardings_asked, parse_start, parse_step, parse_version, to_onboarding,
};
use super::convert::operability::{parse_checks, parse_lane, parse_listed_lane, parse_question, to_action, to_outcome};
use super::convert::tenant::{parse_aliases, parse_route, to_provider_connection, to_selection, to_tenant};
use crate::tenant::{
    self, Check, ClearSelectedTenant, LifecycleChange, MAX_DOMAIN_CHARS, MAX_QUERY_CHARS, MAX_REASON_CHARS,
    RegisterTenant, SelectTenant, SetProviderConnection, UpdateTenant,
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
            aliases: parse_aliases(&message.aliases)?,
        };
        let tenant = tenant::register_tenant(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::RegisterTenantResponse { tenant: Some(to_tenant(&tenant)) }))
    }

    async fn update_tenant(
        &self,
        request: Request<wire::UpdateTenantRequest>,
    ) -> Result<Response<wire::UpdateTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = UpdateTenant {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            version: parse_version(message.version)?,
            name: fields::text("name", &message.name, MAX_NAME_CHARS)?.to_owned(),
            domain: fields::optional_text("domain", &message.domain, MAX_DOMAIN_CHARS)?.unwrap_or_default().to_owned(),
            aliases: parse_aliases(&message.aliases)?,
        };
        let tenant = tenant::update_tenant(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::UpdateTenantResponse { tenant: Some(to_tenant(&tenant)) }))
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
            route: parse_route(
                &message.base_url,
                &message.authority_url,
                &message.client_id,
                &message.credential_reference,
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

    async fn start_onboarding(
        &self,
        request: Request<wire::StartOnboardingRequest>,
    ) -> Result<Response<wire::StartOnboardingResponse>, Status> {
        let caller = server::caller(&request)?;
        let asked = parse_start(request.into_inner())?;
        let done = tenant::start_onboarding(&self.state, &caller, &asked).await?;
        let (onboarding, tenant) = (Some(to_onboarding(&done)), Some(to_tenant(&done.tenant)));
        Ok(Response::new(wire::StartOnboardingResponse { onboarding, tenant }))
    }

    async fn get_onboarding(
        &self,
        request: Request<wire::GetOnboardingRequest>,
    ) -> Result<Response<wire::GetOnboardingResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let id = fields::id("onboarding_id", &message.onboarding_id)?;
        let found = tenant::get_onboarding(&self.state, &caller, workspace, id).await?;
        Ok(Response::new(wire::GetOnboardingResponse { onboarding: Some(to_onboarding(&found)) }))
    }

    async fn list_onboardings(
        &self,
        request: Request<wire::ListOnboardingsRequest>,
    ) -> Result<Response<wire::ListOnboardingsResponse>, Status> {
        let caller = server::caller(&request)?;
        let asked = parse_onboardings_asked(request.get_ref())?;
        let (found, next_page_token) = tenant::list_onboardings(&self.state, &caller, &asked).await?;
        let onboardings = found.iter().map(to_onboarding).collect();
        Ok(Response::new(wire::ListOnboardingsResponse { onboardings, next_page_token }))
    }

    async fn resume_onboarding(
        &self,
        request: Request<wire::ResumeOnboardingRequest>,
    ) -> Result<Response<wire::ResumeOnboardingResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let change = parse_change(&message.request_id, &message.workspace_id, &message.onboarding_id, None)?;
        let done = tenant::resume_onboarding(&self.state, &caller, &change).await?;
        Ok(Response::new(wire::ResumeOnboardingResponse { onboarding: Some(to_onboarding(&done)) }))
    }

    async fn advance_onboarding(
        &self,
        request: Request<wire::AdvanceOnboardingRequest>,
    ) -> Result<Response<wire::AdvanceOnboardingResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let version = Some(message.version);
        let change = parse_change(&message.request_id, &message.workspace_id, &message.onboarding_id, version)?;
        let step = parse_step(message.step)?;
        let done = tenant::advance_onboarding(&self.state, &caller, &change, &step).await?;
        Ok(Response::new(wire::AdvanceOnboardingResponse { onboarding: Some(to_onboarding(&done)) }))
    }

    async fn complete_onboarding(
        &self,
        request: Request<wire::CompleteOnboardingRequest>,
    ) -> Result<Response<wire::CompleteOnboardingResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let version = Some(message.version);
        let change = parse_change(&message.request_id, &message.workspace_id, &message.onboarding_id, version)?;
        let done = tenant::complete_onboarding(&self.state, &caller, &change).await?;
        let (onboarding, tenant) = (Some(to_onboarding(&done)), Some(to_tenant(&done.tenant)));
        Ok(Response::new(wire::CompleteOnboardingResponse { onboarding, tenant }))
    }

    async fn cancel_onboarding(
        &self,
        request: Request<wire::CancelOnboardingRequest>,
    ) -> Result<Response<wire::CancelOnboardingResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let version = Some(message.version);
        let change = parse_change(&message.request_id, &message.workspace_id, &message.onboarding_id, version)?;
        let done = tenant::cancel_onboarding(&self.state, &caller, &change).await?;
        let (onboarding, tenant) = (Some(to_onboarding(&done)), Some(to_tenant(&done.tenant)));
        Ok(Response::new(wire::CancelOnboardingResponse { onboarding, tenant }))
    }

    async fn archive_tenant(
        &self,
        request: Request<wire::ArchiveTenantRequest>,
    ) -> Result<Response<wire::ArchiveTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let change = LifecycleChange {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            confirmation: fields::text("confirmation", &message.confirmation, MAX_NAME_CHARS)?.to_owned(),
            reason: fields::optional_text("reason", &message.reason, MAX_REASON_CHARS)?.unwrap_or_default().to_owned(),
        };
        let tenant = tenant::archive_tenant(&self.state, &caller, &change).await?;
        Ok(Response::new(wire::ArchiveTenantResponse { tenant: Some(to_tenant(&tenant)) }))
    }

    async fn restore_tenant(
        &self,
        request: Request<wire::RestoreTenantRequest>,
    ) -> Result<Response<wire::RestoreTenantResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let change = LifecycleChange {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            confirmation: fields::text("confirmation", &message.confirmation, MAX_NAME_CHARS)?.to_owned(),
            reason: fields::optional_text("reason", &message.reason, MAX_REASON_CHARS)?.unwrap_or_default().to_owned(),
        };
        let tenant = tenant::restore_tenant(&self.state, &caller, &change).await?;
        Ok(Response::new(wire::RestoreTenantResponse { tenant: Some(to_tenant(&tenant)) }))
    }

    async fn verify_provider_connection(
        &self,
        request: Request<wire::VerifyProviderConnectionRequest>,
    ) -> Result<Response<wire::VerifyProviderConnectionResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let id = fields::id("request_id", &message.request_id)?;
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let tenant = fields::id("tenant_id", &message.tenant_id)?;
        let started = tenant::verify_provider_connection(&self.state, &caller, id, workspace, tenant).await?.0;
        Ok(Response::new(wire::VerifyProviderConnectionResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }
}
