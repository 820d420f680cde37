//! What members may do, as they are told; what the trail is told of changes; and who loses a right in the middle of using it.

use domain::access::{Role as Held, tenant_capabilities, workspace_capabilities};
use pb::audit::AuditEvent;
use pb::workspace::{
    GetMyAccessRequest, RemoveTenantRoleRequest, RemoveWorkspaceMemberRequest, Role, SetWorkspaceMemberRequest,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{Caller, World, fresh, refusal};

const ROLES: [(Role, Held); 4] = [
    (Role::Owner, Held::Owner),
    (Role::Manager, Held::Manager),
    (Role::Operator, Held::Operator),
    (Role::Readonly, Held::Readonly),
];

async fn access(caller: &Caller<'_>, workspace_id: &str) -> pb::workspace::Access {
    let request = GetMyAccessRequest { workspace_id: workspace_id.to_owned(), ..Default::default() };
    caller.workspaces().get_my_access(request).await.unwrap().into_inner().access.unwrap()
}

#[tokio::test]
async fn everybody_is_told_what_the_registry_gives_and_nothing_of_hidden_tenants() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    ada.new_tenant(&workspace_id, "Hidden from the others").await;
    for (role, held) in ROLES {
        let subject = held.as_str();
        ada.let_in(&workspace_id, subject, role).await;
        let told = access(&world.user(subject), &workspace_id).await;
        let capabilities: Vec<_> = workspace_capabilities(held).map(|capability| capability.to_string()).collect();
        assert_eq!((told.subject.as_str(), told.role(), &told.capabilities), (subject, role, &capabilities));
        // Whatever the role in the workspace, it entitles to no tenant.
        assert!(told.tenants.is_empty(), "{told:?}");
        // And the role on a tenant has nothing to do with it.
        for (on_tenant, held) in ROLES {
            ada.entitle(&workspace_id, &tenant_id, subject, on_tenant).await;
            let told = access(&world.user(subject), &workspace_id).await;
            let on_it: Vec<_> = tenant_capabilities(held).map(|capability| capability.to_string()).collect();
            assert_eq!(told.capabilities, capabilities);
            assert_eq!(told.tenants.len(), 1);
            assert_eq!((&told.tenants[0].tenant_id, told.tenants[0].role()), (&tenant_id, on_tenant));
            assert_eq!(told.tenants[0].capabilities, on_it);
        }
    }
    let request = GetMyAccessRequest { workspace_id, ..Default::default() };
    assert_eq!(refusal(world.user("outsider").workspaces().get_my_access(request.clone()).await).0, Code::NotFound);
    let invented = GetMyAccessRequest { workspace_id: fresh(), ..request };
    assert_eq!(refusal(ada.workspaces().get_my_access(invented).await).0, Code::NotFound);
}

