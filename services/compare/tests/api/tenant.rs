//! Tenants and provider connections.

use pb::tenant::{
    ConnectionState, GetProviderConnectionRequest, GetTenantRequest, ListTenantsRequest, RegisterTenantRequest,
    SetProviderConnectionRequest, TenantLifecycle, UpdateTenantRequest,
};
use pb::workspace::Role;
use tonic::Code;

use crate::world::{World, fresh, refusal};

fn registration(workspace_id: &str, name: &str) -> RegisterTenantRequest {
    RegisterTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.into(),
        name: name.into(),
        external_tenant_id: fresh(),
        domain: "contoso.onmicrosoft.com".into(),
        aliases: vec!["Kunde 17".into()],
    }
}

#[tokio::test]
async fn a_registered_tenant_is_active_and_its_registrar_owns_it() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let request = registration(&workspace_id, "Production");
    let register = |request: RegisterTenantRequest| {
        let mut client = ada.tenants();
        async move { client.register_tenant(request).await.map(|answer| answer.into_inner().tenant.unwrap()) }
    };
    let tenant = register(request.clone()).await.unwrap();
    assert_eq!((tenant.lifecycle(), tenant.provider_connected()), (TenantLifecycle::Active, false));
    assert_eq!(register(request.clone()).await.unwrap(), tenant);
    let reused = RegisterTenantRequest { name: "Other".into(), ..request.clone() };
    assert_eq!(refusal(register(reused).await), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));

    // The same tenant again, in another spelling.
    let again = RegisterTenantRequest {
        request_id: fresh(),
        external_tenant_id: request.external_tenant_id.to_uppercase(),
        ..request.clone()
    };
    assert_eq!(refusal(register(again.clone()).await), (Code::AlreadyExists, "TENANT_ALREADY_REGISTERED".into()));
    // Who may not see it learns only that it cannot be had.
    ada.let_in(&workspace_id, "bob", Role::Manager).await;
    let refused = refusal(world.user("bob").tenants().register_tenant(again).await);
    assert_eq!(refused, (Code::FailedPrecondition, "TENANT_NOT_AVAILABLE".into()));
    // Another workspace may have it as well.
    let elsewhere = world.user("eve").new_workspace().await;
    let theirs = RegisterTenantRequest { workspace_id: elsewhere, ..request };
    world.user("eve").tenants().register_tenant(theirs).await.unwrap();
}

