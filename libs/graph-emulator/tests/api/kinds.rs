//! What is particular to the other kinds.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::harness::*;

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn device_configurations_are_typed_on_create_and_update() {
    let graph = Graph::start().await;
    let kind = "#microsoft.graph.sharedPCConfiguration";
    graph.post(CONFIGS, json!({"displayName": "x"})).await.refused(400, "@odata.type");
    graph
        .post(CONFIGS, json!({"@odata.type": "#microsoft.graph.iosCompliancePolicy", "displayName": "x"}))
        .await
        .refused(400, "not assignable");
    let created =
        graph.post(CONFIGS, json!({"@odata.type": kind, "displayName": "x", "enabled": true})).await.expect(201);
    assert_eq!(created.body["@odata.type"], kind);
    assert_eq!(created.body["version"], 1);
    let path = format!("{CONFIGS}/{}", created.id());
    graph.patch(&path, json!({"displayName": "y"})).await.expect(400);
    graph
        .patch(&path, json!({"@odata.type": "#microsoft.graph.windows10GeneralConfiguration", "displayName": "y"}))
        .await
        .expect(400);
    graph
        .patch(&path, json!({"@odata.type": kind, "description": "d", "enabled": null, "version": 77}))
        .await
        .expect(204);
    let read = graph.get(&path).await.expect(200);
    assert_eq!(
        (&read.body["displayName"], &read.body["description"], &read.body["enabled"]),
        (&json!("x"), &json!("d"), &Value::Null)
    );
    assert_eq!(read.body["version"], 2);
    graph.delete(&path).await.expect(200);
    graph.get(&path).await.expect(404);
    let cast = graph.get(&format!("{CONFIGS}?$filter=isof('microsoft.graph.sharedPCConfiguration')")).await.expect(200);
    assert_eq!(cast.body["value"], json!([]));
}

#[tokio::test]
async fn an_update_ring_keeps_its_pause_state_to_itself() {
    let graph = Graph::start().await;
    let kind = "#microsoft.graph.windowsUpdateForBusinessConfiguration";
    let id = graph.post(CONFIGS, json!({"@odata.type": kind, "displayName": "ring"})).await.expect(201).id();
    let body = json!({"@odata.type": kind, "qualityUpdatesPauseStartDate": null});
    graph.patch(&format!("{CONFIGS}/{id}"), body).await.refused(400, "qualityUpdatesPauseStartDate");
}

#[tokio::test]
async fn encrypted_oma_values_read_as_stars_and_in_plain_text_one_by_one() {
    let graph = Graph::start().await;
    let setting = |more: Value| {
        let mut setting = json!({"@odata.type": "#microsoft.graph.omaSettingString", "displayName": "s", "omaUri": "./x", "value": "hunter2", "isEncrypted": true});
        setting.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"@odata.type": "#microsoft.graph.windows10CustomConfiguration", "displayName": "oma", "omaSettings": [setting]})
    };
    let refused = graph.post(CONFIGS, setting(json!({"secretReferenceValueId": "a_b"}))).await;
    assert_eq!(refused.body["error"]["code"], "NotSupported");
    refused.refused(400, "SecretReferenceValueId invalid for create.");
    let id = graph.post(CONFIGS, setting(json!({}))).await.expect(201).id();
    let read = graph.get(&format!("{CONFIGS}/{id}")).await.expect(200);
    let shown = &read.body["omaSettings"][0];
    assert_eq!((&shown["value"], &shown["isEncrypted"]), (&json!("****"), &json!(true)));
    let secret = shown["secretReferenceValueId"].as_str().unwrap();
    let plain = graph
        .get(&format!("{CONFIGS}/{id}//getOmaSettingPlainTextValue(secretReferenceValueId='{secret}')"))
        .await
        .expect(200);
    assert_eq!(plain.body["value"], "hunter2");
}

fn compliance(actions: Value) -> Value {
    json!({"@odata.type": "#microsoft.graph.windows10CompliancePolicy", "displayName": "c", "passwordRequired": true,
        "scheduledActionsForRule": [{"ruleName": "PasswordRequired", "scheduledActionConfigurations": actions}]})
}

