//! Reads one collection into its cache.

use std::collections::BTreeMap;

use domain::contract::Contract;
use domain::directory::{self, Entry, Group, NotCacheable, RoleDefinition};
use graph::{CapturedObject, Client, GraphError};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Collection;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::directory_sync::DirectorySync;
use crate::sync::Scope;

/// What a reading saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Entries seen.
    pub(super) observed: u64,
    /// Objects that could not be told.
    pub(super) unreadable: u64,
    /// Entries that are there no more.
    pub(super) removed: u64,
}

/// How a reading ended.
#[derive(Debug)]
pub(super) enum Read {
    /// To its end.
    Whole(Tally),
    /// The provider refused or failed; what is cached stays.
    Failed(Tally, GraphError),
    /// On request, between two pages.
    Stopped,
}

/// What a reading needs.
pub(super) struct Reading<'r> {
    pub(super) state: &'r State,
    pub(super) scope: Scope,
    pub(super) client: &'r Client,
    pub(super) collection: Collection,
    pub(super) should_stop: &'r (dyn Fn() -> bool + Sync),
}

impl Reading<'_> {
    /// Reads the collection and writes what it sees, page by page. What it did not see leaves the cache, once it has seen
    /// everything and could tell everything it saw.
    ///
    /// # Errors
    /// Only when the database fails.
    pub(super) async fn read(&self, contract: &Contract) -> Result<Read> {
        let mut tally = Tally::default();
        let mut capture = graph::capture(self.client, contract);
        let began_at = store::clock(self.state.db.pool()).await?;
        let mut asked_at = began_at;
        loop {
            if (self.should_stop)() {
                return Ok(Read::Stopped);
            }
            match capture.next().await {
                Ok(Some(page)) => self.write(asked_at, page, &mut tally).await?,
                Ok(None) => break,
                Err(error) => return Ok(Read::Failed(tally, error)),
            }
            asked_at = store::clock(self.state.db.pool()).await?;
        }
        self.conclude(began_at, &mut tally).await?;
        Ok(Read::Whole(tally))
    }

    async fn write(&self, asked_at: OffsetDateTime, page: Vec<CapturedObject>, tally: &mut Tally) -> Result<()> {
        let Scope { workspace_id, tenant_id, .. } = self.scope;
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        match self.collection {
            Collection::Groups => {
                let groups = told(page, directory::group, |group: &Group| &group.entry, tally);
                store::directory_group::upsert(&mut tx, workspace_id, tenant_id, asked_at, &groups).await?;
            }
            Collection::RoleDefinitions(scope) => {
                let roles = told(page, directory::role_definition, |role: &RoleDefinition| &role.entry, tally);
                store::directory_role_definition::upsert(&mut tx, workspace_id, tenant_id, scope, asked_at, &roles)
                    .await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// In one transaction: nobody sees a cache that claims to be newer than it is.
    async fn conclude(&self, began_at: OffsetDateTime, tally: &mut Tally) -> Result<()> {
        let Scope { workspace_id, tenant_id, run_id } = self.scope;
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        let sync = DirectorySync {
            collection: self.collection.key().to_owned(),
            run_id,
            began_at,
            observed_count: i32::try_from(tally.observed).unwrap_or(i32::MAX),
        };
        let newest = store::directory_sync::put(&mut tx, workspace_id, tenant_id, &sync).await?;
        // Any of what was not seen may be among what could not be told.
        if newest && tally.unreadable == 0 {
            tally.removed = self.remove_unseen(&mut tx, began_at).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn remove_unseen(&self, conn: &mut PgConnection, began_at: OffsetDateTime) -> Result<u64> {
        let Scope { workspace_id, tenant_id, .. } = self.scope;
        Ok(match self.collection {
            Collection::Groups => {
                store::directory_group::remove_unseen(conn, workspace_id, tenant_id, began_at).await?
            }
            Collection::RoleDefinitions(scope) => {
                store::directory_role_definition::remove_unseen(conn, workspace_id, tenant_id, scope, began_at).await?
            }
        })
    }
}

/// What can be told of a page, each id once: a statement touches a row once, and the last word counts.
fn told<T>(
    page: Vec<CapturedObject>,
    tell: fn(&Value) -> std::result::Result<T, NotCacheable>,
    entry: fn(&T) -> &Entry,
    tally: &mut Tally,
) -> Vec<T> {
    let mut by_id = BTreeMap::new();
    for object in page {
        match tell(&object.raw) {
            Ok(told) => drop(by_id.insert(entry(&told).external_id.0.clone(), told)),
            Err(why) => {
                tracing::warn!(%why, "an object of the directory cannot be cached");
                tally.unreadable += 1;
            }
        }
    }
    tally.observed += by_id.len() as u64;
    by_id.into_values().collect()
}
