//! Documents of the source tenant: one object of every promotable type, and how somebody edits it later.

use serde_json::{Value, json};

pub(super) const GROUP: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub(super) const FILTER: &str = "aaaaaaaa-0000-0000-0000-000000000002";
pub(super) const TEMPLATE: &str = "aaaaaaaa-0000-0000-0000-000000000003";
pub(super) const REUSABLE: &str = "aaaaaaaa-0000-0000-0000-000000000004";
pub(super) const SCRIPT: &str = "aaaaaaaa-0000-0000-0000-000000000005";

pub(super) fn simple_setting(definition: &str, value: &str) -> Value {
    json!({"settingInstance": {
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
        "settingDefinitionId": definition,
        "simpleSettingValue": {"@odata.type": "#microsoft.graph.deviceManagementConfigurationStringSettingValue", "value": value}}})
}

/// A settings catalog policy.
pub(super) fn policy(name: &str, settings: Vec<Value>) -> Value {
    json!({"@odata.type": "#microsoft.graph.deviceManagementConfigurationPolicy", "name": name, "description": "",
        "platforms": "windows10", "technologies": "mdm", "roleScopeTagIds": ["0"],
        "settingCount": settings.len(), "settings": settings,
        "templateReference": {"templateId": "", "templateFamily": "none"}})
}

fn choice(definition: &str, option: &str, children: Vec<Value>) -> Value {
    json!({"@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
        "settingDefinitionId": definition,
        "choiceSettingValue": {"value": option, "children": children}})
}

fn groups_of_settings(definition: &str, groups: Vec<Vec<Value>>) -> Value {
    let groups: Vec<Value> = groups.into_iter().map(|children| json!({ "children": children })).collect();
    json!({"settingInstance": {
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationGroupSettingCollectionInstance",
        "settingDefinitionId": definition, "groupSettingCollectionValue": groups}})
}

fn reference_setting(definition: &str, id: &str) -> Value {
    json!({"settingInstance": {
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
        "settingDefinitionId": definition,
        "simpleSettingValue": {"@odata.type": "#microsoft.graph.deviceManagementConfigurationReferenceSettingValue", "value": id}}})
}

fn of_family(name: &str, template: &str, family: &str) -> Value {
    let mut policy = policy(name, vec![json!({"settingInstance": choice("v_fw", "v_fw_on", vec![])})]);
    policy["templateReference"] = json!({"templateId": template, "templateFamily": family});
    policy
}

