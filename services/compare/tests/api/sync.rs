//! `inventory.sync`, from the request to the rows, against the provider's stand-in.

use graph_emulator::{FaultAction, FaultRule};
use pb::operation::ItemState;
use serde_json::json;

use crate::synced::{SECRET, Synced, detail, of, script};
use crate::world::World;

const SCRIPT: &str = "deviceManagementScript";
const FOLDER: &str = "PowerShell";

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_remembers_what_it_sees_and_adds_a_version_only_for_a_change() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(FOLDER, &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001", "Alpha", "Write-Host 1"));
    tenant.put(FOLDER, &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002", "Beta", "Write-Host 2"));
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert!(items.iter().all(|item| item.state() == ItemState::Succeeded), "{items:?}");
    let first = of(&items, SCRIPT);
    assert_eq!(["observed", "captured", "changed", "missing"].map(|key| detail(first, key)), [2, 2, 0, 0]);
    assert_eq!(detail(of(&items, "roleScopeTag"), "observed"), 1);
    let seen = tenant.items(SCRIPT).await;
    assert_eq!(seen.iter().map(|item| item.display_name.as_str()).collect::<Vec<_>>(), ["Alpha", "Beta"]);
    assert_eq!(tenant.coverage(SCRIPT).await.state, "observed");

    // Nothing new: nothing captured. Then one changes.
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(["observed", "captured", "changed"].map(|key| detail(of(&items, SCRIPT), key)), [2, 0, 0]);
    let changed = json!({"scriptContent": script("", "", "Write-Host 3")["scriptContent"]});
    tenant.patch("/deviceManagement/deviceManagementScripts/0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002", &changed).await;
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(["observed", "captured", "changed"].map(|key| detail(of(&items, SCRIPT), key)), [2, 1, 1]);
    let again = tenant.items(SCRIPT).await;
    assert_eq!((tenant.versions(&again[0]).await, tenant.versions(&again[1]).await), (1, 2));
    assert_eq!(again[0].normal_hash, seen[0].normal_hash);
    assert_ne!(again[1].normal_hash, seen[1].normal_hash);
    assert!(!tenant.everything_stored().await.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_at_the_provider_is_missing_for_certain() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let id = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
    tenant.put(FOLDER, &script(id, "Alpha", "Write-Host 1"));
    tenant.sync(&[SCRIPT]).await;
    tenant.delete(&format!("/deviceManagement/deviceManagementScripts/{id}")).await;
    // While the collection cannot be read nothing is said to be missing.
    let fault =
        FaultRule::new(FaultAction::Forbidden { message: None }).path("/deviceManagement/deviceManagementScripts");
    let fault = tenant.emulator.add_fault(fault);
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    let denied = of(&items, SCRIPT);
    assert_eq!(denied.state(), ItemState::Failed);
    assert!(!denied.reason.is_empty() && !denied.message.is_empty(), "{denied:?}");
    // One type's failure is no other's.
    assert_eq!(of(&items, "roleScopeTag").state(), ItemState::Succeeded);
    let coverage = tenant.coverage(SCRIPT).await;
    assert_eq!((coverage.state.as_str(), coverage.reason.as_str()), ("denied", denied.reason.as_str()));
    assert!(!tenant.items(SCRIPT).await[0].missing());

    tenant.emulator.remove_faults(Some(fault));
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(detail(of(&items, SCRIPT), "missing"), 1);
    let gone = &tenant.items(SCRIPT).await[0];
    assert!(gone.missing() && gone.missing_confirmed());
    // Missing once is not missing again; back again is back.
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(detail(of(&items, SCRIPT), "missing"), 0);
    tenant.put(FOLDER, &script(id, "Alpha", "Write-Host 1"));
    tenant.sync(&[SCRIPT]).await;
    assert!(!tenant.items(SCRIPT).await[0].missing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_provider_connection_cannot_be_used_is_blocked() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let superuser = world.superuser().await;
    // Between start and claim: the worker asks again.
    sqlx::query("UPDATE tenant.provider_connection SET base_url = 'http://10.0.0.1'")
        .execute(superuser.pool())
        .await
        .unwrap();
    let (run, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(run.failure_summary[0].code, "PROVIDER_CONNECTION_INVALID");
    assert!(items.iter().all(|item| item.state() == ItemState::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_not_there_fails_each_type_with_a_stable_reason() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    std::fs::remove_file(&tenant.secret).unwrap();
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert!(items.iter().all(|item| item.reason == "CREDENTIAL_UNAVAILABLE"), "{items:?}");
    assert_eq!(tenant.coverage(SCRIPT).await.state, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_approval_is_known_before_anything_is_written() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let policy = json!({
        "@odata.type": "#microsoft.graph.operationApprovalPolicy", "id": "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a009",
        "displayName": "Scripts", "policyType": "script", "policyPlatform": "notApplicable", "approverGroupIds": ["g"],
    });
    tenant.put("ApprovalPolicies", &policy);
    tenant.sync(&[SCRIPT]).await;
    assert!(tenant.coverage(SCRIPT).await.approval_required);
    assert!(!tenant.coverage("roleScopeTag").await.approval_required);
}
