//! DirectoryService on the wire.

use pb::directory as wire;
use pb::directory::directory_service_server::DirectoryService;
use server::fields::{self, Page, PageToken};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::directory::{parse_scope, to_freshness, to_group, to_role_definition};
use crate::directory::{self, DirectorySyncAsked, GroupsAsked, RoleDefinitionsAsked};
use crate::workspace::MAX_NAME_CHARS;

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);

#[tonic::async_trait]
impl DirectoryService for Api {
    async fn sync_directory_groups(
        &self,
        request: Request<wire::SyncDirectoryGroupsRequest>,
    ) -> Result<Response<wire::SyncDirectoryGroupsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = asked(&message.request_id, &message.workspace_id, &message.tenant_id)?;
        let started = directory::sync_directory_groups(&self.state, &caller, asked).await?.0;
        Ok(Response::new(wire::SyncDirectoryGroupsResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }

    async fn sync_directory_role_definitions(
        &self,
        request: Request<wire::SyncDirectoryRoleDefinitionsRequest>,
    ) -> Result<Response<wire::SyncDirectoryRoleDefinitionsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = asked(&message.request_id, &message.workspace_id, &message.tenant_id)?;
        let started = directory::sync_directory_role_definitions(&self.state, &caller, asked).await?.0;
        Ok(Response::new(wire::SyncDirectoryRoleDefinitionsResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }

    async fn list_directory_groups(
        &self,
        request: Request<wire::ListDirectoryGroupsRequest>,
    ) -> Result<Response<wire::ListDirectoryGroupsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let name = fields::optional_text("name_contains", &message.name_contains, MAX_NAME_CHARS)?.unwrap_or_default();
        let tokens =
            PageToken::bound_to("ListDirectoryGroups", [message.workspace_id.as_str(), &message.tenant_id, name]);
        let asked = GroupsAsked {
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            name_contains: name.to_owned(),
            page: Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?,
        };
        let (groups, next_page_token, freshness) =
            directory::list_directory_groups(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::ListDirectoryGroupsResponse {
            groups: groups.into_iter().map(to_group).collect(),
            next_page_token,
            freshness: freshness.into_iter().map(to_freshness).next(),
        }))
    }

    async fn list_directory_role_definitions(
        &self,
        request: Request<wire::ListDirectoryRoleDefinitionsRequest>,
    ) -> Result<Response<wire::ListDirectoryRoleDefinitionsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let name = fields::optional_text("name_contains", &message.name_contains, MAX_NAME_CHARS)?.unwrap_or_default();
        let scope = parse_scope("scope", message.scope)?;
        let scope_name = scope.map_or("", |scope| scope.as_str());
        let bound: [&str; 4] = [&message.workspace_id, &message.tenant_id, name, scope_name];
        let tokens = PageToken::bound_to("ListDirectoryRoleDefinitions", bound);
        let asked = RoleDefinitionsAsked {
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            name_contains: name.to_owned(),
            scope,
            page: Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?,
        };
        let (roles, next_page_token, freshness) =
            directory::list_directory_role_definitions(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::ListDirectoryRoleDefinitionsResponse {
            role_definitions: roles.into_iter().map(to_role_definition).collect(),
            next_page_token,
            freshness: freshness.into_iter().map(to_freshness).collect(),
        }))
    }
}

fn asked(request_id: &str, workspace_id: &str, tenant_id: &str) -> Result<DirectorySyncAsked, Status> {
    Ok(DirectorySyncAsked {
        request_id: fields::id("request_id", request_id)?,
        workspace_id: fields::id("workspace_id", workspace_id)?,
        tenant_id: fields::id("tenant_id", tenant_id)?,
    })
}
