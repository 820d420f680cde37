//! Tenants and provider connections.

use domain::tenant::verification::VerificationState;
use domain::tenant::{Connection, Lifecycle};
use pb::tenant as wire;
use server::failure::Failure;
use server::fields;

use crate::store::provider_connection::{ProviderConnection, Route};
use crate::store::tenant::Tenant;
use crate::tenant::{MAX_ADDRESS_CHARS, MAX_ALIASES, Selection, checked_route};
use crate::workspace::MAX_NAME_CHARS;

/// A tenant.
pub fn to_tenant(tenant: &Tenant) -> wire::Tenant {
    wire::Tenant {
        tenant_id: tenant.id.to_string(),
        workspace_id: tenant.workspace_id.to_string(),
        name: tenant.name.clone(),
        external_tenant_id: tenant.external_tenant_id.clone(),
        domain: tenant.domain.clone(),
        lifecycle: to_lifecycle(tenant.lifecycle).into(),
        provider_connected: Some(tenant.connection != Connection::Missing),
        create_time: Some(fields::to_timestamp(tenant.created_at)),
        aliases: tenant.aliases.clone(),
        version: tenant.version,
        connection_state: to_connection_state(tenant.connection).into(),
    }
}

fn to_connection_state(connection: Connection) -> wire::ConnectionState {
    match connection {
        Connection::Missing => wire::ConnectionState::Missing,
        Connection::Unverified => wire::ConnectionState::Unverified,
        Connection::Verified => wire::ConnectionState::Verified,
    }
}

/// Other names of a tenant, each once.
pub fn parse_aliases(aliases: &[String]) -> Result<Vec<String>, Failure> {
    Ok(fields::texts("aliases", aliases, MAX_ALIASES, MAX_NAME_CHARS)?.into_iter().collect())
}

fn to_lifecycle(lifecycle: Lifecycle) -> wire::TenantLifecycle {
    match lifecycle {
        Lifecycle::Draft => wire::TenantLifecycle::Draft,
        Lifecycle::Onboarding => wire::TenantLifecycle::Onboarding,
        Lifecycle::Active => wire::TenantLifecycle::Active,
        Lifecycle::Archived => wire::TenantLifecycle::Archived,
    }
}

/// What became of what the caller selected.
pub fn to_selection(selection: Selection) -> wire::GetSelectedTenantResponse {
    match selection {
        Selection::None => wire::GetSelectedTenantResponse::default(),
        Selection::Current(tenant) => {
            wire::GetSelectedTenantResponse { tenant: Some(to_tenant(&tenant)), cleared: None }
        }
        Selection::Stale { denied, selected_at } => {
            let cleared = wire::StaleSelection {
                reason: denied.reason.as_str().to_owned(),
                guidance: denied.guidance,
                selected_time: Some(fields::to_timestamp(selected_at)),
            };
            wire::GetSelectedTenantResponse { tenant: None, cleared: Some(cleared) }
        }
    }
}

/// How the provider is reached, as a request says it.
pub fn parse_route(base: &str, authority: &str, client: &str, credential: &str) -> Result<Route, Failure> {
    checked_route(
        fields::text("base_url", base, MAX_ADDRESS_CHARS)?,
        fields::text("authority_url", authority, MAX_ADDRESS_CHARS)?,
        fields::text("client_id", client, MAX_ADDRESS_CHARS)?,
        fields::text("credential_reference", credential, MAX_ADDRESS_CHARS)?,
    )
}

/// A provider connection.
pub fn to_provider_connection(connection: &ProviderConnection) -> wire::ProviderConnection {
    wire::ProviderConnection {
        provider_connection_id: connection.id.to_string(),
        tenant_id: connection.tenant_id.to_string(),
        base_url: connection.route.base_url.clone(),
        authority_url: connection.route.authority_url.clone(),
        client_id: connection.route.client_id.clone(),
        credential_reference: connection.route.credential_reference.clone(),
        update_time: Some(fields::to_timestamp(connection.updated_at)),
        external_tenant_id: connection.external_tenant_id.clone(),
        state: to_verification_state(connection.verification.state).into(),
        state_reason: connection.verification.reason.clone().unwrap_or_default(),
        verify_time: connection.verification.verified_at.map(fields::to_timestamp),
        denied_policy_types: connection.verification.denied_types.clone(),
    }
}

fn to_verification_state(state: VerificationState) -> wire::ProviderConnectionState {
    match state {
        VerificationState::Unverified => wire::ProviderConnectionState::Unverified,
        VerificationState::Verified => wire::ProviderConnectionState::Verified,
        VerificationState::Failed => wire::ProviderConnectionState::Failed,
    }
}
