//! Metadata levels.

use reqwest::Method;
use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn each_level_shows_its_annotations() {
    let graph = Graph::start().await;
    let mut body = catalog("p", 1);
    body["settings"][0]["settingInstance"]["choiceSettingValue"]["@odata.type"] =
        json!("#microsoft.graph.deviceManagementConfigurationChoiceSettingValue");
    let id = graph.post(CATALOG, body).await.expect(201).id();
    let path = format!("{CATALOG}/{id}?$expand=settings");
    let at = |level: &str| {
        let accept = format!("application/json;odata.metadata={level}");
        graph.send(graph.request(Method::GET, &path).header("accept", accept))
    };
    let minimal = at("minimal").await.expect(200);
    let instance = &minimal.body["settings"][0]["settingInstance"];
    assert!(instance["@odata.type"].is_string(), "derived types are named");
    assert!(instance["choiceSettingValue"].get("@odata.type").is_none(), "declared types are not");
    assert!(minimal.headers["content-type"].to_str().unwrap().contains("odata.metadata=minimal"));

    let full = at("full").await.expect(200);
    assert_eq!(full.body["@odata.type"], "#microsoft.graph.deviceManagementConfigurationPolicy");
    assert!(full.body["settings@odata.navigationLink"].as_str().unwrap().ends_with("/settings"));
    assert!(full.body["#microsoft.graph.assign"]["target"].is_string());
    assert!(full.body["settings"][0]["settingInstance"]["choiceSettingValue"]["@odata.type"].is_string());

    let none = at("none").await.expect(200);
    assert!(!none.body.to_string().contains("@odata."));
}
