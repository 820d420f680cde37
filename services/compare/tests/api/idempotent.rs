//! Changes of access and connections happen once per request id, whenever and however often the request comes again.

use pb::tenant::{GetProviderConnectionRequest, GetTenantRequest, SetProviderConnectionRequest};
use pb::workspace::{
    ListWorkspaceMembersRequest, RemoveTenantRoleRequest, RemoveWorkspaceMemberRequest, Role, SetTenantRoleRequest,
    SetWorkspaceMemberRequest,
};
use tonic::Code;

use crate::world::{Caller, World, fresh, refusal};

/// A workspace of Ada's with a tenant, and Bob in it.
struct Place<'w> {
    ada: Caller<'w>,
    workspace_id: String,
    tenant_id: String,
}

impl<'w> Place<'w> {
    async fn of(world: &'w World) -> Self {
        let ada = world.user("ada");
        let workspace_id = ada.new_workspace().await;
        let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
        ada.let_in(&workspace_id, "bob", Role::Readonly).await;
        Self { ada, workspace_id, tenant_id }
    }

    fn set_member(&self, role: Role) -> SetWorkspaceMemberRequest {
        SetWorkspaceMemberRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            subject: "bob".into(),
            role: role.into(),
            display_name: String::new(),
        }
    }

    fn remove_member(&self) -> RemoveWorkspaceMemberRequest {
        let workspace_id = self.workspace_id.clone();
        RemoveWorkspaceMemberRequest { request_id: fresh(), workspace_id, subject: "bob".into() }
    }

    fn set_role(&self, role: Role) -> SetTenantRoleRequest {
        SetTenantRoleRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            subject: "bob".into(),
            role: role.into(),
        }
    }

    fn remove_role(&self) -> RemoveTenantRoleRequest {
        let (workspace_id, tenant_id) = (self.workspace_id.clone(), self.tenant_id.clone());
        RemoveTenantRoleRequest { request_id: fresh(), workspace_id, tenant_id, subject: "bob".into() }
    }

    async fn set_connection(&self, base_url: &str) -> SetProviderConnectionRequest {
        let get = GetTenantRequest { workspace_id: self.workspace_id.clone(), tenant_id: self.tenant_id.clone() };
        let tenant = self.ada.tenants().get_tenant(get).await.unwrap().into_inner().tenant.unwrap();
        let variable = tenant.external_tenant_id.replace('-', "_").to_uppercase();
        SetProviderConnectionRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            base_url: base_url.into(),
            authority_url: "https://login.microsoftonline.com".into(),
            client_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001".into(),
            credential_reference: format!("env:TENANTATLAS_PROVIDER_SECRET_{variable}"),
        }
    }

    /// Bob's roles, in the workspace and on the tenant, as Ada sees them.
    async fn bob(&self) -> Option<(Role, Option<Role>)> {
        let list = ListWorkspaceMembersRequest { workspace_id: self.workspace_id.clone(), ..Default::default() };
        let members = self.ada.workspaces().list_workspace_members(list).await.unwrap().into_inner().members;
        let bob = members.into_iter().find(|member| member.subject == "bob")?;
        Some((bob.role(), bob.tenant_roles.first().map(pb::workspace::TenantRole::role)))
    }
}

/// The same again gives the same answer; the same id with another body, or from somebody else, is refused.
macro_rules! happens_once {
    ($client:expr, $theirs:expr, $method:ident, $request:expr, $other:expr) => {{
        let request = $request;
        let first = $client.$method(request.clone()).await.unwrap().into_inner();
        assert_eq!($client.$method(request.clone()).await.unwrap().into_inner(), first);
        let reused = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned());
        let mut other = $other;
        other.request_id = request.request_id.clone();
        assert_eq!(refusal($client.$method(other).await), reused);
        assert_eq!(refusal($theirs.$method(request.clone()).await), reused);
        let without_id = {
            let mut request = request;
            request.request_id = String::new();
            request
        };
        assert_eq!(refusal($client.$method(without_id).await).0, Code::InvalidArgument);
    }};
}

