//! The directory's caches, from the request to the list, against the provider's stand-in.

use graph_emulator::{FaultAction, FaultRule};
use pb::directory::*;
use pb::operation::{ItemState, OperationRunItem};
use pb::workspace::Role;
use serde_json::{Value, json};
use tonic::Code;

use crate::synced::{Synced, detail, of};
use crate::world::{World, fresh, refusal};

impl Synced<'_> {
    async fn sync_groups(&self, world: &World) -> Vec<OperationRunItem> {
        let request = SyncDirectoryGroupsRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
        };
        let answer = world.user("ada").directory().sync_directory_groups(request).await.unwrap().into_inner();
        self.ended(&answer.run.unwrap().run_id).await.1
    }

    async fn sync_roles(&self, world: &World) -> Vec<OperationRunItem> {
        let request = SyncDirectoryRoleDefinitionsRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
        };
        let answer = world.user("ada").directory().sync_directory_role_definitions(request).await.unwrap().into_inner();
        self.ended(&answer.run.unwrap().run_id).await.1
    }

    fn groups_asked(&self, name_contains: &str) -> ListDirectoryGroupsRequest {
        ListDirectoryGroupsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            name_contains: name_contains.to_owned(),
            ..Default::default()
        }
    }

    async fn groups(&self, world: &World, name_contains: &str) -> (Vec<String>, DirectoryFreshness) {
        let request = self.groups_asked(name_contains);
        let answer = world.user("ada").directory().list_directory_groups(request).await.unwrap().into_inner();
        (answer.groups.into_iter().map(|group| group.display_name).collect(), answer.freshness.unwrap())
    }
}