#[tokio::test]
async fn compliance_needs_a_block_action_and_changes_it_by_its_own_action() {
    let graph = Graph::start().await;
    let block = json!({"actionType": "block", "gracePeriodHours": 0});
    let mut bare = compliance(json!([block]));
    bare.as_object_mut().unwrap().remove("scheduledActionsForRule");
    graph.post(COMPLIANCE, bare).await.refused(400, "scheduledActionsForRule");
    graph.post(COMPLIANCE, compliance(json!([]))).await.refused(400, "scheduledActionConfigurations");
    graph.post(COMPLIANCE, compliance(json!([{"actionType": "retire"}]))).await.refused(400, "block");
    graph
        .post(COMPLIANCE, compliance(json!([block, {"actionType": "notification", "notificationTemplateId": OTHER}])))
        .await
        .refused(400, "was not found");
    let id = graph.post(COMPLIANCE, compliance(json!([block]))).await.expect(201).id();
    let path = format!("{COMPLIANCE}/{id}");
    let expand = "?$expand=scheduledActionsForRule($expand=scheduledActionConfigurations)";
    let read = graph.get(&format!("{path}{expand}")).await.expect(200);
    assert_eq!(read.body["scheduledActionsForRule"][0]["scheduledActionConfigurations"][0]["actionType"], "block");
    assert_eq!(read.body["scheduledActionsForRule"][0]["ruleName"], Value::Null);
    assert!(graph.get(&path).await.body.get("scheduledActionsForRule").is_none());

    let kind = "#microsoft.graph.windows10CompliancePolicy";
    graph
        .patch(&path, json!({"@odata.type": kind, "scheduledActionsForRule": []}))
        .await
        .refused(400, "scheduledActionsForRule");
    graph.patch(&path, json!({"@odata.type": kind, "passwordRequired": false})).await.expect(204);
    let rules = json!({"deviceComplianceScheduledActionForRules": [{"ruleName": "PasswordRequired", "scheduledActionConfigurations": [{"actionType": "block", "gracePeriodHours": 24}]}]});
    graph.post(&format!("{path}/scheduleActionsForRules"), rules).await.expect(200);
    let read =
        graph.get(&format!("{path}/scheduledActionsForRule?$expand=scheduledActionConfigurations")).await.expect(200);
    assert_eq!(read.body["value"][0]["scheduledActionConfigurations"][0]["gracePeriodHours"], 24);
}

