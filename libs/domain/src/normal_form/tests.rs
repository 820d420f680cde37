//! The normal form by tables of cases and by its laws.

use proptest::prelude::*;
use serde_json::json;

use super::samples::{ALL, any_json, any_object, base64, contract, instance, names, settings_policy, simple};
use super::*;

fn form(name: &str, raw: Value) -> Value {
    normal_form(&contract(name), &raw, &names("a")).value
}

#[test]
fn two_tenants_that_mean_the_same_have_one_form() {
    let contract = contract("settings");
    let (ours, theirs) = (settings_policy("a"), settings_policy("b"));
    let (a, b) = (normal_form(&contract, &ours, &names("a")), normal_form(&contract, &theirs, &names("b")));
    assert_eq!(a.value, b.value);
    assert_eq!(a.hash, b.hash);
    let kinds: Vec<&str> = a.references.iter().map(|reference| reference.kind.as_str()).collect();
    assert_eq!(kinds, ["reusablePolicySetting", "roleScopeTag", "roleScopeTag"]);
    let (a, b) = (assignments_form(&contract, &ours, &names("a")), assignments_form(&contract, &theirs, &names("b")));
    assert_eq!(a.value, b.value);
    assert_eq!(
        a.value,
        json!([
            {"filter": {"$ref": {"kind": "assignmentFilter", "name": "corporate"}}, "filterType": "include",
             "group": {"$ref": {"kind": "group", "name": "pilot"}}, "target": "groupAssignmentTarget"},
            {"group": {"$ref": {"kind": "group", "name": "all staff"}}, "target": "exclusionGroupAssignmentTarget"},
        ])
    );
}

#[test]
fn the_same_ids_with_other_names_are_another_form() {
    let policy = settings_policy("a");
    let contract = contract("settings");
    // Scope tag 2 is Branch in a and Head office in b: copying ids would silently mis-scope.
    assert_ne!(normal_form(&contract, &policy, &names("a")).hash, normal_form(&contract, &policy, &names("b")).hash);
}

#[test]
fn absent_and_empty_are_one_and_zero_and_false_are_not() {
    let absent = form("profile", json!({"@odata.type": "t", "displayName": "x"}));
    for (folded, raw) in [
        (true, json!({"a": null, "b": "", "c": [], "d": {}, "e": [null, "", {}], "f": {"g": {"h": null}}})),
        (
            true,
            json!({"roleScopeTagIds": ["0"], "id": "1", "version": 3, "x@odata.type": "y", "#microsoft.graph.assign": {}}),
        ),
        (true, json!({"roleScopeTagIds": "0", "assignments": [{"id": "1"}]})),
        (false, json!({"a": 0})),
        (false, json!({"a": false})),
        (false, json!({"roleScopeTagIds": ["2"]})),
        (false, json!({"nested": {"version": 3}})),
    ] {
        let mut whole = json!({"@odata.type": "t", "displayName": "x"});
        whole.as_object_mut().unwrap().extend(raw.as_object().unwrap().clone());
        assert_eq!(form("profile", whole) == absent, folded, "{raw}");
    }
}

#[test]
fn a_name_is_trimmed_and_a_name_of_spaces_is_none() {
    assert_eq!(form("profile", json!({"displayName": " x "})), json!({"displayName": "x"}));
    assert_eq!(form("profile", json!({"displayName": " \u{b} "})), json!({}));
}

#[test]
fn references_by_what_is_known_of_them() {
    let with = |groups: Value| {
        let raw = json!({"displayName": "x", "conditions": {"users": {"excludeGroups": groups}}});
        let normal = normal_form(&contract("access"), &raw, &names("a"));
        (normal.value["conditions"]["users"]["excludeGroups"].clone(), normal.references)
    };
    let reference = |inner: Value| json!([{ "$ref": inner }]);
    let (named, found) = with(json!(["A-PILOT"]));
    assert_eq!(named, reference(json!({"kind": "group", "name": "pilot"})));
    assert_eq!(found[0].path, "conditions.users.excludeGroups[]");
    assert_eq!((found[0].standing, found[0].display_name.as_str()), (crate::reference::Standing::Named, "Pilot"));
    let (ambiguous, _) = with(json!(["a-twin-1"]));
    assert_eq!(ambiguous, reference(json!({"kind": "group", "name": "twin", "ambiguous": "a-twin-1"})));
    let (unknown, found) = with(json!(["gone", "gone"]));
    assert_eq!(unknown[0], json!({"$ref": {"kind": "group", "unresolved": "gone"}}));
    assert_eq!(found.len(), 1, "each reference once");
    // PowerShell wrote the only element in place of the array.
    assert_eq!(with(json!("a-pilot")).0, named);
}

