//! Workspaces, members and roles.

use pb::workspace::{
    CreateWorkspaceRequest, GetWorkspaceRequest, ListWorkspaceMembersRequest, ListWorkspacesRequest,
    RemoveTenantRoleRequest, RemoveWorkspaceMemberRequest, Role, SetTenantRoleRequest, SetWorkspaceMemberRequest,
};
use tonic::Code;

use crate::world::{World, fresh, refusal};

#[tokio::test]
async fn creating_twice_with_one_request_id_makes_one_workspace() {
    let world = World::start().await;
    let ada = world.user("ada");
    let request = CreateWorkspaceRequest { request_id: fresh(), name: "  Contoso ".into() };
    let first = ada.workspaces().create_workspace(request.clone()).await.unwrap().into_inner().workspace.unwrap();
    let second = ada.workspaces().create_workspace(request.clone()).await.unwrap().into_inner().workspace.unwrap();
    assert_eq!(first, second);
    assert_eq!((first.name.as_str(), first.caller_role()), ("Contoso", Role::Owner));
    let listed = ada.workspaces().list_workspaces(ListWorkspacesRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.workspaces, std::slice::from_ref(&first));

    let other = CreateWorkspaceRequest { name: "Fabrikam".into(), ..request.clone() };
    assert_eq!(
        refusal(ada.workspaces().create_workspace(other).await),
        (Code::AlreadyExists, "REQUEST_ID_REUSED".into())
    );
    // Another person's request id is another request.
    let theirs =
        world.user("bob").workspaces().create_workspace(request).await.unwrap().into_inner().workspace.unwrap();
    assert_ne!(theirs.workspace_id, first.workspace_id);
}

#[tokio::test]
async fn the_same_request_sent_many_times_at_once_makes_one_workspace() {
    let world = World::start().await;
    let ada = world.user("ada");
    let request = CreateWorkspaceRequest { request_id: fresh(), name: "Contoso".into() };
    let calls = (0..8).map(|_| {
        let (mut client, request) = (ada.workspaces(), request.clone());
        async move { client.create_workspace(request).await.unwrap().into_inner().workspace.unwrap() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let listed = ada.workspaces().list_workspaces(ListWorkspacesRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.workspaces.len(), 1);
}

#[tokio::test]
async fn lists_come_in_pages_by_name_and_show_only_ones_own() {
    let world = World::start().await;
    let ada = world.user("ada");
    for name in ["delta", "Alpha", "charlie", "Bravo", "alpha"] {
        let request = CreateWorkspaceRequest { request_id: fresh(), name: name.into() };
        ada.workspaces().create_workspace(request).await.unwrap();
    }
    world.user("bob").new_workspace().await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListWorkspacesRequest { page_size: 2, page_token: page_token.clone() };
        let page = ada.workspaces().list_workspaces(request).await.unwrap().into_inner();
        assert!(page.workspaces.len() <= 2);
        seen.extend(page.workspaces.into_iter().map(|workspace| workspace.name.to_lowercase()));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["alpha", "alpha", "bravo", "charlie", "delta"]);
    // A token of one's own list is no token of another's.
    let first = ListWorkspacesRequest { page_size: 1, page_token: String::new() };
    let token = ada.workspaces().list_workspaces(first).await.unwrap().into_inner().next_page_token;
    let stolen = ListWorkspacesRequest { page_size: 1, page_token: token };
    let refused = refusal(world.user("bob").workspaces().list_workspaces(stolen).await);
    assert_eq!(refused, (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));
}

#[tokio::test]
async fn members_come_go_and_change_and_an_owner_remains() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    ada.let_in(&workspace_id, "bob", Role::Readonly).await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    let list = ListWorkspaceMembersRequest { workspace_id: workspace_id.clone(), ..Default::default() };
    let members = world.user("bob").workspaces().list_workspace_members(list).await.unwrap().into_inner().members;
    let roles: Vec<_> = members.iter().map(|member| (member.subject.as_str(), member.role())).collect();
    assert_eq!(roles, [("ada", Role::Owner), ("bob", Role::Operator)]);
    assert_eq!(members[0].display_name, "ada by name");

    let demote = SetWorkspaceMemberRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        subject: "ada".into(),
        role: Role::Manager.into(),
        display_name: String::new(),
    };
    let remove = |subject: &str| RemoveWorkspaceMemberRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        subject: subject.into(),
    };
    let last = (Code::FailedPrecondition, "LAST_OWNER".to_owned());
    assert_eq!(refusal(ada.workspaces().set_workspace_member(demote.clone()).await), last);
    assert_eq!(refusal(ada.workspaces().remove_workspace_member(remove("ada")).await), last);
    // With a second owner the first may go.
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    ada.workspaces().set_workspace_member(demote).await.unwrap();
    let bob = world.user("bob");
    bob.workspaces().remove_workspace_member(remove("ada")).await.unwrap();
    bob.workspaces().remove_workspace_member(remove("nobody")).await.unwrap();
    let get = GetWorkspaceRequest { workspace_id: workspace_id.clone() };
    assert_eq!(refusal(ada.workspaces().get_workspace(get).await).0, Code::NotFound);
}

