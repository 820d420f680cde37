//! `tenant.tenant`.

use domain::access::UnknownName;
use domain::id::{TenantId, WorkspaceId};
use domain::tenant::{Connection, Lifecycle, TenantFacts};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, unreadable};

/// The constraint that says: the workspace has a tenant with this external id.
pub const EXTERNAL_ID_UNIQUE: &str = "tenant_external_id_unique";

/// A managed tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The workspace it belongs to.
    pub workspace_id: WorkspaceId,
    /// Name for people.
    pub name: String,
    /// The provider's id of it.
    pub external_tenant_id: String,
    /// Primary domain; may be empty.
    pub domain: String,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Other names it is known by.
    pub aliases: Vec<String>,
    /// How far the way to the provider has come.
    pub connection: Connection,
    /// Rises with every change.
    pub version: i64,
    /// When it was registered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Tenant {
    /// What decisions know of it.
    pub fn facts(&self) -> TenantFacts {
        TenantFacts { lifecycle: self.lifecycle, connection: self.connection }
    }
}

/// What a registration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant<'a> {
    /// Its id.
    pub id: TenantId,
    /// Name for people.
    pub name: &'a str,
    /// The provider's id of it.
    pub external_tenant_id: &'a str,
    /// Primary domain; may be empty.
    pub domain: &'a str,
    /// Other names it is known by.
    pub aliases: &'a [String],
    /// Where it starts in its life: in service at once, or as a draft that is set up first.
    pub lifecycle: Lifecycle,
}

const SELECT: &str = "
    SELECT t.workspace_id, t.id, t.name, t.external_tenant_id, t.domain, t.aliases, t.lifecycle, t.version, t.created_at,
           (SELECT c.state FROM tenant.provider_connection c
            WHERE c.workspace_id = t.workspace_id AND c.tenant_id = t.id AND c.state <> 'disabled') AS connection
    FROM tenant.tenant t WHERE t.workspace_id = $1";

/// Inserts a tenant. Runs into [`EXTERNAL_ID_UNIQUE`] when the workspace has it.
pub async fn insert(conn: &mut PgConnection, workspace: WorkspaceId, new: &NewTenant<'_>) -> Result<Tenant> {
    let row = sqlx::query(
        "INSERT INTO tenant.tenant (workspace_id, id, name, external_tenant_id, domain, aliases, lifecycle)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING workspace_id, id, name, external_tenant_id, domain, aliases, lifecycle, version, created_at,
                   NULL AS connection",
    )
    .bind(workspace.uuid())
    .bind(new.id.uuid())
    .bind(new.name)
    .bind(new.external_tenant_id)
    .bind(new.domain)
    .bind(new.aliases)
    .bind(new.lifecycle.as_str())
    .fetch_one(conn)
    .await?;
    read(&row)
}

/// One tenant.
pub async fn find(conn: &mut PgConnection, workspace: WorkspaceId, id: TenantId) -> Result<Option<Tenant>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND t.id = $2")))
        .bind(workspace.uuid())
        .bind(id.uuid())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Those of `tenants` that the workspace has, in no order.
pub async fn find_all(conn: &mut PgConnection, workspace: WorkspaceId, tenants: &[Uuid]) -> Result<Vec<Tenant>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND t.id = ANY ($2)")))
        .bind(workspace.uuid())
        .bind(tenants)
        .fetch_all(conn)
        .await?;
    rows.iter().map(read).collect()
}

/// Both tenants of a compare, in one statement.
pub async fn find_pair(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    first: TenantId,
    second: TenantId,
) -> Result<Option<(Tenant, Tenant)>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND t.id IN ($2, $3) ORDER BY t.id = $3")))
        .bind(workspace.uuid())
        .bind(first.uuid())
        .bind(second.uuid())
        .fetch_all(conn)
        .await?;
    match rows.as_slice() {
        [first, second] => Ok(Some((read(first)?, read(second)?))),
        _ => Ok(None),
    }
}

/// The tenant with this id of the provider's.
pub async fn find_external(conn: &mut PgConnection, workspace: WorkspaceId, external: &str) -> Result<Option<Tenant>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND t.external_tenant_id = $2")))
        .bind(workspace.uuid())
        .bind(external)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Where a list of tenants goes on: after this lower-case name, and this id among equal names.
pub type After = (String, Uuid);

/// One page of `tenants` in one of these states of life, by name, then id.
pub async fn list(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenants: &[Uuid],
    lifecycles: &[&str],
    after: Option<&After>,
    limit: i64,
) -> Result<Vec<(Tenant, After)>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT t.*, lower(t.name COLLATE \"C\") AS sort_name FROM ({SELECT} AND t.id = ANY ($2) AND t.lifecycle = ANY ($3)) t
         WHERE $4::text IS NULL OR (lower(t.name COLLATE \"C\"), t.id) > ($4, $5)
         ORDER BY lower(t.name COLLATE \"C\"), t.id LIMIT $6"
    )))
    .bind(workspace.uuid())
    .bind(tenants)
    .bind(lifecycles)
    .bind(after.map(|after| after.0.as_str()))
    .bind(after.map(|after| after.1))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((read(row)?, (row.try_get("sort_name")?, row.try_get("id")?)))).collect()
}

/// Holds one tenant still until the transaction ends.
pub async fn lock(conn: &mut PgConnection, workspace: WorkspaceId, id: TenantId) -> Result<()> {
    sqlx::query("SELECT FROM tenant.tenant WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind(workspace.uuid())
        .bind(id.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

fn read(row: &PgRow) -> Result<Tenant> {
    let id = TenantId(row.try_get("id")?);
    let lifecycle: &str = row.try_get("lifecycle")?;
    Ok(Tenant {
        id,
        workspace_id: WorkspaceId(row.try_get("workspace_id")?),
        name: row.try_get("name")?,
        external_tenant_id: row.try_get("external_tenant_id")?,
        domain: row.try_get("domain")?,
        lifecycle: lifecycle.parse().map_err(|why| unreadable("tenant.tenant", "lifecycle", id, why))?,
        aliases: row.try_get("aliases")?,
        connection: connection(row.try_get("connection")?)
            .map_err(|why| unreadable("tenant.provider_connection", "state", id, why))?,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
    })
}

/// The state of the connection in use; `None` when there is none.
fn connection(state: Option<&str>) -> std::result::Result<Connection, UnknownName> {
    match state {
        None => Ok(Connection::Missing),
        Some("unverified" | "failed") => Ok(Connection::Unverified),
        Some("verified") => Ok(Connection::Verified),
        Some(other) => Err(UnknownName::new("connection state", other)),
    }
}
