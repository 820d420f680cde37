use graph_emulator::{Emulator, TenantSpec};
use serde_json::Value;

use crate::harness::*;

async fn token(graph: &Graph, tenant: &str, id: &str, secret: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    graph.send(graph.http.post(graph.running.token_url(tenant)).form(&form)).await
}

#[tokio::test]
async fn client_credentials_lead_to_the_tenant_of_the_token() {
    let emulator = Emulator::builder().tenant(spec()).tenant(TenantSpec::new(OTHER, "Fabrikam").client("app", "other"));
    let graph = Graph::with(emulator).await;
    graph.post(CATALOG, catalog("only in the first", 1)).await.expect(201);

    let answer = token(&graph, OTHER, "app", "other").await.expect(200);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 3599);
    let bearer = answer.body["access_token"].as_str().unwrap();
    let url = format!("{}{CATALOG}", graph.running.base_url);
    let list = graph.send(graph.http.get(&url).bearer_auth(bearer)).await.expect(200);
    assert_eq!(list.body["value"], Value::Array(vec![]));
    let organization =
        graph.send(graph.http.get(format!("{}/v1.0/organization", graph.running.base_url)).bearer_auth(bearer)).await;
    assert_eq!(organization.body["value"][0]["id"], OTHER);
}

#[tokio::test]
async fn wrong_credentials_get_oauth_errors() {
    let graph = Graph::start().await;
    let wrong_secret = token(&graph, TENANT, "app", "x").await.expect(401);
    assert_eq!(wrong_secret.body["error"], "invalid_client");
    let wrong_client = token(&graph, TENANT, "nobody", "secret").await.expect(400);
    assert_eq!(wrong_client.body["error"], "unauthorized_client");
    let wrong_tenant = token(&graph, OTHER, "app", "secret").await.expect(400);
    assert!(wrong_tenant.body["error_description"].as_str().unwrap().starts_with("AADSTS90002"));
}

#[tokio::test]
async fn discovery_names_the_endpoints_as_the_client_called() {
    let graph = Graph::start().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    let answer = graph.get(&path).await.expect(200);
    assert_eq!(answer.body["token_endpoint"], graph.running.token_url(TENANT));
}

#[tokio::test]
async fn no_token_a_bad_token_and_an_expired_one_are_401() {
    let graph = Graph::with(Emulator::builder().tenant(spec()).token_lifetime_s(0)).await;
    let url = format!("{}{CATALOG}", graph.running.base_url);
    let absent = graph.send(graph.http.get(&url)).await.expect(401);
    assert_eq!(absent.body["error"]["code"], "InvalidAuthenticationToken");
    graph.send(graph.http.get(&url).bearer_auth("x")).await.refused(401, "validation failure");
    let answer = token(&graph, TENANT, "app", "secret").await.expect(200);
    let bearer = answer.body["access_token"].as_str().unwrap();
    graph.send(graph.http.get(&url).bearer_auth(bearer)).await.refused(401, "expired");
}

#[tokio::test]
async fn a_missing_app_role_is_403_for_its_kinds_only() {
    let tenant = spec().client_with("reader", "secret", &["DeviceManagementConfiguration.Read.All"]);
    let graph = Graph::with(Emulator::builder().tenant(tenant)).await;
    let answer = token(&graph, TENANT, "reader", "secret").await;
    let bearer = answer.body["access_token"].as_str().unwrap();
    let url = |path: &str| format!("{}{path}", graph.running.base_url);
    graph.send(graph.http.get(url(CATALOG)).bearer_auth(bearer)).await.expect(200);
    let write = graph.http.post(url(CATALOG)).bearer_auth(bearer).json(&catalog("p", 1));
    graph.send(write).await.refused(403, "DeviceManagementConfiguration.ReadWrite.All");
    let scripts = graph.http.get(url("/beta/deviceManagement/deviceManagementScripts")).bearer_auth(bearer);
    graph.send(scripts).await.refused(403, "DeviceManagementScripts.Read.All");
    graph.send(graph.http.get(url("/v1.0/identity/conditionalAccess/policies")).bearer_auth(bearer)).await.expect(403);
}

#[tokio::test]
async fn ids_of_the_request_come_back() {
    let graph = Graph::start().await;
    let request = graph.request(reqwest::Method::GET, CATALOG).header("client-request-id", "abc");
    let answer = graph.send(request).await.expect(200);
    assert_eq!(answer.headers["client-request-id"], "abc");
    assert!(!answer.headers["request-id"].is_empty());
}

#[tokio::test]
async fn what_is_not_there_says_how() {
    let graph = Graph::start().await;
    graph.get("/beta/deviceManagement/nonsense").await.refused(400, "Resource not found for the segment 'nonsense'");
    graph.get("/beta/nonsense/at/all").await.refused(400, "'nonsense'");
    graph.get("/v1.0/deviceManagement/configurationPolicies").await.refused(400, "'configurationPolicies'");
    graph.get("/v3/groups").await.refused(404, "Invalid version: v3");
    let absent = graph.get(&format!("{CATALOG}/{OTHER}")).await.expect(404);
    assert_eq!(absent.body["error"]["code"], "ResourceNotFound");
    graph.put("/v1.0/groups", serde_json::json!({})).await.expect(405);
}
