//! The record of an onboarding: whether it is under way, and what it shows of its checkpoints.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Checkpoint, TenantFacts};
use crate::access::UnknownName;

/// Where an onboarding stands: under way, or ended in one of two ways, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnboardingState {
    /// Under way; can be resumed.
    InProgress,
    /// The tenant was taken into service.
    Completed,
    /// Given up; the tenant went back to being a draft.
    Cancelled,
}

impl OnboardingState {
    /// Every state.
    pub const ALL: [OnboardingState; 3] =
        [OnboardingState::InProgress, OnboardingState::Completed, OnboardingState::Cancelled];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            OnboardingState::InProgress => "in_progress",
            OnboardingState::Completed => "completed",
            OnboardingState::Cancelled => "cancelled",
        }
    }

    /// Whether a checkpoint of this onboarding is reached. What is under way is read off the tenant; a completed one reached
    /// them all, whatever became of the tenant; a cancelled one never took it into service, whoever did later.
    pub fn has_reached(self, checkpoint: Checkpoint, tenant: TenantFacts) -> bool {
        match self {
            OnboardingState::InProgress => checkpoint.is_reached(tenant),
            OnboardingState::Completed => true,
            OnboardingState::Cancelled => checkpoint != Checkpoint::Complete && checkpoint.is_reached(tenant),
        }
    }

    /// What is to be done next; nothing in an onboarding that has ended.
    pub const fn next_checkpoint(self, tenant: TenantFacts) -> Option<Checkpoint> {
        match self {
            OnboardingState::InProgress => Checkpoint::next(tenant),
            OnboardingState::Completed | OnboardingState::Cancelled => None,
        }
    }
}

impl fmt::Display for OnboardingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OnboardingState {
    type Err = UnknownName;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        OnboardingState::ALL
            .into_iter()
            .find(|state| state.as_str() == value)
            .ok_or_else(|| UnknownName::new("onboarding state", value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{Connection, Lifecycle};

    #[test]
    fn checkpoints_by_the_state_of_the_onboarding() {
        use OnboardingState::{Cancelled, Completed, InProgress};
        let reached = |state: OnboardingState, lifecycle, connection| {
            let facts = TenantFacts { lifecycle, connection };
            Checkpoint::ALL.into_iter().filter(|checkpoint| state.has_reached(*checkpoint, facts)).count()
        };
        let table = [
            (InProgress, Lifecycle::Onboarding, [1, 2, 3]),
            (Cancelled, Lifecycle::Draft, [1, 2, 3]),
            (Cancelled, Lifecycle::Active, [3, 3, 3]),
            (Completed, Lifecycle::Active, [4, 4, 4]),
            (Completed, Lifecycle::Archived, [4, 4, 4]),
        ];
        for (state, lifecycle, expected) in table {
            let counts = Connection::ALL.map(|connection| reached(state, lifecycle, connection));
            assert_eq!(counts, expected, "{state} of a tenant that is {lifecycle}");
        }
    }

    #[test]
    fn only_what_is_under_way_has_something_next() {
        let facts = TenantFacts { lifecycle: Lifecycle::Onboarding, connection: Connection::Unverified };
        let next = OnboardingState::ALL.map(|state| state.next_checkpoint(facts));
        assert_eq!(next, [Some(Checkpoint::Verify), None, None]);
    }

    #[test]
    fn names_read_back() {
        for state in OnboardingState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("paused".parse::<OnboardingState>().is_err());
    }
}
