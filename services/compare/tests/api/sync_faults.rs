//! Syncs that meet trouble: what was known stays, what is not known is said to be so.

use graph_emulator::{FaultAction, FaultRule};
use pb::operation::ItemState;
use serde_json::{Value, json};

use crate::synced::{Synced, detail, of, script};
use crate::world::World;

const CATALOG: &str = "settingsCatalogPolicy";
const SCRIPT: &str = "deviceManagementScript";

fn catalog_policy(number: u32, settings: u32) -> Value {
    let setting = |n: u32| {
        json!({"id": n.to_string(), "settingInstance": {
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
            "settingDefinitionId": format!("device_vendor_msft_policy_config_test_setting{n}"),
            "choiceSettingValue": {"value": format!("device_vendor_msft_policy_config_test_setting{n}_1"), "children": []},
        }})
    };
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationPolicy",
        "id": format!("0190b0a4-7c11-7a3e-9d3f-{number:012}"), "name": format!("Policy {number:02}"), "description": "",
        "platforms": "windows10", "technologies": "mdm", "roleScopeTagIds": ["0"], "settingCount": settings,
        "templateReference": {"templateId": "", "templateFamily": "none"},
        "settings": (0..settings).map(setting).collect::<Vec<_>>(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_done_again_leaves_the_same_rows() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put("PowerShell", &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001", "Alpha", "Write-Host 1"));
    let (run, _) = tenant.sync(&[SCRIPT]).await;
    let before = tenant.items(SCRIPT).await;
    world.runs.again(&run.run_id);
    let (_, items) = tenant.ended(&run.run_id).await;
    assert_eq!(["observed", "captured", "missing"].map(|key| detail(of(&items, SCRIPT), key)), [1, 0, 0]);
    let after = tenant.items(SCRIPT).await;
    assert_eq!(
        (after.len(), &after[0].policy_version_id, tenant.versions(&after[0]).await),
        (1, &before[0].policy_version_id, 1)
    );
    let syncs: i64 = sqlx::query_scalar("SELECT count(*) FROM inventory.sync WHERE NOT partial")
        .fetch_one(world.superuser().await.pool())
        .await
        .unwrap();
    assert_eq!(syncs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_object_never_replaces_what_was_read_wholly() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put("SettingsCatalog", &catalog_policy(1, 30));
    let (_, items) = tenant.sync(&[CATALOG]).await;
    assert_eq!(["observed", "incomplete"].map(|key| detail(of(&items, CATALOG), key)), [1, 0]);
    let whole = tenant.items(CATALOG).await.remove(0);

    // The second page of its settings is refused: fewer than it says it has.
    let fault = FaultRule::new(FaultAction::Forbidden { message: None })
        .path("/deviceManagement/configurationPolicies/*/settings")
        .skip(1);
    tenant.emulator.add_fault(fault);
    let (_, items) = tenant.sync(&[CATALOG]).await;
    let item = of(&items, CATALOG);
    assert_eq!(item.state(), ItemState::Succeeded);
    assert_eq!(["observed", "incomplete", "captured", "missing"].map(|key| detail(item, key)), [1, 1, 0, 0]);
    let half = tenant.items(CATALOG).await.remove(0);
    assert_eq!((&half.normal_hash, &half.policy_version_id), (&whole.normal_hash, &whole.policy_version_id));
    let evidence: String = sqlx::query_scalar("SELECT evidence FROM inventory.item WHERE policy_type = $1")
        .bind(CATALOG)
        .fetch_one(world.superuser().await.pool())
        .await
        .unwrap();
    assert_eq!(evidence, "incomplete");
    // Everything was listed, so absence would be certain.
    assert_eq!(tenant.coverage(CATALOG).await.state, "observed");

    tenant.emulator.remove_faults(None);
    tenant.sync(&[CATALOG]).await;
    let evidence: Vec<String> = sqlx::query_scalar("SELECT evidence FROM inventory.item WHERE policy_type = $1")
        .bind(CATALOG)
        .fetch_all(world.superuser().await.pool())
        .await
        .unwrap();
    assert_eq!(evidence, ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_off_keeps_what_was_seen_and_calls_nothing_missing() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    for number in 1..=30 {
        tenant.put("SettingsCatalog", &catalog_policy(number, 1));
    }
    let (_, items) = tenant.sync(&[CATALOG]).await;
    assert_eq!(detail(of(&items, CATALOG), "observed"), 30);
    let fault = FaultRule::new(FaultAction::Forbidden { message: None })
        .path("/deviceManagement/configurationPolicies$")
        .skip(1);
    tenant.emulator.add_fault(fault);
    let (_, items) = tenant.sync(&[CATALOG]).await;
    let item = of(&items, CATALOG);
    assert_eq!((item.state(), detail(item, "observed"), detail(item, "missing")), (ItemState::Failed, 25, 0));
    let coverage = tenant.coverage(CATALOG).await;
    assert_eq!((coverage.state.as_str(), coverage.reason.as_str()), ("partial", item.reason.as_str()));
    assert!(tenant.items(CATALOG).await.iter().all(|item| !item.missing()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_kept_takes_no_other_down_and_makes_absence_uncertain() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let (kept, gone, odd) = (
        "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001",
        "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002",
        "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a003",
    );
    tenant.put("PowerShell", &script(kept, "Kept", "1"));
    tenant.put("PowerShell", &script(gone, "Gone", "2"));
    tenant.sync(&[SCRIPT]).await;
    tenant.delete(&format!("/deviceManagement/deviceManagementScripts/{gone}")).await;
    let mut object = script(odd, "Odd", "3");
    object["description"] = json!("a\0b");
    tenant.put("PowerShell", &object);
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    let item = of(&items, SCRIPT);
    assert_eq!(item.state(), ItemState::Succeeded);
    assert_eq!(["observed", "unreadable", "missing"].map(|key| detail(item, key)), [1, 1, 1]);
    let coverage = tenant.coverage(SCRIPT).await;
    assert_eq!((coverage.state.as_str(), coverage.reason.as_str()), ("partial", "OBJECTS_NOT_UNDERSTOOD"));
    let all = tenant.items(SCRIPT).await;
    let missing: Vec<_> =
        all.iter().map(|item| (item.display_name.as_str(), item.missing(), item.missing_confirmed())).collect();
    assert_eq!(missing, [("Gone", true, false), ("Kept", false, false)]);

    tenant.delete(&format!("/deviceManagement/deviceManagementScripts/{odd}")).await;
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(detail(of(&items, SCRIPT), "missing"), 1);
    assert!(tenant.items(SCRIPT).await[0].missing_confirmed());
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put("PowerShell", &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001", "Alpha", "1"));
    let throttle = FaultRule::new(FaultAction::Throttle { retry_after: Some("0.2".into()) })
        .path("/deviceManagement/deviceManagementScripts")
        .times(2);
    tenant.emulator.add_fault(throttle);
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!((of(&items, SCRIPT).state(), detail(of(&items, SCRIPT), "observed")), (ItemState::Succeeded, 1));
}
