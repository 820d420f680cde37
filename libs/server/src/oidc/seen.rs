//! Tokens verified lately, so that a signature is checked once and not per call. Bounded: two generations of a fixed
//! size, the older thrown away as a whole when the younger is full. Keyed by the token's SHA-256: no token is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::Identity;

/// Tokens per generation; an entry is about 200 bytes.
const CAPACITY: usize = 8192;

type Hash = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Hash, (u64, Identity)>,
    old: HashMap<Hash, (u64, Identity)>,
}

impl Seen {
    /// The identity, if this token was verified with the keys of `generation`. Its expiry is the asker's to check.
    pub(super) fn get(&self, token: &str, generation: u64) -> Option<Identity> {
        let hash = hash(token);
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((verified_with, identity)) = tokens.young.get(&hash) {
            return (*verified_with == generation).then(|| identity.clone());
        }
        let (verified_with, identity) = tokens.old.remove(&hash)?;
        tokens.put(hash, verified_with, identity.clone());
        (verified_with == generation).then_some(identity)
    }

    pub(super) fn put(&self, token: &str, generation: u64, identity: Identity) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(hash(token), generation, identity);
    }
}

impl Generations {
    fn put(&mut self, hash: Hash, generation: u64, identity: Identity) {
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, (generation, identity));
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::ServiceIdentity;
    use crate::oidc::Principal;

    fn identity() -> Identity {
        let principal = Principal::Service(ServiceIdentity { name: "a".into() });
        Identity { principal, expires_at: time::OffsetDateTime::UNIX_EPOCH }
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let seen = Seen::default();
        for n in 0..5 * CAPACITY {
            seen.put(&n.to_string(), 0, identity());
            assert!(seen.get("0", 0).is_some(), "lost at {n}");
        }
        let tokens = seen.0.lock().unwrap();
        assert!(tokens.young.len() + tokens.old.len() <= 2 * CAPACITY);
    }

    #[test]
    fn a_withdrawn_key_takes_its_tokens_along() {
        let seen = Seen::default();
        seen.put("token", 0, identity());
        assert!(seen.get("token", 1).is_none());
        assert!(seen.get("other", 0).is_none());
    }
}
