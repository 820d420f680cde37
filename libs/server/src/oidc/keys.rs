//! The issuer's signing keys, kept and renewed: fetched again when they are old and when a token names a key that is not
//! among them, by one fetch at a time. When the issuer cannot be reached the last good set stays in use.
//!
//! The cooldown is what invented key ids cost the issuer: after a fetch in vain (the key was not there, or there was no
//! answer) no token causes another one until it is over. A fetch that finds the key costs nothing: only the issuer makes
//! keys appear, so that a rotation, even one right after another, is followed at its first token. An issuer that signs
//! with a key before it publishes it, in the middle of a flood of invented ids, is followed after the cooldown.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::issuer::{Issuer, IssuerError};

/// While there is no key at all there is nothing to protect the issuer from but our start: try again sooner.
const COOLDOWN_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// How long a token of an unknown key waits for the issuer while others have their keys: a flood of them, with an issuer
/// that does not answer, must not hold all places.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no key for a token.
pub(super) enum NoKey {
    /// The issuer has no such key, as far as we may ask.
    Unknown,
    /// There are no keys at all yet.
    Unreachable(Arc<IssuerError>),
}

#[derive(Debug)]
pub(super) struct Keys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuer: Issuer,
    ttl: Duration,
    cooldown: Duration,
    current: RwLock<Option<Arc<KeySet>>>,
    /// Counts the times that a key was withdrawn: what was verified before is verified again.
    generation: AtomicU64,
    /// Held during a fetch, so that there is one at a time.
    fetches: Arc<Mutex<Fetches>>,
}

/// What is known of earlier fetches.
#[derive(Debug, Default)]
struct Fetches {
    /// The last one of all.
    last: Option<Instant>,
    /// The last one that did not give what it was for, and how it failed if it did.
    in_vain: Option<(Instant, Result<(), Arc<IssuerError>>)>,
}

/// What a fetch is for.
enum Purpose {
    /// Fresh keys in the place of old ones, or any at all.
    Renewal,
    /// The key that a token names.
    Key(Option<String>, Algorithm),
}

struct KeySet {
    by_id: HashMap<String, Key>,
    /// Keys without an id, and the only key when a token names none.
    all: Vec<Key>,
    fetched: Instant,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("ids", &self.by_id.keys()).field("keys", &self.all.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Key {
    /// The key's own restriction, if it has one.
    algorithm: Option<String>,
    decoding: Arc<DecodingKey>,
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let decoding = Arc::new(DecodingKey::from_jwk(jwk).ok()?);
        Some(Self { algorithm: jwk.common.key_algorithm.map(|algorithm| algorithm.to_string()), decoding })
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        self.decoding.family() == algorithm.family()
            && self.algorithm.as_ref().is_none_or(|own| *own == format!("{algorithm:?}"))
    }
}

impl KeySet {
    fn of(set: &JwkSet) -> Self {
        let keys: Vec<(Option<String>, Key)> =
            set.keys.iter().filter_map(|jwk| Some((jwk.common.key_id.clone(), Key::of(jwk)?))).collect();
        let by_id = keys.iter().filter_map(|(id, key)| Some((id.clone()?, key.clone()))).collect();
        Self { by_id, all: keys.into_iter().map(|(_, key)| key).collect(), fetched: Instant::now() }
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
        let key = match (id, &self.all[..]) {
            (Some(id), _) => self.by_id.get(id)?,
            // Without an id there must be no choice: trying keys until one fits would be guessing.
            (None, [only]) => only,
            (None, _) => return None,
        };
        key.serves(algorithm).then(|| Arc::clone(&key.decoding))
    }

    /// Whether a key of `self` is not in `newer`: under its id, or at all if it has none.
    fn lost_in(&self, newer: &KeySet) -> bool {
        let same =
            |one: &Key, other: &Key| one.decoding.try_get_as_bytes().ok() == other.decoding.try_get_as_bytes().ok();
        self.by_id.iter().any(|(id, key)| newer.by_id.get(id).is_none_or(|other| !same(key, other)))
            || self.all.iter().any(|key| !newer.all.iter().any(|other| same(key, other)))
    }
}

impl Keys {
    pub(super) fn new(issuer: Issuer, ttl: Duration, cooldown: Duration) -> Self {
        Self(Arc::new(Shared {
            issuer,
            ttl,
            cooldown,
            current: RwLock::new(None),
            generation: AtomicU64::new(0),
            fetches: Arc::default(),
        }))
    }

    pub(super) fn generation(&self) -> u64 {
        // An old set is renewed beside the request that notices, also when all tokens come from the cache.
        if let Some(set) = self.0.current()
            && set.fetched.elapsed() >= self.0.ttl
        {
            self.renew_in_background(&set);
        }
        self.0.generation.load(Ordering::Acquire)
    }

