//! From ready subjects to work: the items of a promotion run in the order in which they are done, and, for each of them
//! when its turn comes, what to do now.
//!
//! - [`plan`]: foundations before what refers to them
//! - [`step`]: the decision about one item, given the target as it is at that moment
//! - [`waves`]: what may be worked on side by side
//! - [`settle`]: when an absent object may be believed to be absent

mod order;
pub mod settle;
pub mod step;
mod waves;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use order::{Plan, plan};
pub use settle::{Absence, SettleRule};
pub use step::{Decision, Found, Intent, StepReason, TargetNow, Verification, step, verify};
pub use waves::waves;

use crate::id::{ExternalId, Hash, PolicyType, PolicyVersionId, SubjectKey};

/// What is done to the target for one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The target does not have it.
    Create,
    /// The target has one object of this identity, and it differs.
    Update,
}

impl Action {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The object of the target that the preflight saw and that is to be updated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExpectedTarget {
    /// The provider's id in the target.
    pub external_id: ExternalId,
    /// What it meant then; see [`wanted_hash`]. Another hash now means that it drifted.
    pub hash: Hash,
}

/// The name by which a subject refers to another object, across tenants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReferenceName {
    /// The policy type of what is referred to.
    pub kind: PolicyType,
    /// Its name, as [`crate::reference::Reference::name`] has it.
    pub name: String,
}

impl ReferenceName {
    /// The key of the subject this refers to, if that is a governed subject.
    pub fn subject_key(&self) -> SubjectKey {
        SubjectKey(format!("{}: {}", self.kind, self.name))
    }
}

/// One ready subject: everything its turn needs, and no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanItem {
    /// Identity across tenants; unique within a plan.
    pub subject_key: SubjectKey,
    /// Its name for people.
    pub label: String,
    /// Its type.
    pub policy_type: PolicyType,
    /// The source's captured content.
    pub source_version: PolicyVersionId,
    /// The object to update; `None` when it is to be created.
    pub expected_target: Option<ExpectedTarget>,
    /// What the target must mean afterwards; see [`wanted_hash`].
    pub desired_hash: Hash,
    /// What it refers to, sorted. Items of the same plan among these come first.
    pub references: Vec<ReferenceName>,
}

/// Operation runs take labels of items of at most this many characters.
pub const MOST_LABEL_CHARS: usize = 1000;

impl PlanItem {
    /// Its name as a line of people's reading: without the control characters that a provider lets through, never empty, and
    /// at most [`MOST_LABEL_CHARS`] long.
    pub fn line(&self) -> String {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let line: String = self.label.chars().map(plain).take(MOST_LABEL_CHARS).collect();
        if line.trim().is_empty() { self.subject_key.to_string() } else { line }
    }
}

impl PlanItem {
    /// What is done.
    pub const fn action(&self) -> Action {
        match self.expected_target {
            Some(_) => Action::Update,
            None => Action::Create,
        }
    }
}

/// The hash that a promotion compares objects by: that of the normal form, with that of the assignments form when the
/// selection asks for assignments. Normal forms name no tenant, so "the target equals the source" is equality of these.
pub fn wanted_hash(normal_hash: Hash, assignments_hash: Option<Hash>) -> Hash {
    match assignments_hash {
        None => normal_hash,
        Some(assignments_hash) => Hash::of_parts([normal_hash, assignments_hash]),
    }
}
