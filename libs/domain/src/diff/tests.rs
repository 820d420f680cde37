use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::normal_form::normal_form;
use crate::normal_form::samples::{base64, contract, instance, names, settings_policy, simple};

fn lines(name: &str, source: Value, target: Value) -> Vec<String> {
    let contract = contract(name);
    let form = |raw: &Value, tenant: &str| normal_form(&contract, raw, &names(tenant)).value;
    let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
    let differences = diff(&contract, &form(&source, "a"), &form(&target, "b"));
    let line = |d: Difference| format!("{:?} {}: {} | {}", d.kind, d.path, show(d.source), show(d.target));
    differences.into_iter().map(line).collect()
}

#[test]
fn settings_are_named_and_their_order_is_no_difference() {
    let (source, mut target) = (settings_policy("a"), settings_policy("b"));
    assert_eq!(lines("settings", source.clone(), target.clone()), [""; 0]);
    for setting in target["settings"].as_array_mut().unwrap() {
        if setting["settingInstance"]["settingDefinitionId"] == "bitlocker_encryption" {
            setting["settingInstance"]["choiceSettingValue"]["children"][1]["simpleSettingValue"]["value"] = json!("y");
        } else {
            setting["settingInstance"]["settingDefinitionId"] = json!("firewall_other");
            setting["settingInstance"]["groupSettingCollectionValue"] = json!([]);
        }
    }
    let found = lines("settings", source, target);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_eq!(
        found[0],
        "Changed settings[bitlocker_encryption].settingInstance.choiceSettingValue.children[bitlocker_key_a].simpleSettingValue.value: \"x\" | \"y\""
    );
    assert!(found[1].starts_with("Removed settings[firewall_other]: - |"), "{}", found[1]);
    assert!(found[2].starts_with("Added settings[firewall_rules]: {"), "{}", found[2]);
}

#[test]
fn one_sided_properties_are_seen_at_every_depth() {
    // Seven edits of the sort that the main open peer reports none of (GRAPH section 3.1).
    let source =
        json!({"displayName": "x", "added": 1, "nested": {"added": true, "kept": 1}, "changed": "a", "list": [1, 2]});
    let target = json!({"displayName": "x", "removed": 1, "nested": {"kept": 1, "removed": {"a": 1}}, "changed": "b", "list": [1, 3]});
    assert_eq!(
        lines("profile", source, target),
        [
            "Added added: 1 | -",
            "Changed changed: \"a\" | \"b\"",
            "Changed list[1]: 2 | 3",
            "Added nested.added: true | -",
            "Removed nested.removed: - | {\"a\":1}",
            "Removed removed: - | 1",
        ]
    );
}

#[test]
fn sets_differ_by_member_and_references_by_name() {
    let access = |groups: Value| json!({"displayName": "x", "conditions": {"users": {"excludeGroups": groups}}});
    assert_eq!(lines("access", access(json!(["a-staff", "a-pilot"])), access(json!(["b-pilot", "b-staff"]))), [""; 0]);
    assert_eq!(
        lines("access", access(json!(["a-staff"])), access(json!(["b-pilot", "b-staff"]))),
        ["Removed conditions.users.excludeGroups[pilot]: - | {\"$ref\":{\"kind\":\"group\",\"name\":\"pilot\"}}"]
    );
}

#[test]
fn groups_without_a_key_are_matched_by_likeness_and_as_multisets() {
    let rule = |name: &str, port: i64| {
        json!({"children": [
        instance("name", json!({"simpleSettingValue": simple("String", json!(name))})),
        instance("port", json!({"simpleSettingValue": simple("Integer", json!(port))}))]})
    };
    let policy = |rules: Vec<Value>| json!({"name": "x", "settings": [{"settingInstance": {"settingDefinitionId": "fw", "groupSettingCollectionValue": rules}}]});
    let found = lines(
        "settings",
        policy(vec![rule("web", 443), rule("mail", 25), rule("dns", 53)]),
        policy(vec![rule("dns", 53), rule("mail", 587), rule("web", 443)]),
    );
    let path = "settings[fw].settingInstance.groupSettingCollectionValue[~1].children[port].simpleSettingValue.value";
    assert_eq!(found, [format!("Changed {path}: 25 | 587")]);
    // Twice is not once.
    let twice = lines("settings", policy(vec![rule("a", 1), rule("a", 1)]), policy(vec![rule("a", 1)]));
    assert_eq!(twice.len(), 1);
    assert!(twice[0].starts_with("Added settings[fw].settingInstance.groupSettingCollectionValue[~1]"), "{twice:?}");
}

#[test]
fn secrets_stay_secret_and_texts_short() {
    let oma = |encrypted: bool, value: &str| json!({"displayName": "x", "omaSettings": [{"omaUri": "./x", "isEncrypted": encrypted, "value": value}]});
    let found = lines("profile", oma(true, "token"), oma(false, "plain and private"));
    assert_eq!(found, ["Changed omaSettings[./x].value: {\"$secret\":true} | {\"$secret\":true}"]);
    assert_eq!(lines("profile", oma(true, "1"), oma(true, "2")), [""; 0]);
    let script = |text: &str| {
        normal_form(
            &contract("script"),
            &json!({"displayName": "x", "detectionScriptContent": base64(text)}),
            &names("a"),
        )
        .value
    };
    let differences = diff(&contract("script"), &script("a\nnew\nb"), &script("a\nb\n"));
    let text = differences[0].text.as_ref().unwrap();
    assert_eq!((text.added, text.removed), (1, 1));
    assert_eq!(differences[0].source.as_ref().unwrap()["$text"]["lines"], 3);
}

proptest! {
    #[test]
    fn no_difference_if_and_only_if_equal_and_mirrored_when_swapped(edit in prop::collection::vec((0usize..6, 0i64..3), 0..5)) {
        let contract = contract("settings");
        let edited = |edits: &[(usize, i64)]| {
            let mut raw = settings_policy("a");
            for (what, value) in edits {
                match what {
                    0 => raw["description"] = json!(format!("{value}")),
                    1 => raw["settings"][0]["settingInstance"]["choiceSettingValue"]["value"] = json!(value),
                    2 => raw["settings"][1]["settingInstance"]["groupSettingCollectionValue"][1] = json!({"children": value}),
                    3 => drop(raw["settings"].as_array_mut().and_then(Vec::pop)),
                    4 => raw["settings"].as_array_mut().into_iter().for_each(|s| s.push(json!({"settingInstance": {"settingDefinitionId": format!("s{value}")}}))),
                    _ => raw["extra"] = json!([value, {"a": value}]),
                }
                if !raw["settings"].get(1).is_some_and(|s| s["settingInstance"].is_object()) {
                    break;
                }
            }
            normal_form(&contract, &raw, &names("a")).value
        };
        let (source, target) = (edited(&edit), edited(&[]));
        let there = diff(&contract, &source, &target);
        prop_assert_eq!(there.is_empty(), source == target);
        let back = diff(&contract, &target, &source);
        prop_assert_eq!(there.len(), back.len());
        let paths: std::collections::BTreeSet<_> = there.iter().map(|d| &d.path).collect();
        prop_assert_eq!(paths.len(), there.len(), "each path once");
        for difference in &back {
            let mirrored = there.iter().find(|d| d.path == difference.path);
            prop_assert!(mirrored.is_some_and(|d| d.source == difference.target && d.target == difference.source));
        }
    }
}