    pub(super) async fn warm_up(&self) {
        if let Err(error) = self.0.fetch(None, Purpose::Renewal).await {
            tracing::warn!(%error, "the issuer's keys cannot be read yet");
        }
    }

    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<DecodingKey>, NoKey> {
        let before = self.0.current();
        if let Some(key) = before.as_ref().and_then(|set| set.find(id, algorithm)) {
            return Ok(key);
        }
        let fetch = self.0.fetch(before.as_ref(), Purpose::Key(id.map(str::to_owned), algorithm));
        let outcome = match &before {
            // Everybody waits for the very first keys, until their own deadline.
            None => fetch.await,
            Some(_) => timeout(PATIENCE, fetch).await.unwrap_or_else(|_| Err(Arc::new(IssuerError::Slow))),
        };
        match (self.0.current().and_then(|set| set.find(id, algorithm)), outcome) {
            (Some(key), _) => Ok(key),
            // It may be a new key: the issuer would know. Nobody is told that a token is bad for want of an answer.
            (None, Err(error)) => Err(NoKey::Unreachable(error)),
            (None, Ok(())) => Err(NoKey::Unknown),
        }
    }

    fn renew_in_background(&self, set: &Arc<KeySet>) {
        let (shared, set) = (Arc::clone(&self.0), Arc::clone(set));
        let due = |last: &Option<Instant>| last.is_none_or(|last| last.elapsed() >= shared.cooldown);
        if !shared.fetches.try_lock().is_ok_and(|fetches| due(&fetches.last)) {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = shared.fetch(Some(&set), Purpose::Renewal).await {
                tracing::warn!(%error, "the issuer's keys cannot be renewed; the last ones stay in use");
            }
        });
    }
}

impl Shared {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches, unless the set has changed since `seen` was looked at, or the cooldown forbids it. Waits for a fetch
    /// that is under way.
    async fn fetch(self: &Arc<Self>, seen: Option<&Arc<KeySet>>, purpose: Purpose) -> Result<(), Arc<IssuerError>> {
        let mut fetches = Arc::clone(&self.fetches).lock_owned().await;
        let current = self.current();
        if current.as_ref().map(Arc::as_ptr) != seen.map(Arc::as_ptr) {
            return Ok(());
        }
        let cooldown = if current.is_some() { self.cooldown } else { self.cooldown.min(COOLDOWN_WITHOUT_KEYS) };
        if let Some((when, outcome)) = &fetches.in_vain
            && when.elapsed() < cooldown
        {
            return outcome.clone();
        }
        // In a task of its own: a caller that goes away in the middle would undo the fetch and what is remembered of it,
        // and the next one would begin again, without any cooldown.
        let shared = Arc::clone(self);
        let fetch = tokio::spawn(async move { shared.fetch_now(&mut fetches, &purpose).await });
        fetch.await.unwrap_or_else(|_panicked| Err(Arc::new(IssuerError::Slow)))
    }

    async fn fetch_now(&self, fetches: &mut Fetches, purpose: &Purpose) -> Result<(), Arc<IssuerError>> {
        let keys = self.issuer.signing_keys().await.map_err(Arc::new);
        let outcome = keys.map(|set| self.replace(&KeySet::of(&set).into()));
        let now = Instant::now();
        let found = outcome.is_ok()
            && match purpose {
                Purpose::Renewal => true,
                Purpose::Key(id, algorithm) => {
                    self.current().is_some_and(|set| set.find(id.as_deref(), *algorithm).is_some())
                }
            };
        fetches.last = Some(now);
        fetches.in_vain = (!found).then(|| (now, outcome.clone()));
        outcome
    }

    fn replace(&self, newer: &Arc<KeySet>) {
        let older = self.current.write().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(newer));
        if older.is_some_and(|older| older.lost_in(newer)) {
            self.generation.fetch_add(1, Ordering::Release);
            tracing::info!("the issuer has withdrawn a signing key");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(keys: &[(Option<&str>, u8)]) -> KeySet {
        let jwk = |(id, byte): &(Option<&str>, u8)| {
            let x = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, [*byte; 32]);
            serde_json::from_value(json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x })).unwrap()
        };
        KeySet::of(&JwkSet { keys: keys.iter().map(jwk).collect() })
    }

    #[test]
    fn a_key_is_withdrawn_when_its_id_or_its_bytes_are_gone() {
        let old = set(&[(Some("a"), 1), (Some("b"), 2)]);
        assert!(!old.lost_in(&set(&[(Some("b"), 2), (Some("a"), 1), (Some("c"), 3)])));
        assert!(old.lost_in(&set(&[(Some("a"), 1)])));
        assert!(old.lost_in(&set(&[(Some("a"), 9), (Some("b"), 2)])), "other bytes under the same id");
        assert!(!set(&[(None, 1)]).lost_in(&set(&[(None, 1)])));
        assert!(set(&[(None, 1)]).lost_in(&set(&[(None, 2)])), "a key without an id");
    }

    #[test]
    fn without_an_id_there_must_be_no_choice() {
        let found = |keys: &[(Option<&str>, u8)], id| set(keys).find(id, Algorithm::EdDSA).is_some();
        assert!(found(&[(Some("a"), 1)], None));
        assert!(!found(&[(Some("a"), 1), (Some("b"), 2)], None));
        assert!(found(&[(Some("a"), 1), (Some("b"), 2)], Some("b")));
        assert!(!found(&[(Some("a"), 1)], Some("b")));
        assert!(set(&[(Some("a"), 1)]).find(Some("a"), Algorithm::ES256).is_none(), "a key has one family");
    }
}
