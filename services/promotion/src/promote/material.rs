//! What a promotion run needs before its first item: a client for the target, and the names of both tenants.

use domain::id::{SubjectKey, TenantId, WorkspaceId};
use domain::reference::NameTable;
use graph::{Client, Connection, CredentialReference};
use pb::inventory::ListReferenceNamesRequest;
use pb::tenant::GetProviderConnectionRequest;
use tonic::Code;

use super::patience::patiently;
use crate::app::App;
use apply::Trouble;

/// Names a page; a tenant may have many thousand groups.
const PAGE_SIZE: i32 = 5000;

/// A client of the target tenant's provider.
pub(super) async fn connect(
    app: &App,
    provider: &graph::Provider,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Client, Trouble> {
    let request = GetProviderConnectionRequest { workspace_id: workspace.to_string(), tenant_id: tenant.to_string() };
    let connection = match patiently(|| async { app.tenants().get_provider_connection(request.clone()).await }).await {
        Ok(response) => response.into_inner().provider_connection.ok_or_else(missing_connection)?,
        Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::NotFound) => {
            return Err(missing_connection());
        }
        Err(status) => return Err(Trouble::of_run(&status)),
    };
    let credential: CredentialReference =
        connection.credential_reference.parse().map_err(|error| unusable_connection(&error))?;
    let connection = Connection::new(
        &connection.external_tenant_id,
        &connection.client_id,
        credential,
        Some(&connection.authority_url),
        Some(&connection.base_url),
    )
    .map_err(|error| unusable_connection(&error))?;
    provider.client(&connection).map_err(Trouble::from)
}

fn missing_connection() -> Trouble {
    Trouble::blocked(
        "PROVIDER_CONNECTION_MISSING",
        "the target tenant has no provider connection any more; set one and try again",
    )
}

fn unusable_connection(error: &dyn std::error::Error) -> Trouble {
    Trouble::blocked(
        "PROVIDER_CONNECTION_INVALID",
        format!("the target tenant's provider connection cannot be used: {error}"),
    )
}

/// The names of a tenant's objects, as last observed.
pub(super) async fn names(app: &App, workspace: WorkspaceId, tenant: TenantId) -> Result<NameTable, Trouble> {
    let mut table = NameTable::new();
    let mut page_token = String::new();
    loop {
        let request = ListReferenceNamesRequest {
            workspace_id: workspace.to_string(),
            tenant_id: tenant.to_string(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = patiently(|| async { app.inventory().list_reference_names(request.clone()).await }).await;
        let page = page.map_err(|status| Trouble::of_run(&status))?.into_inner();
        for name in page.names {
            table.insert_subject(name.kind.as_str(), &name.external_id, &SubjectKey::new(name.subject_key), &name.name);
        }
        if page.next_page_token.is_empty() {
            return Ok(table);
        }
        page_token = page.next_page_token;
    }
}
