//! What was observed, without a provider.

use domain::preflight::CoverageState;
use pb::inventory::{
    CapturePreImageRequest, GetInventoryCoverageRequest, GetInventoryItemRequest, GetPolicyVersionContentRequest,
    ListInventoryItemsRequest, ListPolicyTypesRequest, ListPolicyVersionsRequest, ListReferenceNamesRequest,
    PromotionClass, SyncInventoryRequest,
};
use serde_json::json;
use tonic::Code;

use crate::fill::{Tenant, driver};
use crate::world::{World, fresh, refusal};

const DRIVER: &str = "windowsDriverUpdateProfile";

#[tokio::test]
async fn items_are_listed_by_type_and_name_and_found_by_a_part_of_it() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let tenant = Tenant::new(&world, &workspace_id, &tenant_id);
    tenant.has("roleScopeTag", &[json!({"id": "0", "displayName": "Default"})]).await;
    tenant.has(DRIVER, &[driver("b", "Ring B", 1), driver("a", "ring a", 1), driver("c", "50% rollout", 1)]).await;
    let list = ListInventoryItemsRequest {
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        page_size: 2,
        ..Default::default()
    };
    let first = ada.inventory().list_inventory_items(list.clone()).await.unwrap().into_inner();
    let names = |items: &[pb::inventory::InventoryItem]| -> Vec<String> {
        items.iter().map(|item| item.display_name.clone()).collect()
    };
    assert_eq!(names(&first.items), ["Default", "50% rollout"]);
    let rest = ListInventoryItemsRequest { page_token: first.next_page_token, ..list.clone() };
    let second = ada.inventory().list_inventory_items(rest.clone()).await.unwrap().into_inner();
    assert_eq!((names(&second.items), second.next_page_token.as_str()), (vec!["ring a".into(), "Ring B".into()], ""));
    let elsewhere = ListInventoryItemsRequest { name_contains: "ring".into(), ..rest };
    let refused = refusal(ada.inventory().list_inventory_items(elsewhere).await);
    assert_eq!(refused, (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));

    let percent = ListInventoryItemsRequest { name_contains: "0% R".into(), ..list.clone() };
    let found = ada.inventory().list_inventory_items(percent).await.unwrap().into_inner().items;
    assert_eq!(names(&found), ["50% rollout"]);
    let unknown = ListInventoryItemsRequest { policy_types: vec!["nonsense".into()], ..list };
    assert_eq!(refusal(ada.inventory().list_inventory_items(unknown).await).0, Code::InvalidArgument);

    let get = GetInventoryItemRequest { workspace_id, tenant_id, policy_type: DRIVER.into(), external_id: "a".into() };
    let item = ada.inventory().get_inventory_item(get.clone()).await.unwrap().into_inner().item.unwrap();
    assert_eq!((item.platform.as_str(), item.normal_hash.len(), item.missing()), ("windows10", 64, false));
    let absent = GetInventoryItemRequest { external_id: "z".into(), ..get };
    assert_eq!(refusal(ada.inventory().get_inventory_item(absent).await), (Code::NotFound, "NOT_FOUND".into()));
}

#[tokio::test]
async fn coverage_names_every_type_read_or_not() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let tenant = Tenant::new(&world, &workspace_id, &tenant_id);
    tenant.covered(DRIVER, CoverageState::Denied, Some("PROVIDER_FORBIDDEN"), true).await;
    let get = GetInventoryCoverageRequest { workspace_id, tenant_id };
    let types = ada.inventory().get_inventory_coverage(get).await.unwrap().into_inner().types;
    assert_eq!(types.len(), graph::registry().len());
    let of = |key: &str| types.iter().find(|known| known.policy_type == key).unwrap();
    assert_eq!((of(DRIVER).state.as_str(), of(DRIVER).reason.as_str()), ("denied", "PROVIDER_FORBIDDEN"));
    assert!(of(DRIVER).approval_required && of(DRIVER).observed_time.is_some());
    assert_eq!((of("group").state.as_str(), of("group").observed_time), ("never", None));
}

