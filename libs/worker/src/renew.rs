//! Keeps a lease alive beside the work, and says at once when it is lost.

use std::time::Duration;

use pb::operation::{RenewLeaseRequest, RenewLeaseResponse};
use server::failure::reason_of;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Request, Status};

use crate::call::pause;
use crate::session::Held;

/// Renewals in one term: two may fail before the lease is lost.
const PER_TERM: u32 = 3;
/// Tries that fit into one term when none of them is answered: one that hangs leaves room for others.
const TRIES_PER_TERM: u32 = 6;
/// Each try has at least this long, however short the term: less is no sign that it hangs.
const SHORTEST_TRY: Duration = Duration::from_millis(250);

/// Makes sure of a lease that was just claimed, and returns the length of its term; `None`: it is lost already.
///
/// The claim itself cannot tell how long the lease lasts: it waited at the service until there was a run, so neither the
/// moment it was sent nor the moment it was answered is the one at which the term began.
pub(crate) async fn begin(held: &Held, claimed_ttl: Duration) -> Option<Duration> {
    let length = renew(held, Instant::now() + claimed_ttl, claimed_ttl).await;
    if length.is_none() {
        tracing::warn!(run_id = held.lease.run_id, fence = held.lease.fence, "a run was lost before it was begun");
    }
    length
}

/// Renews until the lease is lost, and says so; dropped when the work is over.
///
/// The target of the work cannot check our fence. So the lease also counts as lost when its term has passed by our own
/// monotonic clock, counted from before the request was sent: never later than the database says.
pub(crate) async fn keep(held: &Held, mut length: Duration) {
    while let Some(expiry) = held.term.expiry() {
        sleep(length / PER_TERM).await;
        let Some(renewed) = renew(held, expiry, length).await else { break };
        length = renewed;
    }
    tracing::warn!(run_id = held.lease.run_id, fence = held.lease.fence, "the lease of a run was lost");
    held.lost.cancel();
}

/// Renews once, trying until `expiry`; returns the length of the new term, which has begun.
async fn renew(held: &Held, expiry: Instant, length: Duration) -> Option<Duration> {
    let renewed = renewed(expiry, length, |within| {
        let mut request = Request::new(RenewLeaseRequest { lease: Some(held.lease.clone()) });
        request.set_timeout(within);
        let mut client = held.client.clone();
        async move { client.renew_lease(request).await.map(tonic::Response::into_inner) }
    });
    let (asked_at, answer) = renewed.await?;
    held.learn(answer.cancel_requested);
    let length = term_of(answer.lease_ttl);
    held.term.lasts_until(asked_at + length);
    Some(length)
}

/// Asks until it is answered or `expiry` has come; `None`: the lease is lost. Returns the answer and the moment before the
/// request for it was sent, from which the new term counts.
async fn renewed<F>(
    expiry: Instant,
    length: Duration,
    mut ask: impl FnMut(Duration) -> F,
) -> Option<(Instant, RenewLeaseResponse)>
where
    F: Future<Output = Result<RenewLeaseResponse, Status>>,
{
    let mut tried = 0;
    while Instant::now() < expiry {
        let asked_at = Instant::now();
        let within = (length / TRIES_PER_TERM).max(SHORTEST_TRY).min(expiry - asked_at);
        let hung = || Err(Status::deadline_exceeded("no answer in time"));
        match timeout_at(asked_at + within, ask(within)).await.unwrap_or_else(|_| hung()) {
            Ok(answer) => return Some((asked_at, answer)),
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const TERM: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_hangs_leaves_time_for_others() {
        let (began, asked) = (Instant::now(), RefCell::new(Vec::new()));
        let renewed = renewed(began + TERM, TERM, |within| {
            asked.borrow_mut().push(within);
            let hangs = asked.borrow().len() <= 2;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(RenewLeaseResponse::default())
            }
        });
        let (asked_at, _) = renewed.await.expect("the third try is answered");
        assert_eq!(asked.into_inner(), [TERM / 6; 3]);
        assert!((TERM / 3..TERM / 2).contains(&(asked_at - began)), "{:?}", asked_at - began);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end_with_the_term() {
        let began = Instant::now();
        let never = renewed(began + TERM, TERM, |_| std::future::pending());
        assert!(never.await.is_none());
        assert_eq!(began.elapsed(), TERM);
        // A term so short that a sixth of it is nothing: still a fair try, and never beyond the end.
        let began = Instant::now();
        let never = renewed(began + SHORTEST_TRY / 2, SHORTEST_TRY / 2, |_| std::future::pending());
        assert!(never.await.is_none());
        assert_eq!(began.elapsed(), SHORTEST_TRY / 2);
    }
}
