//! A position on the wire: opaque, bound to what is watched, good on every replica, no authority.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::Hash;

use super::position::{Position, Snapshot};
use crate::error::{Error, Result};

/// The layout of the bytes.
const VERSION: u8 = 1;
/// Bytes of the hash that binds a token to what is watched.
const BINDING: usize = 8;
/// Most transactions that a token can carry as running: more than a server has connections.
const MOST_RUNNING: usize = 10_000;

/// Binds tokens to one history of the database and to what is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Names the history that transaction ids belong to.
    pub epoch: u64,
    /// Of what is watched.
    pub filter: [u8; BINDING],
}

impl Binding {
    /// Of a watch described by these parts, in this history.
    pub fn of<P: AsRef<[u8]>>(epoch: u64, parts: impl IntoIterator<Item = P>) -> Self {
        let mut filter = [0; BINDING];
        filter.copy_from_slice(&Hash::of_parts(parts).as_bytes()[..BINDING]);
        Self { epoch, filter }
    }
}

/// Where a watch goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// With the snapshots: none of them has been sent to the end.
    Snapshots,
    /// After this position. As long as it lies within what the first snapshot had seen in part, the snapshot goes along:
    /// what it saw has been delivered.
    After(Position, Option<Snapshot>),
}

/// The token of a place.
pub fn issue(binding: Binding, resume: &Resume) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(binding.epoch.to_be_bytes());
    bytes.extend(binding.filter);
    if let Resume::After(position, snapshot) = resume {
        bytes.extend(position.xid.to_be_bytes());
        bytes.extend(position.seq.to_be_bytes());
        if let Some(snapshot) = snapshot {
            let xids = [snapshot.xmin, snapshot.xmax].into_iter().chain(snapshot.running.iter().copied());
            xids.for_each(|xid| bytes.extend(xid.to_be_bytes()));
        }
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a token.
///
/// # Errors
/// RESUME_TOKEN_INVALID for what was not issued for this watch, CURSOR_EPOCH for another history of the database.
pub fn read(binding: Binding, token: &str) -> Result<Resume> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::ResumeTokenInvalid)?;
    let (version, rest) = bytes.split_first().ok_or(Error::ResumeTokenInvalid)?;
    let (epoch, rest) = rest.split_first_chunk::<8>().ok_or(Error::ResumeTokenInvalid)?;
    let (filter, rest) = rest.split_first_chunk::<BINDING>().ok_or(Error::ResumeTokenInvalid)?;
    if *version != VERSION || *filter != binding.filter {
        return Err(Error::ResumeTokenInvalid);
    }
    if u64::from_be_bytes(*epoch) != binding.epoch {
        return Err(Error::CursorEpoch);
    }
    let (numbers, odd) = rest.as_chunks::<8>();
    let numbers: Vec<i64> = numbers.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect();
    if !odd.is_empty() || numbers.iter().any(|number| *number < 0) {
        return Err(Error::ResumeTokenInvalid);
    }
    match numbers[..] {
        [] => Ok(Resume::Snapshots),
        [xid, seq] => Ok(Resume::After(Position { xid, seq }, None)),
        [xid, seq, xmin, xmax, ref running @ ..] if xmin <= xmax && running.len() <= MOST_RUNNING => {
            let snapshot = Snapshot { xmin, xmax, running: running.to_vec() };
            if !snapshot.running.is_sorted() {
                return Err(Error::ResumeTokenInvalid);
            }
            Ok(Resume::After(Position { xid, seq }, Some(snapshot)))
        }
        _ => Err(Error::ResumeTokenInvalid),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn binding() -> Binding {
        Binding::of(7, ["workspace", "filter"])
    }

    proptest! {
        #[test]
        fn what_is_issued_reads_back(xid in 0..i64::MAX, seq in 0..i64::MAX, running in prop::collection::btree_set(5..90_i64, 0..20)) {
            let running: Vec<i64> = running.into_iter().collect();
            let snapshot = Snapshot { xmin: 5, xmax: 90, running };
            for resume in [
                Resume::Snapshots,
                Resume::After(Position { xid, seq }, None),
                Resume::After(Position { xid, seq }, Some(snapshot)),
            ] {
                prop_assert_eq!(read(binding(), &issue(binding(), &resume)).unwrap(), resume);
            }
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(binding(), &URL_SAFE_NO_PAD.encode(bytes));
        }
    }

    #[test]
    fn a_token_belongs_to_its_watch_and_its_history() {
        let token = issue(binding(), &Resume::After(Position { xid: 5, seq: 6 }, None));
        let other_filter = Binding::of(7, ["workspace", "other"]);
        assert!(matches!(read(other_filter, &token), Err(Error::ResumeTokenInvalid)));
        let other_epoch = Binding { epoch: 8, ..binding() };
        assert!(matches!(read(other_epoch, &token), Err(Error::CursorEpoch)));
        for bad in ["", "!", "AQ", &token[..token.len() - 3], &format!("{token}AAAA")] {
            assert!(matches!(read(binding(), bad), Err(Error::ResumeTokenInvalid)), "{bad}");
        }
    }
}
