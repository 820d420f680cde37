use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::normal_form::normal_form;
use crate::normal_form::samples::{ALL, any_object, contract, names, settings_policy};
use crate::observe::observe;

fn payload(name: &str, raw: &Value) -> Result<Payload, Unmapped> {
    target_payload(&contract(name), raw, &names("a"), &names("b"), true)
}

fn faults(name: &str, raw: &Value) -> Vec<String> {
    let obstacles = payload(name, raw).unwrap_err().obstacles;
    let text = |obstacle: &Obstacle| match obstacle {
        Obstacle::Secret { path } => format!("secret {path}"),
        Obstacle::Reference { reference, fault } => format!("{} {} {fault:?}", reference.kind, reference.id),
    };
    obstacles.iter().map(text).collect()
}

#[test]
fn what_arrives_in_the_target_means_what_the_source_means() {
    let contract = contract("settings");
    let source = settings_policy("a");
    let payload = payload("settings", &source).unwrap();
    let text = payload.content.to_string();
    assert!(!text.contains("a-reusable") && text.contains("b-reusable"), "{text}");
    assert_eq!(payload.content["roleScopeTagIds"], json!(["0", "7"]));
    for gone in
        ["id", "createdDateTime", "settingCount", "assignments", "@odata.context", "platforms@odata.type", "isAssigned"]
    {
        assert_eq!(payload.content.get(gone), None, "{gone}");
    }
    assert_eq!(payload.content["@odata.type"], "#microsoft.graph.deviceManagementConfigurationPolicy");
    assert_eq!(
        payload.assignments.as_deref().unwrap(),
        [
            json!({"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "b-pilot",
                   "deviceAndAppManagementAssignmentFilterId": "b-corp", "deviceAndAppManagementAssignmentFilterType": "include"}}),
            json!({"target": {"@odata.type": "#microsoft.graph.exclusionGroupAssignmentTarget", "groupId": "b-staff"}}),
        ]
    );
    // The law of promotion: the target's object, observed, has the source's hashes.
    let mut created = payload.create_body(&contract);
    created["id"] = json!("new");
    created["assignments"] = json!(payload.assignments);
    let (source, target) =
        (observe(&contract, &source, &names("a")).unwrap(), observe(&contract, &created, &names("b")).unwrap());
    assert_eq!(source.normal_form, target.normal_form);
    assert_eq!(source.assignments_hash, target.assignments_hash);
    assert_eq!(source.subject_key, target.subject_key);
}

#[test]
fn assignments_are_left_alone_unless_asked_for() {
    let payload =
        target_payload(&contract("settings"), &settings_policy("a"), &names("a"), &names("b"), false).unwrap();
    assert_eq!(payload.assignments, None);
}

