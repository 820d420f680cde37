//! The compare preview: which subjects of two tenants are the same, by a join on hashes.

mod join;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use join::compare;

use crate::id::{ExternalId, Hash, PolicyType, SubjectKey, TenantId};

/// One observed subject of a tenant, as far as comparing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// Identity across tenants.
    pub subject_key: SubjectKey,
    /// Its type.
    pub policy_type: PolicyType,
    /// The name as its tenant writes it.
    pub display_name: String,
    /// For filtering.
    pub platform: Option<String>,
    /// Its id in its own tenant.
    pub external_id: ExternalId,
    /// Hash of its normal form.
    pub normal_hash: Hash,
    /// Hash of its assignments form.
    pub assignments_hash: Hash,
    /// What equal hashes prove.
    pub evidence: Evidence,
}

/// How far a subject's hashes can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Everything was read: equal hashes mean equal content.
    Whole,
    /// Secret values are not given back: different hashes mean different content, equal hashes prove nothing.
    SecretsHidden,
    /// Less was read than there is: hashes prove nothing.
    Incomplete,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The tenant that is promoted from.
    pub source: TenantId,
    /// The tenant that is promoted to; never the same one.
    pub target: TenantId,
    /// Which subjects.
    pub filter: Filter,
    /// Whether a difference in assignments makes subjects different.
    pub include_assignments: bool,
}

/// Which subjects a selection takes; an empty set or `None` takes all. A subject is taken when an object of either side
/// passes, so that a filter never makes a counterpart look missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Only these types.
    #[serde(default)]
    pub policy_types: BTreeSet<PolicyType>,
    /// Only these platforms, compared without case.
    #[serde(default)]
    pub platforms: BTreeSet<String>,
    /// Only names that contain this, without regard to case and spacing.
    #[serde(default)]
    pub name_contains: Option<String>,
    /// Only these subjects.
    #[serde(default)]
    pub subject_keys: BTreeSet<SubjectKey>,
}

/// The state of a subject across the two tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompareState {
    /// One object on each side, meaning the same.
    Identical,
    /// One object on each side, meaning different things.
    Different,
    /// In the source only.
    MissingInTarget,
    /// In the target only.
    OnlyInTarget,
    /// More than one object of this identity on a side.
    Ambiguous,
    /// One object on each side, and what was read does not tell whether they mean the same.
    NotComparable,
}

/// A subject with its state and the objects it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedSubject<'r> {
    /// Identity across tenants.
    pub subject_key: &'r SubjectKey,
    /// Its type.
    pub policy_type: &'r PolicyType,
    /// The source's name for it, else the target's.
    pub display_name: &'r str,
    /// The source's platform, else the target's.
    pub platform: Option<&'r str>,
    /// Its one state.
    pub state: CompareState,
    /// The source's objects, by external id.
    pub source: Vec<&'r SubjectRow>,
    /// The target's objects, by external id.
    pub target: Vec<&'r SubjectRow>,
}

/// How many subjects are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CompareCounts {
    /// All subjects.
    pub total: u64,
    /// [`CompareState::Identical`]
    pub identical: u64,
    /// [`CompareState::Different`]
    pub different: u64,
    /// [`CompareState::MissingInTarget`]
    pub missing_in_target: u64,
    /// [`CompareState::OnlyInTarget`]
    pub only_in_target: u64,
    /// [`CompareState::Ambiguous`]
    pub ambiguous: u64,
    /// [`CompareState::NotComparable`]
    pub not_comparable: u64,
}

/// The answer: every subject of the selection in exactly one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison<'r> {
    /// By policy type, then subject key.
    pub subjects: Vec<ComparedSubject<'r>>,
    /// The counts of the states.
    pub counts: CompareCounts,
    /// Hash over the selection and everything the answer rests on: equal fingerprints mean equal answers.
    pub fingerprint: Hash,
}

impl CompareCounts {
    fn add(&mut self, state: CompareState) {
        self.total += 1;
        *match state {
            CompareState::Identical => &mut self.identical,
            CompareState::Different => &mut self.different,
            CompareState::MissingInTarget => &mut self.missing_in_target,
            CompareState::OnlyInTarget => &mut self.only_in_target,
            CompareState::Ambiguous => &mut self.ambiguous,
            CompareState::NotComparable => &mut self.not_comparable,
        } += 1;
    }
}

impl Filter {
    /// Whether a row passes. `name_contains` must have been folded by [`crate::identity::folded_name`] for speed, which
    /// [`compare`] does once.
    fn passes(&self, row: &SubjectRow, folded_needle: Option<&str>) -> bool {
        (self.policy_types.is_empty() || self.policy_types.contains(&row.policy_type))
            && (self.subject_keys.is_empty() || self.subject_keys.contains(&row.subject_key))
            && (self.platforms.is_empty() || row.platform.as_ref().is_some_and(|platform| self.has_platform(platform)))
            && folded_needle.is_none_or(|needle| crate::identity::folded_name(&row.display_name).contains(needle))
    }

    fn has_platform(&self, platform: &str) -> bool {
        self.platforms.iter().any(|wanted| wanted.eq_ignore_ascii_case(platform))
    }
}

#[cfg(test)]
mod tests;