#[tokio::test]
async fn only_those_who_may_manage_members_do() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    ada.let_in(&workspace_id, "bob", Role::Manager).await;
    let request = SetWorkspaceMemberRequest {
        request_id: fresh(),
        workspace_id,
        subject: "eve".into(),
        role: Role::Owner.into(),
        display_name: String::new(),
    };
    let status = world.user("bob").workspaces().set_workspace_member(request.clone()).await.unwrap_err();
    use tonic_types::StatusExt as _;
    let info = status.get_details_error_info().unwrap();
    assert_eq!((status.code(), info.reason.as_str()), (Code::PermissionDenied, "CAPABILITY_MISSING"));
    assert_eq!(info.metadata["capability"], "workspace_members.manage");
    // Malformed comes first, hidden second.
    let malformed = SetWorkspaceMemberRequest { request_id: fresh(), role: 0, ..request.clone() };
    assert_eq!(refusal(world.user("eve").workspaces().set_workspace_member(malformed).await).0, Code::InvalidArgument);
    assert_eq!(refusal(world.user("eve").workspaces().set_workspace_member(request.clone()).await).0, Code::NotFound);
    assert_eq!(refusal(world.nobody().workspaces().set_workspace_member(request).await).0, Code::Unauthenticated);
}

#[tokio::test]
async fn tenant_roles_are_for_members_and_by_those_who_see_the_tenant() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    let request = SetTenantRoleRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        subject: "carl".into(),
        role: Role::Operator.into(),
    };
    assert_eq!(
        refusal(ada.workspaces().set_tenant_role(request.clone()).await),
        (Code::FailedPrecondition, "NOT_A_MEMBER".into())
    );
    ada.let_in(&workspace_id, "carl", Role::Readonly).await;
    // Bob owns the workspace and holds no role on the tenant: for him it does not exist.
    assert_eq!(refusal(world.user("bob").workspaces().set_tenant_role(request.clone()).await).0, Code::NotFound);
    let member = ada.workspaces().set_tenant_role(request).await.unwrap().into_inner().member.unwrap();
    assert_eq!(member.tenant_roles[0].role(), Role::Operator);
    // Nor does he see the roles others hold on it.
    let list = ListWorkspaceMembersRequest { workspace_id: workspace_id.clone(), ..Default::default() };
    let seen = world.user("bob").workspaces().list_workspace_members(list.clone()).await.unwrap().into_inner().members;
    assert!(seen.iter().all(|member| member.tenant_roles.is_empty()));
    let seen = ada.workspaces().list_workspace_members(list).await.unwrap().into_inner().members;
    assert_eq!(seen.iter().filter(|member| !member.tenant_roles.is_empty()).count(), 2);

    let remove = RemoveTenantRoleRequest { request_id: fresh(), workspace_id, tenant_id, subject: "carl".into() };
    ada.workspaces().remove_tenant_role(remove.clone()).await.unwrap();
    ada.workspaces().remove_tenant_role(remove).await.unwrap();
}

#[tokio::test]
async fn who_leaves_keeps_no_entitlement_behind() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Owner).await;
    let remove =
        RemoveWorkspaceMemberRequest { request_id: fresh(), workspace_id: workspace_id.clone(), subject: "bob".into() };
    ada.workspaces().remove_workspace_member(remove).await.unwrap();
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    let get = pb::tenant::GetTenantRequest { workspace_id, tenant_id };
    assert_eq!(refusal(world.user("bob").tenants().get_tenant(get).await).0, Code::NotFound);
}
