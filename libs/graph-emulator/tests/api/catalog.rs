//! Settings catalog.

use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn a_policy_is_created_with_its_settings_and_server_owned_values() {
    let graph = Graph::start().await;
    let mut body = catalog("p", 3);
    body["id"] = json!(OTHER);
    body["settingCount"] = json!(99);
    body["createdDateTime"] = json!("2001-01-01T00:00:00Z");
    body["settings@odata.context"] = json!("noise");
    let created = graph.post(CATALOG, body).await.expect(201);
    assert_ne!(created.id(), OTHER);
    assert_eq!(created.body["settingCount"], 3);
    assert_ne!(created.body["createdDateTime"], "2001-01-01T00:00:00Z");
    assert_eq!(created.body["roleScopeTagIds"], json!(["0"]));
    assert_eq!(created.body["isAssigned"], false);
    assert_eq!(created.body["templateReference"]["templateFamily"], "none");
    assert!(created.body.get("settings").is_none(), "settings are a child collection");
    assert!(created.body.get("@odata.type").is_none(), "minimal metadata names no declared type");
}

#[tokio::test]
async fn settings_page_at_25_and_count_per_page() {
    let graph = Graph::start().await;
    let id = graph.post(CATALOG, catalog("big", 60)).await.expect(201).id();
    let first = graph.get(&format!("{CATALOG}('{id}')/settings")).await.expect(200);
    assert_eq!(first.body["@odata.count"], 25);
    assert!(first.body["@odata.context"].as_str().unwrap().contains(&id));
    assert!(first.body["@odata.nextLink"].as_str().unwrap().starts_with(&graph.running.base_url));
    let pages = graph.pages(&format!("{CATALOG}/{id}/settings")).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [25, 25, 10]);
    let ids: Vec<&str> = pages.iter().flatten().map(|setting| setting["id"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..60).map(|at| at.to_string()).collect::<Vec<_>>());
    let whole = graph.get(&format!("{CATALOG}/{id}?$expand=settings")).await.expect(200);
    assert_eq!(whole.body["settings"].as_array().unwrap().len(), 60);
    graph.get(&format!("{CATALOG}?$expand=settings")).await.expect(400);
}

#[tokio::test]
async fn the_list_pages_at_25_and_every_policy_comes_once() {
    let graph = Graph::start().await;
    for at in 0..30 {
        graph.post(CATALOG, catalog(&format!("p{at}"), 1)).await.expect(201);
    }
    let pages = graph.pages(CATALOG).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [25, 5]);
    let names: Vec<&str> = pages.iter().flatten().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names[29], "p29");
    graph.get(&format!("{CATALOG}?$skiptoken=made-up")).await.expect(400);
}

#[tokio::test]
async fn put_replaces_the_whole_and_patch_refuses_settings() {
    let graph = Graph::start().await;
    let id = graph.post(CATALOG, catalog("p", 2)).await.expect(201).id();
    let path = format!("{CATALOG}/{id}");
    let body =
        json!({"name": "q", "platforms": "windows10", "technologies": "mdm", "settings": [setting("other", "2")]});
    graph.put(&path, body.clone()).await.expect(204);
    let read = graph.get(&format!("{path}?$expand=settings")).await.expect(200);
    assert_eq!(read.body["name"], "q");
    assert_eq!(read.body["description"], Value::Null, "what the body lacks is gone");
    assert_eq!(read.body["settingCount"], 1);
    assert_eq!(read.body["settings"][0]["settingInstance"]["settingDefinitionId"], "other");
    graph.patch(&path, json!({"settings": [setting("third", "1")]})).await.refused(400, "settings");
    graph.patch(&path, json!({"name": "r"})).await.expect(204);
    let mut moved = body;
    moved["platforms"] = json!("macOS");
    graph.put(&path, moved).await.refused(400, "platforms");
}

#[tokio::test]
async fn what_makes_a_create_fail() {
    let graph = Graph::start().await;
    let with = |change: fn(&mut Value)| {
        let mut body = catalog("p", 1);
        change(&mut body);
        body
    };
    let cases: [(Value, &str); 7] = [
        (with(|body| body["name"] = json!("")), "name"),
        (with(|body| body["settings"] = json!([])), "settings"),
        (with(|body| body["displayName"] = json!("x")), "'displayName' does not exist"),
        (with(|body| body["@odata.type"] = json!("#microsoft.graph.deviceManagementIntent")), "not assignable"),
        (with(|body| body["roleScopeTagIds"] = json!(["7"])), "Scope tag 7 was not found"),
        (with(|body| body["settings"][0]["settingInstance"] = json!({"settingDefinitionId": "x"})), "abstract type"),
        (with(|body| body["settings"] = json!([setting("a", "1"), setting("a", "2")])), "more than once"),
    ];
    for (body, words) in cases {
        graph.post(CATALOG, body).await.refused(400, words);
    }
    let untyped = graph.request(reqwest::Method::POST, CATALOG).body("{}");
    graph.send(untyped).await.refused(400, "Content-Type");
    assert_eq!(graph.get(CATALOG).await.body["value"], json!([]));
    assert!(graph.running.log().iter().all(|entry| !entry.committed && entry.status == 400));
}

