//! What an administrator does at the provider, past TenantAtlas: over the stand-in's HTTP, as Microsoft's portal would.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{EmulatedTenant, Stack};

/// An administrator of one tenant.
pub(super) struct Portal {
    url: String,
    tenant: EmulatedTenant,
    http: reqwest::Client,
}

impl Portal {
    /// Of the tenant with this id of the provider.
    pub(super) fn of(stack: &Stack, external_id: &str) -> Result<Self> {
        // A second installation answers that there is one, which is all that is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tenant = stack.tenants().iter().find(|tenant| tenant.external_id == external_id).cloned();
        let tenant = tenant.context("the tenant is played by the stand-in")?;
        // The stand-in is on this machine, whatever proxy the machine has.
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { url: stack.emulator_url()?, tenant, http })
    }

    /// Changes fields of an object.
    pub(super) async fn patch(&self, path: &str, fields: &Value) -> Result<()> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.tenant.client_id),
            ("client_secret", self.tenant.secret()),
            ("scope", &format!("{}/.default", self.url)),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", self.url, self.tenant.external_id);
        let token: Value = self.http.post(url).form(&form).send().await?.error_for_status()?.json().await?;
        let token = token["access_token"].as_str().context("a token endpoint gives a token")?;
        let request = self.http.patch(format!("{}/beta{path}", self.url)).bearer_auth(token).json(fields);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Lets every call to the tenant take so long: a slow day of the provider.
    pub(super) async fn slow_down(&self, latency: Duration) -> Result<()> {
        let latency_ms = u64::try_from(latency.as_millis())?;
        let rule = json!({
            "match": {"tenant": self.tenant.external_id},
            "action": {"kind": "latency", "latency_ms": latency_ms},
        });
        self.steer(Method::POST, Some(&rule)).await
    }

    /// The slow day is over.
    pub(super) async fn speed_up(&self) -> Result<()> {
        self.steer(Method::DELETE, None).await
    }

    async fn steer(&self, method: Method, rule: Option<&Value>) -> Result<()> {
        let mut request = self.http.request(method, format!("{}/emulator/faults", self.url));
        if let Some(rule) = rule {
            request = request.json(rule);
        }
        request.send().await?.error_for_status()?;
        Ok(())
    }
}
