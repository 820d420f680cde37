//! Says how the provider is reached for a tenant.

use domain::access::ActorFacts;
use domain::id::{ProviderConnectionId, RequestId, TenantId, WorkspaceId};
use domain::operability::{Lane, Question};
use graph::{Connection, ConnectionError, CredentialReference, CredentialReferenceError, ProviderRules, RuleError};
use serde_json::json;
use server::ambient;
use server::caller::{Caller, User};
use server::failure::Failure;
use sqlx::PgConnection;

use super::lifecycle::ask;
use crate::answered::Asked;
use crate::audit;
use crate::client::NewAuditEvent;
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::provider_connection::{ProviderConnection, Route};
use crate::store::tenant::Tenant;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetProviderConnection {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// How the provider is reached from now on; made by [`checked_route`].
    pub route: Route,
}

/// Makes it so, putting the connection before aside. Setting the same again changes nothing.
pub async fn set_provider_connection(
    state: &State,
    caller: &Caller,
    request: &SetProviderConnection,
) -> Result<ProviderConnection> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let needs = Question::ProviderConnectionChange.needs(tenant);
    let (user, actor) = state.authorise(caller, workspace, &[tenant], &needs).await?;
    let body = json!({ "tenant_id": tenant, "route": request.route });
    let asked = Asked::new(request.request_id, "SetProviderConnection", &user.subject, body);
    let answer = set(state, user, &actor, request, &asked).await;
    asked.settle(state, workspace, answer).await
}

async fn set(
    state: &State,
    user: &User,
    actor: &ActorFacts,
    request: &SetProviderConnection,
    asked: &Asked<'_>,
) -> Result<ProviderConnection> {
    let (workspace, tenant) = (request.workspace_id, request.tenant_id);
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    // Two changes happen one after the other; the index allows one connection in use.
    store::tenant::lock(&mut tx, workspace, tenant).await?;
    if let Some(first) = asked.answer(&mut tx, workspace).await? {
        return Ok(first);
    }
    let found = store::tenant::find(&mut tx, workspace, tenant).await?.ok_or(Error::NotFound)?;
    ask(actor, &found, Lane::TenantBound, Question::ProviderConnectionChange)?;
    permit(&state.provider_rules, &found.external_tenant_id, &request.route)?;
    let before = store::provider_connection::find(&mut tx, workspace, tenant).await?.map(|before| before.id);
    let present = put(&mut tx, &found, &request.route).await?;
    if before != Some(present.id) {
        audit::put(&mut tx, &told(user, &found, before, &present)).await?;
    }
    asked.remember(&mut tx, workspace, &present).await?;
    audit::commit(state, tx).await?;
    Ok(present)
}

/// Puts the connection in use aside, unless it is the same, and this one in its place. The tenant is held still.
pub(super) async fn put(conn: &mut PgConnection, tenant: &Tenant, route: &Route) -> Result<ProviderConnection> {
    let (workspace, tenant) = (tenant.workspace_id, tenant.id);
    match store::provider_connection::find(conn, workspace, tenant).await? {
        Some(present) if present.route == *route => return Ok(present),
        Some(_) => store::provider_connection::disable(conn, workspace, tenant).await?,
        None => {}
    }
    let id = ProviderConnectionId(ambient::fresh_id());
    store::provider_connection::insert(conn, workspace, tenant, id, route).await?;
    store::provider_connection::find(conn, workspace, tenant).await?.ok_or(Error::NotFound)
}

/// What the trail is told: where the way leads, not what opens it; not even where that is kept.
pub(super) fn told(
    user: &User,
    tenant: &Tenant,
    before: Option<ProviderConnectionId>,
    present: &ProviderConnection,
) -> NewAuditEvent {
    let Route { base_url, authority_url, client_id, credential_reference: _ } = &present.route;
    let detail = json!({
        "provider_connection_id": present.id,
        "previous_provider_connection_id": before,
        "base_url": base_url,
        "authority_url": authority_url,
        "client_id": client_id,
    });
    audit::changed(user, tenant.workspace_id, Some(tenant.id), "provider_connection.set", detail)
}