#[tokio::test]
async fn policy_types_say_what_can_be_done_with_them_and_the_operator_may_widen_it() {
    let world = World::start_with(&["--promotable-types=conditionalAccessPolicy"]).await;
    let refused = refusal(world.nobody().inventory().list_policy_types(ListPolicyTypesRequest {}).await);
    assert_eq!(refused, (Code::Unauthenticated, "TOKEN_MISSING".into()));
    let types = world.user("eve").inventory().list_policy_types(ListPolicyTypesRequest {}).await.unwrap().into_inner();
    let class = |key: &str| {
        types.policy_types.iter().find(|known| known.policy_type == key).map(pb::inventory::PolicyType::promotion_class)
    };
    assert_eq!(class("settingsCatalogPolicy"), Some(PromotionClass::Promotable));
    assert_eq!(class("group"), Some(PromotionClass::ReferenceOnly));
    assert_eq!(class("conditionalAccessPolicy"), Some(PromotionClass::Promotable));
}

#[tokio::test]
async fn content_and_names_are_for_our_own_services_and_stay_with_their_tenant() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let other_id = ada.new_tenant(&workspace_id, "Other").await;
    let tenant = Tenant::new(&world, &workspace_id, &tenant_id);
    let object = driver("a", "Ring", 7);
    tenant.has("group", &[json!({"id": "g1", "displayName": "Pilot"})]).await;
    let filter = json!({"id": "f1", "displayName": "Corp", "platform": "windows10AndLater", "rule": "x"});
    tenant.has("assignmentFilter", &[filter]).await;
    tenant.has(DRIVER, std::slice::from_ref(&object)).await;
    let versions = ListPolicyVersionsRequest {
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        policy_type: DRIVER.into(),
        external_id: "a".into(),
        ..Default::default()
    };
    let versions = ada.inventory().list_policy_versions(versions).await.unwrap().into_inner().versions;
    assert_eq!((versions.len(), versions[0].number, versions[0].purpose.as_str()), (1, 1, "sync"));

    let get = GetPolicyVersionContentRequest {
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        policy_version_id: versions[0].policy_version_id.clone(),
    };
    let promotion = world.service("promotion-service");
    let content = promotion.inventory().get_policy_version_content(get.clone()).await.unwrap().into_inner();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&content.content_json).unwrap(), object);
    assert_eq!(content.normal_hash.len(), 32);
    let foreign = GetPolicyVersionContentRequest { tenant_id: other_id, ..get.clone() };
    assert_eq!(refusal(promotion.inventory().get_policy_version_content(foreign).await).0, Code::NotFound);
    let refused = refusal(ada.inventory().get_policy_version_content(get).await);
    assert_eq!(refused, (Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED".into()));

    let list = ListReferenceNamesRequest { workspace_id, tenant_id, page_size: 1, page_token: String::new() };
    let first = promotion.inventory().list_reference_names(list.clone()).await.unwrap().into_inner();
    assert_eq!(first.names[0].subject_key, "assignmentFilter: corp [windows10AndLater]");
    let rest = ListReferenceNamesRequest { page_size: 0, page_token: first.next_page_token, ..list };
    let rest = promotion.inventory().list_reference_names(rest).await.unwrap().into_inner();
    assert_eq!((rest.names.len(), rest.names[0].name.as_str()), (1, "Pilot"));
}

#[tokio::test]
async fn a_pre_image_is_captured_once_per_run_and_content() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    Tenant::new(&world, &workspace_id, &tenant_id).has(DRIVER, &[driver("a", "Ring", 7)]).await;
    let capture = CapturePreImageRequest {
        workspace_id,
        tenant_id,
        policy_type: DRIVER.into(),
        external_id: "a".into(),
        content_json: driver("a", "Ring", 9).to_string().into_bytes(),
        run_id: fresh(),
    };
    let promotion = world.service("promotion-service");
    let take = |request: CapturePreImageRequest| {
        let mut client = promotion.inventory();
        async move { client.capture_pre_image(request).await.map(|answer| answer.into_inner().version.unwrap()) }
    };
    let first = take(capture.clone()).await.unwrap();
    assert_eq!((first.number, first.purpose.as_str()), (2, "pre_image"));
    assert_eq!(take(capture.clone()).await.unwrap(), first);
    assert_eq!(take(CapturePreImageRequest { run_id: fresh(), ..capture.clone() }).await.unwrap().number, 3);
    for wrong in [
        CapturePreImageRequest { content_json: b"{".to_vec(), ..capture.clone() },
        CapturePreImageRequest { content_json: b"[]".to_vec(), ..capture.clone() },
        CapturePreImageRequest { external_id: "b".into(), ..capture.clone() },
        CapturePreImageRequest { policy_type: "nonsense".into(), ..capture.clone() },
    ] {
        assert_eq!(refusal(take(wrong).await).0, Code::InvalidArgument);
    }
    assert_eq!(refusal(take(CapturePreImageRequest { tenant_id: fresh(), ..capture.clone() }).await).0, Code::NotFound);
    // The largest content there may be, and one byte more.
    let sized = |bytes: usize| {
        let mut object = driver("a", "Ring", 1);
        object["description"] = json!("");
        let padding = "x".repeat(bytes - object.to_string().len());
        object["description"] = json!(padding);
        CapturePreImageRequest { content_json: object.to_string().into_bytes(), ..capture.clone() }
    };
    take(sized(4 << 20)).await.unwrap();
    assert_eq!(refusal(take(sized((4 << 20) + 1)).await).0, Code::InvalidArgument);
}

