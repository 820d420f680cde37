//! Two tenants synced from their providers and compared: what means the same is the same, whatever its ids.

use std::path::Path;

use pb::compare::{
    CompareSelection, CompareState, GeneratePromotionPreflightRequest, PreviewCompareRequest, Readiness,
};
use pb::operation::ItemState;
use serde_json::json;

use crate::synced::{Synced, detail, of, script};
use crate::world::World;

const SCRIPT: &str = "deviceManagementScript";

async fn pair(world: &World) -> (Synced<'_>, Synced<'_>) {
    let workspace_id = world.user("ada").new_workspace().await;
    let source = Synced::in_workspace(world, workspace_id.clone(), "Model").await;
    (source, Synced::in_workspace(world, workspace_id, "Customer").await)
}

fn selection(source: &Synced<'_>, target: &Synced<'_>) -> CompareSelection {
    CompareSelection {
        workspace_id: source.workspace_id.clone(),
        source_tenant_id: source.tenant_id.clone(),
        target_tenant_id: target.tenant_id.clone(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_compared_by_name_and_a_renamed_foundation_changes_what_refers_to_it() {
    let world = World::start().await;
    let (source, target) = pair(&world).await;
    let tag =
        |id: &str, name: &str| json!({"@odata.type": "#microsoft.graph.roleScopeTag", "id": id, "displayName": name});
    source.put("ScopeTags", &tag("4", "Lab"));
    target.put("ScopeTags", &tag("7", "Lab"));
    for (tenant, id, tag) in [(&source, 1, "4"), (&target, 2, "7")] {
        let mut object = script(&format!("0190b0a4-7c11-7a3e-9d3f-{id:012}"), "Alpha", "Write-Host 1");
        object["roleScopeTagIds"] = json!([tag]);
        tenant.put("PowerShell", &object);
        tenant.sync(&[SCRIPT]).await;
    }
    let states = async || {
        let selection = CompareSelection { policy_types: vec![SCRIPT.into()], ..selection(&source, &target) };
        let request = PreviewCompareRequest { selection: Some(selection), ..Default::default() };
        let page = world.user("ada").compare().preview_compare(request).await.unwrap().into_inner();
        page.subjects.iter().map(pb::compare::ComparedSubject::state).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [CompareState::Identical]);
    target.patch("/deviceManagement/roleScopeTags/7", &json!({"displayName": "Laboratory"})).await;
    let (_, items) = target.sync(&[SCRIPT]).await;
    // Its content is what it was; what it means is not.
    assert_eq!(detail(of(&items, SCRIPT), "captured"), 0);
    assert_eq!(states().await, [CompareState::Different]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tenants_sync_wholly_and_occur_in_every_state_and_class() {
    let world = World::start().await;
    let (source, target) = pair(&world).await;
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../libs/dev/demo");
    for (tenant, folder) in [(&source, "northwind-model"), (&target, "contoso-clinics")] {
        let report = tenant.emulator.load_folder(&tenant.external_id, &demo.join(folder)).unwrap();
        assert!(!report.files.is_empty());
        let (_, items) = tenant.sync(&[]).await;
        assert_eq!(items.len(), graph::registry().len());
        let failed: Vec<_> = items.iter().filter(|item| item.state() != ItemState::Succeeded).collect();
        assert!(failed.is_empty(), "{failed:?}");
        assert!(items.iter().all(|item| detail(item, "unreadable") == 0 && detail(item, "incomplete") == 0));
        let stored: i64 = items.iter().map(|item| detail(item, "captured")).sum();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM inventory.item WHERE tenant_id::text = $1")
            .bind(&tenant.tenant_id)
            .fetch_one(world.superuser().await.pool())
            .await
            .unwrap();
        assert_eq!(stored, rows);
    }
    let ada = world.user("ada");
    let selection = Some(selection(&source, &target));
    let request = PreviewCompareRequest { selection: selection.clone(), page_size: 1000, ..Default::default() };
    let page = ada.compare().preview_compare(request).await.unwrap().into_inner();
    for state in [
        CompareState::Identical,
        CompareState::Different,
        CompareState::MissingInTarget,
        CompareState::OnlyInTarget,
        CompareState::Ambiguous,
    ] {
        assert!(page.subjects.iter().any(|subject| subject.state() == state), "{state:?}");
    }
    let request = GeneratePromotionPreflightRequest { selection, page_size: 1000, ..Default::default() };
    let page = ada.compare().generate_promotion_preflight(request).await.unwrap().into_inner();
    for class in [Readiness::Ready, Readiness::Blocked, Readiness::ManualMappingRequired] {
        assert!(page.subjects.iter().any(|subject| subject.readiness() == class), "{class:?}");
    }
    let reasons: Vec<_> = page.reason_counts.iter().map(|count| count.reason.as_str()).collect();
    for reason in ["AMBIGUOUS_SOURCE", "CONTENT_INVALID", "IMMUTABLE_FIELD_DIFFERS", "SECRET_VALUE_UNAVAILABLE"] {
        assert!(reasons.contains(&reason), "{reason} of {reasons:?}");
    }
}
