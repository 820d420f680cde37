//! The client against a server that answers exactly what a test says.

mod script;
mod silence;
mod writing;

use std::time::Duration;

use graph::{Connection, Kind, PacingLimits, Path, Provider, ProviderRules, RetryPolicy, Settings};
use script::{Reply, Script, TENANT};
use serde_json::json;

/// Fast repetition, so that a test of six attempts takes milliseconds.
fn settings() -> Settings {
    Settings {
        timeout: Duration::from_secs(2),
        max_body_bytes: 64 * 1024,
        retry: RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(4), ..RetryPolicy::default() },
        pacing: PacingLimits::default(),
        ..Settings::default()
    }
}

async fn client(script: &Script) -> graph::Client {
    let connection = connection(&script.base(), script.secrets());
    Provider::new(settings(), rules(script.secrets())).client(&connection).expect("opens")
}

fn connection(base: &str, secrets: &std::path::Path) -> Connection {
    let credential = format!("file:{}", secrets.join(TENANT).display()).parse().expect("valid");
    Connection::new(TENANT, "client-1", credential, Some(base), Some(base)).expect("valid")
}

fn rules(secrets: &std::path::Path) -> ProviderRules {
    ProviderRules { allow_loopback: true, secret_folder: Some(secrets.to_owned()), ..ProviderRules::default() }
}

fn policies() -> Path {
    Path::new("beta", "/deviceManagement/configurationPolicies")
}

#[tokio::test]
async fn every_call_is_identified_and_authorised() {
    let script = Script::start(vec![Reply::token("t1"), Reply::json(200, json!({"value": []}))]).await;
    let client = client(&script).await;
    assert_eq!(client.list(&policies()).await.expect("answered"), Vec::<serde_json::Value>::new());
    let seen = script.seen();
    assert!(seen[0].line.starts_with("POST /tenant-1/oauth2/v2.0/token"));
    assert!(seen[0].body.contains("client_secret=s3cret") && seen[0].body.contains("grant_type=client_credentials"));
    assert_eq!(seen[1].header("authorization"), Some("Bearer t1"));
    assert_eq!(seen[1].header("return-client-request-id"), Some("true"));
    assert_eq!(seen[1].header("client-request-id").map(str::len), Some(36));
}

