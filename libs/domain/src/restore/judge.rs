//! What stands in the way of restoring a policy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Chosen, Content, Evidence, Now, Recalled, meaning};
use crate::contract::{Contract, Promotion};
use crate::id::{ExternalId, PolicyType, SubjectKey};
use crate::observe::SubjectFacts;
use crate::operability::{Question, state_allows};
use crate::plan::ReferenceName;
use crate::preflight::dependency::{needed_key, ready_keys};
use crate::preflight::judge::{distrusted, label, shown};
use crate::preflight::reason::{in_sentence, span, unmapped};
use crate::preflight::{CoverageState, Reason, ReasonCode};
use crate::reference::{MappingFault, Reference, Standing};
use crate::tenant::{Connection, TenantFacts};

/// A chosen policy on its way to its fate.
#[derive(Debug)]
pub(super) struct Candidate<'e> {
    pub(super) chosen: &'e Chosen,
    /// Whether the tenant has it as captured.
    pub(super) unchanged: bool,
    /// What is to be written.
    pub(super) wanted: Option<&'e Content>,
    /// What stands in the way, as far as known.
    pub(super) reasons: BTreeSet<Reason>,
    /// References to what is gone, which only a policy that is created along can satisfy.
    pub(super) needs: Vec<&'e Reference>,
    /// References by name, sorted: what is restored along must come first.
    pub(super) references: Vec<ReferenceName>,
    /// What it refers to and is gone, with the names it went by.
    pub(super) recalled: BTreeSet<Recalled>,
    /// What stands in the place of what is gone: part of the fingerprint.
    pub(super) mapped: BTreeSet<(&'e PolicyType, &'e str, &'e str)>,
}

impl Candidate<'_> {
    /// Whether it would be created, as far as it goes by itself.
    fn creates(&self) -> bool {
        self.is_free() && matches!(self.chosen.now, Now::Gone { .. })
    }

    fn is_free(&self) -> bool {
        !self.unchanged && self.wanted.is_some() && self.reasons.is_empty()
    }
}

/// Judges a policy by itself.
pub(super) fn judge<'e>(evidence: &Evidence<'e>, chosen: &'e Chosen) -> Candidate<'e> {
    let wanted = match &chosen.now {
        Now::Same => None,
        Now::Present { wanted, .. } | Now::Gone { wanted, .. } => wanted.as_deref(),
    };
    let mut candidate = Candidate {
        chosen,
        unchanged: is_unchanged(evidence, &chosen.now),
        wanted,
        reasons: BTreeSet::new(),
        needs: Vec::new(),
        references: Vec::new(),
        recalled: BTreeSet::new(),
        mapped: BTreeSet::new(),
    };
    if candidate.unchanged {
        return candidate;
    }
    let contract = evidence.registry.get(chosen.policy_type.as_str());
    let reasons = &mut candidate.reasons;
    judge_type(contract, &chosen.policy_type, reasons);
    judge_tenant(evidence, &chosen.policy_type, contract, reasons);
    judge_evidence(evidence, chosen, contract, reasons);
    match wanted {
        None => drop(reasons.insert(Reason::new(
            ReasonCode::SourceContentMissing,
            "The content of this version cannot be read any more. Choose another version.",
        ))),
        Some(wanted) => {
            judge_content(&wanted.facts, reasons);
            judge_object(&chosen.now, wanted, reasons);
            let current = match &chosen.now {
                Now::Present { current: Some(current), .. } => Some(&current.facts),
                _ => None,
            };
            judge_references(evidence, &wanted.facts, current, &mut candidate);
        }
    }
    candidate
}

/// Whether nothing has to be done. Content with hidden secrets is the same only when it is the very version.
fn is_unchanged(evidence: &Evidence<'_>, now: &Now) -> bool {
    match now {
        Now::Same => true,
        Now::Present { current: Some(current), wanted: Some(wanted), doubtful: false, .. } => {
            let whole = |content: &Content| content.facts.complete && content.facts.secrets.is_empty();
            whole(current)
                && whole(wanted)
                && meaning(evidence.selection, current) == meaning(evidence.selection, wanted)
        }
        Now::Present { .. } | Now::Gone { .. } => false,
    }
}

