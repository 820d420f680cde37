//! What the shipped contracts make of single documents: the facts that preflight decides by.

use domain::contract::Contract;
use domain::observe::{Observation, SubjectFacts, observe};
use domain::reference::{NameTable, Standing};
use graph::registry;
use serde_json::{Value, json};

fn contract(policy_type: &str) -> &'static Contract {
    registry().get(policy_type).expect("known")
}

fn seen(policy_type: &str, mut document: Value) -> Observation {
    document["id"] = json!("1");
    observe(contract(policy_type), &document, &NameTable::new()).expect("an object")
}

fn facts(policy_type: &str, document: Value) -> SubjectFacts {
    seen(policy_type, document).facts
}

fn typed(name: &str) -> Value {
    json!({"@odata.type": format!("#microsoft.graph.{name}"), "displayName": "x"})
}

#[test]
fn onboarding_blobs_and_masked_values_are_secrets() {
    let onboarding = json!({"name": "EDR", "platforms": "windows10", "technologies": "mdm",
        "templateReference": {"templateId": "t_1", "templateFamily": "endpointSecurityEndpointDetectionAndResponse"},
        "settings": [{"settingInstance": {"settingDefinitionId": "device_vendor_msft_windowsadvancedthreatprotection_configurationtype",
            "choiceSettingValue": {"value": "x", "children": [{
                "settingDefinitionId": "device_vendor_msft_windowsadvancedthreatprotection_onboarding",
                "simpleSettingValue": {"value": "blob"}}]}}}]});
    assert_eq!(facts("endpointSecurityPolicy", onboarding).secrets.len(), 1);

    let mut custom = typed("windows10CustomConfiguration");
    custom["omaSettings"] = json!([{"omaUri": "./a", "value": "****", "isEncrypted": true, "secretReferenceValueId": "r"},
        {"omaUri": "./b", "value": "plain", "isEncrypted": false}]);
    assert_eq!(facts("customOmaUri", custom).secrets.len(), 1);

    let mut wifi = typed("windowsWifiConfiguration");
    wifi["preSharedKey"] = json!("given back by mistake");
    assert_eq!(facts("deviceConfiguration", wifi).secrets.len(), 1);
}

#[test]
fn what_a_copy_would_lose_or_the_provider_would_refuse_is_invalid() {
    for (policy_type, document) in [
        ("deviceConfiguration", typed("windowsWifiEnterpriseEAPConfiguration")),
        ("deviceConfiguration", typed("windows81SCEPCertificateProfile")),
        ("deviceCompliancePolicy", {
            let mut policy = typed("windows10CompliancePolicy");
            policy["scheduledActionsForRule"] =
                json!([{"scheduledActionConfigurations": [{"actionType": "notification"}]}]);
            policy
        }),
        ("groupPolicyConfiguration", json!({"displayName": "x", "policyConfigurationIngestionType": "custom"})),
        ("settingsCatalogPolicy", json!({"name": "x", "platforms": "windows10", "technologies": "mdm"})),
        ("assignmentFilter", json!({"displayName": "x", "platform": "iOS"})),
        ("deviceManagementScript", json!({"displayName": "x", "fileName": "a.ps1", "scriptContent": null})),
    ] {
        let found = facts(policy_type, document.clone());
        assert_eq!(found.invalid.len(), 1, "{policy_type}: {document}");
    }
    assert!(facts("deviceConfiguration", typed("windows10GeneralConfiguration")).invalid.is_empty());
}

