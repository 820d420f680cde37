//! The promotion preflight: which subjects of a compare can be promoted now, and what stands in the way of the others.
//!
//! Every source subject that is not identical ends in exactly one class. All its reasons are told, not only the first; a
//! blocking reason outweighs the need for a mapping. What a subject refers to counts as mapped when the target has it
//! under a unique name, or when it is ready itself and will be created first.
//!
//! Derived from values, never stored: the same evidence gives the same answer, and its fingerprint tells when it is
//! another one.
//!
//! - [`evidence`]: what is known of either side
//! - [`reason`]: why a subject is not ready, with sentences for operators

pub(crate) mod dependency;
pub mod evidence;
mod fingerprint;
pub(crate) mod judge;
pub mod reason;

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

pub use evidence::{Captured, Captures, Coverage, CoverageState, Side, TargetTenant};
pub use reason::{Reason, ReasonClass, ReasonCode};

use crate::compare::{CompareState, ComparedSubject, Comparison, Selection, SubjectRow};
use crate::contract::Registry;
use crate::id::{Hash, PolicyType, SubjectKey};
use crate::plan::{Action, ExpectedTarget, PlanItem, ReferenceName, wanted_hash};
use crate::reference::NameTable;
use crate::tenant::TenantFacts;

/// Everything a preflight rests on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'e> {
    /// What is to be promoted from where to where.
    pub selection: &'e Selection,
    /// The compare of that selection.
    pub comparison: &'e Comparison<'e>,
    /// The known types. One that is not among them is not promotable.
    pub registry: &'e Registry,
    /// What is known of the source.
    pub source: Side<'e>,
    /// What is known of the target.
    pub target: Side<'e>,
    /// The source tenant's lifecycle and connection.
    pub source_tenant: TenantFacts,
    /// What the target tenant allows.
    pub target_tenant: TargetTenant<'e>,
    /// The names of the target's objects.
    pub target_names: &'e NameTable,
    /// Evidence older than this is stale.
    pub staleness_limit: Duration,
    /// The time of asking.
    pub now: OffsetDateTime,
}

/// The class of a source subject that is not identical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can be promoted now, like this.
    Ready(Box<PlanItem>),
    /// Something forbids it; all reasons, those that ask for a mapping included.
    Blocked(Vec<Reason>),
    /// A person has to say what is meant; all reasons.
    ManualMappingRequired(Vec<Reason>),
}

impl Readiness {
    /// The name of the class.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Readiness::Ready(_) => "ready",
            Readiness::Blocked(_) => "blocked",
            Readiness::ManualMappingRequired(_) => "manual_mapping_required",
        }
    }

    /// Why it is not ready; empty when it is.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Readiness::Ready(_) => &[],
            Readiness::Blocked(reasons) | Readiness::ManualMappingRequired(reasons) => reasons,
        }
    }
}

/// A source subject that is not identical, with its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreflightSubject {
    /// Identity across tenants.
    pub subject_key: SubjectKey,
    /// Its type.
    pub policy_type: PolicyType,
    /// Its name in the source.
    pub display_name: String,
    /// Its platform, where it has one.
    pub platform: Option<String>,
    /// Its one class.
    pub readiness: Readiness,
}

/// How many subjects there are of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PreflightCounts {
    /// Ready, to be created.
    pub ready_create: u64,
    /// Ready, to be updated.
    pub ready_update: u64,
    /// Blocked.
    pub blocked: u64,
    /// In need of a mapping.
    pub manual_mapping_required: u64,
    /// Identical already.
    pub unchanged: u64,
    /// In the target only; never touched.
    pub only_in_target: u64,
}

impl PreflightCounts {
    /// How many a promotion would apply.
    pub const fn ready(&self) -> u64 {
        self.ready_create + self.ready_update
    }

