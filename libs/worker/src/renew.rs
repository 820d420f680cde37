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

/// Renews until the lease is lost, and says so; dropped when the work is over. `asked_at` is the moment before the claim was
/// sent.
///
/// The target of the work cannot check our fence. So the lease also counts as lost when its term has passed by our own
/// monotonic clock, counted from before the request was sent: never later than the database says.
pub(crate) async fn keep(held: &Held, mut ttl: Duration, asked_at: Instant) {
    let mut expiry = asked_at + ttl;
    loop {
        sleep(ttl / PER_TERM).await;
        let Some((asked_at, term)) = renew(held, expiry).await else { break };
        (ttl, expiry) = (term, asked_at + term);
    }
    tracing::warn!(run_id = held.lease.run_id, fence = held.lease.fence, "the lease of a run was lost");
    held.lost.cancel();
}

/// Renews once, trying until `expiry`. Gives the moment before the answered request was sent, and the new term.
async fn renew(held: &Held, expiry: Instant) -> Option<(Instant, Duration)> {
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
                return Some((asked_at, term_of(answer.lease_ttl)));
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