#[test]
fn everything_in_the_way_is_named_at_once() {
    let raw = json!({
        "@odata.type": "t", "displayName": "x", "roleScopeTagIds": ["0", "99"],
        "omaSettings": [{"omaUri": "./x", "isEncrypted": true, "value": "token"}, {"omaUri": "./y", "value": "*****"}],
        "identityCertificate@odata.bind": "https://x/y('9')",
        "assignments": [
            {"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "a-twin-1"}},
            {"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "gone"}},
            {"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": "gone"}},
        ],
    });
    assert_eq!(
        faults("profile", &raw),
        [
            "identityCertificate 9 UnknownInSource",
            "secret omaSettings[./x].value",
            "secret omaSettings[./y].value",
            "roleScopeTag 99 UnknownInSource",
            "group a-twin-1 AmbiguousInSource",
            "group gone UnknownInSource",
        ]
    );
}

#[test]
fn names_must_be_unique_on_the_other_side_too() {
    let raw = json!({"displayName": "x", "conditions": {"users": {"excludeGroups": ["a-pilot"], "includeGroups": ["a-staff"]}}});
    let mut target = NameTable::new();
    target.insert("group", "1", "pilot");
    target.insert("group", "2", "PILOT ");
    let unmapped = target_payload(&contract("access"), &raw, &names("a"), &target, false).unwrap_err();
    let fault = |obstacle: &Obstacle| match obstacle {
        Obstacle::Reference { fault, .. } => *fault,
        Obstacle::Secret { .. } => panic!("no secrets here"),
    };
    let faults: Vec<_> = unmapped.obstacles.iter().map(fault).collect();
    assert_eq!(faults, [MappingFault::AmbiguousInTarget, MappingFault::MissingInTarget]);
}

#[test]
fn words_and_fixed_ids_pass_and_refused_defaults_stay_out() {
    let raw = json!({
        "displayName": "x",
        "conditions": {"locations": {"includeLocations": ["All", "a-office"]}},
        "grantControls": {"authenticationStrength": {"id": "00000000-0000-0000-0000-000000000002", "displayName": "MFA"}},
        "sessionControls": {"disableResilienceDefaults": false, "signInFrequency": {"value": 1}},
    });
    let content = payload("access", &raw).unwrap().content;
    assert_eq!(content["conditions"]["locations"]["includeLocations"], json!(["All", "b-office"]));
    assert_eq!(
        content["grantControls"]["authenticationStrength"],
        json!({"id": "00000000-0000-0000-0000-000000000002"})
    );
    assert_eq!(content["sessionControls"], json!({"signInFrequency": {"value": 1}}));
}

#[test]
fn links_are_written_as_binds() {
    let raw = json!({"displayName": "x", "definitionValues": {
        "id": "1", "enabled": true, "definition": {"id": "d1", "displayName": "Name"},
        "presentationValues": [{"id": "2", "@odata.type": "#microsoft.graph.groupPolicyPresentationValueText", "value": "v", "presentation": {"id": "p1"}}]}});
    let contract = contract("admx");
    let admx = payload("admx", &raw).unwrap();
    assert_eq!(
        admx.follow_up(&contract).unwrap(),
        json!([{
            "enabled": true,
            "definition@odata.bind": "deviceManagement/groupPolicyDefinitions('d1')",
            "presentationValues": [{
                "@odata.type": "#microsoft.graph.groupPolicyPresentationValueText", "value": "v",
                "presentation@odata.bind": "deviceManagement/groupPolicyDefinitions('d1')/presentations('p1')"}],
        }])
    );
    assert_eq!(admx.create_body(&contract).get("definitionValues"), None, "they travel after the create");
    let certificate = json!({"@odata.type": "t", "displayName": "x", "rootCertificate": {"id": "a-root"}});
    let content = payload("profile", &certificate).unwrap().content;
    assert_eq!(content["rootCertificate@odata.bind"], "deviceManagement/deviceConfigurations('b-root')");
    assert_eq!(content.get("rootCertificate"), None);
}

#[test]
fn a_merge_says_what_to_remove_and_a_replacement_does_not() {
    let source = json!({"@odata.type": "t", "displayName": "x", "a": 1, "description": ""});
    let current = json!({
        "id": "1", "@odata.type": "t", "@odata.context": "c", "displayName": "x", "description": "old", "a": 2, "b": 3, "list": [1],
        "none": null, "roleScopeTagIds": ["0", "2"], "createdDateTime": "t", "assignments": [{}], "version": 4,
    });
    let contract = contract("profile");
    let body = payload("profile", &source).unwrap().update_body(&contract, &current);
    assert_eq!(
        body,
        json!({"@odata.type": "t", "displayName": "x", "a": 1, "description": "", "b": null, "list": [], "roleScopeTagIds": ["0"]})
    );
    let settings = super::super::normal_form::samples::contract("settings");
    let body = payload("settings", &settings_policy("a")).unwrap().update_body(&settings, &json!({"surplus": 1}));
    assert_eq!(body.get("surplus"), None);
}

#[test]
fn each_verb_leaves_out_what_it_must_not_say() {
    let compliance = contract("compliance");
    let raw = json!({"@odata.type": "t", "displayName": "x", "scheduledActionsForRule": [
        {"id": "1", "ruleName": null, "scheduledActionConfigurations": [{"id": "2", "actionType": "block", "notificationTemplateId": "a-mail", "notificationMessageCCList": []}]}]});
    let sent = payload("compliance", &raw).unwrap();
    let rule = json!([{"ruleName": "PasswordRequired", "scheduledActionConfigurations": [
        {"actionType": "block", "notificationTemplateId": "b-mail", "notificationMessageCCList": []}]}]);
    assert_eq!(sent.create_body(&compliance)["scheduledActionsForRule"], rule);
    assert_eq!(sent.follow_up(&compliance).unwrap(), rule);
    assert_eq!(sent.update_body(&compliance, &raw).get("scheduledActionsForRule"), None);
    let filter = contract("filter");
    let raw = json!({"displayName": "x", "platform": "iOS", "rule": "r"});
    let sent = payload("filter", &raw).unwrap();
    assert_eq!(sent.create_body(&filter)["platform"], "iOS");
    assert_eq!(sent.update_body(&filter, &raw).get("platform"), None);
    assert_eq!(sent.follow_up(&filter), None);
}

proptest! {
    /// Whatever can be carried over means in the target what it means in the source.
    #[test]
    fn a_payload_means_what_its_source_means(raw in any_object(), which in prop::sample::select(ALL)) {
        let contract = contract(which);
        if let Ok(payload) = target_payload(&contract, &raw, &names("a"), &names("b"), false) {
            let source = normal_form(&contract, &raw, &names("a"));
            let target = normal_form(&contract, &payload.content, &names("b"));
            prop_assert_eq!(source.value, target.value);
            prop_assert!(target.secrets.is_empty());
        }
    }
}
