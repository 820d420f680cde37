//! A source tenant written here: a hundred small policies of many types, as the portal and Graph give them. Foundations and
//! what refers to them (scope tags, filters, templates, reusable settings), types that take one request and types that take
//! several, with and without assignments.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

/// How many policies there are.
pub(crate) const NUMBER: usize = 100;

/// One policy: the collection it is read from, and its body.
struct Policy {
    collection: &'static str,
    body: Value,
}

/// Writes every policy as a file of its own.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let policies = all();
    assert_eq!(policies.len(), NUMBER);
    fs::create_dir_all(folder)?;
    for (at, Policy { collection, mut body }) in policies.into_iter().enumerate() {
        let context = format!("https://graph.microsoft.com/beta/$metadata#{collection}/$entity");
        body["@odata.context"] = context.into();
        fs::write(folder.join(format!("{at:03}.json")), serde_json::to_vec_pretty(&body)?)?;
    }
    Ok(())
}

fn all() -> Vec<Policy> {
    let mut all = Vec::new();
    let mut add = |number: usize, make: fn(usize) -> Policy| all.extend((1..=number).map(make));
    add(3, scope_tag);
    add(4, assignment_filter);
    add(4, notification_template);
    add(2, named_location);
    add(3, reusable_setting);
    add(6, firewall);
    add(26, settings_catalog);
    add(16, compliance);
    add(8, administrative_template);
    add(12, device_restrictions);
    add(4, oma_uri);
    add(3, update_ring);
    add(4, powershell_script);
    add(3, shell_script);
    add(2, health_script);
    all
}

/// The id of an object of this file: what refers to it needs to know it.
fn id(family: u8, number: usize) -> String {
    format!("{family:08x}-0000-4000-8000-{number:012x}")
}

/// Odd ones have one of the three scope tags, even ones the built-in one.
fn tags(number: usize) -> Value {
    let tag = if number.is_multiple_of(2) { 0 } else { number / 2 % 3 + 1 };
    json!([tag.to_string()])
}

/// Whether the policy of this name refers to nothing else of this file, so that it is ready by itself.
pub(crate) fn stands_alone(name: &str) -> bool {
    let number = name.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
    !name.starts_with("Firewall") && number.is_some_and(|number| number.is_multiple_of(2) && !number.is_multiple_of(6))
}

/// Every third policy is assigned to all devices, some of those through a filter.
fn assigned(number: usize, mut body: Value) -> Value {
    if number.is_multiple_of(3) {
        let filter = number.is_multiple_of(2).then(|| id(2, number % 4 + 1));
        let kind = if filter.is_some() { "include" } else { "none" };
        body["assignments"] = json!([{ "target": {
            "@odata.type": "#microsoft.graph.allDevicesAssignmentTarget",
            "deviceAndAppManagementAssignmentFilterId": filter,
            "deviceAndAppManagementAssignmentFilterType": kind,
        }}]);
    }
    body
}

fn scope_tag(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.roleScopeTag",
        "id": number.to_string(), "displayName": format!("Site {number}"), "description": format!("Devices of site {number}"),
        "isBuiltIn": false,
    });
    Policy { collection: "deviceManagement/roleScopeTags", body }
}

fn assignment_filter(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.deviceAndAppManagementAssignmentFilter",
        "id": id(2, number), "displayName": format!("Model {number}"), "description": "",
        "platform": "windows10AndLater", "rule": format!("(device.model -eq \"Model {number}\")"),
        "assignmentFilterManagementType": "devices", "roleScopeTags": tags(number),
    });
    Policy { collection: "deviceManagement/assignmentFilters", body }
}

fn notification_template(number: usize) -> Policy {
    let message = |locale: &str, is_default: bool| {
        json!({
            "locale": locale, "subject": format!("Notice {number} ({locale})"),
            "messageTemplate": "Open Company Portal and follow the steps shown there.", "isDefault": is_default,
        })
    };
    let body = json!({
        "@odata.type": "#microsoft.graph.notificationMessageTemplate",
        "id": id(3, number), "displayName": format!("Notice {number}"), "description": "", "defaultLocale": "en-us",
        "brandingOptions": "includeCompanyLogo", "roleScopeTagIds": tags(number),
        "localizedNotificationMessages": [message("en-us", true), message("de-de", false), message("fr-fr", false)],
    });
    Policy { collection: "deviceManagement/notificationMessageTemplates", body }
}

fn named_location(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.ipNamedLocation",
        "id": id(4, number), "displayName": format!("Office {number}"), "isTrusted": false,
        "ipRanges": [{ "@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": format!("203.0.113.{number}/32") }],
    });
    Policy { collection: "identity/conditionalAccess/namedLocations", body }
}