#[test]
fn words_and_fixed_ids_are_no_references_to_map() {
    let raw = json!({
        "displayName": "x",
        "conditions": {"locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted", "a-office"]}},
        "grantControls": {"authenticationStrength": {"id": "00000000-0000-0000-0000-000000000002", "displayName": "MFA", "modifiedDateTime": "x"}},
        "sessionControls": {"disableResilienceDefaults": false},
    });
    let normal = form("access", raw);
    assert_eq!(normal["conditions"]["locations"]["includeLocations"], json!(["All"]));
    assert_eq!(
        normal["grantControls"]["authenticationStrength"],
        json!({"$ref": {"kind": "authenticationStrengthPolicy", "name": "multifactor authentication", "fixed": true}})
    );
    assert_eq!(normal.get("sessionControls"), None, "the default equals absent");
    let zero = "00000000-0000-0000-0000-000000000000";
    let action = |template: Value| {
        form(
            "compliance",
            json!({"displayName": "x", "scheduledActionsForRule": [
            {"ruleName": null, "scheduledActionConfigurations": [{"actionType": "block", "notificationTemplateId": template}]}]}),
        )
    };
    assert_eq!(action(json!(zero)), action(Value::Null));
    assert_ne!(action(json!("a-mail")), action(Value::Null));
}

#[test]
fn secrets_become_markers_and_are_found() {
    let encrypted =
        |value: &str| json!({"omaUri": "./x", "isEncrypted": true, "value": value, "secretReferenceValueId": value});
    let oma = |settings: Value| {
        normal_form(&contract("profile"), &json!({"displayName": "x", "omaSettings": settings}), &names("a"))
    };
    let normal = oma(json!([encrypted("token")]));
    assert_eq!(normal.value["omaSettings"], json!([{"omaUri": "./x", "value": {"$secret": true}}]));
    assert_eq!(normal.secrets, ["omaSettings[./x].value"]);
    assert_eq!(normal.hash, oma(json!([encrypted("another")])).hash, "a token changes with every read");
    // Masked, though nothing says encrypted.
    assert_eq!(oma(json!([{"omaUri": "./x", "value": "****"}])).secrets, ["omaSettings[./x].value"]);
    assert!(
        oma(json!([{"omaUri": "./x", "value": "***"}, {"omaUri": "./y", "isEncrypted": true, "value": ""}]))
            .secrets
            .is_empty()
    );
    let wifi =
        normal_form(&contract("profile"), &json!({"displayName": "x", "wifi": {"preSharedKey": "k"}}), &names("a"));
    assert_eq!(wifi.secrets, ["wifi.preSharedKey"]);
    let mut catalog = settings_policy("a");
    let mut secret = simple("Secret", json!("token-1"));
    secret["valueState"] = json!("encryptedValueToken");
    catalog["settings"][1]["settingInstance"] = instance("wifi_key", json!({"simpleSettingValue": secret}));
    let normal = normal_form(&contract("settings"), &catalog, &names("a"));
    assert_eq!(normal.secrets, ["settings[wifi_key].settingInstance.simpleSettingValue.value"]);
    assert!(!normal.value.to_string().contains("oken"), "{}", normal.value);
}

#[test]
fn encoded_text_durations_and_times_are_compared_by_meaning() {
    let script = |content: &str, frequency: &str| {
        form(
            "script",
            json!({"displayName": "x", "detectionScriptContent": base64(content), "executionFrequency": frequency}),
        )
    };
    assert_eq!(script("\u{feff}a\r\nb", "PT60M"), script("a\nb", "PT1H"));
    assert_ne!(script("a\nb", "PT1H"), script("a\nc", "PT1H"));
    let hours =
        |time: &str| form("profile", json!({"displayName": "x", "installationSchedule": {"activeHoursStart": time}}));
    assert_eq!(hours("08:00:00.0000000"), hours("08:00:00"));
    let profile = |text: &str| form("profile", json!({"displayName": "x", "payload": base64(text)}));
    assert_eq!(
        profile("<plist><dict><key>a</key><true/><key>b</key><integer>1</integer></dict></plist>"),
        profile("<plist>\r\n <dict> <key>b</key><integer>1</integer> <key>a</key><true/> </dict></plist>")
    );
}

#[test]
fn a_link_is_one_whether_bound_or_expanded() {
    let bound = json!({"displayName": "x", "definitionValues": {
        "definition@odata.bind": "https://graph.microsoft.com/beta/deviceManagement/groupPolicyDefinitions('D1')", "enabled": true,
        "presentationValues": {"value": "v", "presentation@odata.bind": "https://graph.microsoft.com/beta/deviceManagement/groupPolicyDefinitions('D1')/presentations('P1')"}}});
    let expanded = json!({"displayName": "x", "definitionValues": [{
        "id": "1", "enabled": true, "configurationType": "policy", "definition": {"id": "d1", "displayName": "Name"},
        "presentationValues": [{"id": "2", "value": "v", "presentation": {"id": "p1", "label": "L"}}]}]});
    assert_eq!(form("admx", bound), form("admx", expanded));
}