#[tokio::test]
async fn linux_compliance_has_settings_inline_and_actions_apart() {
    let graph = Graph::start().await;
    let path = "/beta/deviceManagement/compliancePolicies";
    let body = json!({"name": "linux", "platforms": "linux", "technologies": "linuxMdm", "settings": [setting("linux_x", "true")]});
    let id = graph.post(path, body).await.expect(201).id();
    let actions = json!({"scheduledActions": [{"ruleName": null, "scheduledActionConfigurations": [{"actionType": "block", "gracePeriodHours": 0}]}]});
    graph.post(&format!("{path}/{id}/setScheduledActions"), actions).await.expect(200);
    let read = graph
        .get(&format!("{path}/{id}/scheduledActionsForRule?$expand=scheduledActionConfigurations"))
        .await
        .expect(200);
    assert_eq!(read.body["value"][0]["scheduledActionConfigurations"][0]["actionType"], "block");
    assert_eq!(
        graph.get(&format!("{path}?$expand=settings")).await.body["value"][0]["settings"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn scripts_hide_their_content_in_lists() {
    let graph = Graph::start().await;
    let path = "/beta/deviceManagement/deviceManagementScripts";
    let body = json!({"displayName": "s", "fileName": "s.ps1", "scriptContent": base64("Write-Host"), "runAsAccount": "system"});
    let created = graph.post(path, body).await.expect(201);
    assert_eq!(graph.get(path).await.body["value"][0]["scriptContent"], Value::Null);
    let item = graph.get(&format!("{path}/{}", created.id())).await;
    assert_eq!(item.body["scriptContent"], base64("Write-Host"));
    graph
        .post(path, json!({"displayName": "s", "fileName": "s", "scriptContent": "not base64!"}))
        .await
        .refused(400, "Edm.Binary");
    let patched = graph.patch(&format!("{path}/{}", created.id()), json!({"description": "d"})).await.expect(200);
    assert_eq!(patched.body["description"], "d");
}

#[tokio::test]
async fn global_remediations_are_read_only_and_some_properties_always() {
    let graph = Graph::start().await;
    let path = "/beta/deviceManagement/deviceHealthScripts";
    let body = json!({"displayName": "mine", "publisher": "me", "detectionScriptContent": base64("x"), "isGlobalScript": true});
    let own = graph.post(path, body).await.expect(201);
    assert_eq!(own.body["isGlobalScript"], false, "nobody creates a global script");
    graph.patch(&format!("{path}/{}", own.id()), json!({"isGlobalScript": false})).await.refused(400, "isGlobalScript");
    let global = json!({"@odata.type": "#microsoft.graph.deviceHealthScript", "id": OTHER, "displayName": "Microsoft's", "isGlobalScript": true});
    graph.running.load_document(TENANT, &global, None).unwrap();
    graph.patch(&format!("{path}/{OTHER}"), json!({"displayName": "y"})).await.refused(400, "read-only");
    graph.delete(&format!("{path}/{OTHER}")).await.refused(400, "read-only");
    graph.get(&format!("{path}?$filter=isGlobalScript eq false")).await.expect(400);
}

#[tokio::test]
async fn the_platform_of_a_filter_is_immutable_and_a_used_filter_stays() {
    let graph = Graph::start().await;
    let filter = graph.filter("f").await;
    let path = format!("{FILTERS}/{filter}");
    graph.patch(&path, json!({"platform": "macOS"})).await.refused(400, "platform");
    let patched = graph.patch(&path, json!({"rule": "(device.model -eq \"y\")"})).await.expect(200);
    assert_eq!(patched.body["roleScopeTags"], json!(["0"]));
    graph
        .post(FILTERS, json!({"displayName": "f", "platform": "macOS", "rule": "nonsense"}))
        .await
        .refused(400, "rule");
    let policy = graph.post(CATALOG, catalog("p", 1)).await.id();
    let target = json!({"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget", "deviceAndAppManagementAssignmentFilterId": filter, "deviceAndAppManagementAssignmentFilterType": "include"});
    graph.post(&format!("{CATALOG}/{policy}/assign"), json!({"assignments": [{"target": target}]})).await.expect(200);
    graph.delete(&path).await.refused(400, "in use");
}

#[tokio::test]
async fn scope_tags_have_small_ids_and_a_built_in_one() {
    let graph = Graph::start().await;
    let first = graph.post(TAGS, json!({"displayName": "Berlin"})).await.expect(200);
    assert_eq!(first.id(), "1");
    graph.delete(&format!("{TAGS}/1")).await.expect(200);
    assert_eq!(
        graph.post(TAGS, json!({"displayName": "Paris"})).await.expect(200).id(),
        "2",
        "ids are never used twice"
    );
    let list = graph.get(TAGS).await;
    assert_eq!(list.body["value"][0]["displayName"], "Default");
    graph.delete(&format!("{TAGS}/0")).await.refused(400, "built-in");
    graph.patch(&format!("{TAGS}/0"), json!({"displayName": "x"})).await.refused(400, "built-in");
    let mut policy = catalog("p", 1);
    policy["roleScopeTagIds"] = json!(["2"]);
    graph.post(CATALOG, policy).await.expect(201);
}

#[tokio::test]
async fn notification_templates_get_their_messages_one_by_one() {
    let graph = Graph::start().await;
    let path = "/beta/deviceManagement/notificationMessageTemplates";
    let message = |locale: &str, default: bool| json!({"locale": locale, "subject": "s", "messageTemplate": "m", "isDefault": default});
    let whole = json!({"displayName": "n", "brandingOptions": "none", "localizedNotificationMessages": [message("en-us", true)]});
    graph.post(path, whole).await.refused(400, "localizedNotificationMessages");
    let id = graph.post(path, json!({"displayName": "n", "brandingOptions": "none"})).await.expect(200).id();
    let messages = format!("{path}/{id}/localizedNotificationMessages");
    let english = graph.post(&messages, message("en-US", true)).await.expect(200);
    assert_eq!(english.id(), format!("{id}_en-us"));
    graph.post(&messages, message("en-us", false)).await.refused(400, "exists already");
    let german = graph.post(&messages, message("de-de", false)).await.expect(200).id();
    graph.patch(&format!("{messages}/{}", english.id()), json!({"isDefault": false})).await.refused(400, "isDefault");
    graph.patch(&format!("{messages}/{german}"), json!({"isDefault": true})).await.expect(200);
    let read = graph.get(&format!("{path}/{id}?$expand=localizedNotificationMessages")).await;
    assert_eq!(read.body["defaultLocale"], "de-de");
    let defaults: Vec<_> =
        read.body["localizedNotificationMessages"].as_array().unwrap().iter().map(|m| m["isDefault"].clone()).collect();
    assert_eq!(defaults, [json!(false), json!(true)]);
    graph.delete(&format!("{messages}/{}", english.id())).await.expect(200);
}

#[tokio::test]
async fn update_profiles_refuse_what_cannot_change() {
    let graph = Graph::start().await;
    let drivers = "/beta/deviceManagement/windowsDriverUpdateProfiles";
    graph
        .post(drivers, json!({"displayName": "d", "approvalType": "automatic"}))
        .await
        .refused(400, "deploymentDeferralInDays");
    let id =
        graph.post(drivers, json!({"displayName": "d", "approvalType": "manual", "newUpdates": 9})).await.expect(201);
    assert_eq!(id.body["newUpdates"], 0);
    graph
        .patch(&format!("{drivers}/{}", id.id()), json!({"approvalType": "manual"}))
        .await
        .refused(400, "approvalType");
    graph.patch(&format!("{drivers}/{}", id.id()), json!({"displayName": "e"})).await.expect(200);
    graph.get(&format!("{drivers}?$top=201")).await.refused(400, "limit of '200'");
    let features = "/beta/deviceManagement/windowsFeatureUpdateProfiles";
    graph
        .post(features, json!({"displayName": "f", "featureUpdateVersion": "Windows 10, version 1909"}))
        .await
        .refused(400, "not supported");
    let feature = graph
        .post(features, json!({"displayName": "f", "featureUpdateVersion": "Windows 11, version 25H2"}))
        .await
        .expect(201);
    graph
        .patch(&format!("{features}/{}", feature.id()), json!({"endOfSupportDate": null}))
        .await
        .refused(400, "endOfSupportDate");
}

#[tokio::test]
async fn administrative_templates_are_filled_by_an_action() {
    let graph = Graph::start().await;
    let path = "/beta/deviceManagement/groupPolicyConfigurations";
    let id = graph
        .post(path, json!({"displayName": "admx", "policyConfigurationIngestionType": "builtIn"}))
        .await
        .expect(201)
        .id();
    let bind = |definition: &str| {
        format!("https://graph.microsoft.com/beta/deviceManagement/groupPolicyDefinitions('{definition}')")
    };
    let added = json!({"enabled": true, "definition@odata.bind": bind(TENANT), "presentationValues": [{
        "@odata.type": "#microsoft.graph.groupPolicyPresentationValueText", "value": "v",
        "presentation@odata.bind": format!("{}/presentations('{OTHER}')", bind(TENANT))}]});
    let action = format!("{path}/{id}/updateDefinitionValues");
    let mut foreign = added.clone();
    foreign["definition@odata.bind"] = json!(bind(OTHER));
    graph
        .post(&action, json!({"added": [foreign], "updated": [], "deletedIds": []}))
        .await
        .refused(400, "does not belong");
    let mut relative = added.clone();
    relative["definition@odata.bind"] = json!("groupPolicyDefinitions('x')");
    graph.post(&action, json!({"added": [relative]})).await.refused(400, "absolute");
    graph.post(&action, json!({"added": [added], "updated": [], "deletedIds": []})).await.expect(204);
    graph.post(&action, json!({"added": [added]})).await.refused(400, "configured already");

    let values = graph.get(&format!("{path}/{id}/definitionValues?$expand=definition")).await.expect(200);
    let value = &values.body["value"][0];
    assert_eq!(value["definition"]["id"], TENANT);
    assert!(value.get("presentationValues").is_none());
    let value_id = value["id"].as_str().unwrap();
    let shown = graph
        .get(&format!("{path}/{id}/definitionValues/{value_id}/presentationValues?$expand=presentation"))
        .await
        .expect(200);
    assert_eq!(
        (&shown.body["value"][0]["value"], &shown.body["value"][0]["presentation"]["id"]),
        (&json!("v"), &json!(OTHER))
    );
    let definition = graph
        .get(&format!("/beta/deviceManagement/groupPolicyDefinitions/{TENANT}?$expand=presentations"))
        .await
        .expect(200);
    assert_eq!(definition.body["presentations"][0]["id"], OTHER);
    graph
        .post(&action, json!({"added": [], "updated": [{"id": value_id, "enabled": false}], "deletedIds": []}))
        .await
        .expect(204);
    assert_eq!(graph.get(&format!("{path}/{id}/definitionValues/{value_id}")).await.body["enabled"], false);
    graph.post(&action, json!({"deletedIds": [value_id]})).await.expect(204);
    assert_eq!(graph.get(&format!("{path}/{id}/definitionValues")).await.body["value"], json!([]));
    graph.post(&action, json!({"deletedIds": [value_id]})).await.expect(404);
}

fn access(state: &str, locations: Value, groups: Value) -> Value {
    json!({"displayName": "CA", "state": state, "grantControls": {"operator": "OR", "builtInControls": ["mfa"]},
        "conditions": {"clientAppTypes": ["all"], "applications": {"includeApplications": ["All"]}, "users": {"includeUsers": ["All"], "excludeGroups": groups},
            "locations": {"includeLocations": ["All"], "excludeLocations": locations}}})
}

#[tokio::test]
async fn conditional_access_refers_to_what_exists() {
    let graph = Graph::start().await;
    let (policies, locations) =
        ("/v1.0/identity/conditionalAccess/policies", "/beta/identity/conditionalAccess/namedLocations");
    graph.post(policies, access("enabled", json!([OTHER]), json!([]))).await.refused(400, "1040");
    graph.post(policies, access("enabled", json!([]), json!([OTHER]))).await.refused(400, "invalid groups");
    graph.post(policies, access("on", json!([]), json!([]))).await.expect(400);
    graph.post(locations, json!({"displayName": "l", "ipRanges": []})).await.refused(400, "@odata.type");
    let range = json!([{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "192.0.2.0/24"}]);
    let location = json!({"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "l", "isTrusted": true, "ipRanges": range});
    let location = graph.post(locations, location).await.expect(201).id();
    let group = graph.group("g").await;
    let mut body = access("enabledForReportingButNotEnforced", json!([location]), json!([group]));
    let id = graph.post(policies, body.clone()).await.expect(201).id();
    graph.patch(&format!("{policies}/{id}"), json!({"state": "disabled"})).await.expect(204);
    assert_eq!(graph.get(&format!("{policies}/{id}")).await.body["state"], "disabled");
    body["conditions"]["users"]["excludeUsers"] = Value::Null;
    graph.post(policies, body.clone()).await.refused(400, "excludeUsers");
    body["conditions"]["users"]["excludeUsers"] = json!([]);
    body["sessionControls"] = json!({"disableResilienceDefaults": false});
    graph.post(policies, body).await.refused(400, "disableResilienceDefaults");

    let path = format!("{locations}/{location}");
    graph.delete(&path).await.refused(400, "isTrusted");
    graph
        .patch(&path, json!({"@odata.type": "#microsoft.graph.ipNamedLocation", "isTrusted": false}))
        .await
        .expect(204);
    graph.delete(&path).await.refused(400, "referenced");
    graph.delete(&format!("{policies}/{id}")).await.expect(204);
    graph.delete(&path).await.expect(204);
}

#[tokio::test]
async fn intents_are_read_directly_and_by_category() {
    let graph = Graph::start().await;
    let intent = json!({"@odata.type": "#microsoft.graph.deviceManagementIntent", "id": OTHER, "displayName": "i", "templateId": "tpl",
        "settings": [{"@odata.type": "#microsoft.graph.deviceManagementBooleanSettingInstance", "id": "s1", "definitionId": "d", "valueJson": "true", "value": true}]});
    graph.running.load_document(TENANT, &intent, None).unwrap();
    let path = "/beta/deviceManagement/intents";
    assert_eq!(graph.get(path).await.body["value"][0]["displayName"], "i");
    let direct = graph.get(&format!("{path}/{OTHER}/settings")).await.expect(200);
    let categories = graph.get("/beta/deviceManagement/templates/tpl/categories").await.expect(200);
    let category = categories.body["value"][0]["id"].as_str().unwrap();
    let by_category = graph.get(&format!("{path}/{OTHER}/categories/{category}/settings")).await.expect(200);
    assert_eq!(direct.body["value"], by_category.body["value"]);
    graph.post(path, json!({"displayName": "new"})).await.expect(405);
    let template = "/beta/deviceManagement/templates/tpl/createInstance";
    let setting = |value: bool| json!({"@odata.type": "#microsoft.graph.deviceManagementBooleanSettingInstance", "definitionId": "d", "valueJson": value.to_string()});
    let new =
        graph.post(template, json!({"displayName": "new", "settingsDelta": [setting(true)]})).await.expect(200).id();
    graph.post(&format!("{path}/{new}/updateSettings"), json!({"settings": [setting(false)]})).await.expect(204);
    let settings = graph.get(&format!("{path}/{new}/settings")).await;
    assert_eq!(settings.body["value"].as_array().unwrap().len(), 1);
    assert_eq!(settings.body["value"][0]["valueJson"], "false");
    graph
        .post("/beta/deviceManagement/templates/unknown/createInstance", json!({"displayName": "x"}))
        .await
        .expect(404);
}
