//! Contracts and objects for tests: one policy of two tenants, told apart by everything that must not matter.

use base64::Engine;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::contract::Contract;
use crate::reference::NameTable;

pub(crate) fn contract(name: &str) -> Contract {
    let text = match name {
        "settings" => include_str!("../../tests/contracts/settings.toml"),
        "compliance" => include_str!("../../tests/contracts/compliance.toml"),
        "admx" => include_str!("../../tests/contracts/admx.toml"),
        "profile" => include_str!("../../tests/contracts/profile.toml"),
        "script" => include_str!("../../tests/contracts/script.toml"),
        "access" => include_str!("../../tests/contracts/access.toml"),
        "filter" => include_str!("../../tests/contracts/filter.toml"),
        _ => panic!("no such contract: {name}"),
    };
    Contract::from_toml(text).unwrap()
}

pub(crate) fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The names of a tenant; the same names in both, the ids told apart by `tenant`.
pub(crate) fn names(tenant: &str) -> NameTable {
    let mut names = NameTable::new();
    names.insert("group", &format!("{tenant}-pilot"), "Pilot");
    names.insert("group", &format!("{tenant}-staff"), " All  Staff");
    names.insert("group", &format!("{tenant}-twin-1"), "Twin");
    names.insert("group", &format!("{tenant}-twin-2"), "twin");
    names.insert("assignmentFilter", &format!("{tenant}-corp"), "Corporate");
    names.insert("roleScopeTag", "0", "Default");
    names.insert("roleScopeTag", if tenant == "a" { "2" } else { "7" }, "Branch");
    names.insert("roleScopeTag", if tenant == "a" { "7" } else { "2" }, "Head office");
    names.insert("reusablePolicySetting", &format!("{tenant}-reusable"), "Firewall addresses");
    names.insert("notificationMessageTemplate", &format!("{tenant}-mail"), "Not compliant");
    names.insert("deviceConfiguration", &format!("{tenant}-root"), "Root CA");
    names.insert("namedLocation", &format!("{tenant}-office"), "Office");
    names
}

/// A settings catalog policy as tenant `a` (full metadata) or `b` (minimal metadata, other order) returns it.
pub(crate) fn settings_policy(tenant: &str) -> Value {
    let full = tenant == "a";
    let choice = json!({
        "id": if full { "0" } else { "2" },
        "settingInstance": {
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
            "settingDefinitionId": "bitlocker_encryption",
            "settingInstanceTemplateReference": null,
            "choiceSettingValue": {
                "value": "bitlocker_encryption_1",
                "children": [
                    instance("bitlocker_key_b", json!({"simpleSettingValue": simple("Integer", if full { json!(30) } else { json!(30.0) })})),
                    instance("bitlocker_key_a", json!({"simpleSettingValue": simple("String", json!("x"))})),
                ],
            },
        },
    });
    let group = json!({
        "id": "1",
        "settingInstance": instance("firewall_rules", json!({"groupSettingCollectionValue": [
            {"children": [instance("rule_name", json!({"simpleSettingValue": simple("String", json!("in"))})),
                          instance("rule_addresses", json!({"simpleSettingValue": simple("Reference", json!(format!("{tenant}-reusable")))}))]},
            {"children": [instance("rule_name", json!({"simpleSettingValue": simple("String", json!("out"))}))]},
        ]})),
    });
    let mut policy = json!({
        "id": format!("{tenant}-policy"),
        "name": if full { "Win - BitLocker" } else { "Win - BitLocker " },
        "description": if full { Value::Null } else { json!("") },
        "platforms": "windows10",
        "technologies": "mdm",
        "createdDateTime": format!("2024-0{}-01T00:00:00Z", if full { 1 } else { 2 }),
        "lastModifiedDateTime": format!("2025-0{}-01T00:00:00Z", if full { 1 } else { 2 }),
        "settingCount": 2,
        "isAssigned": full,
        "roleScopeTagIds": if full { json!(["0", "2"]) } else { json!(["7", "0"]) },
        "templateReference": {"templateId": "", "templateFamily": "none", "templateDisplayName": if full { json!("X") } else { Value::Null }},
        "settings": [choice, group],
        "assignments": [
            {"id": format!("{tenant}-1"), "source": "direct", "target": {
                "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": format!("{tenant}-pilot"),
                "deviceAndAppManagementAssignmentFilterId": format!("{tenant}-corp"), "deviceAndAppManagementAssignmentFilterType": "include"}},
            {"id": format!("{tenant}-2"), "source": "direct", "target": {
                "@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": format!("{tenant}-staff"),
                "deviceAndAppManagementAssignmentFilterId": if full { Value::Null } else { json!("00000000-0000-0000-0000-000000000000") },
                "deviceAndAppManagementAssignmentFilterType": "none"}},
            {"id": format!("{tenant}-3"), "source": "policySets", "target": {
                "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": format!("{tenant}-{}", if full { "pilot" } else { "elsewhere" })}},
        ],
    });
    if full {
        policy["@odata.context"] = json!("https://graph.microsoft.com/beta/$metadata#x");
        policy["@odata.type"] = json!("#microsoft.graph.deviceManagementConfigurationPolicy");
        policy["platforms@odata.type"] = json!("#microsoft.graph.deviceManagementConfigurationPlatforms");
        policy["#microsoft.graph.assign"] = json!({"title": "microsoft.graph.assign"});
        policy["settings"][0]["@odata.type"] = json!("#microsoft.graph.deviceManagementConfigurationSetting");
        policy["settings"][0]["settingInstance"]["choiceSettingValue"]["@odata.type"] =
            json!("#microsoft.graph.deviceManagementConfigurationChoiceSettingValue");
    } else {
        policy["settings"].as_array_mut().unwrap().reverse();
        policy["assignments"].as_array_mut().unwrap().reverse();
    }
    policy
}

