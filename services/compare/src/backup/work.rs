//! The worker of backups.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::id::BackupScheduleId;
use domain::operability::Question;
use domain::reference::NameTable;
use domain::run::RunType;
use graph::{Client, Provider};
use pb::operation::{ClaimedItem, ItemEffect, ItemOutcome, ItemState, OperationRun};
use serde_json::json;
use server::structure::{from_struct, to_struct};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::Instrument as _;
use worker::{Ending, Handler, RunSession, WorkError};

use super::prune::prune;
use super::start::context;
use crate::error::Result;
use crate::names::{self, referable_kinds};
use crate::state::State;
use crate::store;
use crate::sync::{Open, Reading, Scope, Tally, TypeRead, away, connect, open, read_type, scope_of};

/// The reason of a type that was read to its end, but not all of what it has.
const GAPS: &str = "OBJECTS_NOT_READ_WHOLLY";

/// The work of one of the backup run types.
#[derive(Debug)]
pub(crate) struct BackupWork {
    /// Tables and contracts.
    pub(crate) state: State,
    /// The way to tenants' providers.
    pub(crate) provider: Provider,
    /// Which type.
    pub(crate) run_type: RunType,
}

/// What a backup run's context says.
struct About {
    schedule_id: BackupScheduleId,
    fire_at: Option<OffsetDateTime>,
}

#[tonic::async_trait]
impl Handler for BackupWork {
    fn run_type(&self) -> RunType {
        self.run_type
    }

    async fn work(&self, session: &RunSession) -> std::result::Result<Ending, WorkError> {
        let scope = scope_of(session.run())?;
        let about = about(session.run())?;
        let items = session.items().await?;
        let client = match connect(&self.state, &self.provider, scope, Question::Backup).await.map_err(away)? {
            Ok(client) => client,
            Err(why) => return Ok(Ending::Blocked { reason: why.reason().to_owned(), message: why.to_string() }),
        };
        self.begin(scope, &about).await.map_err(away)?;
        let mut gaps = items.iter().any(is_gap);
        let foundations = referable_kinds(&self.state.registry);
        let mut names = None;
        for item in items.iter().filter_map(open) {
            if session.should_stop() {
                break;
            }
            let known = match names.take() {
                Some(names) => names,
                None => self.names(scope, &foundations).await.map_err(away)?,
            };
            let span = session.item_span(item.ordinal, &item.policy_type);
            let reading = self.back_up(session, scope, &client, &item, Arc::clone(&known));
            let outcome = reading.instrument(span.clone()).await?;
            // What gives names comes first, and each of it may have given new ones.
            names = Some(known).filter(|_| !foundations.contains(item.policy_type.as_str()));
            match outcome {
                Some(outcome) => {
                    gaps |= outcome.state != i32::from(ItemState::Succeeded);
                    session.report(outcome).instrument(span).await?;
                }
                None => break,
            }
        }
        // Whoever has the run next goes on with the set, unless nobody will.
        if !session.should_stop() || session.cancelled() {
            let complete = !gaps && !session.cancelled();
            self.conclude(scope, &about, complete).await.map_err(away)?;
        }
        Ok(Ending::Done)
    }
}

impl BackupWork {
    async fn begin(&self, scope: Scope, about: &About) -> Result<()> {
        let Scope { workspace_id, tenant_id, run_id } = scope;
        let (schedule, fire_at) = (about.schedule_id, about.fire_at);
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        store::backup_set::begin(&mut tx, workspace_id, tenant_id, schedule, run_id, self.run_type, fire_at).await?;
        Ok(tx.commit().await?)
    }

    /// Reads a type anew and puts what it has into the set; `None` when the reading was stopped.
    async fn back_up(
        &self,
        session: &RunSession,
        scope: Scope,
        client: &Client,
        item: &Open,
        names: Arc<NameTable>,
    ) -> std::result::Result<Option<ItemOutcome>, WorkError> {
        let Some(contract) = self.state.registry.get(&item.policy_type) else {
            let message = "This release does not know the policy type; nothing was called.".to_owned();
            return failed(item, "POLICY_TYPE_UNKNOWN", message, &Tally::default(), 0).map(Some);
        };
        let reading = Reading {
            state: &self.state,
            scope,
            client,
            names,
            approval_required: None,
            should_stop: &|| session.should_stop(),
        };
        let since = store::clock(self.state.db.pool()).await.map_err(|error| away(error.into()))?;
        let read = read_type(&reading, contract).await.map_err(away)?;
        if read == TypeRead::Stopped {
            return Ok(None);
        }
        // What was seen before a failure is worth keeping, too.
        let kept = self.put(scope, &item.policy_type, since).await.map_err(away)?;
        match read {
            TypeRead::Stopped => Ok(None),
            TypeRead::Whole(tally) if tally.incomplete + tally.unreadable == 0 => {
                succeeded(item, &tally, kept).map(Some)
            }
            TypeRead::Whole(tally) => {
                let message = format!(
                    "{} of the objects could not be read wholly: they are not in the backup set.",
                    tally.incomplete + tally.unreadable
                );
                failed(item, GAPS, message, &tally, kept).map(Some)
            }
            TypeRead::Failed { tally, reason, message } => failed(item, reason, message, &tally, kept).map(Some),
        }
    }