#[tokio::test]
async fn a_sync_is_started_for_a_tenant_that_can_be_read() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let tenant = Tenant::new(&world, &workspace_id, &tenant_id);
    let sync = SyncInventoryRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        policy_types: vec![DRIVER.into()],
    };
    let missing = (Code::FailedPrecondition, "PROVIDER_CONNECTION_MISSING".to_owned());
    assert_eq!(refusal(ada.inventory().sync_inventory(sync.clone()).await), missing);
    tenant.connected().await;
    let started = ada.inventory().sync_inventory(sync.clone()).await.unwrap().into_inner();
    assert!(world.runs.was_on_behalf());
    let start = world.runs.starts().pop().unwrap();
    assert_eq!((start.r#type.as_str(), start.identity.len()), ("inventory.sync", 32));
    let keys: Vec<_> = start.items.iter().map(|item| item.key.as_str()).collect();
    assert!(keys.contains(&"roleScopeTag") && keys.contains(&"group") && keys.last() == Some(&DRIVER), "{keys:?}");

    // A gate that closes later does not change what was answered.
    tenant
        .sql(&format!("UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now() WHERE id = '{tenant_id}'"))
        .await;
    let again = ada.inventory().sync_inventory(sync.clone()).await.unwrap().into_inner();
    assert_eq!(again.run, started.run);
    let new = SyncInventoryRequest { request_id: fresh(), ..sync.clone() };
    assert_eq!(
        refusal(ada.inventory().sync_inventory(new).await),
        (Code::FailedPrecondition, "LIFECYCLE_MISMATCH".into())
    );

    ada.let_in(&workspace_id, "bob", pb::workspace::Role::Owner).await;
    assert_eq!(refusal(world.user("bob").inventory().sync_inventory(sync.clone()).await).0, Code::NotFound);
    ada.entitle(&workspace_id, &tenant_id, "bob", pb::workspace::Role::Readonly).await;
    let refused = refusal(world.user("bob").inventory().sync_inventory(sync).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
}
