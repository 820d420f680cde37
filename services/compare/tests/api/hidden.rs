//! What is hidden answers like what does not exist, byte for byte.

use pb::compare::{
    CompareSelection, DiffSubjectRequest, ExportCompareRequest, GeneratePromotionPreflightRequest,
    PreviewCompareRequest,
};
use pb::inventory::{GetInventoryCoverageRequest, GetInventoryItemRequest, ListInventoryItemsRequest};
use pb::tenant::{
    BatchEvaluateOperabilityRequest, EvaluateOperabilityRequest, GetTenantRequest, ListTenantActionsRequest,
    OperabilityCheck, SearchTenantsRequest,
};
use pb::workspace::{GetWorkspaceRequest, Role};
use tonic::Code;

use crate::fill::{Tenant, driver};
use crate::world::{Caller, World, bytes, fresh};

/// Everything a caller can be told about a pair of tenants.
async fn answers(caller: &Caller<'_>, workspace_id: &str, source: &str, target: &str) -> Vec<(Code, String, Vec<u8>)> {
    let (workspace_id, tenant_id) = (workspace_id.to_owned(), target.to_owned());
    let selection = Some(CompareSelection {
        workspace_id: workspace_id.clone(),
        source_tenant_id: source.to_owned(),
        target_tenant_id: target.to_owned(),
        ..Default::default()
    });
    let mut compare = caller.compare();
    let mut inventory = caller.inventory();
    let preview = PreviewCompareRequest { selection: selection.clone(), ..Default::default() };
    let diff = DiffSubjectRequest { selection: selection.clone(), subject_key: "x".into() };
    let preflight = GeneratePromotionPreflightRequest { selection: selection.clone(), ..Default::default() };
    let export = ExportCompareRequest { selection, format: 0 };
    let coverage = GetInventoryCoverageRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
    let items = ListInventoryItemsRequest {
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        ..Default::default()
    };
    let item = GetInventoryItemRequest {
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        policy_type: "windowsDriverUpdateProfile".into(),
        external_id: "a".into(),
    };
    let (lane, question) = (1, 1);
    let evaluate =
        EvaluateOperabilityRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone(), lane, question };
    let checks = vec![OperabilityCheck { tenant_id: tenant_id.clone(), lane, question }];
    let batch = BatchEvaluateOperabilityRequest { workspace_id: workspace_id.clone(), checks };
    let actions = ListTenantActionsRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
    let mut tenants = caller.tenants();
    vec![
        bytes(tenants.evaluate_operability(evaluate).await),
        bytes(tenants.batch_evaluate_operability(batch).await),
        bytes(tenants.list_tenant_actions(actions).await),
        bytes(caller.tenants().get_tenant(GetTenantRequest { workspace_id, tenant_id }).await),
        bytes(compare.preview_compare(preview).await),
        bytes(compare.diff_subject(diff).await),
        bytes(compare.generate_promotion_preflight(preflight).await),
        bytes(compare.export_compare(export).await),
        bytes(inventory.get_inventory_coverage(coverage).await),
        bytes(inventory.list_inventory_items(items).await),
        bytes(inventory.get_inventory_item(item).await),
    ]
}

#[tokio::test]
async fn the_hidden_and_the_invented_answer_with_the_same_bytes() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace = ada.new_workspace().await;
    let (source, target) = (ada.new_tenant(&workspace, "S").await, ada.new_tenant(&workspace, "T").await);
    Tenant::new(&world, &workspace, &target).has("windowsDriverUpdateProfile", &[driver("a", "Ring", 1)]).await;

    let outsider = world.user("eve");
    let hidden = answers(&outsider, &workspace, &source, &target).await;
    let invented = answers(&outsider, &fresh(), &fresh(), &fresh()).await;
    assert_eq!(hidden, invented);
    assert!(hidden.iter().all(|answer| *answer == hidden[0] && answer.0 == Code::NotFound));

    // A member without a role on the tenants; then with one on the source alone.
    ada.let_in(&workspace, "bob", Role::Owner).await;
    let bob = world.user("bob");
    assert_eq!(answers(&bob, &workspace, &source, &target).await, invented);
    ada.entitle(&workspace, &source, "bob", Role::Owner).await;
    assert_eq!(answers(&bob, &workspace, &source, &target).await, invented);
    assert_eq!(answers(&bob, &workspace, &source, &fresh()).await, invented);

    // A tenant of another workspace does not exist in this one, whoever asks.
    let elsewhere = ada.new_workspace().await;
    let foreign = ada.new_tenant(&elsewhere, "Foreign").await;
    assert_eq!(answers(&ada, &workspace, &source, &foreign).await, invented);

    let search = |id: &str| SearchTenantsRequest { workspace_id: id.into(), query: "x".into(), ..Default::default() };
    let existing = bytes(outsider.tenants().search_tenants(search(&workspace)).await);
    assert_eq!(existing, bytes(outsider.tenants().search_tenants(search(&fresh())).await));
    let get = |id: &str| GetWorkspaceRequest { workspace_id: id.to_owned() };
    let existing = bytes(outsider.workspaces().get_workspace(get(&workspace)).await);
    assert_eq!(existing, bytes(outsider.workspaces().get_workspace(get(&fresh())).await));
}
