//! What is known of the two sides of a promotion when a preflight is asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::compare::SubjectRow;
use crate::id::{ExternalId, PolicyType, PolicyVersionId};
use crate::observe::SubjectFacts;
use crate::tenant::TenantFacts;

/// What the newest sync could see of one policy type of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// What it could see.
    pub state: CoverageState,
    /// When.
    pub observed_at: OffsetDateTime,
    /// Whether Multi Admin Approval guards writes of this type: they would wait for a person.
    pub approval_required: bool,
}

/// How much of a policy type was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    /// Everything.
    Observed,
    /// Some of it: what was seen is true, what was not seen may be there.
    Partial,
    /// Nothing: the provider refused.
    Denied,
    /// Nothing: the reading failed.
    Failed,
}

impl Coverage {
    /// Whether it is too old to rely on.
    pub(super) fn is_older_than(&self, limit: Duration, now: OffsetDateTime) -> bool {
        now - self.observed_at > limit
    }
}

/// What was captured of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Captured {
    /// What decisions rest on.
    pub facts: SubjectFacts,
    /// The immutable content; `None` when it was not, or is no longer, kept.
    pub version: Option<PolicyVersionId>,
    /// When the object was last seen. A reading of its type that ended early is newer than what it did not get to.
    pub observed_at: OffsetDateTime,
}

/// What was captured of the objects of one tenant, by type and provider id.
///
/// A preflight asks only for objects of subjects that are not identical; what is missing counts as not captured.
#[derive(Debug, Clone, Default)]
pub struct Captures {
    by_type: BTreeMap<PolicyType, BTreeMap<ExternalId, Captured>>,
}

impl Captures {
    /// Nothing captured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object; an earlier one of the same type and id is replaced.
    pub fn insert(&mut self, policy_type: PolicyType, external_id: ExternalId, captured: Captured) {
        self.by_type.entry(policy_type).or_default().insert(external_id, captured);
    }

    /// What was captured of the object of this row.
    pub fn get(&self, row: &SubjectRow) -> Option<&Captured> {
        self.by_type.get(&row.policy_type)?.get(&row.external_id)
    }
}

/// What is known of one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Side<'e> {
    /// Its name, for sentences.
    pub tenant_name: &'e str,
    /// What the newest sync could see, by policy type; a type that is absent was never read.
    pub coverage: &'e BTreeMap<PolicyType, Coverage>,
    /// What was captured.
    pub captures: &'e Captures,
}

/// What the target tenant allows.
#[derive(Debug, Clone, Copy)]
pub struct TargetTenant<'e> {
    /// Its lifecycle and connection.
    pub facts: TenantFacts,
    /// Types that its provider connection is known not to be allowed to write.
    pub denied_types: &'e BTreeSet<PolicyType>,
}