fn assigned(mut document: Value) -> Value {
    document["assignments"] = json!([
        {"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP,
            "deviceAndAppManagementAssignmentFilterId": FILTER, "deviceAndAppManagementAssignmentFilterType": "include"}},
        {"target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}}]);
    document
}

fn compliance_actions(grace: u32) -> Value {
    json!([{"ruleName": "PasswordRequired", "scheduledActionConfigurations": [
        {"actionType": "notification", "gracePeriodHours": grace, "notificationTemplateId": TEMPLATE, "notificationMessageCCList": [GROUP]},
        {"actionType": "block", "gracePeriodHours": 24, "notificationTemplateId": "00000000-0000-0000-0000-000000000000", "notificationMessageCCList": []}]}])
}

fn definition_value(definition: &str, enabled: bool, text: Option<&str>) -> Value {
    let base = "https://graph.microsoft.com/beta/deviceManagement/groupPolicyDefinitions";
    let mut value = json!({"enabled": enabled, "definition@odata.bind": format!("{base}('{definition}')")});
    if let Some(text) = text {
        let presentation = format!("{base}('{definition}')/presentations('{}')", definition.replace('b', "c"));
        value["presentationValues"] = json!([{"@odata.type": "#microsoft.graph.groupPolicyPresentationValueText",
            "value": text, "presentation@odata.bind": presentation}]);
    }
    value
}

fn with(mut document: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().expect("an object") {
        document[key] = value.clone();
    }
    document
}

/// What the objects below refer to and what is not promoted.
pub(super) fn background() -> Vec<Value> {
    vec![json!({"@odata.type": "#microsoft.graph.group", "id": GROUP, "displayName": "Pilot", "mailEnabled": false,
        "mailNickname": "pilot", "securityEnabled": true})]
}

/// The same group in the target, under its id there.
pub(super) fn target_background() -> Vec<Value> {
    let mut group = background().remove(0);
    group["id"] = json!("bbbbbbbb-0000-0000-0000-000000000001");
    vec![group]
}

/// One object of every promotable type: its type, its document, and the fields an administrator changes later.
pub(super) fn promotable() -> Vec<(&'static str, Value, Value)> {
    let first = "bbbbbbbb-1111-0000-0000-000000000001";
    let second = "bbbbbbbb-1111-0000-0000-000000000002";
    let third = "bbbbbbbb-1111-0000-0000-000000000003";
    vec![
        (
            "roleScopeTag",
            json!({"@odata.type": "#microsoft.graph.roleScopeTag", "id": "7", "displayName": "Berlin", "description": "Site"}),
            json!({"description": "Site and surroundings"}),
        ),
        (
            "assignmentFilter",
            json!({"@odata.type": "#microsoft.graph.deviceAndAppManagementAssignmentFilter", "id": FILTER,
            "displayName": "Corporate", "platform": "windows10AndLater", "rule": "(device.deviceOwnership -eq \"Corporate\")",
            "roleScopeTags": ["0"]}),
            json!({"rule": "(device.deviceOwnership -ne \"Personal\")"}),
        ),
        (
            "notificationMessageTemplate",
            json!({"@odata.type": "#microsoft.graph.notificationMessageTemplate", "id": TEMPLATE,
            "displayName": "Not compliant", "brandingOptions": "includeCompanyLogo", "roleScopeTagIds": ["0"],
            "localizedNotificationMessages": [
                {"locale": "de-de", "subject": "Hallo", "messageTemplate": "Bitte\r\nhandeln", "isDefault": false},
                {"locale": "en-us", "subject": "Hello", "messageTemplate": "Please act", "isDefault": true}]}),
            json!({"brandingOptions": "none", "localizedNotificationMessages": [
                {"locale": "de-de", "subject": "Hallo!", "messageTemplate": "Bitte handeln", "isDefault": true},
                {"locale": "fr-fr", "subject": "Bonjour", "messageTemplate": "Agissez", "isDefault": false}]}),
        ),
        (
            "namedLocation",
            json!({"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "Office", "isTrusted": true,
            "ipRanges": [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"},
                {"@odata.type": "#microsoft.graph.iPv6CidrRange", "cidrAddress": "2001:db8::/32"}]}),
            json!({"ipRanges": [{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "198.51.100.0/24"}]}),
        ),
        (
            "reusablePolicySetting",
            json!({"@odata.type": "#microsoft.graph.deviceManagementReusablePolicySetting", "id": REUSABLE,
            "displayName": "Head office", "description": "Addresses", "settingDefinitionId": "v_group",
            "settingInstance": groups_of_settings("v_group", vec![vec![choice("v_auto", "v_auto_on", vec![])]])["settingInstance"]}),
            json!({"description": "Addresses of the head office"}),
        ),
        (
            "deviceComplianceScript",
            json!({"@odata.type": "#microsoft.graph.deviceComplianceScript", "id": SCRIPT, "displayName": "Discover",
            "publisher": "IT", "detectionScriptContent": "ZWNobyAx", "runAsAccount": "system", "roleScopeTagIds": ["0"]}),
            json!({"detectionScriptContent": "ZWNobyAy"}),
        ),
        (
            "settingsCatalogPolicy",
            assigned(with(
                policy(
                    "Catalogue",
                    vec![
                        json!({"settingInstance": choice("v_a", "v_a_1", vec![choice("v_a_x", "v_a_x_0", vec![])])}),
                        groups_of_settings(
                            "v_rules",
                            vec![
                                vec![choice("v_rule", "v_rule_b", vec![])],
                                vec![choice("v_rule", "v_rule_a", vec![])],
                            ],
                        ),
                        simple_setting("v_text", "line"),
                        reference_setting("v_addresses", REUSABLE),
                    ],
                ),
                json!({"roleScopeTagIds": ["0", "7"], "description": "All of it"}),
            )),
            json!({"settingCount": 1, "settings": [simple_setting("v_text", "other line")], "description": ""}),
        ),
        (
            "endpointSecurityPolicy",
            assigned(of_family("Firewall", "6078910e-d808-4a9f-a51d-1b8a7bacb7c0_1", "endpointSecurityFirewall")),
            json!({"description": "Closed"}),
        ),
        (
            "securityBaselinePolicy",
            of_family("Baseline", "66df8dce-0166-4b82-92f7-1f74e3ca17a3_1", "baseline"),
            json!({"description": "Strict"}),
        ),
        (
            "deviceConfiguration",
            assigned(json!({"@odata.type": "#microsoft.graph.windowsHealthMonitoringConfiguration",
            "displayName": "Health", "description": "x", "roleScopeTagIds": ["7"], "allowDeviceHealthMonitoring": "enabled",
            "configDeviceHealthMonitoringScope": "bootPerformance,windowsUpdates", "configDeviceHealthMonitoringCustomScope": null})),
            json!({"allowDeviceHealthMonitoring": "disabled", "description": null}),
        ),
        (
            "windowsUpdateRing",
            assigned(json!({"@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
            "displayName": "Ring 1", "roleScopeTagIds": ["0"], "qualityUpdatesDeferralPeriodInDays": 3, "featureUpdatesDeferralPeriodInDays": 30,
            "qualityUpdatesPaused": true, "qualityUpdatesPauseStartDate": "2026-01-01", "featureUpdatesWillBeRolledBack": false,
            "installationSchedule": {"@odata.type": "#microsoft.graph.windowsUpdateActiveHoursInstall",
                "activeHoursStart": "08:00:00.0000000", "activeHoursEnd": "17:00:00.0000000"}})),
            json!({"qualityUpdatesDeferralPeriodInDays": 7}),
        ),
        (
            "customOmaUri",
            json!({"@odata.type": "#microsoft.graph.windows10CustomConfiguration", "displayName": "OMA", "roleScopeTagIds": ["0"],
            "omaSettings": [
                {"@odata.type": "#microsoft.graph.omaSettingInteger", "displayName": "b", "omaUri": "./b", "value": 1, "isEncrypted": false},
                {"@odata.type": "#microsoft.graph.omaSettingStringXml", "displayName": "a", "omaUri": "./a", "fileName": "a.xml",
                    "value": "PGEvPg==", "isEncrypted": false}]}),
            json!({"omaSettings": [{"@odata.type": "#microsoft.graph.omaSettingInteger", "displayName": "b", "omaUri": "./b", "value": 2}]}),
        ),
        (
            "deviceCompliancePolicy",
            assigned(json!({"@odata.type": "#microsoft.graph.windows10CompliancePolicy", "displayName": "Compliant",
            "roleScopeTagIds": ["0"], "bitLockerEnabled": true, "osMinimumVersion": "10.0.1", "scheduledActionsForRule": compliance_actions(2),
            "deviceCompliancePolicyScript": {"deviceComplianceScriptId": SCRIPT, "rulesContent": "eyJSdWxlcyI6W119"}})),
            json!({"osMinimumVersion": null, "secureBootEnabled": true, "scheduledActionsForRule": compliance_actions(72)}),
        ),
        (
            "compliancePolicyV2",
            assigned(json!({"@odata.type": "#microsoft.graph.deviceManagementCompliancePolicy", "name": "Linux",
            "platforms": "linux", "technologies": "linuxMdm", "roleScopeTagIds": ["0"], "settingCount": 1,
            "settings": [{"settingInstance": choice("linux_deviceencryption_required", "linux_deviceencryption_required_true", vec![])}],
            "scheduledActionsForRule": compliance_actions(5)})),
            json!({"settings": [{"settingInstance": choice("linux_deviceencryption_required", "linux_deviceencryption_required_false", vec![])}],
                "scheduledActionsForRule": compliance_actions(1)}),
        ),
        (
            "groupPolicyConfiguration",
            assigned(json!({"@odata.type": "#microsoft.graph.groupPolicyConfiguration", "displayName": "OneDrive",
            "description": "", "roleScopeTagIds": ["0"], "policyConfigurationIngestionType": "builtIn",
            "definitionValues": [definition_value(second, true, Some("tenant")), definition_value(first, true, None)]})),
            json!({"definitionValues": [definition_value(third, false, None), definition_value(second, true, Some("other"))]}),
        ),
        (
            "deviceManagementScript",
            assigned(json!({"@odata.type": "#microsoft.graph.deviceManagementScript", "displayName": "Script",
            "fileName": "a.ps1", "scriptContent": "V3JpdGUtSG9zdCAx", "runAsAccount": "system", "enforceSignatureCheck": false,
            "runAs32Bit": true, "roleScopeTagIds": ["0"]})),
            json!({"scriptContent": "V3JpdGUtSG9zdCAy"}),
        ),
        (
            "deviceShellScript",
            json!({"@odata.type": "#microsoft.graph.deviceShellScript", "displayName": "Shell", "fileName": "a.sh",
            "scriptContent": "ZWNobyAx", "runAsAccount": "user", "executionFrequency": "PT60M", "retryCount": 3,
            "blockExecutionNotifications": true, "roleScopeTagIds": ["7"]}),
            json!({"executionFrequency": "P1D"}),
        ),
        (
            "deviceCustomAttributeShellScript",
            json!({"@odata.type": "#microsoft.graph.deviceCustomAttributeShellScript",
            "displayName": "Attribute", "fileName": "a.sh", "scriptContent": "ZWNobyAx", "runAsAccount": "system",
            "customAttributeName": "disk", "customAttributeType": "string", "roleScopeTagIds": ["0"]}),
            json!({"scriptContent": "ZWNobyAy"}),
        ),
        (
            "deviceHealthScript",
            json!({"@odata.type": "#microsoft.graph.deviceHealthScript", "displayName": "Repair", "publisher": "IT",
            "detectionScriptContent": "ZXhpdCAx", "remediationScriptContent": "ZXhpdCAw", "runAsAccount": "system", "roleScopeTagIds": ["0"],
            "assignments": [{"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": GROUP},
                "runRemediationScript": true,
                "runSchedule": {"@odata.type": "#microsoft.graph.deviceHealthScriptDailySchedule", "interval": 1, "time": "03:00:00", "useUtc": false}}]}),
            json!({"remediationScriptContent": "ZXhpdCAy"}),
        ),
        (
            "windowsFeatureUpdateProfile",
            assigned(json!({"@odata.type": "#microsoft.graph.windowsFeatureUpdateProfile", "displayName": "24H2",
            "featureUpdateVersion": "Windows 11, version 24H2", "roleScopeTagIds": ["0"],
            "installLatestWindows10OnWindows11IneligibleDevice": true, "rolloutSettings": {"offerStartDateTimeInUTC": "2027-01-01T00:00:00Z"}})),
            json!({"featureUpdateVersion": "Windows 11, version 25H2"}),
        ),
        (
            "windowsQualityUpdateProfile",
            json!({"@odata.type": "#microsoft.graph.windowsQualityUpdateProfile", "displayName": "Expedite",
            "roleScopeTagIds": ["0"], "expeditedUpdateSettings": {"qualityUpdateRelease": "2026-08-01T00:00:00Z", "daysUntilForcedReboot": 1}}),
            json!({"expeditedUpdateSettings": {"qualityUpdateRelease": "2026-09-01T00:00:00Z", "daysUntilForcedReboot": 2}}),
        ),
        (
            "windowsQualityUpdatePolicy",
            json!({"@odata.type": "#microsoft.graph.windowsQualityUpdatePolicy", "displayName": "Hotpatch",
            "hotpatchEnabled": true, "roleScopeTagIds": ["0"]}),
            json!({"hotpatchEnabled": false}),
        ),
        (
            "windowsDriverUpdateProfile",
            json!({"@odata.type": "#microsoft.graph.windowsDriverUpdateProfile", "displayName": "Drivers",
            "approvalType": "automatic", "deploymentDeferralInDays": 5, "roleScopeTagIds": ["0"], "newUpdates": 12}),
            json!({"deploymentDeferralInDays": 9}),
        ),
        (
            "deviceCategory",
            json!({"@odata.type": "#microsoft.graph.deviceCategory", "displayName": "Kiosk", "description": "Lobby", "roleScopeTagIds": ["0"]}),
            json!({"description": "Lobby and hall"}),
        ),
    ]
}

/// The document after the administrator's change.
pub(super) fn changed(document: &Value, changes: &Value) -> Value {
    with(document.clone(), changes.clone())
}