pub(crate) fn instance(definition: &str, value: Value) -> Value {
    let mut instance = value;
    let sort = instance.as_object().unwrap().keys().next().unwrap().clone();
    let sort = match sort.as_str() {
        "groupSettingCollectionValue" => "GroupSettingCollection",
        _ => "SimpleSetting",
    };
    instance["@odata.type"] = json!(format!("#microsoft.graph.deviceManagementConfiguration{sort}Instance"));
    instance["settingDefinitionId"] = json!(definition);
    instance
}

pub(crate) fn simple(sort: &str, value: Value) -> Value {
    json!({"@odata.type": format!("#microsoft.graph.deviceManagementConfiguration{sort}SettingValue"), "value": value})
}

/// Every contract of this module.
pub(crate) const ALL: &[&str] = &["settings", "compliance", "admx", "profile", "script", "access", "filter"];

/// Any JSON, with the keys and words that rules look for among its keys and texts.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "settings",
        "settingInstance",
        "settingDefinitionId",
        "children",
        "groupSettingCollectionValue",
        "value",
        "valueState",
        "@odata.type",
        "x@odata.type",
        "definition@odata.bind",
        "definition",
        "roleScopeTagIds",
        "assignments",
        "omaSettings",
        "omaUri",
        "isEncrypted",
        "payload",
        "scheduledActionsForRule",
        "scheduledActionConfigurations",
        "notificationTemplateId",
        "definitionValues",
        "presentationValues",
        "presentation",
        "id",
        "name",
        "displayName",
        "rootCertificate",
        "target",
        "executionFrequency",
        "detectionScriptContent",
        "conditions",
        "users",
        "excludeGroups",
        "#microsoft.graph.assign",
        "a",
        "b",
    ]);
    let words = prop::sample::select(vec![
        "",
        "0",
        "2",
        "****",
        "a-pilot",
        "a-twin-1",
        "PT60M",
        "YQ0KYg==",
        "All",
        "t: x",
        " spaced ",
        "08:00:00.000",
        "#microsoft.graph.deviceManagementConfigurationSecretSettingValue",
        "#microsoft.graph.omaSettingStringXml",
        "https://graph.microsoft.com/beta/x('1')",
        "{\"a\":1.0}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        (-3i32..3).prop_map(|n| Value::from(f64::from(n))),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..5).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

/// Any JSON object of that sort.
pub(crate) fn any_object() -> impl Strategy<Value = Value> {
    any_json().prop_map(|value| if value.is_object() { value } else { json!({ "a": value }) })
}
