//! Several replicas behind one channel. tonic's balancer keeps choosing endpoints that are dead, and hangs when it has
//! none at all; so this task looks at each of them every few seconds (and at once when a call met trouble), takes out
//! those that are not ready, puts them back when they are, and never takes out the last one.
//!
//! It also follows certificates: an endpoint has those that it was made with, so that new ones mean new endpoints. The
//! balancer uses an old connection until the new one is ready, and calls under way end on theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tonic::Code;
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::endpoints::{Address, Target};
use crate::tls::Outbound;

/// How often the replicas are looked at.
const ROUND: Duration = Duration::from_secs(3);
/// Between two looks caused by trouble.
const AT_LEAST: Duration = Duration::from_millis(200);
/// What a look may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A channel to these targets.
pub(super) fn channel(service: &'static str, targets: Vec<Target>, tls: &Outbound, trouble: Arc<Notify>) -> Channel {
    // A single address needs no balancer, unless its certificates change: it reconnects by itself.
    if let [Target::One(only)] = &targets[..]
        && !(only.is_tls() && tls.may_change())
        && let Ok(only) = only.endpoint(tls)
    {
        return only.connect_lazy();
    }
    let (channel, changes) = Channel::balance_channel(64);
    let replicas =
        Replicas { service, targets, tls: tls.clone(), changes, known: BTreeMap::new(), in_use: BTreeSet::new() };
    tokio::spawn(replicas.keep(trouble));
    channel
}

struct Replicas {
    service: &'static str,
    targets: Vec<Target>,
    tls: Outbound,
    changes: Sender<Change<Address, Endpoint>>,
    /// The channel is for looking only.
    known: BTreeMap<Address, (Endpoint, Channel)>,
    in_use: BTreeSet<Address>,
}

impl Replicas {
    /// Until the channel is gone.
    async fn keep(mut self, trouble: Arc<Notify>) {
        // Before anything is known, all are tried: an empty balancer would let calls hang.
        self.resolve().await;
        let all: BTreeSet<Address> = self.known.keys().cloned().collect();
        self.change_to(all).await;
        loop {
            self.resolve().await;
            let ready = self.ready().await;
            if let Some(next) = next_in_use(&self.in_use, &ready, self.known.keys()) {
                self.change_to(next).await;
            }
            tokio::time::sleep(AT_LEAST).await;
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = trouble.notified() => {}
                () = self.tls.changed() => self.renew().await,
                () = self.changes.closed() => return,
            }
        }
    }

    /// Brings `known` up to date. A name that cannot be resolved now keeps what it had.
    async fn resolve(&mut self) {
        let mut found = BTreeSet::new();
        for target in &self.targets {
            match target {
                Target::One(one) => {
                    found.insert(one.clone());
                }
                Target::Dns { host, port, tls } => match tokio::net::lookup_host((host.as_str(), *port)).await {
                    Ok(addresses) => found.extend(addresses.map(|address| Address::resolved(address, host, *tls))),
                    Err(error) => {
                        tracing::warn!(service = self.service, %host, %error, "cannot be resolved");
                        return;
                    }
                },
            }
        }
        self.known.retain(|address, _| found.contains(address));
        for address in found {
            if !self.known.contains_key(&address) {
                self.make(address);
            }
        }
    }

    fn make(&mut self, address: Address) {
        match address.endpoint(&self.tls) {
            Ok(endpoint) => {
                let channel = endpoint.connect_lazy();
                self.known.insert(address, (endpoint, channel));
            }
            // The same form and the same files were tried before: at the start, or when they were read.
            Err(error) => tracing::error!(service = self.service, url = %address.url, %error, "cannot be used"),
        }
    }

    /// Makes everything anew with the certificates that count now.
    async fn renew(&mut self) {
        for address in self.known.keys().filter(|address| address.is_tls()).cloned().collect::<Vec<_>>() {
            self.make(address.clone());
            if let (true, Some((endpoint, _))) = (self.in_use.contains(&address), self.known.get(&address)) {
                // A closed channel is noticed by the loop.
                let _ = self.changes.send(Change::Insert(address, endpoint.clone())).await;
            }
        }
        tracing::debug!(service = self.service, "new certificates in use");
    }

    async fn ready(&self) -> BTreeSet<Address> {
        let look = async |(address, (_, channel)): (&Address, &(Endpoint, Channel))| {
            is_ready(channel).await.then(|| address.clone())
        };
        let looks = self.known.iter().map(look);
        join_all(looks).await.into_iter().flatten().collect()
    }

    async fn change_to(&mut self, next: BTreeSet<Address>) {
        // Newcomers first, so that it is never empty in between.
        for address in next.difference(&self.in_use) {
            if let Some((endpoint, _)) = self.known.get(address) {
                tracing::debug!(service = self.service, url = %address.url, "replica in use");
                // A closed channel is noticed by the loop.
                let _ = self.changes.send(Change::Insert(address.clone(), endpoint.clone())).await;
            }
        }
        for address in self.in_use.difference(&next) {
            tracing::info!(service = self.service, url = %address.url, "replica left out");
            let _ = self.changes.send(Change::Remove(address.clone())).await;
        }
        self.in_use = next;
    }
}

/// What to use next: the ready ones; when none is, what is in use stays as far as it still exists, so that calls fail at
/// once instead of hanging. `None` when there is nothing at all to use.
fn next_in_use<'a, A: Ord + Clone + 'a>(
    in_use: &BTreeSet<A>,
    ready: &BTreeSet<A>,
    known: impl Iterator<Item = &'a A>,
) -> Option<BTreeSet<A>> {
    if !ready.is_empty() {
        return Some(ready.clone());
    }
    let known: BTreeSet<A> = known.cloned().collect();
    let staying: BTreeSet<A> = in_use.intersection(&known).cloned().collect();
    let next = if staying.is_empty() { known } else { staying };
    (!next.is_empty()).then_some(next)
}

/// Whether the replica says that it takes work. One that does not know the question is asked nothing more.
async fn is_ready(channel: &Channel) -> bool {
    let mut health = HealthClient::new(channel.clone());
    let check = health.check(HealthCheckRequest { service: "readiness".into() });
    match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(answer)) => answer.get_ref().status() == ServingStatus::Serving,
        Ok(Err(status)) => matches!(status.code(), Code::NotFound | Code::Unimplemented),
        Err(_silent) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> BTreeSet<String> {
        names.chars().map(String::from).collect()
    }

    #[test]
    fn the_ready_ones_are_used_and_never_none() {
        let next = |in_use, ready, known| next_in_use(&set(in_use), &set(ready), set(known).iter());
        assert_eq!(next("abc", "ac", "abc"), Some(set("ac")));
        assert_eq!(next("a", "b", "ab"), Some(set("b")));
        assert_eq!(next("ab", "", "abc"), Some(set("ab")), "none ready: what is in use stays");
        assert_eq!(next("a", "", "bc"), Some(set("bc")), "what is in use no longer exists");
        assert_eq!(next("a", "", ""), None);
    }
}