#[tokio::test]
async fn a_request_id_is_for_one_request() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let carl = world.user("carl");
    place.ada.let_in(&place.workspace_id, "carl", Role::Owner).await;
    place.ada.entitle(&place.workspace_id, &place.tenant_id, "carl", Role::Owner).await;
    let (mut ours, mut theirs) = (place.ada.workspaces(), carl.workspaces());
    happens_once!(
        ours,
        theirs,
        set_workspace_member,
        place.set_member(Role::Operator),
        place.set_member(Role::Manager)
    );
    happens_once!(ours, theirs, set_tenant_role, place.set_role(Role::Operator), place.set_role(Role::Manager));
    let mut of_somebody_else = place.remove_role();
    of_somebody_else.subject = "carl".into();
    happens_once!(ours, theirs, remove_tenant_role, place.remove_role(), of_somebody_else);
    let mut somebody_else = place.remove_member();
    somebody_else.subject = "carl".into();
    happens_once!(ours, theirs, remove_workspace_member, place.remove_member(), somebody_else);
    let (mut ours, mut theirs) = (place.ada.tenants(), carl.tenants());
    let connection = place.set_connection("https://graph.microsoft.com").await;
    let other = place.set_connection("https://graph.microsoft.us").await;
    happens_once!(ours, theirs, set_provider_connection, connection, other);
    // Nor is it for another method.
    let member = place.set_member(Role::Readonly);
    place.ada.workspaces().set_workspace_member(member.clone()).await.unwrap();
    let removal = RemoveWorkspaceMemberRequest { request_id: member.request_id, ..place.remove_member() };
    let refused = refusal(place.ada.workspaces().remove_workspace_member(removal).await);
    assert_eq!(refused, (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
    assert!(place.bob().await.is_some());
}

#[tokio::test]
async fn a_late_repeat_does_not_undo_what_happened_since() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let mut client = place.ada.workspaces();

    let operator = place.set_member(Role::Operator);
    let first = client.set_workspace_member(operator.clone()).await.unwrap().into_inner();
    client.set_workspace_member(place.set_member(Role::Manager)).await.unwrap();
    assert_eq!(client.set_workspace_member(operator).await.unwrap().into_inner(), first);
    assert_eq!(place.bob().await, Some((Role::Manager, None)));

    let removal = place.remove_role();
    client.remove_tenant_role(removal.clone()).await.unwrap();
    let entitlement = place.set_role(Role::Operator);
    client.set_tenant_role(entitlement.clone()).await.unwrap();
    client.remove_tenant_role(removal).await.unwrap();
    assert_eq!(place.bob().await, Some((Role::Manager, Some(Role::Operator))));
    client.remove_tenant_role(place.remove_role()).await.unwrap();
    client.set_tenant_role(entitlement).await.unwrap();
    assert_eq!(place.bob().await, Some((Role::Manager, None)));

    let removal = place.remove_member();
    client.remove_workspace_member(removal.clone()).await.unwrap();
    client.set_workspace_member(place.set_member(Role::Readonly)).await.unwrap();
    client.remove_workspace_member(removal).await.unwrap();
    assert_eq!(place.bob().await, Some((Role::Readonly, None)));

    let old = place.set_connection("https://graph.microsoft.com").await;
    place.ada.tenants().set_provider_connection(old.clone()).await.unwrap();
    let new = place.set_connection("https://graph.microsoft.us").await;
    place.ada.tenants().set_provider_connection(new.clone()).await.unwrap();
    place.ada.tenants().set_provider_connection(old).await.unwrap();
    let get = GetProviderConnectionRequest { workspace_id: new.workspace_id, tenant_id: new.tenant_id };
    let present = place.ada.tenants().get_provider_connection(get).await.unwrap().into_inner();
    assert_eq!(present.provider_connection.unwrap().base_url, new.base_url);
}

#[tokio::test]
async fn the_same_request_many_times_at_once_happens_once() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let (role, connection) =
        (place.set_role(Role::Operator), place.set_connection("https://graph.microsoft.com").await);
    let calls = (0..8).map(|_| {
        let (mut workspaces, mut tenants) = (place.ada.workspaces(), place.ada.tenants());
        let (role, connection) = (role.clone(), connection.clone());
        async move {
            let member = workspaces.set_tenant_role(role).await.unwrap().into_inner();
            (member, tenants.set_provider_connection(connection).await.unwrap().into_inner())
        }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    for action in ["tenant.role_set", "provider_connection.set"] {
        assert_eq!(world.runs.delivered_of(action, 1).await.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn a_repeated_answer_shows_no_tenant_that_is_hidden_meanwhile() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    place.ada.let_in(&place.workspace_id, "carl", Role::Owner).await;
    place.ada.entitle(&place.workspace_id, &place.tenant_id, "carl", Role::Owner).await;
    place.ada.entitle(&place.workspace_id, &place.tenant_id, "bob", Role::Operator).await;
    let carl = world.user("carl");
    let request = place.set_member(Role::Operator);
    let first = carl.workspaces().set_workspace_member(request.clone()).await.unwrap().into_inner().member.unwrap();
    assert_eq!(first.tenant_roles.len(), 1);
    let removal = RemoveTenantRoleRequest { subject: "carl".into(), ..place.remove_role() };
    place.ada.workspaces().remove_tenant_role(removal).await.unwrap();
    let again = carl.workspaces().set_workspace_member(request).await.unwrap().into_inner().member.unwrap();
    assert!(again.tenant_roles.is_empty(), "{again:?}");
}

#[tokio::test]
async fn answers_are_forgotten_after_a_month_and_not_before() {
    let world = World::start().await;
    let place = Place::of(&world).await;
    let (old, recent) = (place.set_member(Role::Operator), place.set_member(Role::Manager));
    for (request, age) in [(&old, "30 days 1 minute"), (&recent, "29 days 23 hours")] {
        place.ada.workspaces().set_workspace_member(request.clone()).await.unwrap();
        sqlx::query(
            "UPDATE access.request SET created_at = now() - $1::text::interval WHERE request_id = $2::text::uuid",
        )
        .bind(age)
        .bind(&request.request_id)
        .execute(world.superuser().await.pool())
        .await
        .unwrap();
    }
    // A replica looks when it starts.
    let replica = world.replica().await;
    let (db, forgotten) =
        (world.superuser().await, "SELECT count(*) FROM access.request WHERE request_id = $1::text::uuid");
    let left = async |request: &SetWorkspaceMemberRequest| -> i64 {
        sqlx::query_scalar(forgotten).bind(&request.request_id).fetch_one(db.pool()).await.unwrap()
    };
    let gone = async {
        while left(&old).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await.expect("it is forgotten in time");
    assert_eq!(left(&recent).await, 1);
    drop(replica);
}
