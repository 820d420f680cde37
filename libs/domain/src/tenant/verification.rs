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
    /// Why it could not be read; `None` when it could.
    pub refused: Option<String>,
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
}

/// The verdict over what was tried. A connection works when any type could be read: that takes a token, and the provider's yes.
/// Otherwise it failed for the first reason that is not a refusal of one type, such as a rejected credential. `None` when nothing was
/// tried, which proves nothing.
pub fn verdict(tried: &[Tried]) -> Option<Verdict> {
    let denied = |one: &&Tried| one.refused.as_deref() == Some(PERMISSION_DENIED);
    let denied_types = tried.iter().filter(denied).map(|one| one.policy_type.clone()).collect();
    if tried.iter().any(|one| one.refused.is_none()) {
        return Some(Verdict { state: VerificationState::Verified, reason: None, denied_types });
    }
    let first = tried.iter().find(|one| !denied(one)).or(tried.first())?;
    Some(Verdict { state: VerificationState::Failed, reason: first.refused.clone(), denied_types })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(tried: &[(&str, Option<&str>)]) -> Option<(VerificationState, Option<String>, Vec<String>)> {
        let tried: Vec<Tried> = tried
            .iter()
            .map(|(policy_type, refused)| Tried {
                policy_type: (*policy_type).into(),
                refused: refused.map(str::to_owned),
            })
            .collect();
        let verdict = verdict(&tried)?;
        let denied = verdict.denied_types.into_iter().map(|policy_type| policy_type.0).collect();
        Some((verdict.state, verdict.reason, denied))
    }

    #[test]
    fn one_type_that_can_be_read_verifies_and_denials_are_remembered() {
        use VerificationState::{Failed, Verified};
        const NO: Option<&str> = Some(PERMISSION_DENIED);
        const DOWN: Option<&str> = Some("PROVIDER_UNAVAILABLE");
        let reason = |reason: Option<&str>| reason.map(str::to_owned);
        assert_eq!(judge(&[]), None);
        assert_eq!(judge(&[("a", None)]), Some((Verified, None, vec![])));
        assert_eq!(judge(&[("b", NO), ("a", None), ("c", DOWN)]), Some((Verified, None, vec!["b".into()])));
        assert_eq!(judge(&[("b", NO), ("a", NO)]), Some((Failed, reason(NO), vec!["a".into(), "b".into()])));
        assert_eq!(judge(&[("b", NO), ("c", DOWN)]), Some((Failed, reason(DOWN), vec!["b".into()])));
    }

    #[test]
    fn names_read_back() {
        for state in VerificationState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("disabled".parse::<VerificationState>().is_err());
    }
}
