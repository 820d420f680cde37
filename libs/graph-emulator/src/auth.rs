//! The identity platform in front of Graph: client credentials for a token, discovery, and bearer tokens back to a tenant.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::ambient;
use crate::call::{App, Refusal};
use crate::odata::path::percent;
use crate::world::World;

/// Life of a token in seconds when nothing else is set, as the platform answers it.
const LIFETIME_S: u32 = 3599;

/// The tokens issued so far. They are opaque to clients and forgotten at the end of the process: an old one answers 401 and the
/// client asks for another.
#[derive(Debug)]
pub(crate) struct Tokens {
    issued: HashMap<String, Issued>,
    pub(crate) lifetime_s: u32,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { issued: HashMap::new(), lifetime_s: LIFETIME_S }
    }
}

#[derive(Debug)]
struct Issued {
    tenant: String,
    app: App,
    until: OffsetDateTime,
}

/// A request to the token endpoint.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    grant_type: String,
    client_id: String,
    client_secret: String,
    scope: String,
}

impl Grant {
    /// Reads the form; credentials may also come by HTTP Basic.
    pub(crate) fn parse(form: &[u8], authorization: Option<&str>) -> Self {
        let mut grant = Grant::default();
        for (name, value) in url::form_urlencoded::parse(form) {
            match name.as_ref() {
                "grant_type" => grant.grant_type = value.into_owned(),
                "client_id" => grant.client_id = value.into_owned(),
                "client_secret" => grant.client_secret = value.into_owned(),
                "scope" => grant.scope = value.into_owned(),
                _ => {}
            }
        }
        let basic =
            authorization.and_then(|header| header.strip_prefix("Basic ")).and_then(|text| STANDARD.decode(text).ok());
        if let Some((id, secret)) = basic.and_then(|bytes| {
            String::from_utf8(bytes)
                .ok()?
                .split_once(':')
                .map(|(a, b)| (percent::decode(a, true), percent::decode(b, true)))
        }) {
            (grant.client_id, grant.client_secret) = (id, secret);
        }
        grant
    }
}

/// Answers a token request: status and body.
pub(crate) fn issue(
    world: &World,
    tokens: &mut Tokens,
    tenant: &str,
    grant: &Grant,
    now: OffsetDateTime,
) -> (u16, Value) {
    let fail = |status, error: &str, code: u32, text: &str| {
        let id = ambient::id();
        let body = json!({
            "error": error,
            "error_description": format!("AADSTS{code}: {text} Trace ID: {id} Correlation ID: {id} Timestamp: {}", ambient::stamp(now)),
            "error_codes": [code],
            "timestamp": ambient::stamp(now),
            "trace_id": id,
            "correlation_id": id,
        });
        (status, body)
    };
    let Some(held) = world.tenant(tenant) else {
        return fail(400, "invalid_request", 90002, &format!("Tenant '{tenant}' not found."));
    };
    if grant.grant_type != "client_credentials" {
        return fail(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.");
    }
    let Some(client) = held.clients.iter().find(|client| client.id.eq_ignore_ascii_case(&grant.client_id)) else {
        let text =
            format!("Application with identifier '{}' was not found in the directory '{tenant}'.", grant.client_id);
        return fail(400, "unauthorized_client", 700_016, &text);
    };
    if client.secret != grant.client_secret {
        return fail(401, "invalid_client", 7_000_215, "Invalid client secret provided.");
    }
    if !grant.scope.split_whitespace().any(|scope| scope.ends_with("/.default")) {
        return fail(
            400,
            "invalid_scope",
            1_002_012,
            "The provided value for scope is not valid. Client credential flows must have a scope value with /.default.",
        );
    }
    let until = now + Duration::seconds(i64::from(tokens.lifetime_s));
    let token = encode(tenant, &client.id, client.permissions.as_deref(), now, until);
    let app = App { client_id: client.id.clone(), roles: client.permissions.clone() };
    tokens.issued.retain(|_, issued| issued.until > now);
    tokens.issued.insert(token.clone(), Issued { tenant: tenant.to_lowercase(), app, until });
    let lifetime = tokens.lifetime_s;
    (200, json!({"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}))
}

/// A token with the claims clients like to look at. Its signature is a random number: only this process knows it.
fn encode(tenant: &str, client: &str, roles: Option<&[String]>, now: OffsetDateTime, until: OffsetDateTime) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"typ": "JWT", "alg": "RS256", "kid": "graph-emulator"}));
    let claims = part(json!({
        "aud": "https://graph.microsoft.com",
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now.unix_timestamp(),
        "nbf": now.unix_timestamp(),
        "exp": until.unix_timestamp(),
        "appid": client,
        "tid": tenant,
        "idtyp": "app",
        "roles": roles.unwrap_or_default(),
    }));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(ambient::bytes()))
}

/// The tenant and application behind an `Authorization` header.
pub(crate) fn authenticate(
    world: &World,
    tokens: &Tokens,
    header: Option<&str>,
    now: OffsetDateTime,
) -> Result<(String, App), Refusal> {
    let refuse = |message: &str| {
        let challenge =
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\"";
        Refusal::new(401, "InvalidAuthenticationToken", message).header("www-authenticate", challenge.into())
    };
    let token = header
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| refuse("Access token is empty."))?;
    if let Some((id, _)) = world.tenants.iter().find(|(_, tenant)| tenant.open_tokens.iter().any(|open| open == token))
    {
        return Ok((id.clone(), App { client_id: "open".into(), roles: None }));
    }
    match tokens.issued.get(token) {
        None => Err(refuse("Access token validation failure. Invalid audience.")),
        Some(issued) if issued.until <= now => Err(refuse("Lifetime validation failed, the token is expired.")),
        Some(issued) => Ok((issued.tenant.clone(), issued.app.clone())),
    }
}

/// The discovery document of a tenant.
pub(crate) fn discovery(origin: &str, tenant: &str) -> Value {
    let base = format!("{origin}/{tenant}");
    json!({
        "issuer": format!("{base}/v2.0"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "msgraph_host": "graph.microsoft.com",
    })
}
