//! How old and how complete the evidence of one side is.

use std::collections::BTreeSet;

use domain::id::TenantId;
use domain::preflight::CoverageState;
use time::OffsetDateTime;

use super::gather::CoverageByType;

/// How old and how complete the evidence of one side is, among the compared policy types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceAge {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The oldest reading; `None` when a type was never read.
    pub oldest_observed_at: Option<OffsetDateTime>,
    /// The newest reading.
    pub newest_observed_at: Option<OffsetDateTime>,
    /// Types never read, by key.
    pub never_observed: Vec<String>,
    /// Types whose last reading did not see everything, by key.
    pub incomplete: Vec<String>,
}

impl EvidenceAge {
    /// Of these types, given what the newest sync could see.
    pub(super) fn of(tenant_id: TenantId, types: &BTreeSet<&str>, coverage: &CoverageByType) -> Self {
        let (mut never_observed, mut incomplete, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for policy_type in types {
            match coverage.get(*policy_type) {
                None => never_observed.push((*policy_type).to_owned()),
                Some(coverage) => {
                    times.push(coverage.observed_at);
                    if coverage.state != CoverageState::Observed {
                        incomplete.push((*policy_type).to_owned());
                    }
                }
            }
        }
        let oldest = times.iter().min().copied();
        Self {
            tenant_id,
            oldest_observed_at: if never_observed.is_empty() { oldest } else { None },
            newest_observed_at: times.iter().max().copied(),
            never_observed,
            incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::PolicyType;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::store::coverage::Coverage;

    fn read(policy_type: &str, state: CoverageState, observed_at: OffsetDateTime) -> (PolicyType, Coverage) {
        let policy_type = PolicyType::from(policy_type);
        let (reason_code, approval_required) = (None, false);
        let coverage = Coverage {
            policy_type: policy_type.clone(),
            state,
            observed_at,
            observed_count: 1,
            reason_code,
            approval_required,
        };
        (policy_type, coverage)
    }

    #[test]
    fn the_oldest_reading_counts_only_when_every_type_was_read() {
        let (old, new) = (datetime!(2026-01-01 00:00 UTC), datetime!(2026-01-02 00:00 UTC));
        let coverage =
            [read("a", CoverageState::Observed, old), read("b", CoverageState::Denied, new)].into_iter().collect();
        let tenant = TenantId(Uuid::from_u128(1));
        let all = EvidenceAge::of(tenant, &["a", "b"].into(), &coverage);
        assert_eq!((all.oldest_observed_at, all.newest_observed_at), (Some(old), Some(new)));
        assert_eq!(all.incomplete, ["b"]);
        let more = EvidenceAge::of(tenant, &["a", "b", "c"].into(), &coverage);
        assert_eq!((more.oldest_observed_at, more.never_observed), (None, vec!["c".to_owned()]));
        let none = EvidenceAge::of(tenant, &["c"].into(), &CoverageByType::new());
        assert_eq!((none.oldest_observed_at, none.newest_observed_at), (None, None));
    }
}