#[test]
fn what_every_tenant_has_from_the_start_is_known() {
    let mut location = typed("compliantNetworkNamedLocation");
    location["isTrusted"] = json!(true);
    for (policy_type, document, default) in [
        ("roleScopeTag", json!({"displayName": "Default", "isBuiltIn": true}), true),
        ("roleScopeTag", json!({"displayName": "Berlin", "isBuiltIn": false}), false),
        ("deviceHealthScript", json!({"displayName": "x", "publisher": "Microsoft", "isGlobalScript": true}), true),
        ("deviceHealthScript", json!({"displayName": "x", "publisher": "IT", "isGlobalScript": false}), false),
        (
            "notificationMessageTemplate",
            json!({"displayName": "EnrollmentNotificationInternalMEO", "brandingOptions": "none"}),
            true,
        ),
        ("namedLocation", location, true),
        ("namedLocation", typed("ipNamedLocation"), false),
    ] {
        assert_eq!(facts(policy_type, document.clone()).provider_default, default, "{document}");
    }
}

#[test]
fn operational_state_is_not_content() {
    let mut ring = typed("windowsUpdateForBusinessConfiguration");
    let calm = seen("windowsUpdateRing", ring.clone());
    for (key, value) in [
        ("qualityUpdatesPaused", json!(true)),
        ("featureUpdatesPauseExpiryDateTime", json!("2026-01-01T00:00:00Z")),
        ("qualityUpdatesWillBeRolledBack", json!(true)),
        ("featureUpdatesRollbackStartDateTime", json!("2026-01-01T00:00:00Z")),
    ] {
        ring[key] = value;
    }
    assert_eq!(seen("windowsUpdateRing", ring).normal_hash, calm.normal_hash);
}

#[test]
fn fields_that_cannot_change_are_facts() {
    for (policy_type, document, field) in [
        ("assignmentFilter", json!({"displayName": "x", "platform": "iOS", "rule": "(a)"}), "platform"),
        ("windowsDriverUpdateProfile", json!({"displayName": "x", "approvalType": "manual"}), "approvalType"),
        (
            "deviceCustomAttributeShellScript",
            json!({"displayName": "x", "customAttributeName": "disk"}),
            "customAttributeName",
        ),
        ("settingsCatalogPolicy", json!({"name": "x", "technologies": "mdm"}), "technologies"),
        (
            "endpointSecurityPolicy",
            json!({"name": "x", "templateReference": {"templateId": "T_1"}}),
            "templateReference.templateId",
        ),
    ] {
        assert!(facts(policy_type, document).immutable.contains_key(field), "{policy_type}.{field}");
    }
}

#[test]
fn conditional_access_refers_to_objects_and_not_to_words() {
    let policy = json!({"displayName": "CA", "state": "enabled", "conditions": {
        "users": {"includeUsers": ["All"], "excludeUsers": ["GuestsOrExternalUsers", "u-1"], "excludeGroups": ["g-1"]},
        "applications": {"includeApplications": ["Office365"]},
        "locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted", "l-1"]}},
        "grantControls": {"operator": "OR", "authenticationStrength": {"id": "00000000-0000-0000-0000-000000000004", "displayName": "Phishing-resistant MFA"}}});
    let found = facts("conditionalAccessPolicy", policy);
    let referred: Vec<(&str, &str, Standing)> =
        found.references.iter().map(|r| (r.kind.as_str(), r.id.as_str(), r.standing)).collect();
    let strength = ("authenticationStrengthPolicy", "00000000-0000-0000-0000-000000000004", Standing::Fixed);
    for wanted in [
        ("user", "u-1", Standing::Unresolved),
        ("group", "g-1", Standing::Unresolved),
        ("namedLocation", "l-1", Standing::Unresolved),
        strength,
    ] {
        assert!(referred.contains(&wanted), "{wanted:?} in {referred:?}");
    }
    assert_eq!(referred.len(), 4, "{referred:?}");
}

#[test]
fn a_read_of_fewer_settings_than_counted_is_incomplete() {
    let policy = |settings: usize| json!({"name": "x", "settingCount": 63, "settings": vec![json!({}); settings]});
    assert!(!facts("settingsCatalogPolicy", policy(45)).complete);
    assert!(facts("settingsCatalogPolicy", policy(63)).complete);
}