#[test]
fn links_to_other_objects_are_references_and_undeclared_ones_never_get_lost() {
    let expanded =
        json!({"@odata.type": "t", "displayName": "x", "rootCertificate": {"id": "a-root", "displayName": "Root CA"}});
    let bound = json!({"@odata.type": "t", "displayName": "x", "rootCertificate@odata.bind": "https://graph.microsoft.com/beta/deviceManagement/deviceConfigurations('a-root')"});
    assert_eq!(form("profile", expanded.clone()), form("profile", bound));
    assert_eq!(
        form("profile", expanded)["rootCertificate"],
        json!({"$ref": {"kind": "deviceConfiguration", "name": "root ca"}})
    );
    let unknown = json!({"@odata.type": "t", "displayName": "x", "identityCertificate@odata.bind": "https://x/y('9')"});
    let normal = normal_form(&contract("profile"), &unknown, &names("a"));
    assert_eq!(normal.references[0].standing, crate::reference::Standing::Unresolved);
    assert_eq!((normal.references[0].kind.as_str(), normal.references[0].id.as_str()), ("identityCertificate", "9"));
}

#[test]
fn assignments_by_target() {
    let contract = contract("script");
    let assigned =
        |assignments: Value| assignments_form(&contract, &json!({ "assignments": assignments }), &names("a"));
    let all = "acacacac-9df4-4c7d-9d50-4ef0226f57a9";
    let form = assigned(json!([
        {"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": all}, "intent": "apply",
         "runSchedule": {"@odata.type": "#microsoft.graph.deviceHealthScriptDailySchedule", "interval": 1.0, "time": null}, "runRemediationScript": true},
        {"target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}},
    ]));
    assert_eq!(
        form.value,
        json!([
            {"group": {"$ref": {"fixed": true, "kind": "group", "name": "all users"}}, "runRemediationScript": true,
             "runSchedule": {"@odata.type": "#microsoft.graph.deviceHealthScriptDailySchedule", "interval": 1}, "target": "groupAssignmentTarget"},
            {"target": "allDevicesAssignmentTarget"},
        ])
    );
    assert_eq!(form.references.len(), 1);
    for none in [Value::Null, json!([]), json!("odd"), json!([1, null])] {
        assert_eq!(assigned(none).value, json!([]));
    }
}

/// Puts every array that the contract calls unordered into another order, at every depth.
fn shuffled(value: &Value, seed: usize) -> Value {
    const UNORDERED: &[&str] =
        &["settings", "children", "groupSettingCollectionValue", "assignments", "roleScopeTagIds"];
    match value {
        Value::Object(fields) => {
            let mut other = serde_json::Map::new();
            for (key, field) in fields {
                let mut field = shuffled(field, seed);
                if let (true, Some(elements)) =
                    (UNORDERED.contains(&key.as_str()), field.as_array_mut().filter(|e| !e.is_empty()))
                {
                    let by = seed % elements.len();
                    elements.rotate_left(by);
                    if seed % 2 == 1 {
                        elements.reverse();
                    }
                }
                other.insert(key.clone(), field);
            }
            Value::Object(other)
        }
        Value::Array(elements) => elements.iter().map(|element| shuffled(element, seed)).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn the_normal_form_of_a_normal_form_is_itself(raw in any_json(), which in prop::sample::select(ALL)) {
        let (contract, names) = (contract(which), names("a"));
        let once = normal_form(&contract, &raw, &names);
        let twice = normal_form(&contract, &once.value, &names);
        prop_assert_eq!(&once.value, &twice.value);
        prop_assert_eq!(once.hash, twice.hash);
        prop_assert_eq!(once.secrets, twice.secrets);
    }

    #[test]
    fn volatile_fields_and_annotations_mean_nothing(raw in any_object(), which in prop::sample::select(ALL), stamp in "[0-9]{4}") {
        let (contract, names) = (contract(which), names("a"));
        let mut other = raw.clone();
        for field in ["id", "createdDateTime", "lastModifiedDateTime", "version", "isAssigned", "settingCount"] {
            other[field] = json!(stamp);
        }
        other["@odata.context"] = json!(stamp);
        other["#microsoft.graph.assign"] = json!({"title": stamp});
        prop_assert_eq!(normal_form(&contract, &raw, &names).hash, normal_form(&contract, &other, &names).hash);
    }

    #[test]
    fn the_order_of_unordered_collections_means_nothing(seed in 0usize..1000) {
        let (contract, names) = (contract("settings"), names("a"));
        let policy = settings_policy("a");
        let other = shuffled(&policy, seed);
        prop_assert_eq!(normal_form(&contract, &policy, &names).hash, normal_form(&contract, &other, &names).hash);
        prop_assert_eq!(assignments_form(&contract, &policy, &names).hash, assignments_form(&contract, &other, &names).hash);
    }

    #[test]
    fn any_shuffle_of_a_keyless_collection_has_one_form(mut groups in prop::collection::vec(any_json(), 0..6), seed in 0usize..6) {
        let of = |groups: &Vec<Value>| form("settings", json!({"name": "x", "settings": [{"settingInstance": {"groupSettingCollectionValue": groups}}]}));
        let before = of(&groups);
        if !groups.is_empty() {
            let by = seed % groups.len();
            groups.rotate_left(by);
        }
        prop_assert_eq!(before, of(&groups));
    }
}