#[tokio::test]
async fn a_connection_the_operator_does_not_allow_is_never_opened() {
    let script = Script::start(vec![Reply::token("t1")]).await;
    let provider = Provider::new(settings(), ProviderRules { allow_loopback: false, ..rules(script.secrets()) });
    let error = provider.client(&connection(&script.base(), script.secrets())).expect_err("refused");
    assert_eq!((error.kind, error.reason_code), (Kind::Invalid, "PROVIDER_CONNECTION_INVALID"));
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn every_form_of_throttling_is_waited_out() {
    let replies = vec![
        Reply::token("t"),
        Reply::error(429, "TooManyRequests").with("Retry-After", "0"),
        Reply::error(429, "TooManyRequests").with("Retry-After", "0.05"),
        Reply::error(429, "TooManyRequests"),
        Reply::error(503, "ServiceUnavailable"),
        Reply::json(200, json!({"value": [{"id": "1"}]})),
    ];
    let script = Script::start(replies).await;
    let items = client(&script).await.list(&policies()).await.expect("answered in the end");
    assert_eq!(items.len(), 1);
    assert_eq!(script.seen().len(), 6);
}

#[tokio::test]
async fn a_wait_beyond_patience_is_the_callers_to_take() {
    let replies = vec![Reply::token("t"), Reply::error(429, "TooManyRequests").with("Retry-After", "3600")];
    let script = Script::start(replies).await;
    let error = client(&script).await.list(&policies()).await.expect_err("throttled");
    assert_eq!((error.kind, error.reason_code), (Kind::Throttled, "PROVIDER_THROTTLED"));
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn attempts_are_bounded() {
    let mut replies = vec![Reply::token("t")];
    replies.extend((0..10).map(|_| Reply::error(503, "x").with("request-id", "r-9")));
    let script = Script::start(replies).await;
    let error = client(&script).await.get(&policies()).await.expect_err("unavailable");
    assert_eq!(error.kind, Kind::Server);
    assert_eq!(error.request_id.as_deref(), Some("r-9"));
    assert_eq!(script.seen().len(), 1 + 6);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let replies = vec![
        Reply::token("old"),
        Reply::error(401, "InvalidAuthenticationToken"),
        Reply::token("new"),
        Reply::json(200, json!({"id": "1"})),
        Reply::error(401, "InvalidAuthenticationToken"),
        Reply::token("newer"),
        Reply::error(401, "InvalidAuthenticationToken"),
    ];
    let script = Script::start(replies).await;
    let client = client(&script).await;
    client.get(&policies()).await.expect("second token is good");
    assert_eq!(script.seen()[3].header("authorization"), Some("Bearer new"));
    let error = client.get(&policies()).await.expect_err("no third try");
    assert_eq!((error.kind, error.reason_code), (Kind::Unauthorized, "PROVIDER_TOKEN_REJECTED"));
    assert_eq!(script.seen().len(), 7);
}

#[tokio::test]
async fn one_token_serves_many_callers() {
    let mut replies = vec![Reply::token("t").after(Duration::from_millis(50))];
    replies.extend((0..5).map(|_| Reply::json(200, json!({"id": "1"}))));
    let script = Script::start(replies).await;
    let client = client(&script).await;
    let path = policies();
    let calls = (0..5).map(|_| client.get(&path));
    for answer in futures::future::join_all(calls).await {
        answer.expect("answered");
    }
    assert_eq!(script.seen().iter().filter(|seen| seen.line.contains("/oauth2/")).count(), 1);
}

#[tokio::test]
async fn a_rejected_credential_has_its_reason_and_not_its_value() {
    let refusal =
        json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret.\r\nTrace ID: x"});
    let script = Script::start(vec![Reply::json(401, refusal)]).await;
    let client = client(&script).await;
    let (first, second) = tokio::join!(client.verify_credential(), client.verify_credential());
    let error = first.expect_err("refused");
    assert_eq!(error.reason_code, "PROVIDER_CREDENTIAL_REJECTED");
    assert!(!format!("{error:?} {error}").contains("s3cret"));
    // Whoever waited for the same answer got it without asking again.
    assert!(second.is_err());
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn pages_are_followed_as_given_and_only_home() {
    let script = Script::start(vec![Reply::token("t")]).await;
    let next = format!("{}/beta/deviceManagement/configurationPolicies?$skiptoken=a%2Bb%3D", script.base());
    script.push(Reply::json(200, json!({"value": [{"id": "1"}], "@odata.nextLink": next})));
    script.push(Reply::json(200, json!({"value": [{"id": "2"}]})));
    let client = client(&script).await;
    assert_eq!(client.list(&policies()).await.expect("both pages").len(), 2);
    assert!(script.seen()[2].line.contains("?$skiptoken=a%2Bb%3D "), "{}", script.seen()[2].line);

    for foreign in ["https://evil.example/beta/x", "http://127.0.0.1:1/beta/x", "not a link"] {
        script.push(Reply::json(200, json!({"value": [], "@odata.nextLink": foreign})));
        let error = client.list(&policies()).await.expect_err("the token must not travel");
        assert_eq!(error.kind, Kind::Decode, "{foreign}");
    }
}

#[tokio::test]
async fn a_page_that_points_to_itself_ends() {
    let script = Script::start(vec![Reply::token("t")]).await;
    let next = format!("{}/beta/deviceManagement/configurationPolicies?$skiptoken=x", script.base());
    for _ in 0..2 {
        script.push(Reply::json(200, json!({"value": [{"id": "1"}], "@odata.nextLink": next})));
    }
    let error = client(&script).await.list(&policies()).await.expect_err("a circle");
    assert_eq!(error.kind, Kind::Decode);
}

#[tokio::test]
async fn answers_are_read_up_to_a_limit() {
    let replies = vec![Reply::token("t"), Reply::json(200, json!({"id": "x".repeat(100_000)}))];
    let script = Script::start(replies).await;
    let error = client(&script).await.get(&policies()).await.expect_err("too large");
    assert_eq!((error.kind, error.reason_code), (Kind::TooLarge, "PROVIDER_ANSWER_TOO_LARGE"));
}

#[tokio::test]
async fn a_cut_read_is_read_again() {
    let replies = vec![Reply::token("t"), Reply::cut(), Reply::json(200, json!({"id": "1"}))];
    let script = Script::start(replies).await;
    client(&script).await.get(&policies()).await.expect("second attempt");
}

#[tokio::test]
async fn refused_items_of_a_batch_are_asked_again_and_others_are_not() {
    let item = |id: &str, status: u16, body: serde_json::Value| json!({"id": id, "status": status, "headers": {}, "body": body});
    let throttled = json!({"id": "1", "status": 429, "headers": {"retry-after": "0.01"}, "body": {"error": {"code": "TooManyRequests"}}});
    let missing = item("2", 404, json!({"error": {"code": "ResourceNotFound", "message": "gone"}}));
    let replies = vec![
        Reply::token("t"),
        // Any order, and one left out.
        Reply::json(200, json!({"responses": [missing, throttled, item("0", 200, json!({"id": "a"}))]})),
        Reply::json(
            200,
            json!({"responses": [item("3", 200, json!({"id": "d"})), item("1", 200, json!({"id": "b"}))]}),
        ),
    ];
    let script = Script::start(replies).await;
    let paths: Vec<Path> = ["a", "b", "c", "d"].iter().map(|id| policies().below("{id}", &[("id", id)])).collect();
    let answers = client(&script).await.get_many(&paths).await;
    let ids: Vec<_> = answers.iter().map(|answer| answer.as_ref().ok().and_then(|v| v["id"].as_str())).collect();
    assert_eq!(ids, [Some("a"), Some("b"), None, Some("d")]);
    assert_eq!(answers[2].as_ref().expect_err("not found").kind, Kind::NotFound);
    let second: serde_json::Value = serde_json::from_str(&script.seen()[2].body).expect("json");
    let asked: Vec<_> = second["requests"].as_array().expect("requests").iter().map(|r| r["id"].clone()).collect();
    assert_eq!(asked, [json!("1"), json!("3")]);
    assert_eq!(second["requests"][0]["url"], "/deviceManagement/configurationPolicies/b");
}

#[tokio::test]
async fn batches_hold_twenty() {
    let answer = |ids: std::ops::Range<usize>| {
        let items: Vec<_> =
            ids.map(|i| json!({"id": i.to_string(), "status": 200, "body": {"id": i.to_string()}})).collect();
        Reply::json(200, json!({ "responses": items }))
    };
    let script = Script::start(vec![Reply::token("t"), answer(0..20), answer(0..20), answer(0..5)]).await;
    let paths: Vec<Path> = (0..45).map(|i| policies().below("{id}", &[("id", &i.to_string())])).collect();
    let answers = client(&script).await.get_many(&paths).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 45);
    for seen in &script.seen()[1..] {
        let body: serde_json::Value = serde_json::from_str(&seen.body).expect("json");
        assert!(body["requests"].as_array().expect("requests").len() <= graph::MAX_BATCH_ITEMS);
    }
}

/// Workers spawn these; a future that is not `Send` is found out here and not in a service.
#[tokio::test]
async fn every_operation_can_be_spawned() {
    fn sendable<F: Future + Send>(_: F) {}
    let script = Script::start(vec![]).await;
    let client = client(&script).await;
    let contract = graph::registry().get("settingsCatalogPolicy").expect("known");
    let payload =
        domain::payload::Payload { policy_type: contract.policy_type.clone(), content: json!({}), assignments: None };
    sendable(graph::capture(&client, contract).all());
    sendable(graph::read_one(&client, contract, "1"));
    sendable(graph::find_by_name(&client, contract, "x", None));
    sendable(graph::find_by_key(&client, contract, &"settingsCatalogPolicy: x".into()));
    sendable(graph::approval_required(&client));
    sendable(graph::create(&client, contract, &payload));
    sendable(graph::update(&client, contract, "1", &payload, &json!({})));
}