fn reusable_setting(number: usize) -> Policy {
    const DEFINITION: &str = "vendor_msft_firewall_mdmstore_dynamickeywords_addresses_{id}";
    let body = json!({
        "@odata.type": "#microsoft.graph.deviceManagementReusablePolicySetting",
        "id": id(5, number), "displayName": format!("Servers {number}"), "description": "",
        "settingDefinitionId": DEFINITION, "version": 1, "referencingConfigurationPolicyCount": 2,
        "settingInstance": {
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationGroupSettingCollectionInstance",
            "settingDefinitionId": DEFINITION, "settingInstanceTemplateReference": null,
            "groupSettingCollectionValue": [{
                "settingValueTemplateReference": null,
                "children": [simple_instance(
                    &format!("{DEFINITION}_id"),
                    &json!({ "@odata.type": "#microsoft.graph.deviceManagementConfigurationStringSettingValue",
                        "settingValueTemplateReference": null, "value": format!("{{{}}}", id(6, number)) }),
                )],
            }],
        },
    });
    Policy { collection: "deviceManagement/reusablePolicySettings", body }
}

fn simple_instance(definition: &str, value: &Value) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
        "settingDefinitionId": definition, "settingInstanceTemplateReference": null, "simpleSettingValue": value,
    })
}

fn integer(definition: &str, value: usize) -> Value {
    let value = json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationIntegerSettingValue",
        "settingValueTemplateReference": null, "value": value,
    });
    simple_instance(definition, &value)
}

fn configuration_policy(family: u8, number: usize, name: String, template: &Value, instances: &[Value]) -> Policy {
    let settings: Vec<Value> = instances
        .iter()
        .enumerate()
        .map(|(at, instance)| {
            json!({
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
                "id": at.to_string(), "settingInstance": instance,
            })
        })
        .collect();
    let body = json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationPolicy",
        "id": id(family, number), "name": name, "description": format!("Number {number}"),
        "platforms": "windows10", "technologies": if template["templateId"] == "" { "mdm" } else { "mdm,microsoftSense" },
        "roleScopeTagIds": tags(number), "settingCount": settings.len(), "templateReference": template,
        "settings": settings,
    });
    Policy { collection: "deviceManagement/configurationPolicies", body: assigned(number, body) }
}

fn firewall(number: usize) -> Policy {
    let template = json!({
        "templateId": "4b219836-f2b1-46c6-954d-4cd2f4128676_1", "templateFamily": "endpointSecurityFirewall",
        "templateDisplayName": "Windows Firewall", "templateDisplayVersion": "Version 1",
    });
    let servers = json!({
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingCollectionInstance",
        "settingDefinitionId": "vendor_msft_firewall_mdmstore_firewallrules_remoteaddressdynamickeywords",
        "settingInstanceTemplateReference": null,
        "simpleSettingCollectionValue": [{
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationReferenceSettingValue",
            "settingValueTemplateReference": null, "value": id(5, number % 3 + 1),
        }],
    });
    configuration_policy(7, number, format!("Firewall {number}"), &template, &[servers])
}

fn settings_catalog(number: usize) -> Policy {
    let template = json!({
        "templateId": "", "templateFamily": "none", "templateDisplayName": null, "templateDisplayVersion": null,
    });
    let screen = integer("device_vendor_msft_policy_config_power_displayofftimeoutonbattery", 60 * number);
    let standby = integer("device_vendor_msft_policy_config_power_standbytimeoutonbattery", 90 * number);
    configuration_policy(8, number, format!("Power {number}"), &template, &[screen, standby])
}

fn compliance(number: usize) -> Policy {
    const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
    let (kind, mut rules) = match number % 4 {
        0 => ("windows10", json!({ "passwordRequired": true, "passwordMinimumLength": 4 + number })),
        1 => ("ios", json!({ "passcodeRequired": true, "osMinimumVersion": format!("{number}.0") })),
        2 => ("androidWorkProfile", json!({ "passwordRequired": true, "securityBlockJailbrokenDevices": true })),
        _ => ("macOS", json!({ "passwordRequired": true, "firewallEnabled": true })),
    };
    let action = |action: &str, hours: usize, template: &str| {
        json!({
            "actionType": action, "gracePeriodHours": hours, "notificationTemplateId": template,
            "notificationMessageCCList": [],
        })
    };
    let mut actions = vec![action("block", number, NOBODY)];
    if !number.is_multiple_of(2) {
        actions.push(action("notification", 0, &id(3, number % 4 + 1)));
    }
    let fields = json!({
        "@odata.type": format!("#microsoft.graph.{kind}CompliancePolicy"),
        "id": id(9, number), "displayName": format!("Compliance {number}"), "description": "", "version": 1,
        "roleScopeTagIds": tags(number),
        "scheduledActionsForRule": [{ "ruleName": "PasswordRequired", "scheduledActionConfigurations": actions }],
    });
    extend(&mut rules, fields);
    Policy { collection: "deviceManagement/deviceCompliancePolicies", body: assigned(number, rules) }
}

