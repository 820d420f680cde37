//! Several replicas behind one channel. tonic's balancer keeps choosing endpoints that are dead, and hangs when it has
//! none at all; so this task looks at each of them every few seconds (and at once when a call met trouble), takes out
//! those that are not ready, puts them back when they are, and never takes out the last one.

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

use super::endpoints::{Target, endpoint};

/// How often the replicas are looked at.
const ROUND: Duration = Duration::from_secs(3);
/// Between two looks caused by trouble.
const AT_LEAST: Duration = Duration::from_millis(200);
/// What a look may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A channel to these targets. A single address needs no balancer: it reconnects by itself.
pub(super) fn channel(service: &'static str, targets: Vec<Target>, trouble: Arc<Notify>) -> Channel {
    if let [Target::One(only)] = &targets[..] {
        return only.connect_lazy();
    }
    let (channel, changes) = Channel::balance_channel(64);
    tokio::spawn(Replicas { service, targets, changes, known: BTreeMap::new(), in_use: BTreeSet::new() }.keep(trouble));
    channel
}

struct Replicas {
    service: &'static str,
    targets: Vec<Target>,
    changes: Sender<Change<String, Endpoint>>,
    /// By address; the channel is for looking only.
    known: BTreeMap<String, (Endpoint, Channel)>,
    in_use: BTreeSet<String>,
}

impl Replicas {
    /// Until the channel is gone.
    async fn keep(mut self, trouble: Arc<Notify>) {
        // Before anything is known, all are tried: an empty balancer would let calls hang.
        self.resolve().await;
        let all: BTreeSet<String> = self.known.keys().cloned().collect();
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
                () = self.changes.closed() => return,
            }
        }
    }

    /// Brings `known` up to date. A name that cannot be resolved now keeps what it had.
    async fn resolve(&mut self) {
        let mut found = BTreeMap::new();
        for target in &self.targets {
            match target {
                Target::One(one) => {
                    found.insert(one.uri().to_string(), Endpoint::clone(one));
                }
                Target::Dns { host, port } => match tokio::net::lookup_host((host.as_str(), *port)).await {
                    Ok(addresses) => found.extend(addresses.filter_map(|address| {
                        let url = format!("http://{address}");
                        endpoint(&url).ok().map(|endpoint| (url, endpoint))
                    })),
                    Err(error) => {
                        tracing::warn!(service = self.service, %host, %error, "cannot be resolved");
                        return;
                    }
                },
            }
        }
        self.known.retain(|url, _| found.contains_key(url));
        for (url, endpoint) in found {
            self.known.entry(url).or_insert_with(|| {
                let channel = endpoint.connect_lazy();
                (endpoint, channel)
            });
        }
    }

    async fn ready(&self) -> BTreeSet<String> {
        let looks = self.known.iter().map(|(url, (_, channel))| async { is_ready(channel).await.then(|| url.clone()) });
        join_all(looks).await.into_iter().flatten().collect()
    }

    async fn change_to(&mut self, next: BTreeSet<String>) {
        // Newcomers first, so that it is never empty in between.
        for url in next.difference(&self.in_use) {
            if let Some((endpoint, _)) = self.known.get(url) {
                tracing::debug!(service = self.service, %url, "replica in use");
                // A closed channel is noticed by the loop.
                let _ = self.changes.send(Change::Insert(url.clone(), endpoint.clone())).await;
            }
        }
        for url in self.in_use.difference(&next) {
            tracing::info!(service = self.service, %url, "replica left out");
            let _ = self.changes.send(Change::Remove(url.clone())).await;
        }
        self.in_use = next;
    }
}

/// What to use next: the ready ones; when none is, what is in use stays as far as it still exists, so that calls fail at
/// once instead of hanging. `None` when there is nothing at all to use.
fn next_in_use<'a>(
    in_use: &BTreeSet<String>,
    ready: &BTreeSet<String>,
    known: impl Iterator<Item = &'a String>,
) -> Option<BTreeSet<String>> {
    if !ready.is_empty() {
        return Some(ready.clone());
    }
    let known: BTreeSet<String> = known.cloned().collect();
    let staying: BTreeSet<String> = in_use.intersection(&known).cloned().collect();
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