#[tokio::test]
async fn the_tenants_come_in_pages() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(ada.new_tenant(&workspace_id, &format!("Tenant {n}")).await);
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = GetMyAccessRequest { workspace_id: workspace_id.clone(), page_size: 2, page_token };
        let page = ada.workspaces().get_my_access(request).await.unwrap().into_inner();
        seen.extend(page.access.unwrap().tenants.into_iter().map(|tenant| tenant.tenant_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    made.sort();
    assert_eq!(seen, made);
}

fn detail(event: &AuditEvent) -> Value {
    server::structure::from_struct(event.detail.as_ref().unwrap())
}

#[tokio::test]
async fn the_trail_is_told_of_each_change_and_of_nothing_else() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    ada.let_in(&workspace_id, "bob", Role::Readonly).await;
    // Nothing changes by being said again.
    ada.let_in(&workspace_id, "bob", Role::Readonly).await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Operator).await;
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Operator).await;
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Manager).await;
    let role = || RemoveTenantRoleRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        subject: "bob".into(),
    };
    ada.workspaces().remove_tenant_role(role()).await.unwrap();
    ada.workspaces().remove_tenant_role(role()).await.unwrap();
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Readonly).await;
    let member = |subject: &str| RemoveWorkspaceMemberRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        subject: subject.into(),
    };
    ada.workspaces().remove_workspace_member(member("bob")).await.unwrap();
    ada.workspaces().remove_workspace_member(member("bob")).await.unwrap();
    let last_owner = refusal(ada.workspaces().remove_workspace_member(member("ada")).await);
    assert_eq!(last_owner, (Code::FailedPrecondition, "LAST_OWNER".into()));

    let set = world.runs.delivered_of("workspace.member_set", 2).await;
    assert_eq!(
        set.iter().map(detail).collect::<Vec<_>>(),
        [
            json!({"subject": "bob", "display_name": "", "role": "readonly", "previous_role": null}),
            json!({"subject": "bob", "display_name": "", "role": "operator", "previous_role": "readonly"}),
        ]
    );
    assert!(set.iter().all(|event| event.tenant_id.is_empty() && event.actor_subject == "ada"));
    let entitled = world.runs.delivered_of("tenant.role_set", 3).await;
    assert_eq!(
        entitled.iter().map(detail).collect::<Vec<_>>(),
        [
            json!({"subject": "bob", "role": "operator", "previous_role": null}),
            json!({"subject": "bob", "role": "manager", "previous_role": "operator"}),
            json!({"subject": "bob", "role": "readonly", "previous_role": null}),
        ]
    );
    let lost = world.runs.delivered_of("tenant.role_removed", 2).await;
    assert_eq!(
        lost.iter().map(detail).collect::<Vec<_>>(),
        [
            json!({"subject": "bob", "previous_role": "manager"}),
            json!({"subject": "bob", "previous_role": "readonly", "with_membership": true}),
        ]
    );
    assert!(entitled.iter().chain(&lost).all(|event| event.tenant_id == tenant_id));
    let left = world.runs.delivered_of("workspace.member_removed", 1).await;
    assert_eq!(left.iter().map(detail).collect::<Vec<_>>(), [json!({"subject": "bob", "previous_role": "operator"})]);
}

#[tokio::test]
async fn the_trail_is_not_told_where_a_credential_is() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let get = pb::tenant::GetTenantRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
    let tenant = ada.tenants().get_tenant(get).await.unwrap().into_inner().tenant.unwrap();
    let variable = tenant.external_tenant_id.replace('-', "_").to_uppercase();
    let set = pb::tenant::SetProviderConnectionRequest {
        request_id: fresh(),
        workspace_id,
        tenant_id: tenant_id.clone(),
        base_url: "https://graph.microsoft.com".into(),
        authority_url: "https://login.microsoftonline.com".into(),
        client_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001".into(),
        credential_reference: format!("env:TENANTATLAS_PROVIDER_SECRET_{variable}"),
    };
    let set = ada.tenants().set_provider_connection(set).await.unwrap().into_inner().provider_connection.unwrap();
    let told = world.runs.delivered_of("provider_connection.set", 1).await.remove(0);
    assert_eq!(told.tenant_id, tenant_id);
    assert_eq!(detail(&told)["provider_connection_id"], set.provider_connection_id);
    assert_eq!(detail(&told)["base_url"], "https://graph.microsoft.com");
    assert!(!format!("{told:?}").contains("SECRET"), "{told:?}");
}

/// Waits until a statement in this database waits for a lock.
async fn somebody_waits(db: &pg::Db) {
    let wait = async {
        loop {
            let waiting: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity
                                WHERE datname = current_database() AND wait_event_type = 'Lock')",
            )
            .fetch_one(db.pool())
            .await
            .unwrap();
            if waiting {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.expect("somebody waits in time");
}

#[tokio::test]
async fn who_loses_the_right_while_using_it_changes_nothing() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    let (db, watcher) = (world.superuser().await, world.superuser().await);
    // Somebody else is about to demote Bob ...
    let mut tx = db.system().await.unwrap();
    let workspace = workspace_id.parse().unwrap();
    compare_service::store::workspace::lock_membership(&mut tx, workspace).await.unwrap();
    // ... when his request, which he still had the right to make, comes in.
    let promote = SetWorkspaceMemberRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        subject: "eve".into(),
        role: Role::Owner.into(),
        display_name: String::new(),
    };
    let mut bob = world.user("bob").workspaces();
    let asked = tokio::spawn(async move { bob.set_workspace_member(promote).await });
    somebody_waits(&watcher).await;
    sqlx::query("UPDATE access.member SET role = 'manager' WHERE subject = 'bob'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let refused = refusal(asked.await.unwrap());
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
    assert_eq!(
        refusal(
            world
                .user("eve")
                .workspaces()
                .get_my_access(GetMyAccessRequest { workspace_id, ..Default::default() })
                .await
        )
        .0,
        Code::NotFound
    );
}