fn extend(body: &mut Value, fields: Value) {
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend::<Map<String, Value>>(fields);
    }
}

fn administrative_template(number: usize) -> Policy {
    let definition = |which: usize| {
        json!({
            "enabled": (number + which).is_multiple_of(2), "configurationType": "policy", "presentationValues": [],
            "definition": {
                "id": id(11, which), "classType": "machine", "displayName": format!("Setting {which}"),
                "categoryPath": "\\Faults", "policyType": "admxBacked", "version": "1.0",
            },
        })
    };
    let body = json!({
        "@odata.type": "#microsoft.graph.groupPolicyConfiguration",
        "id": id(10, number), "displayName": format!("Template {number}"), "description": "",
        "policyConfigurationIngestionType": "builtIn", "roleScopeTagIds": tags(number),
        "definitionValues": [definition(1), definition(2 + number % 3)],
    });
    Policy { collection: "deviceManagement/groupPolicyConfigurations", body: assigned(number, body) }
}

fn device_restrictions(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.windows10GeneralConfiguration",
        "id": id(12, number), "displayName": format!("Restrictions {number}"), "description": "", "version": 1,
        "roleScopeTagIds": tags(number), "cameraBlocked": number.is_multiple_of(2), "passwordMinimumLength": 4 + number,
    });
    Policy { collection: "deviceManagement/deviceConfigurations", body: assigned(number, body) }
}

fn oma_uri(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.windows10CustomConfiguration",
        "id": id(13, number), "displayName": format!("Custom {number}"), "description": "", "version": 1,
        "roleScopeTagIds": tags(number),
        "omaSettings": [{
            "@odata.type": "#microsoft.graph.omaSettingString", "displayName": "Time zone", "description": "",
            "omaUri": format!("./Device/Vendor/MSFT/Policy/Config/Faults/Setting{number}"),
            "secretReferenceValueId": null, "isEncrypted": false, "value": format!("value {number}"),
        }],
    });
    Policy { collection: "deviceManagement/deviceConfigurations", body }
}

fn update_ring(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "id": id(14, number), "displayName": format!("Ring {number}"), "description": "", "version": 1,
        "roleScopeTagIds": tags(number), "qualityUpdatesDeferralPeriodInDays": number,
        "featureUpdatesDeferralPeriodInDays": 10 * number, "automaticUpdateMode": "autoInstallAtMaintenanceTime",
        "microsoftUpdateServiceAllowed": true, "driversExcluded": false, "qualityUpdatesPaused": false,
        "featureUpdatesPaused": false, "businessReadyUpdatesOnly": "businessReadyOnly",
        "deliveryOptimizationMode": "httpWithPeeringNat",
    });
    Policy { collection: "deviceManagement/deviceConfigurations", body: assigned(number, body) }
}

/// `exit 0`, as Graph carries scripts.
const SCRIPT: &str = "ZXhpdCAw";

fn powershell_script(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.deviceManagementScript",
        "id": id(15, number), "displayName": format!("Script {number}"), "description": "", "roleScopeTagIds": tags(number),
        "scriptContent": SCRIPT, "runAsAccount": "system", "enforceSignatureCheck": false,
        "fileName": format!("script-{number}.ps1"), "runAs32Bit": false,
    });
    Policy { collection: "deviceManagement/deviceManagementScripts", body: assigned(number, body) }
}

fn shell_script(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.deviceShellScript",
        "id": id(16, number), "displayName": format!("Shell {number}"), "description": "", "roleScopeTagIds": tags(number),
        "scriptContent": SCRIPT, "runAsAccount": "system", "fileName": format!("shell-{number}.sh"),
        "executionFrequency": "PT1H", "retryCount": number, "blockExecutionNotifications": true,
    });
    Policy { collection: "deviceManagement/deviceShellScripts", body: assigned(number, body) }
}

fn health_script(number: usize) -> Policy {
    let body = json!({
        "@odata.type": "#microsoft.graph.deviceHealthScript",
        "id": id(17, number), "displayName": format!("Health {number}"), "description": "", "roleScopeTagIds": tags(number),
        "publisher": "Workplace team", "runAsAccount": "system", "enforceSignatureCheck": false, "runAs32Bit": false,
        "isGlobalScript": false, "version": "1", "deviceHealthScriptType": "deviceHealthScript",
        "highestAvailableVersion": null, "detectionScriptContent": SCRIPT, "remediationScriptContent": SCRIPT,
    });
    Policy { collection: "deviceManagement/deviceHealthScripts", body }
}