/// Checks what the provider crate will check when it opens the connection, so that a mistake is told to whoever makes it.
///
/// # Errors
/// INVALID_ARGUMENT naming the field. A credential reference is not repeated: it may be a pasted secret.
pub fn checked_route(
    base_url: &str,
    authority_url: &str,
    client_id: &str,
    credential_reference: &str,
) -> std::result::Result<Route, Failure> {
    let credential: CredentialReference = credential_reference
        .parse()
        .map_err(|why: CredentialReferenceError| Failure::invalid_argument("credential_reference", why.to_string()))?;
    if has_version_segment(base_url) {
        return Err(Failure::invalid_argument(
            "base_url",
            "must not end in an API version; it is added by policy type",
        ));
    }
    let check = |authority, base| Connection::new("tenant", client_id, credential.clone(), authority, base);
    let refuse = |field: &'static str| {
        move |why: ConnectionError| {
            let field = if why == ConnectionError::InvalidClientId { "client_id" } else { field };
            Failure::invalid_argument(field, why.to_string())
        }
    };
    check(None, Some(base_url)).map_err(refuse("base_url"))?;
    check(Some(authority_url), None).map_err(refuse("authority_url"))?;
    Ok(Route {
        base_url: base_url.trim_end_matches('/').to_owned(),
        authority_url: authority_url.trim_end_matches('/').to_owned(),
        client_id: client_id.to_owned(),
        credential_reference: credential.to_string(),
    })
}

/// Whether the operator allows this route for this tenant of the provider. The worker asks the same when it opens the connection;
/// here it is told to whoever makes the mistake.
pub(super) fn permit(
    rules: &ProviderRules,
    external_tenant_id: &str,
    route: &Route,
) -> std::result::Result<(), Failure> {
    let credential = route
        .credential_reference
        .parse()
        .map_err(|why: CredentialReferenceError| Failure::invalid_argument("credential_reference", why.to_string()))?;
    let (authority, base) = (Some(route.authority_url.as_str()), Some(route.base_url.as_str()));
    let connection = Connection::new(external_tenant_id, &route.client_id, credential, authority, base)
        .map_err(|why| Failure::invalid_argument("base_url", why.to_string()))?;
    rules.permit(&connection).map_err(|why| {
        let field = match why {
            RuleError::AuthorityHost => "authority_url",
            RuleError::GraphHost => "base_url",
            RuleError::Variable { .. } | RuleError::File { .. } | RuleError::NoFiles => "credential_reference",
        };
        Failure::invalid_argument(field, why.to_string())
    })
}

fn has_version_segment(base_url: &str) -> bool {
    matches!(base_url.trim_end_matches('/').rsplit('/').next(), Some("beta" | "v1.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = graph::PUBLIC_GRAPH;
    const AUTHORITY: &str = graph::PUBLIC_AUTHORITY;

    fn message(base: &str, authority: &str, client: &str, credential: &str) -> String {
        checked_route(base, authority, client, credential).unwrap_err().message().to_owned()
    }

    #[test]
    fn a_route_is_kept_in_one_spelling() {
        let route = checked_route("https://graph.microsoft.com/", AUTHORITY, "app-1", "file:///run/secret").unwrap();
        assert_eq!((route.base_url.as_str(), route.credential_reference.as_str()), (GRAPH, "file:/run/secret"));
    }

    #[test]
    fn what_the_operator_does_not_allow_names_its_field() {
        const TENANT: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
        let own = format!("env:{}{}", graph::SECRET_PREFIX, TENANT.replace('-', "_").to_uppercase());
        let said = |base: &str, authority: &str, credential: &str| {
            let route = checked_route(base, authority, "app", credential).unwrap();
            permit(&ProviderRules::default(), TENANT, &route).map_err(|failure| failure.message().to_owned())
        };
        assert_eq!(said(GRAPH, AUTHORITY, &own), Ok(()));
        for (refused, field) in [
            (said(GRAPH, "https://evil.example", &own), "authority_url:"),
            (said(GRAPH, "http://127.0.0.1:1", &own), "authority_url:"),
            (said("https://evil.example", AUTHORITY, &own), "base_url:"),
            (said(GRAPH, AUTHORITY, "env:TENANTATLAS_DATABASE_URL"), "credential_reference:"),
            (said(GRAPH, AUTHORITY, "file:/etc/passwd"), "credential_reference:"),
        ] {
            let message = refused.unwrap_err();
            assert!(message.starts_with(field), "{message}");
        }
    }

    #[test]
    fn each_mistake_names_its_field() {
        for (route, field) in [
            (("http://graph.example", AUTHORITY, "app", "env:X"), "base_url:"),
            (("https://graph.microsoft.com/beta/", AUTHORITY, "app", "env:X"), "base_url:"),
            ((GRAPH, "login", "app", "env:X"), "authority_url:"),
            ((GRAPH, AUTHORITY, "a/b", "env:X"), "client_id:"),
            ((GRAPH, AUTHORITY, "app", "hunter2"), "credential_reference:"),
        ] {
            let said = message(route.0, route.1, route.2, route.3);
            assert!(said.starts_with(field), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
