//! The worker of `provider_connection.verify`.

use domain::id::ProviderConnectionId;
use domain::operability::Question;
use domain::run::RunType;
use domain::tenant::verification::{PERMISSION_DENIED, Tried, verdict};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use graph::{Client, GraphError, Kind, Provider};
use pb::operation::{ClaimedItem, ItemEffect, ItemOutcome, ItemState, OperationRun};
use server::structure::from_struct;
use worker::{Ending, Handler, RunSession, WorkError};

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::sync::{Open, Scope, away, connect_named, open, scope_of};
use crate::tenant::VERIFIED_CONNECTION;

/// Types tried side by side. The provider's pace is kept by its client.
const TYPES_AT_ONCE: usize = 4;
/// The reason of a run whose connection is no longer the one in use.
const REPLACED: &str = "PROVIDER_CONNECTION_REPLACED";

/// The work of `provider_connection.verify`.
#[derive(Debug)]
pub(crate) struct VerifyWork {
    pub(crate) state: State,
    pub(crate) provider: Provider,
}

#[tonic::async_trait]
impl Handler for VerifyWork {
    fn run_type(&self) -> RunType {
        RunType::ProviderConnectionVerify
    }

    async fn work(&self, session: &RunSession) -> std::result::Result<Ending, WorkError> {
        let scope = scope_of(session.run())?;
        let asked = connection_of(session.run());
        let items = session.items().await?;
        let opened = connect_named(&self.state, &self.provider, scope, Question::VerificationReadiness).await;
        let client = match opened.map_err(away)? {
            Ok((client, connection)) if asked == Some(connection) => client,
            Ok(_) => return Ok(replaced()),
            Err(why) => return Ok(Ending::Blocked { reason: why.reason().to_owned(), message: why.to_string() }),
        };
        let fresh: Vec<Tried> = stream::iter(items.iter().filter_map(open))
            .map(|item| self.probe(session, &client, item))
            .buffer_unordered(TYPES_AT_ONCE)
            .try_filter_map(|tried| std::future::ready(Ok(tried)))
            .try_collect()
            .await?;
        if session.should_stop() {
            return Ok(Ending::Done);
        }
        let tried: Vec<Tried> = items.iter().filter_map(before).chain(fresh).collect();
        match asked {
            Some(connection) if self.conclude(scope, connection, &tried).await.map_err(away)? => Ok(Ending::Done),
            _ => Ok(replaced()),
        }
    }
}

impl VerifyWork {
    /// Tries one type and reports how it ended; nothing when the run was asked to stop.
    async fn probe(
        &self,
        session: &RunSession,
        client: &Client,
        item: Open,
    ) -> std::result::Result<Option<Tried>, WorkError> {
        if session.should_stop() {
            return Ok(None);
        }
        let refused = match self.state.registry.get(&item.policy_type) {
            Some(contract) => graph::probe(client, contract).await.err().map(reason_of),
            None => {
                let message = "This release does not know the policy type; nothing was called.".to_owned();
                Some(("POLICY_TYPE_UNKNOWN", message))
            }
        };
        let ordinal = item.ordinal;
        let outcome = match &refused {
            None => ItemOutcome {
                ordinal,
                state: ItemState::Succeeded.into(),
                effect: ItemEffect::None.into(),
                ..Default::default()
            },
            Some((reason, message)) => ItemOutcome {
                ordinal,
                state: ItemState::Failed.into(),
                reason: (*reason).to_owned(),
                message: message.clone(),
                ..Default::default()
            },
        };
        session.report(outcome).await?;
        let refused = refused.map(|(reason, _)| reason.to_owned());
        Ok(Some(Tried { policy_type: item.policy_type.into(), refused }))
    }

    /// Writes down what was proved, unless the connection is no longer in use.
    async fn conclude(&self, scope: Scope, connection: ProviderConnectionId, tried: &[Tried]) -> Result<bool> {
        let Some(verdict) = verdict(tried) else { return Ok(true) };
        let Scope { workspace_id, tenant_id, .. } = scope;
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        let is_in_use =
            store::provider_connection::conclude(&mut tx, workspace_id, tenant_id, connection, &verdict).await?;
        tx.commit().await?;
        Ok(is_in_use)
    }
}

/// What an earlier attempt of the run found out.
fn before(claimed: &ClaimedItem) -> Option<Tried> {
    let item = claimed.item.as_ref()?;
    let refused = match item.state() {
        ItemState::Succeeded => None,
        ItemState::Failed => Some(item.reason.clone()),
        ItemState::Unspecified | ItemState::Pending | ItemState::Skipped => return None,
    };
    Some(Tried { policy_type: item.policy_type.as_str().into(), refused })
}

/// The connection the run was started for.
fn connection_of(run: &OperationRun) -> Option<ProviderConnectionId> {
    let context = from_struct(run.context.as_ref()?);
    context.get(VERIFIED_CONNECTION)?.as_str()?.parse().ok()
}

fn reason_of(error: GraphError) -> (&'static str, String) {
    let reason = if error.kind == Kind::Forbidden { PERMISSION_DENIED } else { error.reason_code };
    (reason, error.message)
}

fn replaced() -> Ending {
    let message = "The provider connection was replaced since: verify the new one.".to_owned();
    Ending::Blocked { reason: REPLACED.to_owned(), message }
}
