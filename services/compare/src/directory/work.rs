//! The worker of the directory's syncs.

use domain::operability::Question;
use domain::run::RunType;
use graph::{Client, Provider};
use pb::operation::{ItemEffect, ItemOutcome, ItemState};
use serde_json::json;
use server::structure::to_struct;
use tracing::Instrument as _;
use worker::{Ending, Handler, RunSession, WorkError};

use super::Collection;
use super::read_collection::{Read, Reading, Tally};
use crate::state::State;
use crate::sync::{Open, Scope, away, connect, open, scope_of};

/// The work of one of the directory's syncs.
#[derive(Debug)]
pub(crate) struct DirectoryWork {
    state: State,
    provider: Provider,
    run_type: RunType,
    question: Question,
}

impl DirectoryWork {
    /// That of `directory_groups.sync`.
    pub(crate) fn groups(state: State, provider: Provider) -> Self {
        Self { state, provider, run_type: RunType::DirectoryGroupsSync, question: Question::DirectoryGroupsSync }
    }

    /// That of `directory_role_definitions.sync`.
    pub(crate) fn role_definitions(state: State, provider: Provider) -> Self {
        let (run_type, question) = (RunType::DirectoryRoleDefinitionsSync, Question::DirectoryRoleDefinitionsSync);
        Self { state, provider, run_type, question }
    }

    async fn read(&self, session: &RunSession, scope: Scope, client: &Client, item: &Open) -> Result<(), WorkError> {
        let known = Collection::named(&item.policy_type);
        let known = known.and_then(|collection| Some((collection, collection.contract(&self.state.registry)?)));
        let Some((collection, contract)) = known else {
            let message = "This release does not know the collection; nothing was called.";
            return session.report(failed(item, "COLLECTION_UNKNOWN", message, &Tally::default())?).await;
        };
        let should_stop = || session.should_stop();
        let reading = Reading { state: &self.state, scope, client, collection, should_stop: &should_stop };
        let outcome = match reading.read(contract).await.map_err(away)? {
            Read::Stopped => return Ok(()),
            Read::Whole(tally) => succeeded(item, &tally)?,
            Read::Failed(tally, error) => failed(item, error.reason_code, &error.message, &tally)?,
        };
        session.report(outcome).await
    }
}

#[tonic::async_trait]
impl Handler for DirectoryWork {
    fn run_type(&self) -> RunType {
        self.run_type
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        let scope = scope_of(session.run())?;
        let items = session.items().await?;
        let client = match connect(&self.state, &self.provider, scope, self.question).await.map_err(away)? {
            Ok(client) => client,
            Err(why) => return Ok(Ending::Blocked { reason: why.reason().to_owned(), message: why.to_string() }),
        };
        for item in items.iter().filter_map(open) {
            if session.should_stop() {
                break;
            }
            let span = session.item_span(item.ordinal, &item.policy_type);
            self.read(session, scope, &client, &item).instrument(span).await?;
        }
        Ok(Ending::Done)
    }
}

fn succeeded(item: &Open, tally: &Tally) -> Result<ItemOutcome, WorkError> {
    Ok(ItemOutcome { state: ItemState::Succeeded.into(), effect: ItemEffect::None.into(), ..outcome(item, tally)? })
}

fn failed(item: &Open, reason: &str, message: &str, tally: &Tally) -> Result<ItemOutcome, WorkError> {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    Ok(ItemOutcome { state: ItemState::Failed.into(), reason, message, ..outcome(item, tally)? })
}

fn outcome(item: &Open, tally: &Tally) -> Result<ItemOutcome, WorkError> {
    let detail = json!({ "observed": tally.observed, "unreadable": tally.unreadable, "removed": tally.removed });
    let detail = to_struct(&detail).map_err(|why| WorkError::Failed(why.to_string()))?;
    Ok(ItemOutcome { ordinal: item.ordinal, detail: Some(detail), ..ItemOutcome::default() })
}
