//! Delivers what was written down for the audit trail: every replica does, each entry by one of them at a time, again and again
//! until the trail took it. Delivering an entry twice is harmless: its id is the same.

use std::time::Duration;

use server::failure::{Category, Failure};
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::audit_outbox::Owed;

/// How many entries are claimed at once.
const BATCH: i64 = 50;
/// How long a claimed entry is left alone by others: longer than a batch takes, unless its replica died.
const LEASE: Duration = Duration::from_secs(30);
/// The longest time between two looks at what another replica left behind.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long an entry waits after its first failure; twice as long each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// The longest it waits.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Refusals of an entry for what it is after which it is parked: a release that is being rolled out may refuse what it will take.
const MOST_REFUSALS: u32 = 3;

/// Delivers until told to stop. What is left then is delivered by another replica, or after the next start.
pub async fn run(state: State, drain: CancellationToken) {
    let mut pause = Duration::ZERO;
    while drain.run_until_cancelled(rung_within(&state, pause)).await.is_some() {
        pause = round(&state, &drain).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit outbox could not be read");
            LONGEST_PAUSE
        });
    }
}

async fn rung_within(state: &State, pause: Duration) {
    // Either way it is time to look.
    state.audit_bell.heard_within(pause).await;
}

/// Delivers what is due, and says how long until something may be due again.
async fn round(state: &State, drain: &CancellationToken) -> Result<Duration> {
    while !drain.is_cancelled() {
        let mut tx = state.db.system().await?;
        let claimed = store::audit_outbox::claim(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        if claimed.is_empty() {
            break;
        }
        batch(state, &claimed).await?;
    }
    let mut tx = state.db.system().await?;
    let due_in = store::audit_outbox::due_in(&mut tx).await?;
    Ok(due_in.map_or(LONGEST_PAUSE, |due_in| due_in.min(LONGEST_PAUSE)))
}

/// Delivers what was claimed, and remembers what became of each.
async fn batch(state: &State, claimed: &[Owed]) -> Result<()> {
    let mut ended = vec![Fate::Later; claimed.len()];
    for (owed, fate) in claimed.iter().zip(&mut ended) {
        let Err(failure) = deliver(state, owed).await else {
            *fate = Fate::Delivered;
            continue;
        };
        let entry = owed.entry_id;
        let error = &failure as &dyn std::error::Error;
        if is_refused_for_good(failure.category()) && owed.attempts >= MOST_REFUSALS {
            tracing::error!(%entry, error, "an audit entry is refused for good and parked: see the runbooks");
            *fate = Fate::Parked(failure.reason().to_owned());
            continue;
        }
        tracing::warn!(%entry, error, "an audit entry is not delivered yet");
        // Refused for what it is, it does not hold up the others; with the trail away they need not be tried.
        if !is_refused_for_good(failure.category()) && failure.category() != Category::Internal {
            break;
        }
    }
    let mut tx = state.db.system().await?;
    for (owed, fate) in claimed.iter().zip(&ended) {
        match fate {
            Fate::Delivered => store::audit_outbox::remove(&mut tx, owed).await?,
            Fate::Parked(reason) => store::audit_outbox::park(&mut tx, owed, reason).await?,
            Fate::Later => store::audit_outbox::postpone(&mut tx, owed, backoff(owed.attempts)).await?,
        }
    }
    Ok(tx.commit().await?)
}

/// What becomes of an entry that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// The trail has it.
    Delivered,
    /// The trail will never have it as it is, for this reason.
    Parked(String),
    /// It is tried again.
    Later,
}

/// Whether the trail says no to the entry itself. What is about who asks, about load, or a defect over there passes when that is
/// mended, without anybody looking at the entry.
const fn is_refused_for_good(category: Category) -> bool {
    matches!(
        category,
        Category::InvalidArgument | Category::AlreadyExists | Category::FailedPrecondition | Category::OutOfRange
    )
}

async fn deliver(state: &State, owed: &Owed) -> std::result::Result<(), Failure> {
    let event = serde_json::from_value(owed.event.clone()).map_err(Failure::internal)?;
    state.audit.deliver(event, owed.written_at).await
}

/// How long an entry waits that was tried so many times.
fn backoff(attempts: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_is_bounded() {
        let waits: Vec<u128> = (1..=10).map(|attempts| backoff(attempts).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }
}
