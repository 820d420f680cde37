use serde_json::json;

use super::*;
use crate::normal_form::samples::{contract, names, settings_policy};
use crate::reference::Standing;

#[test]
fn an_observation_says_what_the_object_is() {
    let seen = observe(&contract("settings"), &settings_policy("b"), &names("b")).unwrap();
    assert_eq!(seen.external_id.as_str(), "b-policy");
    assert_eq!(seen.display_name, "Win - BitLocker");
    assert_eq!(seen.subject_key.as_str(), "settingsCatalogPolicy: win - bitlocker [windows10; none]");
    assert_eq!(seen.odata_type.as_deref(), Some("#microsoft.graph.deviceManagementConfigurationPolicy"));
    assert_eq!(seen.platform.as_deref(), Some("windows10"));
    assert_eq!(seen.facts.evidence(), Evidence::Whole);
    assert_eq!(seen.facts.immutable, [("platforms".to_owned(), json!("windows10"))].into());
    assert!(seen.facts.references.iter().all(|reference| reference.standing != Standing::Unresolved));
    let other = observe(&contract("settings"), &settings_policy("a"), &names("a")).unwrap();
    assert_eq!(seen.subject_key, other.subject_key);
    assert_eq!(seen.normal_hash, other.normal_hash);
    assert_eq!(seen.assignments_hash, other.assignments_hash);
    assert_ne!(seen.content_hash, other.content_hash, "the raw contents hold other ids");
    let facts = serde_json::to_value(&seen.facts).unwrap();
    assert_eq!(serde_json::from_value::<SubjectFacts>(facts).unwrap(), seen.facts);
}

#[test]
fn a_truncated_read_is_incomplete() {
    for (count, settings, complete) in [
        (json!(2), 2, true),
        (json!(2.0), 2, true),
        (json!(63), 2, false),
        (json!(1), 2, false),
        (json!(null), 2, true),
        (json!(2), 0, false),
    ] {
        let mut policy = settings_policy("a");
        policy["settingCount"] = count.clone();
        if settings == 0 {
            policy.as_object_mut().unwrap().remove("settings");
        }
        let facts = observe(&contract("settings"), &policy, &names("a")).unwrap().facts;
        assert_eq!(facts.complete, complete, "{count} of {settings}");
    }
}

#[test]
fn content_that_the_provider_would_refuse_is_reported() {
    let why = |name: &str, raw: Value| -> Vec<String> {
        let facts = observe(&contract(name), &raw, &names("a")).unwrap().facts;
        facts.invalid.into_iter().map(|invalid| invalid.path).collect()
    };
    let action = |kind: &str| json!({"id": "1", "displayName": "x", "scheduledActionsForRule": {"scheduledActionConfigurations": {"actionType": kind}}});
    assert_eq!(why("compliance", action("block")), [""; 0]);
    assert_eq!(
        why("compliance", action("notification")),
        ["scheduledActionsForRule[].scheduledActionConfigurations[].actionType"]
    );
    assert_eq!(why("settings", json!({"id": "1", "name": " ", "settings": []})), ["name", "settings"]);
    assert_eq!(why("profile", json!({"id": "1", "displayName": "x"})), ["@odata.type"]);
}

#[test]
fn objects_of_the_provider_are_known() {
    for (raw, default) in [
        (json!({"isGlobalScript": true}), true),
        (json!({"isGlobalScript": false, "publisher": "Microsoft"}), true),
        (json!({"isGlobalScript": false, "publisher": "us"}), false),
    ] {
        let mut raw = raw;
        raw["id"] = json!("1");
        assert_eq!(observe(&contract("script"), &raw, &names("a")).unwrap().facts.provider_default, default, "{raw}");
    }
}

#[test]
fn platforms_by_field_then_type_then_always() {
    let platform = |name: &str, raw: Value| {
        let mut raw = raw;
        raw["id"] = json!("1");
        observe(&contract(name), &raw, &names("a")).unwrap().platform
    };
    assert_eq!(platform("settings", json!({"platforms": "macOS"})).as_deref(), Some("macOS"));
    assert_eq!(
        platform("profile", json!({"@odata.type": "#microsoft.graph.windowsPhone81X"})).as_deref(),
        Some("windowsPhone")
    );
    assert_eq!(
        platform("profile", json!({"@odata.type": "#microsoft.graph.windows10X"})).as_deref(),
        Some("windows10")
    );
    assert_eq!(platform("profile", json!({"@odata.type": "#microsoft.graph.zebra"})), None);
    assert_eq!(platform("script", json!({})).as_deref(), Some("windows10"));
}

#[test]
fn the_content_hash_ignores_noise_and_nothing_else() {
    let hash = |name: &str, raw: &Value| content_hash(&contract(name), raw);
    let policy = settings_policy("a");
    for (field, value, same) in [
        ("lastModifiedDateTime", json!("2030-01-01T00:00:00Z"), true),
        ("@odata.context", json!("else"), true),
        ("#microsoft.graph.assign", json!({"title": "else"}), true),
        ("description", json!("new"), false),
        ("roleScopeTagIds", json!(["0"]), false),
        ("assignments", json!([]), false),
    ] {
        let mut other = policy.clone();
        other[field] = value;
        assert_eq!(hash("settings", &other) == hash("settings", &policy), same, "{field}");
    }
    let mut reordered = policy.clone();
    reordered["assignments"].as_array_mut().unwrap().reverse();
    assert_eq!(hash("settings", &reordered), hash("settings", &policy));
    let secret = |token: &str| json!({"settings": [{"@odata.type": "#microsoft.graph.deviceManagementConfigurationSecretSettingValue", "value": token, "valueState": "encryptedValueToken"}]});
    assert_eq!(hash("settings", &secret("1")), hash("settings", &secret("2")));
    let oma = |encrypted: bool, value: &str, token: &str| json!({"omaSettings": [{"isEncrypted": encrypted, "omaUri": "./x", "value": value, "secretReferenceValueId": token}]});
    assert_eq!(
        hash("profile", &oma(true, "****", "1")),
        hash("profile", &oma(true, "other", "2")),
        "a secret says nothing"
    );
    assert_eq!(hash("profile", &oma(false, "a", "1")), hash("profile", &oma(false, "a", "2")));
    assert_ne!(hash("profile", &oma(false, "a", "1")), hash("profile", &oma(false, "b", "1")), "a value in clear does");
    let bind = |url: &str| json!({"definitionValues": [{"definition@odata.bind": url}]});
    assert_ne!(hash("admx", &bind("x('1')")), hash("admx", &bind("x('2')")));
}

#[test]
fn odd_json_never_panics() {
    for name in ["settings", "compliance", "admx", "profile", "script", "access", "filter"] {
        let contract = contract(name);
        assert_eq!(observe(&contract, &json!([]), &names("a")), Err(Unobservable::NotAnObject));
        assert_eq!(observe(&contract, &json!({"id": 3}), &names("a")), Err(Unobservable::NoId));
        for odd in [
            json!({}),
            json!([[[]]]),
            json!("x"),
            json!(-0.0),
            json!({"target": {"groupId": []}}),
            json!([null, {"id": {}}]),
        ] {
            let fields = [
                "settings",
                "assignments",
                "roleScopeTagIds",
                "omaSettings",
                "scheduledActionsForRule",
                "definitionValues",
            ];
            let mut raw = json!({"id": "1"});
            fields.iter().for_each(|field| raw[*field] = odd.clone());
            assert!(observe(&contract, &raw, &names("a")).is_ok());
        }
    }
}
