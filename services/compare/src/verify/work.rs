//! The worker of `provider_connection.verify`.

use std::time::Duration;

use domain::id::ProviderConnectionId;
use domain::operability::Question;
use domain::run::RunType;
use domain::tenant::verification::{Finding, PERMISSION_DENIED, Tried, Verdict, VerificationState, verdict};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use graph::{Client, GraphError, Kind, Provider};
use pb::operation::{ClaimedItem, ItemEffect, ItemOutcome, ItemState, OperationRun};
use server::structure::from_struct;
use time::OffsetDateTime;
use tracing::Instrument as _;
use worker::{Ending, Handler, RunSession, WorkError};

use crate::error::{Error, Result};
use crate::state::State;
use crate::store;
use crate::store::provider_connection::Concluded;
use crate::sync::{Open, Scope, away, connect_named, open, scope_of};
use crate::tenant::VERIFIED_CONNECTION;

/// Types tried side by side. The provider's pace is kept by its client.
const TYPES_AT_ONCE: usize = 4;
/// Claims of a run after which types that the provider was away for are left as not known.
const MOST_ATTEMPTS: i32 = 3;
/// Before a run that the provider was away for is taken up again; doubled with every attempt.
const POSTPONE: Duration = Duration::from_secs(10);
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
        let began = store::clock(self.state.db.pool()).await.map_err(|error| away(error.into()))?;
        let mut fresh: Vec<Probed> = stream::iter(items.iter().filter_map(open))
            .map(|item| {
                let span = session.item_span(item.ordinal, &item.policy_type);
                self.probe(session, &client, item).instrument(span)
            })
            .buffer_unordered(TYPES_AT_ONCE)
            .try_filter_map(|probed| std::future::ready(Ok(probed)))
            .try_collect()
            .await?;
        if session.should_stop() {
            return Ok(Ending::Done);
        }
        let unknown = fresh.iter().filter_map(|probed| probed.passing.as_ref());
        if let Some(first) = unknown.clone().next()
            && session.run().attempt < MOST_ATTEMPTS
        {
            let asked_to_wait = unknown.filter_map(|error| error.retry_after).max().unwrap_or_default();
            return Ok(postponed(session.run().attempt, asked_to_wait, first.reason_code));
        }
        for probed in &mut fresh {
            if let Some(error) = probed.passing.take() {
                session.report(not_known(probed.ordinal, error)).await?;
            }
        }
        let tried: Vec<Tried> = items.iter().filter_map(before).chain(fresh.into_iter().map(|one| one.tried)).collect();
        let Some(connection) = asked else { return Ok(replaced()) };
        match self.conclude(scope, connection, began, &tried).await.map_err(away)? {
            Concluded::Written | Concluded::Overtaken => Ok(Ending::Done),
            Concluded::Replaced => Ok(replaced()),
        }
    }
}

/// A type that was tried.
struct Probed {
    ordinal: i32,
    tried: Tried,
    /// Why nothing is known of it, when the provider was away; then nothing was reported yet.
    passing: Option<GraphError>,
}

impl VerifyWork {
    /// Tries one type and reports how it ended; nothing when the run was asked to stop, or the provider was away.
    async fn probe(
        &self,
        session: &RunSession,
        client: &Client,
        item: Open,
    ) -> std::result::Result<Option<Probed>, WorkError> {
        if session.should_stop() {
            return Ok(None);
        }
        let refused = match self.state.registry.get(&item.policy_type) {
            Some(contract) => graph::probe(client, contract).await.err(),
            None => {
                let message = "This release does not know the policy type; nothing was called.".to_owned();
                return self.refused(session, item, "POLICY_TYPE_UNKNOWN", message).await.map(Some);
            }
        };
        let ordinal = item.ordinal;
        let policy_type = item.policy_type.as_str().into();
        match refused {
            None => {
                let state = ItemState::Succeeded.into();
                session
                    .report(ItemOutcome { ordinal, state, effect: ItemEffect::None.into(), ..Default::default() })
                    .await?;
                Ok(Some(Probed { ordinal, tried: Tried { policy_type, finding: Finding::Readable }, passing: None }))
            }
            Some(error) if error.is_transient() => {
                let tried = Tried { policy_type, finding: Finding::Unknown };
                Ok(Some(Probed { ordinal, tried, passing: Some(error) }))
            }
            Some(error) => {
                let reason = if error.kind == Kind::Forbidden { PERMISSION_DENIED } else { error.reason_code };
                self.refused(session, item, reason, error.message).await.map(Some)
            }
        }
    }

