//! Workspaces and members.

use domain::access::{Capability, Role, tenant_capabilities, workspace_capabilities};
use pb::workspace as wire;
use server::failure::Failure;
use server::fields;

use crate::store::member::Member;
use crate::store::workspace::Workspace;
use crate::workspace::Access;

/// A role of a request.
pub fn parse_role(field: &str, value: i32) -> Result<Role, Failure> {
    match fields::choice::<wire::Role>(field, value)? {
        wire::Role::Owner => Ok(Role::Owner),
        wire::Role::Manager => Ok(Role::Manager),
        wire::Role::Operator => Ok(Role::Operator),
        wire::Role::Readonly => Ok(Role::Readonly),
        wire::Role::Unspecified => Err(Failure::invalid_argument(field, "is required")),
    }
}

fn to_role(role: Role) -> wire::Role {
    match role {
        Role::Owner => wire::Role::Owner,
        Role::Manager => wire::Role::Manager,
        Role::Operator => wire::Role::Operator,
        Role::Readonly => wire::Role::Readonly,
    }
}

/// A workspace.
pub fn to_workspace(workspace: &Workspace) -> wire::Workspace {
    wire::Workspace {
        workspace_id: workspace.id.to_string(),
        name: workspace.name.clone(),
        create_time: Some(fields::to_timestamp(workspace.created_at)),
        caller_role: to_role(workspace.caller_role).into(),
    }
}

/// A member.
pub fn to_member(member: &Member) -> wire::WorkspaceMember {
    wire::WorkspaceMember {
        subject: member.subject.clone(),
        display_name: member.display_name.clone(),
        role: to_role(member.role).into(),
        tenant_roles: member
            .tenant_roles
            .iter()
            .map(|(tenant, role)| wire::TenantRole { tenant_id: tenant.to_string(), role: to_role(*role).into() })
            .collect(),
    }
}

/// What somebody may do, by the registry of roles.
pub fn to_access(access: Access) -> wire::Access {
    let named = |capability: Capability| capability.as_str().to_owned();
    let tenants = access.tenants.into_iter().map(|(tenant, role)| wire::TenantAccess {
        tenant_id: tenant.to_string(),
        role: to_role(role).into(),
        capabilities: tenant_capabilities(role).map(named).collect(),
    });
    wire::Access {
        subject: access.subject,
        role: to_role(access.role).into(),
        capabilities: workspace_capabilities(access.role).map(named).collect(),
        tenants: tenants.collect(),
    }
}
