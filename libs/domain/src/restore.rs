//! Restoring captured content to the tenant it was read from: what would happen to each policy, and what stands in the way.
//!
//! A policy that is gone is created, one that differs is updated, one that is as captured is left alone. A policy that was made
//! again under the same name counts as the one that is gone. References keep their ids, because an id means in its own tenant what
//! it meant at capture; what they refer to may be gone since, and then it has to be there again under its name, or be restored
//! along.
//!
//! Derived from values, never stored: the same evidence gives the same answer, and its fingerprint tells when it is another one.

mod confirm;
mod fingerprint;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use confirm::{ConfirmationField, ConfirmationMismatch, RestoreConfirmation, confirm};

use crate::contract::Registry;
use crate::id::{ExternalId, Hash, PolicyType, PolicyVersionId, RunId, SubjectKey, TenantId};
use crate::observe::{Observation, SubjectFacts};
use crate::plan::{Action, ExpectedTarget, PlanItem, StepReason, wanted_hash};
use crate::preflight::{Coverage, Reason, ReasonCode};
use crate::reference::NameTable;
use crate::tenant::TenantFacts;

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The tenant, which the content comes from and goes to.
    pub tenant: TenantId,
    /// Which content.
    pub from: Origin,
    /// Whether assignments are restored along.
    pub include_assignments: bool,
}

/// Where the content is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A backup set.
    BackupSet {
        /// The set, which has the id of the run that made it.
        id: RunId,
        /// Only these types; empty for all.
        policy_types: BTreeSet<PolicyType>,
        /// Only objects with these ids; empty for all.
        external_ids: BTreeSet<ExternalId>,
    },
    /// Versions by name, one of an object.
    PolicyVersions(BTreeSet<PolicyVersionId>),
}

/// What content means in the tenant's names of today.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Its identity by name.
    pub subject_key: SubjectKey,
    /// Hash of its normal form.
    pub normal_hash: Hash,
    /// Hash of its assignments form.
    pub assignments_hash: Hash,
    /// What decisions rest on.
    pub facts: SubjectFacts,
}

impl From<Observation> for Content {
    fn from(observed: Observation) -> Self {
        Self {
            subject_key: observed.subject_key,
            normal_hash: observed.normal_hash,
            assignments_hash: observed.assignments_hash,
            facts: observed.facts,
        }
    }
}

/// A policy to be restored.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its type.
    pub policy_type: PolicyType,
    /// Its id when the version was captured.
    pub external_id: ExternalId,
    /// Its name for people.
    pub label: String,
    /// The version to restore.
    pub version: PolicyVersionId,
    /// The version's number.
    pub number: i32,
    /// What the tenant has of it.
    pub now: Now,
}

/// What the tenant has of a policy, as last observed, beside what is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Now {
    /// The very content of the version.
    Same,
    /// Other content; that of a policy made again under the same name, when the one that was captured is gone.
    Present {
        /// Its id now.
        external_id: ExternalId,
        /// Its content; `None` when it was not captured wholly.
        current: Option<Box<Content>>,
        /// What is wanted; `None` when the version's content cannot be read.
        wanted: Option<Box<Content>>,
        /// When it was last seen.
        observed_at: OffsetDateTime,
        /// Whether the last reading of its type did not see it, and could not tell whether it is gone.
        doubtful: bool,
    },
    /// It is gone.
    Gone {
        /// What is wanted; `None` when the version's content cannot be read.
        wanted: Option<Box<Content>>,
        /// Others that have its name and are not it.
        namesakes: usize,
    },
}

/// Everything a preview rests on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'e> {
    /// What is to be restored.
    pub selection: &'e Selection,
    /// The policies of the selection, each object once.
    pub chosen: &'e [Chosen],
    /// The tenant's name, for sentences.
    pub tenant_name: &'e str,
    /// Its lifecycle and connection.
    pub tenant: TenantFacts,
    /// Types that its provider connection is known not to be allowed to write.
    pub denied_types: &'e BTreeSet<PolicyType>,
    /// What the newest sync could see, by policy type; a type that is absent was never read.
    pub coverage: &'e BTreeMap<PolicyType, Coverage>,
    /// The known types.
    pub registry: &'e Registry,
    /// The names of the tenant's objects, [`keeping ids`](NameTable::keeping_ids), with those of what is gone recalled. What is
    /// gone and chosen goes by the name it is restored with.
    pub names: &'e NameTable,
    /// Evidence older than this is stale.
    pub staleness_limit: Duration,
    /// The time of asking.
    pub now: OffsetDateTime,
}

/// The name that references to an object that is gone go by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Recalled {
    /// The kind of what is gone.
    pub kind: PolicyType,
    /// The id it had.
    pub id: String,
    /// Its name, as references carry it.
    pub name: String,
    /// Its name for people.
    pub label: String,
}

/// An item of a restore run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreItem {
    /// What every run that applies content plans.
    #[serde(flatten)]
    pub plan: PlanItem,
    /// What its content refers to and is gone.
    #[serde(default)]
    pub recalled: Vec<Recalled>,
}

/// What would become of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is written.
    Restored(Box<RestoreItem>),
    /// It is as captured.
    Unchanged,
    /// Something forbids it; all reasons.
    Blocked(Vec<Reason>),
}

impl Fate {
    /// The name on the wire: `create`, `update`, `unchanged`, `blocked`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Fate::Restored(item) => item.plan.action().as_str(),
            Fate::Unchanged => "unchanged",
            Fate::Blocked(_) => "blocked",
        }
    }

    /// Why it is blocked; empty when it is not.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Fate::Restored(_) | Fate::Unchanged => &[],
            Fate::Blocked(reasons) => reasons,
        }
    }
}

