//! The audit trail as a chain of seals: recomputing it and telling where it breaks. The database seals (migration 0023); this
//! is the second opinion, which trusts nothing that is stored but what follows from the seal before it.

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::id::Hash;

/// How far a chain goes, and what it comes to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Of the last seal; 0 before the first.
    pub position: i64,
    /// Its hash.
    pub hash: Hash,
}

impl Checkpoint {
    /// Before the first seal.
    pub fn beginning() -> Self {
        Self { position: 0, hash: Hash::from_bytes([0; 32]) }
    }
}

/// A seal and what it seals.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Place in the chain, from 1.
    pub position: i64,
    /// The entry.
    pub entry_id: Uuid,
    /// The hash of the seal before it, as stored.
    pub previous: Hash,
    /// Its own, as stored.
    pub hash: Hash,
    /// When.
    pub sealed_at: OffsetDateTime,
    /// The entry as it is now, as texts in the order of migration 0023; `None`: it is gone.
    pub entry: Option<Vec<Option<String>>>,
}

/// How a chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Break {
    /// A seal is missing before this one.
    SealMissing,
    /// The seal does not follow from the one before it.
    SealChanged,
    /// The sealed entry is gone.
    EntryMissing,
    /// The entry, or the time of its seal, is not what was sealed.
    EntryChanged,
    /// An entry was written past the queue of seals.
    EntryNotSealed,
    /// The chain does not come to what it once came to.
    CheckpointDiffers,
    /// The chain ends before a position that was once sealed.
    CheckpointMissing,
}

impl Break {
    /// UPPER_SNAKE, stable.
    pub const fn code(self) -> &'static str {
        match self {
            Break::SealMissing => "SEAL_MISSING",
            Break::SealChanged => "SEAL_CHANGED",
            Break::EntryMissing => "ENTRY_MISSING",
            Break::EntryChanged => "ENTRY_CHANGED",
            Break::EntryNotSealed => "ENTRY_NOT_SEALED",
            Break::CheckpointDiffers => "CHECKPOINT_DIFFERS",
            Break::CheckpointMissing => "CHECKPOINT_MISSING",
        }
    }

    /// For people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Break::SealMissing => "A seal is missing: an entry and its seal were removed.",
            Break::SealChanged => "The seal does not follow from the one before it.",
            Break::EntryMissing => "The entry was removed.",
            Break::EntryChanged => "The entry was changed after it was sealed.",
            Break::EntryNotSealed => "The entry was slipped in past the seals.",
            Break::CheckpointDiffers => "The trail up to here is not the one that it was.",
            Break::CheckpointMissing => "The trail was cut off: it has been longer.",
        }
    }
}

/// A walk along a chain.
#[derive(Debug, Clone)]
pub struct Walk {
    head: Checkpoint,
    known: Option<Checkpoint>,
}

impl Walk {
    /// Begins after a checkpoint. `known`: what the chain has come to before, to be compared when the walk comes by.
    pub fn after(start: Checkpoint, known: Option<Checkpoint>) -> Self {
        Self { head: start, known: known.filter(|known| known.position > start.position) }
    }

    /// How far it has come.
    pub fn head(&self) -> Checkpoint {
        self.head
    }

    /// Checks the next seal and goes on to it.
    pub fn step(&mut self, sealed: &Sealed) -> Result<(), Break> {
        if sealed.position != self.head.position + 1 {
            return Err(Break::SealMissing);
        }
        if sealed.previous != self.head.hash {
            return Err(Break::SealChanged);
        }
        let entry = sealed.entry.as_ref().ok_or(Break::EntryMissing)?;
        if seal_hash(sealed.position, &sealed.previous, sealed.sealed_at, entry) != sealed.hash {
            return Err(Break::EntryChanged);
        }
        if self.known.is_some_and(|known| known.position == sealed.position && known.hash != sealed.hash) {
            return Err(Break::CheckpointDiffers);
        }
        self.head = Checkpoint { position: sealed.position, hash: sealed.hash };
        Ok(())
    }

    /// At the end of the chain: whether it has been longer.
    pub fn end(&self) -> Result<(), Break> {
        match self.known {
            Some(known) if known.position > self.head.position => Err(Break::CheckpointMissing),
            _ => Ok(()),
        }
    }
}

