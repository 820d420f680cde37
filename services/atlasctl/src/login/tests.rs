//! The grant against an issuer at the wire.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// An issuer that lets one poll wait, and whose tokens last as long as it is told.
struct Issuer {
    url: String,
    lifetime: i64,
    polls: AtomicUsize,
}

async fn issuer(lifetime: i64) -> Arc<Issuer> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Arc::new(Issuer { url, lifetime, polls: AtomicUsize::new(0) });
    let app = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/device", post(device))
        .route("/token", post(token))
        .with_state(Arc::clone(&issuer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    issuer
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<serde_json::Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "device_authorization_endpoint": format!("{url}/device")
    }))
}

async fn device(State(issuer): State<Arc<Issuer>>, Form(form): Form<HashMap<String, String>>) -> Response {
    if form["client_id"] != "atlasctl" {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let uri = format!("{}/activate", issuer.url);
    let code = json!({
        "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": uri, "expires_in": 60, "interval": 1
    });
    Json(code).into_response()
}

async fn token(State(issuer): State<Arc<Issuer>>, Form(form): Form<HashMap<String, String>>) -> Response {
    let granted = |access: &str| {
        Json(json!({ "access_token": access, "refresh_token": "r", "expires_in": issuer.lifetime })).into_response()
    };
    match form["grant_type"].as_str() {
        GRANT if form["device_code"] == "d" && issuer.polls.fetch_add(1, Ordering::SeqCst) == 0 => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": "authorization_pending" }))).into_response()
        }
        GRANT => granted("first"),
        "refresh_token" if form["refresh_token"] == "r" => granted("second"),
        _ => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    }
}

fn login(issuer: &Issuer, folder: &TempDir) -> Login {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Login {
        issuer: issuer.url.clone(),
        client_id: "atlasctl".into(),
        ca_file: None,
        file: folder.path().join("tokens/demo.json"),
    }
}

fn header(token: Option<Token>) -> String {
    token.expect("there is a token").header().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_logs_in_by_a_code_and_the_token_is_kept_for_its_owner_alone() {
    let (issuer, folder) = (issuer(3600).await, tempfile::tempdir().unwrap());
    let login = login(&issuer, &folder);
    assert_eq!(login.token().await.unwrap(), None, "nobody has logged in");
    let mut code = String::new();
    login.log_in(|invitation| code.clone_from(&invitation.user_code)).await.unwrap();
    assert_eq!((code.as_str(), issuer.polls.load(Ordering::SeqCst)), ("ABCD-EFGH", 2));
    assert_eq!(header(login.token().await.unwrap()), "Bearer first");
    let mode = std::fs::metadata(&login.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let elsewhere = Login { issuer: "https://other.example".into(), ..login };
    assert_eq!(elsewhere.token().await.unwrap(), None, "a token goes to no other installation");
}

#[tokio::test]
async fn a_token_that_has_run_out_is_renewed() {
    let (issuer, folder) = (issuer(1).await, tempfile::tempdir().unwrap());
    let login = login(&issuer, &folder);
    login.log_in(|_| {}).await.unwrap();
    assert_eq!(header(login.token().await.unwrap()), "Bearer second");
}

#[tokio::test]
async fn an_issuer_that_is_not_what_it_should_be_is_told() {
    let (issuer, folder) = (issuer(1).await, tempfile::tempdir().unwrap());
    let login = login(&issuer, &folder);
    let stranger = Login { client_id: "stranger".into(), ..login.clone() };
    let told = stranger.log_in(|_| {}).await.unwrap_err().to_string();
    assert!(told.contains("does not know the client \"stranger\"") && told.contains("--client-id"), "{told}");
    let plain = Login { issuer: "http://issuer.example".into(), ..login.clone() };
    assert!(plain.log_in(|_| {}).await.unwrap_err().to_string().contains("unencrypted"));
    let gone = Login { issuer: "http://127.0.0.1:1".into(), ..login };
    assert!(gone.log_in(|_| {}).await.unwrap_err().to_string().contains("cannot be reached"));
}
