//! Reads all objects of one policy type.

use std::sync::Arc;

use domain::contract::Contract;
use domain::observe::{Observation, observe, redact};
use domain::preflight::CoverageState;
use domain::reference::NameTable;
use graph::{CapturedObject, Client, GraphError, Kind};
use time::OffsetDateTime;

use super::Scope;
use super::record::{Absence, Seen, conclude, record};
use super::storable::is_storable;
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::coverage::NewCoverage;

/// The reason of a reading that met objects it could not understand or keep.
const NOT_UNDERSTOOD: &str = "OBJECTS_NOT_UNDERSTOOD";

/// What a reading needs.
#[derive(Clone)]
pub struct Reading<'r> {
    /// Tables and contracts.
    pub state: &'r State,
    /// Whose inventory.
    pub scope: Scope,
    /// The tenant's provider.
    pub client: &'r Client,
    /// The tenant's names, foundations read before included.
    pub names: Arc<NameTable>,
    /// Whether writes of this type need an approval in the tenant; `None` when the provider did not tell.
    pub approval_required: Option<bool>,
    /// Whether to end the reading between two pages.
    pub should_stop: &'r (dyn Fn() -> bool + Sync),
}

/// What a reading saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Objects seen.
    pub observed: u64,
    /// Versions captured: new objects, and changed ones.
    pub captured: u64,
    /// Objects whose content changed since they were last read.
    pub changed: u64,
    /// Objects no longer seen, newly so.
    pub missing: u64,
    /// Objects seen but not read wholly.
    pub incomplete: u64,
    /// Objects listed that could not be told or kept.
    pub unreadable: u64,
}

/// How a reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeRead {
    /// To its end.
    Whole(Tally),
    /// The provider refused or failed; what was seen before is kept.
    Failed {
        /// What was seen.
        tally: Tally,
        /// Stable reason.
        reason: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// On request, between two pages; nothing is concluded from it.
    Stopped,
}

/// Reads the type and writes what it sees, page by page. A failure of the provider is this type's and no other's.
///
/// # Errors
/// Only when the database fails: then nothing can be said about the type.
pub async fn read_type(reading: &Reading<'_>, contract: &Contract) -> Result<TypeRead> {
    let mut tally = Tally::default();
    let mut capture = graph::capture(reading.client, contract);
    let began_at = store::clock(reading.state.db.pool()).await?;
    let mut asked_at = began_at;
    let failure = loop {
        if (reading.should_stop)() {
            return Ok(TypeRead::Stopped);
        }
        match capture.next().await {
            Ok(Some(page)) => {
                write_page(reading, contract, asked_at, page, &mut tally).await?;
                asked_at = store::clock(reading.state.db.pool()).await?;
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    finish(reading, contract, began_at, tally, failure).await
}

async fn write_page(
    reading: &Reading<'_>,
    contract: &Contract,
    asked_at: OffsetDateTime,
    page: Vec<CapturedObject>,
    tally: &mut Tally,
) -> Result<()> {
    let listed = page.len();
    let seen = observe_page(reading, contract, page).await;
    tally.unreadable += (listed - seen.len()) as u64;
    record(reading.state, reading.scope, contract.policy_type.as_str(), asked_at, seen, tally).await
}

/// Observes the objects of a page, off the threads that serve requests: a baseline of thousands of settings takes a while.
async fn observe_page(reading: &Reading<'_>, contract: &Contract, page: Vec<CapturedObject>) -> Vec<Seen> {
    let (contract, names) = (contract.clone(), Arc::clone(&reading.names));
    let observed = tokio::task::spawn_blocking(move || {
        page.into_iter().filter_map(|object| observe_one(&contract, object, &names)).collect()
    });
    observed.await.unwrap_or_else(|panic| {
        // A defect in reading this page's objects; they count as unreadable, and the other pages are read.
        tracing::error!(error = %panic, "a page of objects could not be observed");
        Vec::new()
    })
}

fn observe_one(contract: &Contract, object: CapturedObject, names: &NameTable) -> Option<Seen> {
    let CapturedObject { raw, complete, fault } = object;
    if let Some(fault) = fault {
        tracing::debug!(policy_type = %contract.policy_type, reason = fault.reason_code, "an object was not read wholly");
    }
    match observe(contract, &raw, names) {
        Ok(observed) if is_storable(&raw, &observed) => {
            let mut observed: Observation = observed;
            observed.facts.complete &= complete;
            // Whatever the provider gave back: a secret is not written down.
            let content = redact(contract, &raw).into_owned();
            Some(Seen { content, observed })
        }
        Ok(_) => None,
        Err(why) => {
            tracing::warn!(policy_type = %contract.policy_type, %why, "an object could not be observed");
            None
        }
    }
}

async fn finish(
    reading: &Reading<'_>,
    contract: &Contract,
    began_at: OffsetDateTime,
    mut tally: Tally,
    failure: Option<GraphError>,
) -> Result<TypeRead> {
    let (state, absence, reason) = verdict(&tally, failure.as_ref());
    let coverage = NewCoverage {
        began_at,
        state,
        observed_count: i32::try_from(tally.observed).unwrap_or(i32::MAX),
        reason_code: reason,
        approval_required: reading.approval_required,
    };
    let policy_type = contract.policy_type.as_str();
    conclude(reading.state, reading.scope, policy_type, &coverage, absence, &mut tally).await?;
    Ok(match failure {
        None => TypeRead::Whole(tally),
        Some(error) => TypeRead::Failed { tally, reason: error.reason_code, message: error.message },
    })
}

/// What a reading that ended so proves.
fn verdict(tally: &Tally, failure: Option<&GraphError>) -> (CoverageState, Absence, Option<&'static str>) {
    let failed = |error: &GraphError| match error.kind {
        Kind::Forbidden => CoverageState::Denied,
        _ => CoverageState::Failed,
    };
    match failure {
        None if tally.unreadable == 0 => (CoverageState::Observed, Absence::Certain, None),
        // Any of what is not seen may be among what could not be told.
        None => (CoverageState::Partial, Absence::Likely, Some(NOT_UNDERSTOOD)),
        Some(error) if tally.observed == 0 => (failed(error), Absence::Unknown, Some(error.reason_code)),
        Some(error) => (CoverageState::Partial, Absence::Unknown, Some(error.reason_code)),
    }
}