#[tokio::test]
async fn a_registration_sent_many_times_at_once_makes_one_tenant() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let request = registration(&workspace_id, "Production");
    let calls = (0..8).map(|_| {
        let (mut client, request) = (ada.tenants(), request.clone());
        async move { client.register_tenant(request).await.unwrap().into_inner().tenant.unwrap() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn lists_leave_out_what_one_is_not_entitled_to() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut ids = Vec::new();
    for name in ["charlie", "Alpha", "bravo"] {
        ids.push(ada.new_tenant(&workspace_id, name).await);
    }
    ada.let_in(&workspace_id, "bob", Role::Readonly).await;
    ada.entitle(&workspace_id, &ids[1], "bob", Role::Readonly).await;
    let list = ListTenantsRequest { workspace_id: workspace_id.clone(), page_size: 2, ..Default::default() };
    let names = |page: &pb::tenant::ListTenantsResponse| -> Vec<String> {
        page.tenants.iter().map(|tenant| tenant.name.clone()).collect()
    };
    let first = ada.tenants().list_tenants(list.clone()).await.unwrap().into_inner();
    assert_eq!(names(&first), ["Alpha", "bravo"]);
    let rest = ListTenantsRequest { page_token: first.next_page_token, ..list.clone() };
    let second = ada.tenants().list_tenants(rest).await.unwrap().into_inner();
    assert_eq!((names(&second), second.next_page_token.as_str()), (vec!["charlie".to_owned()], ""));
    let bobs = world.user("bob").tenants().list_tenants(list).await.unwrap().into_inner();
    assert_eq!((names(&bobs), bobs.next_page_token.as_str()), (vec!["Alpha".to_owned()], ""));
    let get = GetTenantRequest { workspace_id, tenant_id: ids[0].clone() };
    assert_eq!(refusal(world.user("bob").tenants().get_tenant(get).await).0, Code::NotFound);
}

#[tokio::test]
async fn a_provider_connection_names_its_credential_and_holds_none() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let get_tenant = GetTenantRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
    let tenant = ada.tenants().get_tenant(get_tenant).await.unwrap().into_inner().tenant.unwrap();
    let variable = tenant.external_tenant_id.replace('-', "_").to_uppercase();
    let get = GetProviderConnectionRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
    let missing = (Code::FailedPrecondition, "PROVIDER_CONNECTION_MISSING".to_owned());
    assert_eq!(refusal(ada.tenants().get_provider_connection(get.clone()).await), missing);

    let set = SetProviderConnectionRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        base_url: "https://graph.microsoft.com/".into(),
        authority_url: "https://login.microsoftonline.com".into(),
        client_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001".into(),
        credential_reference: format!("env:TENANTATLAS_PROVIDER_SECRET_{variable}"),
    };
    let pasted = SetProviderConnectionRequest { credential_reference: "hunter2~secret".into(), ..set.clone() };
    let status = ada.tenants().set_provider_connection(pasted).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(!format!("{status:?}").contains("hunter2"));
    // Neither any secret of the process nor any address: those are the operator's to choose.
    let stolen =
        SetProviderConnectionRequest { credential_reference: "env:TENANTATLAS_DATABASE_URL".into(), ..set.clone() };
    let elsewhere = SetProviderConnectionRequest { authority_url: "https://evil.example".into(), ..set.clone() };
    for (request, field) in [(stolen, "credential_reference: "), (elsewhere, "authority_url: ")] {
        let status = ada.tenants().set_provider_connection(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    assert_eq!(refusal(ada.tenants().get_provider_connection(get.clone()).await), missing);

    let connect = |request: SetProviderConnectionRequest| {
        let mut client = ada.tenants();
        async move { client.set_provider_connection(request).await.unwrap().into_inner().provider_connection.unwrap() }
    };
    let first = connect(set.clone()).await;
    assert_eq!(connect(set.clone()).await, first);
    // Said again, it is the same connection.
    assert_eq!(connect(SetProviderConnectionRequest { request_id: fresh(), ..set.clone() }).await, first);
    let moved = connect(SetProviderConnectionRequest {
        request_id: fresh(),
        base_url: "https://graph.microsoft.us".into(),
        ..set
    })
    .await;
    assert_ne!(moved.provider_connection_id, first.provider_connection_id);
    assert_eq!(moved.base_url, "https://graph.microsoft.us");

    // A worker reads it with its own identity; a service that is none of ours does not.
    let worker = world.service("promotion-service").tenants().get_provider_connection(get.clone()).await.unwrap();
    assert_eq!(worker.into_inner().provider_connection, Some(moved));
    let refused = refusal(world.service("somebody").tenants().get_provider_connection(get.clone()).await);
    assert_eq!(refused, (Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED".into()));
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Operator).await;
    let refused = refusal(world.user("bob").tenants().get_provider_connection(get).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
    let tenant = ada.tenants().get_tenant(GetTenantRequest { workspace_id, tenant_id }).await.unwrap().into_inner();
    assert!(tenant.tenant.unwrap().provider_connected());
}

#[tokio::test]
async fn a_tenant_is_renamed_from_the_version_that_was_seen_and_the_trail_is_told() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let answer = ada.tenants().register_tenant(registration(&workspace_id, "Contoso")).await.unwrap();
    let before = answer.into_inner().tenant.unwrap();
    assert_eq!(
        (before.aliases.as_slice(), before.connection_state()),
        (&["Kunde 17".to_owned()][..], ConnectionState::Missing)
    );
    let request = UpdateTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: before.tenant_id.clone(),
        version: before.version,
        name: "Contoso North".into(),
        domain: String::new(),
        aliases: ["North", "Kunde 18", "North"].map(str::to_owned).into(),
    };
    let update = |request: UpdateTenantRequest| {
        let mut client = ada.tenants();
        async move { client.update_tenant(request).await.map(|answer| answer.into_inner().tenant.unwrap()) }
    };
    // The same request many times at once is one change.
    let answers = futures::future::join_all((0..4).map(|_| update(request.clone()))).await;
    let after = answers[0].as_ref().unwrap().clone();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == &after), "{answers:?}");
    assert_eq!(after.version, before.version + 1);
    assert_eq!((after.name.as_str(), after.domain.as_str()), ("Contoso North", ""));
    assert_eq!(after.aliases, ["Kunde 18", "North"]);
    assert_eq!(after.external_tenant_id, before.external_tenant_id);
    let told = world.runs.delivered_of("tenant.updated", 1).await;
    assert_eq!((told[0].tenant_id.as_str(), told[0].actor_subject.as_str()), (before.tenant_id.as_str(), "ada"));

    let stale = UpdateTenantRequest { request_id: fresh(), name: "Mine".into(), ..request.clone() };
    let refused = update(stale.clone()).await.unwrap_err();
    assert!(String::from_utf8_lossy(refused.details()).contains("version"), "it says the version now");
    assert_eq!(refusal::<()>(Err(refused)), (Code::Aborted, "TENANT_CHANGED".into()));
    for (wrong, field) in [
        (UpdateTenantRequest { version: 0, ..stale.clone() }, "version:"),
        (UpdateTenantRequest { name: " ".into(), ..stale.clone() }, "name:"),
        (UpdateTenantRequest { aliases: vec!["x".into(); 51], ..stale.clone() }, "aliases:"),
        (UpdateTenantRequest { aliases: vec!["x".repeat(121)], ..stale.clone() }, "aliases[0]:"),
    ] {
        let refused = update(wrong).await.unwrap_err();
        assert!(refused.code() == Code::InvalidArgument && refused.message().starts_with(field), "{refused:?}");
    }
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    ada.entitle(&workspace_id, &before.tenant_id, "bob", Role::Operator).await;
    let bobs = world.user("bob").tenants().update_tenant(stale).await;
    assert_eq!(refusal(bobs), (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
}