/// A policy with what would become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewedPolicy {
    /// Its type.
    pub policy_type: PolicyType,
    /// Its id when the version was captured.
    pub external_id: ExternalId,
    /// Its name for people.
    pub label: String,
    /// The version.
    pub version: PolicyVersionId,
    /// The version's number.
    pub number: i32,
    /// What would become of it.
    pub fate: Fate,
}

/// How many policies there are of each fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RestoreCounts {
    /// To be created.
    pub create: u64,
    /// To be updated.
    pub update: u64,
    /// As captured.
    pub unchanged: u64,
    /// Blocked.
    pub blocked: u64,
}

impl RestoreCounts {
    /// How many would be written.
    pub const fn restored(&self) -> u64 {
        self.create + self.update
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Every policy of the selection, by policy type, then id.
    pub policies: Vec<PreviewedPolicy>,
    /// The counts of fates.
    pub counts: RestoreCounts,
    /// How many policies have each reason, the most frequent first. A policy may have several.
    pub reason_counts: Vec<(ReasonCode, u64)>,
    /// Hash over everything it rests on. Another fingerprint means that what was confirmed is not what would happen.
    pub fingerprint: Hash,
}

impl Preview {
    /// What would be written: the only policies that may enter a run.
    pub fn restored(&self) -> impl Iterator<Item = &RestoreItem> {
        self.policies.iter().filter_map(|policy| match &policy.fate {
            Fate::Restored(item) => Some(item.as_ref()),
            _ => None,
        })
    }
}

/// Derives the preview.
pub fn preview(evidence: &Evidence<'_>) -> Preview {
    let mut candidates: Vec<judge::Candidate<'_>> =
        evidence.chosen.iter().map(|chosen| judge::judge(evidence, chosen)).collect();
    candidates.sort_by_key(|candidate| (&candidate.chosen.policy_type, &candidate.chosen.external_id));
    judge::judge_together(evidence, &mut candidates);
    let fingerprint = fingerprint::fingerprint(evidence, &candidates);
    let policies: Vec<PreviewedPolicy> =
        candidates.into_iter().map(|candidate| settle(evidence.selection, candidate)).collect();

    let mut counts = RestoreCounts::default();
    let mut by_reason: BTreeMap<ReasonCode, u64> = BTreeMap::new();
    for policy in &policies {
        match &policy.fate {
            Fate::Restored(item) if item.plan.action() == Action::Create => counts.create += 1,
            Fate::Restored(_) => counts.update += 1,
            Fate::Unchanged => counts.unchanged += 1,
            Fate::Blocked(_) => counts.blocked += 1,
        }
        // Reasons are sorted by code: one policy counts once for each.
        for same in policy.fate.reasons().chunk_by(|a, b| a.code == b.code) {
            *by_reason.entry(same[0].code).or_default() += 1;
        }
    }
    let mut reason_counts: Vec<(ReasonCode, u64)> = by_reason.into_iter().collect();
    reason_counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Preview { policies, counts, reason_counts, fingerprint }
}

fn settle(selection: &Selection, candidate: judge::Candidate<'_>) -> PreviewedPolicy {
    let chosen = candidate.chosen;
    let fate = match candidate.wanted {
        _ if candidate.unchanged => Fate::Unchanged,
        Some(wanted) if candidate.reasons.is_empty() => Fate::Restored(Box::new(RestoreItem {
            plan: PlanItem {
                subject_key: wanted.subject_key.clone(),
                label: chosen.label.clone(),
                policy_type: chosen.policy_type.clone(),
                source_version: chosen.version,
                expected_target: expected(selection, &chosen.now),
                desired_hash: meaning(selection, wanted),
                references: candidate.references,
            },
            recalled: candidate.recalled.into_iter().collect(),
        })),
        _ => Fate::Blocked(candidate.reasons.into_iter().collect()),
    };
    PreviewedPolicy {
        policy_type: chosen.policy_type.clone(),
        external_id: chosen.external_id.clone(),
        label: chosen.label.clone(),
        version: chosen.version,
        number: chosen.number,
        fate,
    }
}

/// The object to update; whoever is blocked is not asked.
fn expected(selection: &Selection, now: &Now) -> Option<ExpectedTarget> {
    match now {
        Now::Present { external_id, current: Some(current), .. } => {
            Some(ExpectedTarget { external_id: external_id.clone(), hash: meaning(selection, current) })
        }
        Now::Present { current: None, .. } | Now::Gone { .. } | Now::Same => None,
    }
}

/// What content means to this restore.
fn meaning(selection: &Selection, content: &Content) -> Hash {
    wanted_hash(content.normal_hash, selection.include_assignments.then_some(content.assignments_hash))
}

/// Why an item of a restore is left alone or failed, for people.
pub const fn explain(reason: StepReason) -> &'static str {
    match reason {
        StepReason::TargetDrifted => {
            "The policy changed after the preview. Sync the tenant, preview the restore again and restore what still differs."
        }
        StepReason::AmbiguousTarget => {
            "Several objects of the tenant have this name. Rename or remove all but one, sync the tenant and try again."
        }
        StepReason::IntentMismatch => "An earlier attempt of this item wanted other content. Start a new restore.",
        StepReason::VerificationFailed => {
            "The provider accepted the content but gives back something else. Sync the tenant and look at the policy's versions."
        }
    }
}

#[cfg(test)]
mod tests;