    /// How many a promotion would leave out.
    pub const fn excluded(&self) -> u64 {
        self.blocked + self.manual_mapping_required
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Source subjects that are not identical, by policy type, then subject key.
    pub subjects: Vec<PreflightSubject>,
    /// The counts of the classes.
    pub counts: PreflightCounts,
    /// How many subjects have each reason, the most frequent first. A subject may have several.
    pub reason_counts: Vec<(ReasonCode, u64)>,
    /// Hash over everything it rests on. Another fingerprint means that what was confirmed is not what would happen.
    pub fingerprint: Hash,
}

impl Preflight {
    /// The ready subjects: the only ones that may enter a run.
    pub fn ready(&self) -> impl Iterator<Item = &PlanItem> {
        self.subjects.iter().filter_map(|subject| match &subject.readiness {
            Readiness::Ready(item) => Some(item.as_ref()),
            _ => None,
        })
    }
}

/// Derives the preflight.
pub fn preflight(evidence: &Evidence<'_>) -> Preflight {
    let mut counts = PreflightCounts::default();
    let mut candidates: Vec<judge::Candidate<'_>> = Vec::new();
    for subject in &evidence.comparison.subjects {
        match subject.state {
            CompareState::Identical => counts.unchanged += 1,
            _ if subject.source.is_empty() => counts.only_in_target += 1,
            _ => candidates.push(judge::judge(evidence, subject)),
        }
    }
    candidates.sort_by(|a, b| sort_key(a.subject).cmp(&sort_key(b.subject)));
    dependency::settle(evidence, &mut candidates);

    let fingerprint = fingerprint::fingerprint(evidence, &candidates);
    let subjects: Vec<PreflightSubject> =
        candidates.into_iter().map(|candidate| classify(evidence.selection, candidate)).collect();
    let mut by_reason: BTreeMap<ReasonCode, u64> = BTreeMap::new();
    for subject in &subjects {
        match &subject.readiness {
            Readiness::Ready(item) if item.action() == Action::Create => counts.ready_create += 1,
            Readiness::Ready(_) => counts.ready_update += 1,
            Readiness::Blocked(_) => counts.blocked += 1,
            Readiness::ManualMappingRequired(_) => counts.manual_mapping_required += 1,
        }
        // Reasons are sorted by code: one subject counts once for each.
        for same in subject.readiness.reasons().chunk_by(|a, b| a.code == b.code) {
            *by_reason.entry(same[0].code).or_default() += 1;
        }
    }
    let mut reason_counts: Vec<(ReasonCode, u64)> = by_reason.into_iter().collect();
    reason_counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Preflight { subjects, counts, reason_counts, fingerprint }
}

fn sort_key<'s>(subject: &'s ComparedSubject<'_>) -> (&'s PolicyType, &'s SubjectKey) {
    (subject.policy_type, subject.subject_key)
}

fn classify(selection: &Selection, candidate: judge::Candidate<'_>) -> PreflightSubject {
    let subject = candidate.subject;
    let readiness = match candidate.promotable {
        Some((source, version)) if candidate.reasons.is_empty() => Readiness::Ready(Box::new(PlanItem {
            subject_key: subject.subject_key.clone(),
            label: subject.display_name.to_owned(),
            policy_type: subject.policy_type.clone(),
            source_version: version,
            expected_target: subject.target.first().map(|target| ExpectedTarget {
                external_id: target.external_id.clone(),
                hash: wanted(selection, target),
            }),
            desired_hash: wanted(selection, source),
            references: candidate.references,
        })),
        _ if candidate.reasons.iter().any(|reason| reason.code.class() == ReasonClass::Blocked) => {
            Readiness::Blocked(candidate.reasons.into_iter().collect())
        }
        _ => Readiness::ManualMappingRequired(candidate.reasons.into_iter().collect()),
    };
    PreflightSubject {
        subject_key: subject.subject_key.clone(),
        policy_type: subject.policy_type.clone(),
        display_name: subject.display_name.to_owned(),
        platform: subject.platform.map(str::to_owned),
        readiness,
    }
}

/// What an object means to this promotion.
fn wanted(selection: &Selection, row: &SubjectRow) -> Hash {
    wanted_hash(row.normal_hash, selection.include_assignments.then_some(row.assignments_hash))
}

#[cfg(test)]
mod tests;