fn judge_type(contract: Option<&Contract>, policy_type: &PolicyType, reasons: &mut BTreeSet<Reason>) {
    let label = label(contract, policy_type);
    let message = match contract.map(|contract| contract.promotion) {
        Some(Promotion::Promotable) => return,
        Some(Promotion::PreviewOnly) => {
            format!("Objects of type {label} are looked at only. Make the change in the tenant by hand.")
        }
        Some(Promotion::Never) | None => format!("Objects of type {label} cannot be written."),
    };
    reasons.insert(Reason::new(ReasonCode::PolicyTypeNotPromotable, message));
}

fn judge_tenant(
    evidence: &Evidence<'_>,
    policy_type: &PolicyType,
    contract: Option<&Contract>,
    reasons: &mut BTreeSet<Reason>,
) {
    let (name, facts) = (evidence.tenant_name, evidence.tenant);
    let label = label(contract, policy_type);
    // A missing connection is a reason of its own, told beside this one.
    let connected = TenantFacts { connection: Connection::Verified, ..facts };
    if let Err(denied) = state_allows(Question::ContentRestore, connected) {
        let lifecycle = facts.lifecycle;
        reasons.insert(Reason::new(
            ReasonCode::TargetTenantNotOperable,
            format!("The tenant {name} is in state {lifecycle}. {denied}"),
        ));
    }
    if facts.connection == Connection::Missing {
        reasons.insert(Reason::new(
            ReasonCode::ProviderConnectionMissing,
            format!("The tenant {name} has no provider connection. Add one and verify it."),
        ));
    }
    let coverage = evidence.coverage.get(policy_type);
    let unreadable = coverage.is_some_and(|coverage| coverage.state == CoverageState::Denied);
    if unreadable || evidence.denied_types.contains(policy_type) {
        reasons.insert(Reason::new(
            ReasonCode::ProviderPermissionDenied,
            format!(
                "The provider connection of the tenant {name} lacks permission for objects of type {label}. Grant it in the \
                 provider, verify the connection and sync."
            ),
        ));
    }
    if coverage.is_some_and(|coverage| coverage.approval_required) {
        reasons.insert(Reason::new(
            ReasonCode::ProviderApprovalRequired,
            format!(
                "Changes to objects of type {label} need a second administrator's approval in the tenant {name}. Make the \
                 change there by hand, or exempt this application."
            ),
        ));
    }
}

/// Whether it is known well enough what the tenant has.
fn judge_evidence(
    evidence: &Evidence<'_>,
    chosen: &Chosen,
    contract: Option<&Contract>,
    reasons: &mut BTreeSet<Reason>,
) {
    let label = label(contract, &chosen.policy_type);
    let sync = format!("Run an inventory sync of the tenant {}.", evidence.tenant_name);
    let mut stale = |why: String| {
        reasons.insert(Reason::new(ReasonCode::TargetEvidenceStale, format!("{why} {sync}")));
    };
    let coverage = evidence.coverage.get(&chosen.policy_type).copied();
    let denied = coverage.is_some_and(|coverage| coverage.state == CoverageState::Denied);
    let distrusted = distrusted(coverage, &label, evidence.staleness_limit, evidence.now).filter(|_| !denied);
    let trusted = distrusted.is_none();
    distrusted.map(&mut stale);
    match &chosen.now {
        Now::Present { current: None, .. } => stale("What the tenant has was not read wholly.".to_owned()),
        Now::Present { doubtful: true, .. } => {
            stale("The last sync did not see it and could not tell whether it is gone.".to_owned());
        }
        Now::Present { observed_at, .. } if trusted && evidence.now - *observed_at > evidence.staleness_limit => {
            stale(format!("It was last read more than {} ago.", span(evidence.staleness_limit)));
        }
        Now::Gone { .. } if coverage.is_some_and(|coverage| coverage.state == CoverageState::Partial) => {
            stale(format!("The last sync did not see every object of type {label}, so one of this name may be there."));
        }
        Now::Present { .. } | Now::Gone { .. } | Now::Same => {}
    }
}

