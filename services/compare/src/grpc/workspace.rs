//! WorkspaceService on the wire.

use domain::id::WorkspaceId;
use pb::workspace as wire;
use pb::workspace::workspace_service_server::WorkspaceService;
use server::fields::{self, Page, PageToken};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::workspace::{parse_role, to_access, to_member, to_workspace};
use crate::workspace::{
    self, CreateWorkspace, MAX_NAME_CHARS, MAX_SUBJECT_CHARS, RemoveTenantRole, RemoveWorkspaceMember, SetTenantRole,
    SetWorkspaceMember,
};

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);

#[tonic::async_trait]
impl WorkspaceService for Api {
    async fn create_workspace(
        &self,
        request: Request<wire::CreateWorkspaceRequest>,
    ) -> Result<Response<wire::CreateWorkspaceResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = CreateWorkspace {
            request_id: fields::id("request_id", &message.request_id)?,
            name: fields::text("name", &message.name, MAX_NAME_CHARS)?.to_owned(),
        };
        let workspace = workspace::create_workspace(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::CreateWorkspaceResponse { workspace: Some(to_workspace(&workspace)) }))
    }

    async fn get_workspace(
        &self,
        request: Request<wire::GetWorkspaceRequest>,
    ) -> Result<Response<wire::GetWorkspaceResponse>, Status> {
        let caller = server::caller(&request)?;
        let id = fields::id::<WorkspaceId>("workspace_id", &request.get_ref().workspace_id)?;
        let workspace = workspace::get_workspace(&self.state, &caller, id).await?;
        Ok(Response::new(wire::GetWorkspaceResponse { workspace: Some(to_workspace(&workspace)) }))
    }

    async fn list_workspaces(
        &self,
        request: Request<wire::ListWorkspacesRequest>,
    ) -> Result<Response<wire::ListWorkspacesResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let subject = caller.require_user()?.subject.clone();
        let tokens = PageToken::bound_to("ListWorkspaces", [&*subject]);
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let (workspaces, next_page_token) = workspace::list_workspaces(&self.state, &caller, &page).await?;
        let workspaces = workspaces.iter().map(to_workspace).collect();
        Ok(Response::new(wire::ListWorkspacesResponse { workspaces, next_page_token }))
    }

    async fn list_workspace_members(
        &self,
        request: Request<wire::ListWorkspaceMembersRequest>,
    ) -> Result<Response<wire::ListWorkspaceMembersResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let id = fields::id::<WorkspaceId>("workspace_id", &message.workspace_id)?;
        let tokens = PageToken::bound_to("ListWorkspaceMembers", [&message.workspace_id]);
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let (members, next_page_token) = workspace::list_workspace_members(&self.state, &caller, id, &page).await?;
        let members = members.iter().map(to_member).collect();
        Ok(Response::new(wire::ListWorkspaceMembersResponse { members, next_page_token }))
    }

    async fn set_workspace_member(
        &self,
        request: Request<wire::SetWorkspaceMemberRequest>,
    ) -> Result<Response<wire::SetWorkspaceMemberResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = SetWorkspaceMember {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            subject: fields::text("subject", &message.subject, MAX_SUBJECT_CHARS)?.to_owned(),
            role: parse_role("role", message.role)?,
            display_name: fields::optional_text("display_name", &message.display_name, MAX_NAME_CHARS)?
                .unwrap_or_default()
                .to_owned(),
        };
        let member = workspace::set_workspace_member(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::SetWorkspaceMemberResponse { member: Some(to_member(&member)) }))
    }

    async fn remove_workspace_member(
        &self,
        request: Request<wire::RemoveWorkspaceMemberRequest>,
    ) -> Result<Response<wire::RemoveWorkspaceMemberResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = RemoveWorkspaceMember {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            subject: fields::text("subject", &message.subject, MAX_SUBJECT_CHARS)?.to_owned(),
        };
        workspace::remove_workspace_member(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::RemoveWorkspaceMemberResponse {}))
    }

    async fn set_tenant_role(
        &self,
        request: Request<wire::SetTenantRoleRequest>,
    ) -> Result<Response<wire::SetTenantRoleResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = SetTenantRole {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            subject: fields::text("subject", &message.subject, MAX_SUBJECT_CHARS)?.to_owned(),
            role: parse_role("role", message.role)?,
        };
        let member = workspace::set_tenant_role(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::SetTenantRoleResponse { member: Some(to_member(&member)) }))
    }

    async fn remove_tenant_role(
        &self,
        request: Request<wire::RemoveTenantRoleRequest>,
    ) -> Result<Response<wire::RemoveTenantRoleResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = RemoveTenantRole {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            subject: fields::text("subject", &message.subject, MAX_SUBJECT_CHARS)?.to_owned(),
        };
        workspace::remove_tenant_role(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::RemoveTenantRoleResponse {}))
    }

    async fn get_my_access(
        &self,
        request: Request<wire::GetMyAccessRequest>,
    ) -> Result<Response<wire::GetMyAccessResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let id = fields::id::<WorkspaceId>("workspace_id", &message.workspace_id)?;
        let tokens = PageToken::bound_to("GetMyAccess", [&message.workspace_id]);
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let (access, next_page_token) = workspace::get_my_access(&self.state, &caller, id, &page).await?;
        Ok(Response::new(wire::GetMyAccessResponse { access: Some(to_access(access)), next_page_token }))
    }
}
