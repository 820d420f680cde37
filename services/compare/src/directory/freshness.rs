//! Of when a cached collection is.

use domain::id::{TenantId, WorkspaceId};
use sqlx::PgConnection;

use super::Collection;
use crate::error::Result;
use crate::store;
use crate::store::directory_sync::DirectorySync;

/// The newest whole reading of a collection; `None` when there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshness {
    /// Which collection.
    pub collection: &'static str,
    /// Its newest whole reading.
    pub sync: Option<DirectorySync>,
}

/// The freshness of these collections, in their order.
pub(super) async fn of(
    conn: &mut PgConnection,
    workspace: WorkspaceId,
    tenant: TenantId,
    collections: &[Collection],
) -> Result<Vec<Freshness>> {
    let keys: Vec<&str> = collections.iter().map(|collection| collection.key()).collect();
    let mut read = store::directory_sync::list(conn, workspace, tenant, &keys).await?;
    let mut take = |key| {
        let at = read.iter().position(|sync| sync.collection == key)?;
        Some(read.swap_remove(at))
    };
    Ok(collections.iter().map(|known| Freshness { collection: known.key(), sync: take(known.key()) }).collect())
}