    /// The tenant's names as known now.
    async fn names(&self, scope: Scope, kinds: &BTreeSet<&str>) -> Result<Arc<NameTable>> {
        let kinds: Vec<&str> = kinds.iter().copied().collect();
        let mut tx = self.state.db.workspace(scope.workspace_id.uuid()).await?;
        Ok(Arc::new(names::load(&mut tx, scope.workspace_id, scope.tenant_id, &kinds).await?))
    }

    async fn put(&self, scope: Scope, policy_type: &str, since: OffsetDateTime) -> Result<u64> {
        let Scope { workspace_id, tenant_id, run_id } = scope;
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        let kept = store::backup_set::put_type(&mut tx, workspace_id, tenant_id, run_id, policy_type, since).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Finishes the set, and removes those that the schedule keeps no longer.
    async fn conclude(&self, scope: Scope, about: &About, complete: bool) -> Result<()> {
        let Scope { workspace_id, tenant_id, run_id } = scope;
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        store::backup_set::conclude(&mut tx, workspace_id, run_id, complete).await?;
        let found = store::backup_schedule::find(&mut tx, workspace_id, tenant_id, about.schedule_id).await?;
        // An archived schedule keeps what it has.
        if let Some(schedule) = found.filter(|schedule| schedule.archived_at.is_none()) {
            let gone = prune(&mut tx, &schedule).await?;
            tracing::info!(schedule = %schedule.id, removed = gone.len(), "backup sets are kept as the schedule says");
        }
        Ok(tx.commit().await?)
    }
}

/// Whether an earlier attempt left the item with another outcome than success.
fn is_gap(claimed: &ClaimedItem) -> bool {
    let state = claimed.item.as_ref().map(|item| item.state());
    matches!(state, Some(ItemState::Failed | ItemState::Skipped))
}

fn about(run: &OperationRun) -> std::result::Result<About, WorkError> {
    let context = run.context.as_ref().map(from_struct).unwrap_or_default();
    let unreadable = || WorkError::Failed("the run names no backup schedule that can be read".to_owned());
    let schedule_id = context[context::SCHEDULE].as_str().and_then(|id| id.parse().ok()).ok_or_else(unreadable)?;
    let fire_at = match context[context::FIRE_TIME].as_str() {
        Some(time) => Some(OffsetDateTime::parse(time, &Rfc3339).map_err(|_| unreadable())?),
        None => None,
    };
    Ok(About { schedule_id, fire_at })
}

fn succeeded(item: &Open, tally: &Tally, kept: u64) -> std::result::Result<ItemOutcome, WorkError> {
    Ok(ItemOutcome {
        state: ItemState::Succeeded.into(),
        effect: ItemEffect::None.into(),
        ..outcome(item, tally, kept)?
    })
}

fn failed(
    item: &Open,
    reason: &str,
    message: String,
    tally: &Tally,
    kept: u64,
) -> std::result::Result<ItemOutcome, WorkError> {
    let reason = reason.to_owned();
    Ok(ItemOutcome { state: ItemState::Failed.into(), reason, message, ..outcome(item, tally, kept)? })
}

fn outcome(item: &Open, tally: &Tally, kept: u64) -> std::result::Result<ItemOutcome, WorkError> {
    let detail = to_struct(&json!({
        "observed": tally.observed,
        "captured": tally.captured,
        "incomplete": tally.incomplete,
        "unreadable": tally.unreadable,
        "backed_up": kept,
    }));
    let detail = detail.map_err(|why| WorkError::Failed(why.to_string()))?;
    Ok(ItemOutcome { ordinal: item.ordinal, detail: Some(detail), ..ItemOutcome::default() })
}