/// Whether the captured content can be written at all.
fn judge_content(facts: &SubjectFacts, reasons: &mut BTreeSet<Reason>) {
    if !facts.complete {
        reasons.insert(Reason::new(
            ReasonCode::SourceContentMissing,
            "This version was not captured wholly. Choose another version.",
        ));
    }
    if !facts.secrets.is_empty() {
        reasons.insert(Reason::new(
            ReasonCode::SecretValueUnavailable,
            format!(
                "It holds secret values that the provider does not give back{}, so they were never captured. Set it up in the \
                 tenant by hand.",
                shown(&facts.secrets)
            ),
        ));
    }
    for invalid in &facts.invalid {
        reasons.insert(Reason::new(
            ReasonCode::ContentInvalid,
            format!("The provider would refuse it: {} (at {})", invalid.why, invalid.path),
        ));
    }
}

/// Whether what the tenant has may become what is wanted.
fn judge_object(now: &Now, wanted: &Content, reasons: &mut BTreeSet<Reason>) {
    let current = match now {
        Now::Present { current: Some(current), .. } => Some(&current.facts),
        Now::Present { current: None, .. } | Now::Same => None,
        Now::Gone { namesakes, .. } => {
            if *namesakes > 0 {
                reasons.insert(Reason::new(
                    ReasonCode::AmbiguousTarget,
                    "It is gone, and another object of this name is there that is not it. Rename that one, sync the tenant and \
                     preview again.",
                ));
            }
            None
        }
    };
    if wanted.facts.provider_default || current.is_some_and(|facts| facts.provider_default) {
        reasons.insert(Reason::new(
            ReasonCode::ProviderDefaultObject,
            "Every tenant has this object from the start. Change it in the tenant by hand.",
        ));
    }
    let Some(current) = current else { return };
    let fields: BTreeSet<&String> = wanted.facts.immutable.keys().chain(current.immutable.keys()).collect();
    for field in fields {
        // A folded value is absent, and equal to null.
        let of = |facts: &SubjectFacts| facts.immutable.get(field).cloned().unwrap_or(Value::Null);
        if of(&wanted.facts) != of(current) {
            reasons.insert(Reason::new(
                ReasonCode::ImmutableFieldDiffers,
                format!(
                    "{field} cannot be changed after creation and differs. Remove the object in the tenant, sync the tenant and \
                     preview again: it is created anew then."
                ),
            ));
        }
    }
}

/// References keep their ids, unless what they refer to is known to be gone.
fn judge_references<'e>(
    evidence: &Evidence<'e>,
    facts: &'e SubjectFacts,
    current: Option<&SubjectFacts>,
    candidate: &mut Candidate<'e>,
) {
    // What the object refers to as it is now is there for the provider, whatever we know of it.
    let held: Vec<&Reference> = current.into_iter().flat_map(|facts| along(evidence, facts)).collect();
    candidate.recalled = along(evidence, facts)
        .chain(held.iter().copied())
        .filter(|reference| evidence.names.is_recalled(reference.kind.as_str(), &reference.id))
        .map(|reference| Recalled {
            kind: reference.kind.clone(),
            id: reference.id.clone(),
            name: reference.name.clone().unwrap_or_default(),
            label: reference.display_name.clone(),
        })
        .collect();
    for reference in along(evidence, facts) {
        let kind = reference.kind.as_str();
        if let (Standing::Named, Some(name)) = (reference.standing, &reference.name) {
            candidate.references.push(ReferenceName { kind: reference.kind.clone(), name: name.clone() });
        }
        let gone = evidence.names.is_recalled(kind, &reference.id);
        let contract = evidence.registry.get(kind);
        match reference.target_id(evidence.names) {
            Ok(id) if gone => {
                let name = reference.name.as_deref().unwrap_or_default();
                candidate.mapped.insert((&reference.kind, name, id));
            }
            Ok(_) => {
                let unknown = reference.standing == Standing::Unresolved && is_read(evidence, &reference.kind);
                let is_held = held.iter().any(|held| held.kind == reference.kind && held.id == reference.id);
                if unknown && !is_held {
                    candidate.reasons.insert(unknown_object(reference, &label(contract, &reference.kind)));
                }
            }
            Err(MappingFault::MissingInTarget) => candidate.needs.push(reference),
            Err(MappingFault::UnknownInSource | MappingFault::AmbiguousInSource | MappingFault::AmbiguousInTarget) => {
                candidate.reasons.insert(several_objects(reference, &label(contract, &reference.kind)));
            }
        }
    }
    candidate.references.sort();
    candidate.references.dedup();
}

