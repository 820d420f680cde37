//! Access facts, read for every request from the views in schema `access_api` that the owner of access publishes, and
//! the one place where a [`Denial`] becomes a [`Failure`].

use std::collections::BTreeMap;

use domain::access::{ActorFacts, Denial, Need, Role, UnknownName, authorize};
use domain::id::{TenantId, WorkspaceId};
use sqlx::PgPool;
use uuid::Uuid;

use crate::failure::Failure;

/// Reads access facts. Nothing is cached: a revoked role is gone with the next request.
#[derive(Debug, Clone)]
pub struct AccessReader {
    pool: PgPool,
}

/// One row of `access_api.actor_access`: the member's workspace role, and one tenant it is entitled to, if any.
#[derive(sqlx::FromRow)]
struct Entitlement {
    workspace_role: String,
    tenant_id: Option<Uuid>,
    tenant_role: Option<String>,
}

impl AccessReader {
    /// Reads through this pool; its database role needs SELECT on the views of `access_api`.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// What the actor is in the workspace; `None` for somebody who is not a member, and for a workspace that does not
    /// exist. One indexed query.
    pub async fn facts(&self, subject: &str, workspace: WorkspaceId) -> Result<Option<ActorFacts>, Failure> {
        let rows: Vec<Entitlement> = once_more(|| {
            sqlx::query_as(
                "SELECT workspace_role, tenant_id, tenant_role FROM access_api.actor_access
                 WHERE subject = $1 AND workspace_id = $2",
            )
            .bind(subject)
            .bind(workspace.uuid())
            .fetch_all(&self.pool)
        })
        .await?;
        facts_of(subject, &rows).map_err(Failure::internal)
    }

    /// The workspace a tenant belongs to; `None` when there is no such tenant. Says nothing about who may know it.
    pub async fn workspace_of_tenant(&self, tenant: TenantId) -> Result<Option<WorkspaceId>, Failure> {
        let id: Option<Uuid> = once_more(|| {
            sqlx::query_scalar("SELECT workspace_id FROM access_api.workspace_of_tenant WHERE tenant_id = $1")
                .bind(tenant.uuid())
                .fetch_optional(&self.pool)
        })
        .await?;
        Ok(id.map(WorkspaceId))
    }

    /// The usual case in one call: reads the facts, decides, and gives them back for what the actor may see.
    pub async fn require(
        &self,
        subject: &str,
        workspace: WorkspaceId,
        entitled_to: &[TenantId],
        needs: &[Need],
    ) -> Result<ActorFacts, Failure> {
        let facts = self.facts(subject, workspace).await?;
        authorize(facts.as_ref(), entitled_to, needs)?;
        facts.ok_or_else(Failure::not_found)
    }
}

/// Reads, and reads again if the pooled connection turned out to be dead: reading twice does no harm, and a restarted
/// database should not cost each request that meets it an error.
async fn once_more<T, F>(read: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    match read().await {
        Err(error)
            if pg::failure(&error) == pg::Failure::Unavailable
                && !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) =>
        {
            read().await
        }
        answer => answer,
    }
}

/// A row of the view that cannot be read: a defect, never a default.
#[derive(Debug, thiserror::Error)]
#[error("access_api.actor_access of subject {subject:?}: {source}")]
struct UnreadableRole {
    subject: String,
    source: UnknownName,
}

fn facts_of(subject: &str, rows: &[Entitlement]) -> Result<Option<ActorFacts>, UnreadableRole> {
    let Some(first) = rows.first() else { return Ok(None) };
    let read =
        |role: &str| role.parse::<Role>().map_err(|source| UnreadableRole { subject: subject.to_owned(), source });
    let mut tenant_roles = BTreeMap::new();
    for row in rows {
        if let (Some(tenant), Some(role)) = (row.tenant_id, &row.tenant_role) {
            tenant_roles.insert(TenantId(tenant), read(role)?);
        }
    }
    Ok(Some(ActorFacts { subject: subject.to_owned(), workspace_role: read(&first.workspace_role)?, tenant_roles }))
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Hidden => Failure::not_found(),
            Denial::CapabilityMissing(capability) => Failure::capability_missing(capability),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::access::Capability;

    use super::*;
    use crate::failure::Category;

    fn row(workspace_role: &str, tenant: Option<(Uuid, &str)>) -> Entitlement {
        Entitlement {
            workspace_role: workspace_role.into(),
            tenant_id: tenant.map(|(id, _)| id),
            tenant_role: tenant.map(|(_, role)| role.into()),
        }
    }

    #[test]
    fn rows_become_facts() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(facts_of("ada", &[]).unwrap(), None);
        let alone = facts_of("ada", &[row("owner", None)]).unwrap().unwrap();
        assert_eq!((alone.workspace_role, alone.tenant_roles.len()), (Role::Owner, 0));
        let facts = facts_of("ada", &[row("manager", Some((a, "readonly"))), row("manager", Some((b, "owner")))]);
        let facts = facts.unwrap().unwrap();
        assert_eq!(facts.tenant_roles, [(TenantId(a), Role::Readonly), (TenantId(b), Role::Owner)].into());
    }

    #[test]
    fn an_unknown_role_is_an_error_and_not_a_default() {
        let error = facts_of("ada", &[row("emperor", None)]).unwrap_err();
        assert!(error.to_string().contains("ada") && error.to_string().contains("emperor"));
    }

    #[test]
    fn denials_answer_in_one_way() {
        assert_eq!(Failure::from(Denial::Hidden).category(), Category::NotFound);
        let missing = Failure::from(Denial::CapabilityMissing(Capability::TenantManage));
        assert_eq!((missing.category(), missing.reason()), (Category::PermissionDenied, "CAPABILITY_MISSING"));
    }
}
