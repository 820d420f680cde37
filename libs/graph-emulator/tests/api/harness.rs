//! An emulator with one tenant and a client that speaks to it.

use std::sync::Once;

use graph_emulator::{Emulator, Running, TenantSpec};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const OTHER: &str = "99999999-2222-3333-4444-555555555555";
pub(crate) const TOKEN: &str = "fixed-token";

/// An emulator and the way to it.
pub(crate) struct Graph {
    pub(crate) running: Running,
    pub(crate) http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The message of an error, unwrapped when Intune put JSON inside.
    pub(crate) fn message(&self) -> String {
        let text = self.body["error"]["message"].as_str().unwrap_or_default();
        match serde_json::from_str::<Value>(text) {
            Ok(inner) => inner["Message"].as_str().unwrap_or_default().to_owned(),
            Err(_) => text.to_owned(),
        }
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }

    /// Fails loudly unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self
    }

    /// Fails unless the request was refused in these words.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, words: &str) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        assert!(self.message().contains(words), "{words:?} not in {:?}", self.message());
        self
    }
}

pub(crate) fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().expect("installed once per process");
    });
    reqwest::Client::new()
}

pub(crate) fn spec() -> TenantSpec {
    TenantSpec::new(TENANT, "Contoso").client("app", "secret").open_token(TOKEN)
}

impl Graph {
    pub(crate) async fn start() -> Self {
        Self::with(Emulator::builder().tenant(spec())).await
    }

    pub(crate) async fn with(emulator: Emulator) -> Self {
        let running = emulator.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { running, http: http() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.running.base_url) };
        self.http.request(method, url).bearer_auth(TOKEN)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Every page of a list.
    pub(crate) async fn pages(&self, path: &str) -> Vec<Vec<Value>> {
        let (mut pages, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let answer = self.get(&path).await.expect(200);
            pages.push(answer.body["value"].as_array().unwrap().clone());
            next = answer.body["@odata.nextLink"].as_str().map(str::to_owned);
        }
        pages
    }

    pub(crate) async fn group(&self, name: &str) -> String {
        let body = json!({"displayName": name, "mailEnabled": false, "mailNickname": "x", "securityEnabled": true});
        self.post("/v1.0/groups", body).await.expect(201).id()
    }

    pub(crate) async fn filter(&self, name: &str) -> String {
        let body = json!({"displayName": name, "platform": "windows10AndLater", "rule": "(device.model -eq \"x\")"});
        self.post(FILTERS, body).await.expect(201).id()
    }
}

pub(crate) const CATALOG: &str = "/beta/deviceManagement/configurationPolicies";
pub(crate) const CONFIGS: &str = "/beta/deviceManagement/deviceConfigurations";
pub(crate) const COMPLIANCE: &str = "/beta/deviceManagement/deviceCompliancePolicies";
pub(crate) const FILTERS: &str = "/beta/deviceManagement/assignmentFilters";
pub(crate) const TAGS: &str = "/beta/deviceManagement/roleScopeTags";

/// A settings catalog policy with this many settings.
pub(crate) fn catalog(name: &str, settings: usize) -> Value {
    let settings: Vec<Value> = (0..settings).map(|at| setting(&format!("setting_{at}"), "1")).collect();
    json!({"name": name, "description": "d", "platforms": "windows10", "technologies": "mdm", "settings": settings})
}

pub(crate) fn setting(definition: &str, value: &str) -> Value {
    json!({"settingInstance": {
        "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
        "settingDefinitionId": definition,
        "choiceSettingValue": {"value": format!("{definition}_{value}"), "children": []}
    }})
}