/// What content refers to, as far as it is restored.
fn along<'f>(evidence: &Evidence<'_>, facts: &'f SubjectFacts) -> impl Iterator<Item = &'f Reference> {
    let assigned = if evidence.selection.include_assignments { facts.assignment_references.as_slice() } else { &[] };
    facts.references.iter().chain(assigned)
}

/// Whether every object of a kind that the tenant has was seen.
fn is_read(evidence: &Evidence<'_>, kind: &PolicyType) -> bool {
    evidence.coverage.get(kind).is_some_and(|coverage| coverage.state == CoverageState::Observed)
}

fn unknown_object(reference: &Reference, label: &str) -> Reason {
    let label = in_sentence(label);
    let message = format!(
        "It refers to an object of type {label} that the tenant does not have (at {}). Choose another version, or make the change \
         in the tenant by hand.",
        reference.path
    );
    Reason::new(unmapped(&reference.kind), message)
}

fn several_objects(reference: &Reference, label: &str) -> Reason {
    let (label, name) = (in_sentence(label), &reference.display_name);
    let message = format!(
        "It refers to the {label} \"{name}\", which is gone, and the tenant has several others of that name. Give them different \
         names and sync the tenant."
    );
    Reason::new(unmapped(&reference.kind), message)
}

/// Judges what depends on the others: names that several have, and what has to be created along.
pub(super) fn judge_together(evidence: &Evidence<'_>, candidates: &mut [Candidate<'_>]) {
    judge_names(candidates);
    let needs: Vec<Vec<Option<SubjectKey>>> =
        candidates.iter().map(|candidate| candidate.needs.iter().map(|need| needed_key(need)).collect()).collect();
    let nameless = SubjectKey::new("");
    let keys: Vec<&SubjectKey> =
        candidates.iter().map(|candidate| candidate.wanted.map_or(&nameless, |wanted| &wanted.subject_key)).collect();
    // Only what is created brings a name that was not there.
    let created = ready_keys(&keys, |position| candidates[position].creates(), &needs);
    for (candidate, keys) in candidates.iter_mut().zip(needs) {
        for (need, key) in candidate.needs.iter().zip(keys) {
            if key.is_none_or(|key| !created.contains(&key)) {
                let label = in_sentence(&label(evidence.registry.get(need.kind.as_str()), &need.kind));
                let name = &need.display_name;
                let message = format!(
                    "It needs the {label} \"{name}\", which is gone. Restore that along if it can be restored, or create it in the \
                     tenant and sync the tenant."
                );
                candidate.reasons.insert(Reason::new(unmapped(&need.kind), message));
            }
        }
    }
}

/// Within a run a name says what is meant: two policies of one name are not written by one run, nor is one policy for two.
fn judge_names(candidates: &mut [Candidate<'_>]) {
    let mut by_name: BTreeMap<&SubjectKey, usize> = BTreeMap::new();
    let mut by_object: BTreeMap<(&PolicyType, &ExternalId), usize> = BTreeMap::new();
    for candidate in candidates.iter() {
        if let Now::Present { external_id, .. } = &candidate.chosen.now {
            *by_object.entry((&candidate.chosen.policy_type, external_id)).or_default() += 1;
        }
        if let Some(wanted) = candidate.wanted.filter(|_| !candidate.unchanged) {
            *by_name.entry(&wanted.subject_key).or_default() += 1;
        }
    }
    for candidate in candidates.iter_mut().filter(|candidate| !candidate.unchanged) {
        let shares_name = candidate.wanted.is_some_and(|wanted| by_name.get(&wanted.subject_key) > Some(&1));
        let shares_object = match &candidate.chosen.now {
            Now::Present { external_id, .. } => by_object.get(&(&candidate.chosen.policy_type, external_id)) > Some(&1),
            Now::Gone { .. } | Now::Same => false,
        };
        if shares_name || shares_object {
            candidate.reasons.insert(Reason::new(
                ReasonCode::AmbiguousSource,
                "Several policies of this selection have its name. Restore them one at a time.",
            ));
        }
    }
}
