//! The worker of `inventory.sync`: which types of a run are read when, and what is reported of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::id::PolicyType;
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::run::RunType;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use graph::{Client, Provider};
use pb::operation::{ClaimedItem, ItemEffect, ItemOutcome, ItemState};
use serde_json::json;
use server::structure::to_struct;
use tracing::Instrument as _;
use worker::{Ending, Handler, RunSession, WorkError};

use super::claimed::{Open, away, open, scope_of};
use super::{Reading, Scope, Tally, TypeRead, connect, read_type};
use crate::error::Result;
use crate::inventory::selection;
use crate::names::{self, referable_kinds};
use crate::state::State;
use crate::store;

/// Types read side by side, once the names they need are known. The provider's pace is kept by its client.
const TYPES_AT_ONCE: usize = 4;

/// The work of `inventory.sync`.
#[derive(Debug)]
pub(crate) struct SyncWork {
    /// Tables and contracts.
    pub(crate) state: State,
    /// The way to tenants' providers.
    pub(crate) provider: Provider,
}

#[tonic::async_trait]
impl Handler for SyncWork {
    fn run_type(&self) -> RunType {
        RunType::InventorySync
    }

    async fn work(&self, session: &RunSession) -> std::result::Result<Ending, WorkError> {
        let scope = scope_of(session.run())?;
        let items = session.items().await?;
        let client = match connect(&self.state, &self.provider, scope, Question::InventorySync).await.map_err(away)? {
            Ok(client) => client,
            Err(why) => return Ok(Ending::Blocked { reason: why.reason().to_owned(), message: why.to_string() }),
        };
        let run = Run {
            state: &self.state,
            scope,
            session,
            approval: approval_required(&client).await,
            client,
            foundations: referable_kinds(&self.state.registry),
        };
        run.read(&items).await?;
        if !session.should_stop() {
            run.remember(&items).await.map_err(away)?;
        }
        Ok(Ending::Done)
    }
}

struct Run<'r> {
    state: &'r State,
    scope: Scope,
    session: &'r RunSession,
    client: Client,
    /// Types whose writes need an approval; `None` when the provider does not tell.
    approval: Option<BTreeSet<PolicyType>>,
    /// Types that give names to references, by key.
    foundations: BTreeSet<&'r str>,
}

impl Run<'_> {
    /// Reads what has no outcome yet: what gives names first, one after the other, because it refers to itself in that
    /// order; then the rest, several at once.
    async fn read(&self, items: &[ClaimedItem]) -> std::result::Result<(), WorkError> {
        let (first, rest): (Vec<Open>, Vec<Open>) =
            items.iter().filter_map(open).partition(|item| self.foundations.contains(item.policy_type.as_str()));
        for item in first {
            let names = self.names().await.map_err(away)?;
            self.read_item(item, names).await?;
        }
        let names = self.names().await.map_err(away)?;
        stream::iter(rest)
            .map(|item| self.read_item(item, Arc::clone(&names)))
            .buffer_unordered(TYPES_AT_ONCE)
            .try_collect::<()>()
            .await
    }

    async fn names(&self) -> Result<Arc<domain::reference::NameTable>> {
        let Scope { workspace_id, tenant_id, .. } = self.scope;
        let kinds: Vec<&str> = self.foundations.iter().copied().collect();
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        Ok(Arc::new(names::load(&mut tx, workspace_id, tenant_id, &kinds).await?))
    }

    async fn read_item(
        &self,
        item: Open,
        names: Arc<domain::reference::NameTable>,
    ) -> std::result::Result<(), WorkError> {
        let span = self.session.item_span(item.ordinal, &item.policy_type);
        self.bring_to_outcome(item, names).instrument(span).await
    }

    async fn bring_to_outcome(
        &self,
        item: Open,
        names: Arc<domain::reference::NameTable>,
    ) -> std::result::Result<(), WorkError> {
        if self.session.should_stop() {
            return Ok(());
        }
        let Some(contract) = self.state.registry.get(&item.policy_type) else {
            let message = "This release does not know the policy type; nothing was called.".to_owned();
            return self.session.report(failed(&item, "POLICY_TYPE_UNKNOWN", message, &Tally::default())?).await;
        };
        let reading = Reading {
            state: self.state,
            scope: self.scope,
            client: &self.client,
            names,
            approval_required: self.approval.as_ref().map(|types| types.contains(item.policy_type.as_str())),
            should_stop: &|| self.session.should_stop(),
        };
        let outcome = match read_type(&reading, contract).await.map_err(away)? {
            TypeRead::Stopped => return Ok(()),
            TypeRead::Whole(tally) => succeeded(&item, &tally)?,
            TypeRead::Failed { tally, reason, message } => failed(&item, reason, message, &tally)?,
        };
        self.session.report(outcome).await
    }

    /// Remembers that the selection was read to its end.
    async fn remember(&self, items: &[ClaimedItem]) -> Result<()> {
        let types: Vec<&str> = items.iter().filter_map(|item| Some(item.item.as_ref()?.policy_type.as_str())).collect();
        let Scope { workspace_id, tenant_id, run_id } = self.scope;
        let hash = canonical_hash(&selection(types.iter().copied()));
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        store::sync::insert(&mut tx, workspace_id, tenant_id, run_id, hash, &types).await?;
        Ok(tx.commit().await?)
    }
}

/// Which types need an approval. Not being allowed to know is no reason not to read.
async fn approval_required(client: &Client) -> Option<BTreeSet<PolicyType>> {
    match graph::approval_required(client).await {
        Ok(types) => Some(types),
        Err(error) => {
            tracing::info!(reason = error.reason_code, "the tenant's approval policies cannot be read");
            None
        }
    }
}

fn succeeded(item: &Open, tally: &Tally) -> std::result::Result<ItemOutcome, WorkError> {
    Ok(ItemOutcome { state: ItemState::Succeeded.into(), effect: ItemEffect::None.into(), ..outcome(item, tally)? })
}

fn failed(item: &Open, reason: &str, message: String, tally: &Tally) -> std::result::Result<ItemOutcome, WorkError> {
    let reason = reason.to_owned();
    Ok(ItemOutcome { state: ItemState::Failed.into(), reason, message, ..outcome(item, tally)? })
}

fn outcome(item: &Open, tally: &Tally) -> std::result::Result<ItemOutcome, WorkError> {
    let detail = to_struct(&json!({
        "observed": tally.observed,
        "captured": tally.captured,
        "changed": tally.changed,
        "missing": tally.missing,
        "incomplete": tally.incomplete,
        "unreadable": tally.unreadable,
    }));
    let detail = detail.map_err(|why| WorkError::Failed(why.to_string()))?;
    Ok(ItemOutcome { ordinal: item.ordinal, detail: Some(detail), ..ItemOutcome::default() })
}