    async fn refused(
        &self,
        session: &RunSession,
        item: Open,
        reason: &'static str,
        message: String,
    ) -> std::result::Result<Probed, WorkError> {
        let ordinal = item.ordinal;
        let (state, reason) = (ItemState::Failed.into(), reason.to_owned());
        let finding = Finding::Refused(reason.clone());
        session.report(ItemOutcome { ordinal, state, reason, message, ..Default::default() }).await?;
        Ok(Probed { ordinal, tried: Tried { policy_type: item.policy_type.into(), finding }, passing: None })
    }

    /// Writes down what was proved, unless the connection is no longer in use or more is known of it by now.
    async fn conclude(
        &self,
        scope: Scope,
        connection: ProviderConnectionId,
        began: OffsetDateTime,
        tried: &[Tried],
    ) -> Result<Concluded> {
        // Nothing is proved: what was known stays, and the items say why.
        let Some(verdict) = verdict(tried) else { return Ok(Concluded::Written) };
        match self.write(scope, connection, began, &verdict).await {
            // Another workspace proved the same credential in between: from now on it is theirs, and absent here.
            Err(Error::Store(taken)) if store::violates(&taken, "provider_connection_credential_holder") => {
                let reason = Some(graph::CREDENTIAL_UNAVAILABLE.to_owned());
                let verdict = Verdict { state: VerificationState::Failed, reason, ..verdict };
                self.write(scope, connection, began, &verdict).await
            }
            concluded => concluded,
        }
    }

    async fn write(
        &self,
        scope: Scope,
        connection: ProviderConnectionId,
        began: OffsetDateTime,
        verdict: &Verdict,
    ) -> Result<Concluded> {
        let Scope { workspace_id, tenant_id, .. } = scope;
        let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
        let concluded =
            store::provider_connection::conclude(&mut tx, workspace_id, tenant_id, connection, began, verdict).await?;
        tx.commit().await?;
        Ok(concluded)
    }
}

/// What an earlier attempt of the run found out.
fn before(claimed: &ClaimedItem) -> Option<Tried> {
    let item = claimed.item.as_ref()?;
    let finding = match item.state() {
        ItemState::Succeeded => Finding::Readable,
        ItemState::Failed => Finding::Refused(item.reason.clone()),
        ItemState::Skipped => Finding::Unknown,
        ItemState::Unspecified | ItemState::Pending => return None,
    };
    Some(Tried { policy_type: item.policy_type.as_str().into(), finding })
}

/// The outcome of a type that the provider was away for until nobody waits any longer: left out, not refused.
fn not_known(ordinal: i32, error: GraphError) -> ItemOutcome {
    ItemOutcome {
        ordinal,
        state: ItemState::Skipped.into(),
        reason: error.reason_code.to_owned(),
        message: error.message,
        ..Default::default()
    }
}

/// The provider is away: later, and later each time, or when it asked to be asked again.
fn postponed(attempt: i32, asked_to_wait: Duration, reason: &str) -> Ending {
    let doublings = u32::try_from(attempt.clamp(1, MOST_ATTEMPTS) - 1).unwrap_or(0);
    Ending::Postponed { delay: (POSTPONE * 2_u32.pow(doublings)).max(asked_to_wait), reason: reason.to_owned() }
}

/// The connection the run was started for.
fn connection_of(run: &OperationRun) -> Option<ProviderConnectionId> {
    let context = from_struct(run.context.as_ref()?);
    context.get(VERIFIED_CONNECTION)?.as_str()?.parse().ok()
}

fn replaced() -> Ending {
    let message = "The provider connection was replaced since: verify the new one.".to_owned();
    Ending::Blocked { reason: REPLACED.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_is_away_is_asked_later_each_time_and_not_before_it_wants_to_be() {
        let delay = |attempt, asked| match postponed(attempt, Duration::from_secs(asked), "PROVIDER_THROTTLED") {
            Ending::Postponed { delay, .. } => delay.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!([delay(0, 0), delay(1, 0), delay(2, 0), delay(3, 0), delay(i32::MAX, 0)], [10, 10, 20, 40, 40]);
        assert_eq!(delay(1, 120), 120);
    }
}
