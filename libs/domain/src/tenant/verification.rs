//! What trying a provider connection proves: whether it works, and which policy types it may not read.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access::UnknownName;
use crate::id::PolicyType;

/// The reason of a type that the provider does not let the connection read.
pub const PERMISSION_DENIED: &str = "PROVIDER_PERMISSION_DENIED";

/// Whether a connection in use is known to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    /// Nobody has tried it.
    #[default]
    Unverified,
    /// It worked when it was last tried.
    Verified,
    /// It did not.
    Failed,
}

impl VerificationState {
    /// Every state.
    pub const ALL: [VerificationState; 3] =
        [VerificationState::Unverified, VerificationState::Verified, VerificationState::Failed];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            VerificationState::Unverified => "unverified",
            VerificationState::Verified => "verified",
            VerificationState::Failed => "failed",
        }
    }
}

impl fmt::Display for VerificationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VerificationState {
    type Err = UnknownName;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        VerificationState::ALL
            .into_iter()
            .find(|state| state.as_str() == value)
            .ok_or_else(|| UnknownName::new("verification state", value))
    }
}

/// How trying to read one policy type ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The type.
    pub policy_type: PolicyType,
    /// What came of it.
    pub finding: Finding,
}

/// What trying to read one policy type says about the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It could be read.
    Readable,
    /// It could not, for this reason, and asking again would not help.
    Refused(String),
    /// The provider was away or asked to wait: nothing is known of it now.
    Unknown,
}

/// What is known of a connection after it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Verified or failed.
    pub state: VerificationState,
    /// Why it failed.
    pub reason: Option<String>,
    /// The types it may not read. What it may not read it cannot promote into either: a target is read before it is written.
    pub denied_types: BTreeSet<PolicyType>,
    /// The types nothing was learned of: what was known of them stays.
    pub unknown_types: BTreeSet<PolicyType>,
}

/// The verdict over what was tried. A connection works when any type could be read: that takes a token, and the provider's yes.
/// Otherwise it failed for the first reason that is not a refusal of one type, such as a rejected credential. `None` when nothing is
/// proved: nothing was tried, or nothing could be read while the provider was away for some of it. An outage is no fault of the
/// connection, and what was known of it stays.
pub fn verdict(tried: &[Tried]) -> Option<Verdict> {
    let types = |wanted: &dyn Fn(&Finding) -> bool| -> BTreeSet<PolicyType> {
        tried.iter().filter(|one| wanted(&one.finding)).map(|one| one.policy_type.clone()).collect()
    };
    let is_denied = |finding: &Finding| matches!(finding, Finding::Refused(reason) if reason == PERMISSION_DENIED);
    let (denied_types, unknown_types) = (types(&is_denied), types(&|finding| *finding == Finding::Unknown));
    if tried.iter().any(|one| one.finding == Finding::Readable) {
        return Some(Verdict { state: VerificationState::Verified, reason: None, denied_types, unknown_types });
    }
    if !unknown_types.is_empty() {
        return None;
    }
    let first = tried.iter().find(|one| !is_denied(&one.finding)).or(tried.first())?;
    let Finding::Refused(reason) = &first.finding else { return None };
    Some(Verdict { state: VerificationState::Failed, reason: Some(reason.clone()), denied_types, unknown_types })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = PERMISSION_DENIED;

    /// State, reason, denied and unknown types of the verdict over findings written as `type` (readable), `type!REASON`
    /// (refused) and `type?` (unknown).
    fn judge(tried: &str) -> Option<(VerificationState, Option<String>, String, String)> {
        let one = |word: &str| match (word.split_once('!'), word.strip_suffix('?')) {
            (Some((policy_type, reason)), _) => {
                Tried { policy_type: policy_type.into(), finding: Finding::Refused(reason.to_owned()) }
            }
            (None, Some(policy_type)) => Tried { policy_type: policy_type.into(), finding: Finding::Unknown },
            (None, None) => Tried { policy_type: word.into(), finding: Finding::Readable },
        };
        let verdict = verdict(&tried.split_whitespace().map(one).collect::<Vec<_>>())?;
        let named = |types: BTreeSet<PolicyType>| types.into_iter().map(|one| one.0).collect::<Vec<_>>().join(" ");
        Some((verdict.state, verdict.reason, named(verdict.denied_types), named(verdict.unknown_types)))
    }

    #[test]
    fn one_type_that_can_be_read_verifies_and_denials_are_remembered() {
        use VerificationState::{Failed, Verified};
        let is = |state, reason: &str, denied: &str, unknown: &str| {
            let reason = (!reason.is_empty()).then(|| reason.to_owned());
            Some((state, reason, denied.to_owned(), unknown.to_owned()))
        };
        assert_eq!(judge(""), None);
        assert_eq!(judge("a"), is(Verified, "", "", ""));
        assert_eq!(judge(&format!("b!{DENIED} a c!CONTENT_INVALID")), is(Verified, "", "b", ""));
        assert_eq!(judge(&format!("b!{DENIED} a!{DENIED}")), is(Failed, DENIED, "a b", ""));
        let rejected = "PROVIDER_CREDENTIAL_REJECTED";
        assert_eq!(judge(&format!("b!{DENIED} c!{rejected}")), is(Failed, rejected, "b", ""));
    }

    #[test]
    fn an_outage_proves_nothing_against_a_connection() {
        assert_eq!(judge("a? b?"), None);
        assert_eq!(judge(&format!("a!{DENIED} b?")), None, "what may be readable was not tried to the end");
        // What could be read was read, whatever else was away; of that nothing is said.
        let verified = (VerificationState::Verified, None, "b".to_owned(), "c".to_owned());
        assert_eq!(judge(&format!("a b!{DENIED} c?")), Some(verified));
    }

    #[test]
    fn names_read_back() {
        for state in VerificationState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("disabled".parse::<VerificationState>().is_err());
    }
}