#[tokio::test]
async fn a_create_sent_twice_makes_two() {
    let graph = Graph::start().await;
    for _ in 0..2 {
        graph.post(CATALOG, catalog("same", 1)).await.expect(201);
    }
    assert_eq!(graph.get(CATALOG).await.body["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_secret_never_comes_back_and_its_token_differs_on_every_read() {
    let graph = Graph::start().await;
    let secret = |value: &str, state: &str| {
        json!({"settingInstance": {
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
            "settingDefinitionId": "password",
            "simpleSettingValue": {
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationSecretSettingValue",
                "value": value, "valueState": state
            }
        }})
    };
    let mut body = catalog("secret", 1);
    body["settings"] = json!([secret("hunter2", "notEncrypted")]);
    let id = graph.post(CATALOG, body.clone()).await.expect(201).id();
    let path = format!("{CATALOG}/{id}/settings");
    let read = || async { graph.get(&path).await.body["value"][0]["settingInstance"]["simpleSettingValue"].clone() };
    let (first, second) = (read().await, read().await);
    assert_eq!(first["valueState"], "encryptedValueToken");
    assert_ne!(first["value"], second["value"]);
    assert!(!first.to_string().contains("hunter2"));
    body["settings"] = json!([secret(first["value"].as_str().unwrap(), "encryptedValueToken")]);
    graph.post(CATALOG, body).await.refused(400, "notEncrypted");
}

#[tokio::test]
async fn references_to_reusable_settings_must_exist_and_hold_them() {
    let graph = Graph::start().await;
    let reusable = "/beta/deviceManagement/reusablePolicySettings";
    let body = json!({"displayName": "r", "settingDefinitionId": "d", "settingInstance": setting("d", "1")["settingInstance"]});
    let id = graph.post(reusable, body.clone()).await.expect(201).id();
    let policy = |to: &str| {
        let mut policy = catalog("p", 1);
        policy["settings"][0]["settingInstance"] = json!({
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingCollectionInstance",
            "settingDefinitionId": "refs",
            "simpleSettingCollectionValue": [{"@odata.type": "#microsoft.graph.deviceManagementConfigurationReferenceSettingValue", "value": to}]
        });
        policy
    };
    graph.post(CATALOG, policy(OTHER)).await.refused(400, "was not found");
    graph.post(CATALOG, policy(&id)).await.expect(201);
    assert_eq!(graph.get(&format!("{reusable}/{id}")).await.body["referencingConfigurationPolicyCount"], 1);
    graph.delete(&format!("{reusable}/{id}")).await.refused(400, "referenced by 1");
    graph.put(&format!("{reusable}/{id}"), body).await.expect(204);
    graph.patch(&format!("{reusable}/{id}"), json!({"displayName": "x"})).await.expect(405);
    let bare = graph.get(reusable).await;
    assert!(bare.body["value"][0].get("settingInstance").is_none(), "lists carry it only when selected");
    let asked = graph.get(&format!("{reusable}?$select=id,settinginstance,version")).await;
    assert!(asked.body["value"][0]["settingInstance"].is_object());
}

#[tokio::test]
async fn templates_are_learned_compared_with_case_and_retired() {
    let graph = Graph::start().await;
    let mut body = catalog("es", 1);
    body["templateReference"] =
        json!({"templateId": "aaaa_1", "templateFamily": "endpointSecurityAntivirus", "templateDisplayName": "AV"});
    body["settings"][0]["settingInstance"]["settingInstanceTemplateReference"] =
        json!({"settingInstanceTemplateId": "abc"});
    graph.post(CATALOG, body.clone()).await.expect(201);
    let template = graph.get("/beta/deviceManagement/configurationPolicyTemplates('aaaa_1')").await.expect(200);
    assert_eq!(template.body["lifecycleState"], "active");
    let settings = graph
        .get("/beta/deviceManagement/configurationPolicyTemplates/aaaa_1/settingTemplates?$top=1000")
        .await
        .expect(200);
    assert_eq!(settings.body["value"][0]["settingInstanceTemplate"]["settingInstanceTemplateId"], "abc");
    let family = "$filter=templateReference/templateFamily eq 'endpointSecurityAntivirus'";
    assert_eq!(graph.get(&format!("{CATALOG}?{family}")).await.body["value"].as_array().unwrap().len(), 1);

    let mut other_case = body.clone();
    other_case["settings"][0]["settingInstance"]["settingInstanceTemplateReference"] =
        json!({"settingInstanceTemplateId": "ABC"});
    graph.post(CATALOG, other_case).await.refused(400, "does not match the template");
    graph.running.retire_template("aaaa_1");
    graph.post(CATALOG, body).await.refused(400, "deprecated");
}