fn group(id: u32, name: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.group", "id": format!("0190b0a4-7c11-7a3e-9d3f-5a1de1b3b{id:03}"),
        "displayName": name, "mailEnabled": false, "mailNickname": "g", "securityEnabled": true,
        "groupTypes": ["DynamicMembership"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_found_by_name_without_the_provider_and_leave_with_it() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let (never, freshness) = tenant.groups(&world, "").await;
    assert!(never.is_empty() && freshness.sync_time.is_none() && freshness.collection == "group");

    for (id, name) in [(1, "Berlin  Pilot"), (2, "All staff"), (3, "50%_off")] {
        tenant.put("Groups", &group(id, name));
    }
    let items = tenant.sync_groups(&world).await;
    assert_eq!(["observed", "unreadable", "removed"].map(|key| detail(of(&items, "group"), key)), [3, 0, 0]);

    let (all, fresh_as_of) = tenant.groups(&world, "").await;
    assert_eq!(all, ["50%_off", "All staff", "Berlin  Pilot"]);
    assert_eq!(fresh_as_of.observed_count, Some(3));
    assert!(fresh_as_of.sync_time.is_some() && !fresh_as_of.run_id.is_empty());
    assert_eq!(tenant.groups(&world, "berlin pilot").await.0, ["Berlin  Pilot"]);
    assert_eq!(tenant.groups(&world, "0%_O").await.0, ["50%_off"]);
    let listed = world.user("ada").directory().list_directory_groups(tenant.groups_asked("staff")).await.unwrap();
    let staff = &listed.get_ref().groups[0];
    assert_eq!((staff.membership(), staff.security_enabled), (GroupMembership::Dynamic, true));

    // Pages follow one another by name; a token is good for its own search only.
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListDirectoryGroupsRequest { page_size: 1, page_token: token.clone(), ..tenant.groups_asked("") };
        let page = world.user("ada").directory().list_directory_groups(request).await.unwrap().into_inner();
        names.extend(page.groups.into_iter().map(|group| group.display_name));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    assert_eq!(names, all);
    let other = ListDirectoryGroupsRequest { page_token: token, ..tenant.groups_asked("staff") };
    assert_eq!(refusal(world.user("ada").directory().list_directory_groups(other).await).0, Code::InvalidArgument);

    tenant.delete("/groups/0190b0a4-7c11-7a3e-9d3f-5a1de1b3b002").await;
    let items = tenant.sync_groups(&world).await;
    assert_eq!(detail(of(&items, "group"), "removed"), 1);
    tenant.emulator.clear_log();
    assert_eq!(tenant.groups(&world, "").await.0, ["50%_off", "Berlin  Pilot"]);
    assert!(tenant.emulator.log().is_empty(), "a list called the provider");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_cannot_be_read_keeps_what_is_cached_and_its_age() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put("Groups", &group(1, "All staff"));
    tenant.sync_groups(&world).await;
    let before = tenant.groups(&world, "").await;
    tenant.delete("/groups/0190b0a4-7c11-7a3e-9d3f-5a1de1b3b001").await;
    tenant.emulator.add_fault(FaultRule::new(FaultAction::Forbidden { message: None }).path("/groups"));
    let items = tenant.sync_groups(&world).await;
    assert_eq!(items[0].state(), ItemState::Failed);
    assert!(!items[0].reason.is_empty() && !items[0].message.is_empty());
    assert_eq!(tenant.groups(&world, "").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn role_definitions_of_both_scopes_are_cached_each_by_itself() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(
        "Roles",
        &json!({"@odata.type": "#microsoft.graph.unifiedRoleDefinition", "id": "62e90394-69f5-4237-9190-012177145e10",
            "displayName": "Global Administrator", "isBuiltIn": true, "isEnabled": true, "rolePermissions": [],
            "templateId": "62e90394-69f5-4237-9190-012177145e10"}),
    );
    let custom = json!({"@odata.type": "#microsoft.graph.deviceAndAppManagementRoleDefinition",
        "id": "0190b0a4-7c11-7a3e-9d3f-5a1de1b3c001", "displayName": "Help desk", "description": "First line",
        "isBuiltIn": false, "rolePermissions": []});
    tenant.put("Roles", &custom);
    // One scope that is denied is no reason not to read the other.
    let denied = FaultRule::new(FaultAction::Forbidden { message: None }).path("/deviceManagement/roleDefinitions");
    let fault = tenant.emulator.add_fault(denied);
    let items = tenant.sync_roles(&world).await;
    let states = ["directoryRoleDefinition", "intuneRoleDefinition"].map(|key| of(&items, key).state());
    assert_eq!(states, [ItemState::Succeeded, ItemState::Failed]);
    tenant.emulator.remove_faults(Some(fault));

    let list = |scope: RoleDefinitionScope| {
        let request = ListDirectoryRoleDefinitionsRequest {
            workspace_id: tenant.workspace_id.clone(),
            tenant_id: tenant.tenant_id.clone(),
            scope: scope.into(),
            ..Default::default()
        };
        let mut directory = world.user("ada").directory();
        async move { directory.list_directory_role_definitions(request).await.unwrap().into_inner() }
    };
    let half = list(RoleDefinitionScope::Unspecified).await;
    assert_eq!(half.freshness.iter().map(|of| of.sync_time.is_some()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(half.role_definitions.len(), 1);

    tenant.sync_roles(&world).await;
    let both = list(RoleDefinitionScope::Unspecified).await;
    let seen = |role: &DirectoryRoleDefinition| (role.display_name.clone(), role.built_in, role.scope());
    assert_eq!(
        both.role_definitions.iter().map(seen).collect::<Vec<_>>(),
        [
            ("Global Administrator".to_owned(), true, RoleDefinitionScope::Directory),
            ("Help desk".to_owned(), false, RoleDefinitionScope::Intune)
        ]
    );
    let intune = list(RoleDefinitionScope::Intune).await;
    assert_eq!(
        intune.role_definitions.iter().map(|role| role.description.as_str()).collect::<Vec<_>>(),
        ["First line"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_sync_is_one_run_per_tenant_and_its_gates_are_those_of_reading() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let bare = ada.new_tenant(&workspace_id, "No connection").await;
    let asked = |tenant_id: &str| SyncDirectoryGroupsRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.to_owned(),
    };
    let refused = refusal(ada.directory().sync_directory_groups(asked(&bare)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "PROVIDER_CONNECTION_MISSING".to_owned()));

    let tenant = Synced::in_workspace(&world, workspace_id.clone(), "Production").await;
    ada.let_in(&workspace_id, "rhea", Role::Readonly).await;
    ada.entitle(&workspace_id, &tenant.tenant_id, "rhea", Role::Readonly).await;
    let rhea = world.user("rhea");
    let refused = refusal(rhea.directory().sync_directory_groups(asked(&tenant.tenant_id)).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".to_owned()));
    assert!(rhea.directory().list_directory_groups(tenant.groups_asked("")).await.is_ok());

    tenant.sync_groups(&world).await;
    tenant.sync_groups(&world).await;
    tenant.sync_roles(&world).await;
    let starts = world.runs.starts();
    assert_eq!(
        starts.iter().map(|start| start.r#type.as_str()).collect::<Vec<_>>(),
        ["directory_groups.sync", "directory_groups.sync", "directory_role_definitions.sync"]
    );
    assert_eq!(starts[0].identity, starts[1].identity);
    assert_eq!(starts[2].items.len(), 2);
}
