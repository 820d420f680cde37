//! The provider's stand-in as a test sees it: what it holds, what was written to it, and what shall go wrong.

use anyhow::{Context, Result, ensure};
use dev::stack::{EmulatedTenant, Stack};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use graph_emulator::{FaultAction, FaultRule};

/// The stand-in of a stack, by its admin endpoints and by Graph itself.
#[derive(Clone)]
pub struct StandIn {
    url: String,
    http: reqwest::Client,
}

/// One write the stand-in received, whatever became of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Written {
    /// The provider's id of the tenant.
    pub tenant: String,
    /// HTTP method.
    pub method: String,
    /// Path below the version.
    pub path: String,
    /// Status of the reply, also of one that was never delivered.
    pub status: u16,
    /// Whether the write changed the tenant.
    pub committed: bool,
    /// Whether the reply was cut off after the commit.
    pub cut: bool,
    /// Object written, when there was one.
    pub object: Option<String>,
}

/// One object of a tenant.
#[derive(Debug, Clone, Deserialize)]
pub struct Held {
    /// The provider's id of the object.
    pub id: String,
    /// Its kind, by the stand-in's own key.
    pub kind: String,
    /// Its own properties.
    pub body: Map<String, Value>,
}

impl Held {
    /// Its name, whichever property its kind keeps it in.
    pub fn name(&self) -> &str {
        let names = ["displayName", "name"].into_iter().filter_map(|property| self.body.get(property)?.as_str());
        names.into_iter().next().unwrap_or_default()
    }
}

impl StandIn {
    /// The stand-in of this stack.
    pub fn of(stack: &Stack) -> Result<Self> {
        // A second installation answers that there is one, which is all that is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { url: stack.emulator_url()?, http: reqwest::Client::new() })
    }

    /// The writes received from a tenant's clients so far, oldest first.
    pub async fn log(&self, external_tenant_id: &str) -> Result<Vec<Written>> {
        self.get(&format!("/emulator/log?tenant={external_tenant_id}")).await
    }

    /// Those of them that changed the tenant.
    pub async fn committed(&self, external_tenant_id: &str) -> Result<Vec<Written>> {
        let mut log = self.log(external_tenant_id).await?;
        log.retain(|write| write.committed);
        Ok(log)
    }

    /// Everything a tenant holds.
    pub async fn objects(&self, external_tenant_id: &str) -> Result<Vec<Held>> {
        self.get(&format!("/emulator/tenants/{external_tenant_id}/objects")).await
    }

    /// Stores an exported document past all rules: a change that no client of ours made.
    pub async fn put_document(&self, external_tenant_id: &str, document: &Value) -> Result<()> {
        self.send(Method::POST, &format!("/emulator/tenants/{external_tenant_id}/objects"), document).await?;
        Ok(())
    }

    /// Lets calls go wrong by this rule from now on; returns its id.
    pub async fn fault(&self, rule: &FaultRule) -> Result<u64> {
        let made = self.send(Method::POST, "/emulator/faults", &serde_json::to_value(rule)?).await?;
        made["id"].as_u64().context("a fault rule gets an id")
    }

    /// Lets every call go right again.
    pub async fn heal(&self) -> Result<()> {
        self.send(Method::DELETE, "/emulator/faults", &Value::Null).await?;
        Ok(())
    }

    /// Calls Graph as the application of a tenant would: what an administrator of that tenant does by hand.
    pub async fn graph(&self, tenant: &EmulatedTenant, method: Method, path: &str, body: &Value) -> Result<Value> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &tenant.client_id),
            ("client_secret", tenant.secret()),
            ("scope", &format!("{}/.default", self.url)),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", self.url, tenant.external_id);
        let token: Value = self.http.post(url).form(&form).send().await?.error_for_status()?.json().await?;
        let token = token["access_token"].as_str().context("a token endpoint gives a token")?;
        let mut request = self.http.request(method, format!("{}/beta{path}", self.url)).bearer_auth(token);
        if !body.is_null() {
            request = request.json(body);
        }
        answer(request.send().await?).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        Ok(self.http.get(format!("{}{path}", self.url)).send().await?.error_for_status()?.json().await?)
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        answer(self.http.request(method, format!("{}{path}", self.url)).json(body).send().await?).await
    }
}

async fn answer(response: reqwest::Response) -> Result<Value> {
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "the stand-in answered {status}: {text}");
    if status == StatusCode::NO_CONTENT || text.is_empty() {
        return Ok(json!({}));
    }
    Ok(serde_json::from_str(&text)?)
}
