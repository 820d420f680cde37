//! Keeps a lease alive beside the work, and says at once when it is lost.

use std::time::Duration;

use pb::operation::RenewLeaseRequest;
use server::failure::reason_of;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Request, Status};

use crate::call::pause;
use crate::session::Held;

/// Renewals in one term: two may fail before the lease is lost.
const PER_TERM: u32 = 3;

/// How long a lease is ours by our own clock, and when to renew it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    expiry: Instant,
    length: Duration,
}

/// Makes sure of a lease that was just claimed; `None`: it is lost already.
///
/// The claim itself cannot tell how long the lease lasts: it waited at the service until there was a run, so neither the
/// moment it was sent nor the moment it was answered is the one at which the term began.
pub(crate) async fn begin(held: &Held, claimed_ttl: Duration) -> Option<Term> {
    let term = renew(held, Instant::now() + claimed_ttl).await;
    if term.is_none() {
        tracing::warn!(run_id = held.lease.run_id, fence = held.lease.fence, "a run was lost before it was begun");
    }
    term
}

/// Renews until the lease is lost, and says so; dropped when the work is over.
///
/// The target of the work cannot check our fence. So the lease also counts as lost when its term has passed by our own
/// monotonic clock, counted from before the request was sent: never later than the database says.
pub(crate) async fn keep(held: &Held, mut term: Term) {
    loop {
        sleep(term.length / PER_TERM).await;
        let Some(renewed) = renew(held, term.expiry).await else { break };
        term = renewed;
    }
    tracing::warn!(run_id = held.lease.run_id, fence = held.lease.fence, "the lease of a run was lost");
    held.lost.cancel();
}

/// Renews once, trying until `expiry`. The new term counts from before the answered request was sent.
async fn renew(held: &Held, expiry: Instant) -> Option<Term> {
    let mut tried = 0;
    while Instant::now() < expiry {
        let asked_at = Instant::now();
        let mut request = Request::new(RenewLeaseRequest { lease: Some(held.lease.clone()) });
        request.set_timeout(expiry - asked_at);
        let mut client = held.client.clone();
        match timeout_at(expiry, client.renew_lease(request)).await.ok()? {
            Ok(answer) => {
                let answer = answer.into_inner();
                held.learn(answer.cancel_requested);
                let length = term_of(answer.lease_ttl);
                return Some(Term { expiry: asked_at + length, length });
            }
            Err(status) if is_lost(&status) => return None,
            Err(status) => {
                tracing::info!(code = ?status.code(), "a lease could not be renewed; trying again");
                tried += 1;
                let _ = timeout_at(expiry, sleep(pause(tried))).await;
            }
        }
    }
    None
}

fn is_lost(status: &Status) -> bool {
    status.code() == Code::Aborted && reason_of(status).as_deref() == Some("LEASE_LOST")
}

/// The term of a lease. Without one it would never be renewed in time: then a second, short enough to notice.
pub(crate) fn term_of(ttl: Option<prost_types::Duration>) -> Duration {
    ttl.and_then(|ttl| ttl.try_into().ok()).filter(|ttl: &Duration| !ttl.is_zero()).unwrap_or(Duration::from_secs(1))
}