/// The hash of a seal.
pub fn seal_hash(position: i64, previous: &Hash, sealed_at: OffsetDateTime, entry: &[Option<String>]) -> Hash {
    let mut digest = Sha256::new();
    add(&mut digest, Some(&position.to_string()));
    digest.update(previous.as_bytes());
    add(&mut digest, Some(&(sealed_at.unix_timestamp_nanos() / 1000).to_string()));
    for column in entry {
        add(&mut digest, column.as_deref());
    }
    Hash::from_bytes(digest.finalize().into())
}

/// Length and bytes; -1 for NULL.
fn add(digest: &mut Sha256, value: Option<&str>) {
    match value {
        None => digest.update((-1_i64).to_be_bytes()),
        Some(value) => {
            digest.update(i64::try_from(value.len()).unwrap_or(i64::MAX).to_be_bytes());
            digest.update(value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    fn entry(n: u8) -> Vec<Option<String>> {
        vec![Some(format!("entry {n}")), None]
    }

    fn chain(length: u8) -> Vec<Sealed> {
        let mut head = Checkpoint::beginning();
        (1..=length)
            .map(|n| {
                let (position, previous, entry) = (i64::from(n), head.hash, entry(n));
                let sealed_at = NOON + Duration::minutes(n.into());
                let hash = seal_hash(position, &previous, sealed_at, &entry);
                head = Checkpoint { position, hash };
                Sealed { position, entry_id: Uuid::nil(), previous, hash, sealed_at, entry: Some(entry) }
            })
            .collect()
    }

    fn walked(chain: &[Sealed], known: Option<Checkpoint>) -> Result<Checkpoint, (i64, Break)> {
        let mut walk = Walk::after(Checkpoint::beginning(), known);
        for sealed in chain {
            walk.step(sealed).map_err(|broken| (sealed.position, broken))?;
        }
        walk.end().map_err(|broken| (0, broken))?;
        Ok(walk.head())
    }

    #[test]
    fn an_untouched_chain_is_whole_and_comes_to_what_it_came_to() {
        let chain = chain(5);
        let head = walked(&chain, None).unwrap();
        assert_eq!(head, Checkpoint { position: 5, hash: chain[4].hash });
        let known = Checkpoint { position: 3, hash: chain[2].hash };
        assert_eq!(walked(&chain, Some(known)), Ok(head));
        let mut rest = Walk::after(known, None);
        assert!(chain[3..].iter().all(|sealed| rest.step(sealed).is_ok()));
        assert_eq!(rest.head(), head);
    }

    #[test]
    fn every_kind_of_tampering_is_found_where_it_is() {
        let whole = chain(5);
        let with = |change: &dyn Fn(&mut Vec<Sealed>)| {
            let mut chain = whole.clone();
            change(&mut chain);
            walked(&chain, Some(Checkpoint { position: 5, hash: whole[4].hash }))
        };
        assert_eq!(with(&|chain| chain[2].entry = None), Err((3, Break::EntryMissing)));
        assert_eq!(with(&|chain| chain[2].entry = Some(entry(9))), Err((3, Break::EntryChanged)));
        assert_eq!(with(&|chain| chain[2].sealed_at = NOON), Err((3, Break::EntryChanged)));
        assert_eq!(with(&|chain| drop(chain.remove(2))), Err((4, Break::SealMissing)));
        assert_eq!(with(&|chain| chain[2].previous = chain[0].hash), Err((3, Break::SealChanged)));
        assert_eq!(with(&|chain| chain[2].hash = chain[0].hash), Err((3, Break::EntryChanged)));
        assert_eq!(with(&|chain| chain.truncate(4)), Err((0, Break::CheckpointMissing)));
        // All of it written anew, seals and all.
        let forged = |chain: &mut Vec<Sealed>| {
            let mut head = Checkpoint::beginning();
            for sealed in chain {
                let entry = vec![Some("never happened".into())];
                sealed.previous = head.hash;
                sealed.hash = seal_hash(sealed.position, &head.hash, sealed.sealed_at, &entry);
                sealed.entry = Some(entry);
                head = Checkpoint { position: sealed.position, hash: sealed.hash };
            }
        };
        assert_eq!(with(&forged), Err((5, Break::CheckpointDiffers)));
    }

    #[test]
    fn nothing_and_the_empty_text_are_told_apart() {
        let beginning = Checkpoint::beginning().hash;
        let of = |column: Option<&str>| seal_hash(1, &beginning, NOON, &[column.map(str::to_owned)]);
        assert_ne!(of(None), of(Some("")));
    }
}
