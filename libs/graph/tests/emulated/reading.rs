//! Reading: whole, checked, and denied where it is denied.

use domain::id::PolicyType;
use graph::{Kind, Path};
use graph_emulator::{Emulator, FaultAction, FaultRule, TenantSpec};
use serde_json::json;

use super::samples::{policy, simple_setting};
use super::{SOURCE, World, contract};

#[tokio::test]
async fn sixty_policies_of_sixty_three_settings_are_read_whole() {
    let world = World::start().await;
    let settings = |policy: usize| (0..63).map(|i| simple_setting(&format!("vendor_{policy}_{i}"), "on")).collect();
    world.load(SOURCE, (0..60).map(|i| policy(&format!("Policy {i:02}"), settings(i))));
    let client = world.client(SOURCE);

    let mut capture = graph::capture(&client, contract("settingsCatalogPolicy"));
    let (mut pages, mut objects) = (0, Vec::new());
    while let Some(page) = capture.next().await.expect("readable") {
        pages += 1;
        objects.extend(page);
    }
    assert_eq!((pages, objects.len()), (3, 60), "25 a page");
    for object in &objects {
        assert!(object.complete, "{:?}", object.fault);
        assert_eq!(object.raw["settings"].as_array().map(Vec::len), Some(63));
        assert_eq!(object.raw["settingCount"], 63);
    }
    // The settings of one policy are those of that policy.
    assert_eq!(objects[7].raw["settings"][62]["settingInstance"]["settingDefinitionId"], "vendor_7_62");
}

#[tokio::test]
async fn a_read_that_does_not_add_up_is_incomplete() {
    let world = World::start().await;
    world
        .load(SOURCE, [policy("Whole", vec![simple_setting("a", "1")]), policy("Cut", vec![simple_setting("b", "1")])]);
    let refused = FaultAction::Status { status: 400, code: None, message: None, retry_after: None };
    world
        .emulator
        .add_fault(FaultRule::new(refused).method("GET").path("/deviceManagement/configurationPolicies/*/settings"));
    let client = world.client(SOURCE);
    let objects = graph::capture(&client, contract("settingsCatalogPolicy")).all().await.expect("the list is readable");
    assert_eq!(objects.len(), 2);
    for object in objects {
        assert!(!object.complete);
        assert_eq!(object.fault.expect("told").kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn types_of_one_collection_are_told_apart() {
    let world = World::start().await;
    let mut firewall = policy("Firewall", vec![simple_setting("a", "1")]);
    firewall["templateReference"] =
        json!({"templateId": "6078910e-d808-4a9f-a51d-1b8a7bacb7c0_1", "templateFamily": "endpointSecurityFirewall"});
    world.load(SOURCE, [policy("Plain", vec![simple_setting("a", "1")]), firewall]);
    let client = world.client(SOURCE);
    for (policy_type, name) in [("settingsCatalogPolicy", "Plain"), ("endpointSecurityPolicy", "Firewall")] {
        let objects = graph::capture(&client, contract(policy_type)).all().await.expect("readable");
        let names: Vec<_> = objects.iter().map(|object| object.raw["name"].as_str().expect("named")).collect();
        assert_eq!(names, [name]);
        let found =
            graph::read_one(&client, contract("securityBaselinePolicy"), objects[0].raw["id"].as_str().expect("id"));
        assert_eq!(found.await.expect("readable"), None, "an object of another type is not this type's");
    }
}

#[tokio::test]
async fn objects_are_found_by_name_case_and_spaces_aside() {
    let world = World::start().await;
    let one = |name: &str| policy(name, vec![simple_setting("a", "1")]);
    world.load(SOURCE, [one("O'Brien's  Policy "), one("o'brien's policy"), one("Other & more")]);
    let client = world.client(SOURCE);
    let contract = contract("settingsCatalogPolicy");
    let find = async |name: &str| graph::find_by_name(&client, contract, name, None).await.expect("readable");
    assert_eq!(find("O'BRIEN'S POLICY").await.len(), 2);
    let other = find("Other & more").await;
    assert_eq!(other.len(), 1);
    assert_eq!(other[0].raw["settings"].as_array().map(Vec::len), Some(1), "found objects are whole");
    assert!(find("absent").await.is_empty());
    let typed = graph::find_by_name(&client, contract, "other & more", Some("#microsoft.graph.somethingElse"));
    assert!(typed.await.expect("readable").is_empty());
    assert_eq!(
        graph::read_one(&client, contract, "99999999-9999-9999-9999-999999999999").await.expect("readable"),
        None
    );
    assert_eq!(graph::read_one(&client, contract, "").await.expect("nothing asked"), None);
}

#[tokio::test]
async fn a_denied_type_says_so() {
    let spec = TenantSpec::new("33333333-3333-3333-3333-333333333333", "narrow");
    let spec = spec.client_with("app", "s3cret", &["DeviceManagementConfiguration.Read.All"]);
    let world = World::of(Emulator::builder().tenant(spec)).await;
    let client = world.client("33333333-3333-3333-3333-333333333333");
    graph::capture(&client, contract("settingsCatalogPolicy")).all().await.expect("allowed");
    let error = graph::capture(&client, contract("conditionalAccessPolicy")).all().await.expect_err("denied");
    assert_eq!((error.kind, error.reason_code), (Kind::Forbidden, "PROVIDER_PERMISSION_DENIED"));
}

#[tokio::test]
async fn protected_types_are_known_beforehand() {
    let world = World::start().await;
    let client = world.client(SOURCE);
    assert!(graph::approval_required(&client).await.expect("readable").is_empty());
    world.load(
        SOURCE,
        [json!({"@odata.type": "#microsoft.graph.operationApprovalPolicy", "displayName": "Scripts",
        "policyType": "script", "approverGroupIds": ["g"]})],
    );
    let held = graph::approval_required(&client).await.expect("readable");
    assert!(held.contains(&PolicyType::from("deviceManagementScript")));
    assert!(!held.contains(&PolicyType::from("settingsCatalogPolicy")));
}

#[tokio::test]
async fn expired_tokens_are_replaced_under_way() {
    let world = World::of(Emulator::builder().token_lifetime_s(0)).await;
    let client = world.client(SOURCE);
    for _ in 0..2 {
        let error = client.get(&Path::new("beta", "/deviceManagement/roleScopeTags")).await.expect_err("never valid");
        assert_eq!(error.kind, Kind::Unauthorized);
    }
    let world = World::start().await;
    let client = world.client(SOURCE);
    let lost = FaultAction::Status {
        status: 401,
        code: Some("InvalidAuthenticationToken".into()),
        message: None,
        retry_after: None,
    };
    world.emulator.add_fault(FaultRule::new(lost).times(1));
    let tags = client.list(&Path::new("beta", "/deviceManagement/roleScopeTags")).await.expect("second token");
    assert_eq!(tags.iter().filter(|tag| tag["id"] == "0").count(), 1);
}
