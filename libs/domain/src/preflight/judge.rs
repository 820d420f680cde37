//! The reasons of one subject that do not depend on what becomes of other subjects.

use std::collections::BTreeSet;

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::evidence::{Captured, Coverage, CoverageState, Side};
use super::reason::{Reason, ReasonCode, mapping_fault, span};
use super::{Evidence, ReferenceName};
use crate::compare::{self, CompareState, ComparedSubject, SubjectRow};
use crate::contract::{Contract, Promotion};
use crate::id::{PolicyType, PolicyVersionId};
use crate::operability::{Question, state_allows};
use crate::reference::{MappingFault, Reference, Standing};
use crate::tenant::{Connection, TenantFacts};

/// A source subject that is not identical, on its way to a class.
#[derive(Debug)]
pub(super) struct Candidate<'e> {
    pub(super) subject: &'e ComparedSubject<'e>,
    /// Why it is not ready, as far as known.
    pub(super) reasons: BTreeSet<Reason>,
    /// References that only another ready subject can satisfy.
    pub(super) needs: Vec<&'e Reference>,
    /// References by name, sorted: what is promoted along must come first.
    pub(super) references: Vec<ReferenceName>,
    /// What the target's names made of the references: part of the fingerprint.
    pub(super) mapped: BTreeSet<(&'e PolicyType, &'e str, &'e str)>,
    /// The one source object and its captured content, when there is one.
    pub(super) promotable: Option<(&'e SubjectRow, PolicyVersionId)>,
}

/// Judges a subject by itself. With several objects on a side, the reasons of each are told: resolving the ambiguity
/// then never brings up a new one.
pub(super) fn judge<'e>(evidence: &Evidence<'e>, subject: &'e ComparedSubject<'e>) -> Candidate<'e> {
    let mut candidate = Candidate {
        subject,
        reasons: BTreeSet::new(),
        needs: Vec::new(),
        references: Vec::new(),
        mapped: BTreeSet::new(),
        promotable: None,
    };
    let contract = evidence.registry.get(subject.policy_type.as_str());
    let reasons = &mut candidate.reasons;
    judge_type(evidence, subject, contract, reasons);
    judge_source_tenant(evidence, reasons);
    judge_target_tenant(evidence, subject.policy_type, contract, reasons);
    judge_ambiguity(evidence, subject, reasons);

    let captures_of = |side: &Side<'e>, rows: &[&'e SubjectRow]| -> Vec<(&'e SubjectRow, Option<&'e Captured>)> {
        let captures = side.captures;
        rows.iter().map(|row| (*row, captures.get(row))).collect()
    };
    let sources = captures_of(&evidence.source, &subject.source);
    let targets = captures_of(&evidence.target, &subject.target);
    judge_age(evidence, ReasonCode::SourceEvidenceStale, subject.policy_type, &sources, reasons);
    judge_age(evidence, ReasonCode::TargetEvidenceStale, subject.policy_type, &targets, reasons);
    for (row, captured) in &sources {
        judge_source(row, *captured, reasons);
    }
    for (row, captured) in &targets {
        judge_target(row, *captured, reasons);
    }
    for source in sources.iter().filter_map(|(_, captured)| *captured) {
        for target in targets.iter().filter_map(|(_, captured)| *captured) {
            judge_immutable(source, target, reasons);
        }
    }
    judge_comparability(subject, reasons);
    for captured in sources.iter().filter_map(|(_, captured)| *captured) {
        judge_references(evidence, captured, &mut candidate);
    }
    candidate.references.sort();
    candidate.references.dedup();
    if let [(row, Some(captured))] = sources.as_slice()
        && let Some(version) = captured.version
    {
        candidate.promotable = Some((row, version));
    }
    candidate
}

fn judge_type(
    evidence: &Evidence<'_>,
    subject: &ComparedSubject<'_>,
    contract: Option<&Contract>,
    reasons: &mut BTreeSet<Reason>,
) {
    let label = label(contract, subject.policy_type);
    match contract.map(|contract| contract.promotion) {
        Some(Promotion::Promotable) => {}
        Some(Promotion::PreviewOnly) => {
            reasons.insert(Reason::new(
                ReasonCode::PolicyTypeNotPromotable,
                format!("Objects of type {label} are compared only. Make the change in the target tenant by hand."),
            ));
        }
        Some(Promotion::Never) | None => {
            reasons.insert(Reason::new(
                ReasonCode::PolicyTypeNotPromotable,
                format!("Objects of type {label} cannot be promoted."),
            ));
        }
    }
    let coverage_of = |side: &Side<'_>| side.coverage.get(subject.policy_type).copied();
    let source_name = evidence.source.tenant_name;
    if let Some(why) = distrust(evidence, coverage_of(&evidence.source), &label) {
        reasons.insert(Reason::new(
            ReasonCode::SourceEvidenceStale,
            format!("{why} Run an inventory sync of the source tenant {source_name}."),
        ));
    }
    let target_name = evidence.target.tenant_name;
    let coverage = coverage_of(&evidence.target);
    if coverage.is_none_or(|coverage| coverage.state != CoverageState::Denied)
        && let Some(why) = distrust(evidence, coverage, &label)
    {
        reasons.insert(Reason::new(
            ReasonCode::TargetEvidenceStale,
            format!("{why} Run an inventory sync of the target tenant {target_name}."),
        ));
    }
    // What was not seen may have the same identity: that there is one, or none, is not known.
    let is_partial =
        |side: &Side<'_>| coverage_of(side).is_some_and(|coverage| coverage.state == CoverageState::Partial);
    let sides = [
        (ReasonCode::SourceEvidenceStale, &evidence.source, "source"),
        (ReasonCode::TargetEvidenceStale, &evidence.target, "target"),
    ];
    for (code, side, which) in sides {
        if is_partial(side) {
            let name = side.tenant_name;
            reasons.insert(Reason::new(
                code,
                format!(
                    "The last sync did not see every object of type {label}, so another one of this name may be there. Run \
                     an inventory sync of the {which} tenant {name}."
                ),
            ));
        }
    }
}

/// Whether one of these objects was last seen too long ago. A type that cannot be relied on has said so for all of them.
fn judge_age(
    evidence: &Evidence<'_>,
    code: ReasonCode,
    policy_type: &PolicyType,
    captures: &[(&SubjectRow, Option<&Captured>)],
    reasons: &mut BTreeSet<Reason>,
) {
    let (side, which) = match code {
        ReasonCode::SourceEvidenceStale => (&evidence.source, "source"),
        _ => (&evidence.target, "target"),
    };
    let told = distrust(evidence, side.coverage.get(policy_type).copied(), "").is_some();
    let mut seen = captures.iter().filter_map(|(_, captured)| *captured);
    if !told && seen.any(|captured| evidence.now - captured.observed_at > evidence.staleness_limit) {
        let (limit, name) = (span(evidence.staleness_limit), side.tenant_name);
        reasons.insert(Reason::new(
            code,
            format!("It was last read more than {limit} ago. Run an inventory sync of the {which} tenant {name}."),
        ));
    }
}

fn distrust(evidence: &Evidence<'_>, coverage: Option<Coverage>, label: &str) -> Option<String> {
    distrusted(coverage, label, evidence.staleness_limit, evidence.now)
}

/// Why what is known of a type cannot be relied on.
pub(crate) fn distrusted(
    coverage: Option<Coverage>,
    label: &str,
    staleness_limit: Duration,
    now: OffsetDateTime,
) -> Option<String> {
    let Some(coverage) = coverage else {
        return Some(format!("Objects of type {label} have never been read."));
    };
    match coverage.state {
        CoverageState::Denied => Some(format!("The provider did not let us read objects of type {label}.")),
        CoverageState::Failed => Some(format!("The last reading of objects of type {label} failed.")),
        CoverageState::Observed | CoverageState::Partial => coverage
            .is_older_than(staleness_limit, now)
            .then(|| format!("Objects of type {label} were last read more than {} ago.", span(staleness_limit))),
    }
}

fn judge_source_tenant(evidence: &Evidence<'_>, reasons: &mut BTreeSet<Reason>) {
    let facts = evidence.source_tenant;
    if let Err(denied) = state_allows(Question::PromotionSource, facts) {
        let (name, lifecycle) = (evidence.source.tenant_name, facts.lifecycle);
        reasons.insert(Reason::new(
            ReasonCode::SourceTenantNotOperable,
            format!("The source tenant {name} is in state {lifecycle}. {denied}"),
        ));
    }
}

fn judge_target_tenant(
    evidence: &Evidence<'_>,
    policy_type: &PolicyType,
    contract: Option<&Contract>,
    reasons: &mut BTreeSet<Reason>,
) {
    let tenant = &evidence.target_tenant;
    let name = evidence.target.tenant_name;
    let label = label(contract, policy_type);
    // A missing connection is a reason of its own, told beside this one.
    let connected = TenantFacts { connection: Connection::Verified, ..tenant.facts };
    if let Err(denied) = state_allows(Question::PromotionTarget, connected) {
        let lifecycle = tenant.facts.lifecycle;
        reasons.insert(Reason::new(
            ReasonCode::TargetTenantNotOperable,
            format!("The target tenant {name} is in state {lifecycle}. {denied}"),
        ));
    }
    if tenant.facts.connection == Connection::Missing {
        reasons.insert(Reason::new(
            ReasonCode::ProviderConnectionMissing,
            format!("The target tenant {name} has no provider connection. Add one and verify it."),
        ));
    }
    let coverage = evidence.target.coverage.get(policy_type);
    let unreadable = coverage.is_some_and(|coverage| coverage.state == CoverageState::Denied);
    if unreadable || tenant.denied_types.contains(policy_type) {
        reasons.insert(Reason::new(
            ReasonCode::ProviderPermissionDenied,
            format!(
                "The provider connection of the target tenant {name} lacks permission for objects of type {label}. Grant it \
                 in the provider, verify the connection and sync."
            ),
        ));
    }
    if coverage.is_some_and(|coverage| coverage.approval_required) {
        reasons.insert(Reason::new(
            ReasonCode::ProviderApprovalRequired,
            format!(
                "Changes to objects of type {label} need a second administrator's approval in the target tenant {name}. Make \
                 the change there by hand, or exempt this application."
            ),
        ));
    }
}

fn judge_ambiguity(evidence: &Evidence<'_>, subject: &ComparedSubject<'_>, reasons: &mut BTreeSet<Reason>) {
    let sides = [
        (ReasonCode::AmbiguousSource, &subject.source, &evidence.source),
        (ReasonCode::AmbiguousTarget, &subject.target, &evidence.target),
    ];
    for (code, rows, side) in sides {
        if rows.len() > 1 {
            let (count, tenant, name) = (rows.len(), side.tenant_name, subject.display_name);
            reasons.insert(Reason::new(
                code,
                format!(
                    "{count} objects of {tenant} are named \"{name}\". Rename or remove all but one, then sync that tenant."
                ),
            ));
        }
    }
}

fn judge_source(row: &SubjectRow, captured: Option<&Captured>, reasons: &mut BTreeSet<Reason>) {
    let Some(captured) = captured.filter(|captured| captured.version.is_some()) else {
        reasons.insert(Reason::new(
            ReasonCode::SourceContentMissing,
            "Its content was not captured. Run an inventory sync of the source tenant.",
        ));
        return;
    };
    let facts = &captured.facts;
    if !facts.complete || row.evidence == compare::Evidence::Incomplete {
        reasons.insert(Reason::new(
            ReasonCode::SourceContentMissing,
            "Its content was not read wholly. Run an inventory sync of the source tenant again.",
        ));
    }
    if !facts.secrets.is_empty() || row.evidence == compare::Evidence::SecretsHidden {
        reasons.insert(Reason::new(
            ReasonCode::SecretValueUnavailable,
            format!(
                "It holds secret values that the provider does not give back{}. Set it up in the target tenant by hand.",
                shown(&facts.secrets)
            ),
        ));
    }
    if facts.provider_default {
        reasons.insert(default_object());
    }
    for invalid in &facts.invalid {
        reasons.insert(Reason::new(
            ReasonCode::ContentInvalid,
            format!("The provider would refuse it: {} (at {})", invalid.why, invalid.path),
        ));
    }
}

fn judge_target(row: &SubjectRow, captured: Option<&Captured>, reasons: &mut BTreeSet<Reason>) {
    let complete = captured.is_some_and(|captured| captured.facts.complete);
    if !complete || row.evidence == compare::Evidence::Incomplete {
        reasons.insert(Reason::new(
            ReasonCode::TargetEvidenceStale,
            "The target's object was not read wholly. Run an inventory sync of the target tenant again.",
        ));
    }
    if captured.is_some_and(|captured| captured.facts.provider_default) {
        reasons.insert(default_object());
    }
}

/// A subject that cannot be compared has a reason for it: mostly those of its objects ([`judge_source`],
/// [`judge_target`]), else that only the target hides something.
fn judge_comparability(subject: &ComparedSubject<'_>, reasons: &mut BTreeSet<Reason>) {
    let explained = subject.source.iter().any(|row| row.evidence != compare::Evidence::Whole)
        || subject.target.iter().any(|row| row.evidence == compare::Evidence::Incomplete);
    if subject.state == CompareState::NotComparable && !explained {
        reasons.insert(Reason::new(
            ReasonCode::SecretValueUnavailable,
            "The target's object holds secret values that the provider does not give back, so it cannot be told whether it \
             differs. Check it in the target tenant.",
        ));
    }
}

fn default_object() -> Reason {
    Reason::new(
        ReasonCode::ProviderDefaultObject,
        "Every tenant has this object from the start. Change it in the target tenant by hand.",
    )
}

fn judge_immutable(source: &Captured, target: &Captured, reasons: &mut BTreeSet<Reason>) {
    let (source, target) = (&source.facts.immutable, &target.facts.immutable);
    let fields: BTreeSet<&String> = source.keys().chain(target.keys()).collect();
    for field in fields {
        // A folded value is absent, and equal to null.
        let (wanted, present) = (source.get(field).unwrap_or(&Value::Null), target.get(field).unwrap_or(&Value::Null));
        if wanted != present {
            reasons.insert(Reason::new(
                ReasonCode::ImmutableFieldDiffers,
                format!(
                    "{field} cannot be changed after creation and differs. Remove or rename the object in the target tenant, \
                     then sync it."
                ),
            ));
        }
    }
}

fn judge_references<'e>(evidence: &Evidence<'e>, captured: &'e Captured, candidate: &mut Candidate<'e>) {
    let facts = &captured.facts;
    let assigned = if evidence.selection.include_assignments { facts.assignment_references.as_slice() } else { &[] };
    for reference in facts.references.iter().chain(assigned) {
        match reference.target_id(evidence.target_names) {
            Ok(id) => {
                if reference.standing == Standing::Named {
                    judge_name(evidence, &reference.kind, &mut candidate.reasons);
                }
                candidate.mapped.insert((&reference.kind, reference.name.as_deref().unwrap_or_default(), id));
            }
            Err(MappingFault::MissingInTarget) => candidate.needs.push(reference),
            Err(fault) => {
                let label = label(evidence.registry.get(reference.kind.as_str()), &reference.kind);
                candidate.reasons.insert(mapping_fault(reference, fault, &label));
            }
        }
        // What is the same in every tenant waits for nobody.
        if let (Standing::Named, Some(name)) = (reference.standing, &reference.name) {
            candidate.references.push(ReferenceName { kind: reference.kind.clone(), name: name.clone() });
        }
    }
}

/// Whether the target's names of a kind can be relied on: that what had the name still has it, and nothing else has.
fn judge_name(evidence: &Evidence<'_>, kind: &PolicyType, reasons: &mut BTreeSet<Reason>) {
    let label = label(evidence.registry.get(kind.as_str()), kind);
    let coverage = evidence.target.coverage.get(kind).copied();
    let partial = || {
        let partial = coverage.is_some_and(|coverage| coverage.state == CoverageState::Partial);
        partial.then(|| format!("The last sync did not see every object of type {label}."))
    };
    if let Some(why) = distrust(evidence, coverage, &label).or_else(partial) {
        let name = evidence.target.tenant_name;
        reasons.insert(Reason::new(
            ReasonCode::TargetEvidenceStale,
            format!("{why} It refers to one of them by name. Run an inventory sync of the target tenant {name}."),
        ));
    }
}

/// What a type is called; its key when nobody knows it.
pub(crate) fn label(contract: Option<&Contract>, policy_type: &PolicyType) -> String {
    match (contract, policy_type.as_str()) {
        (Some(contract), _) => contract.label.clone(),
        (None, PolicyType::GROUP) => "group".to_owned(),
        (None, PolicyType::ASSIGNMENT_FILTER) => "assignment filter".to_owned(),
        (None, PolicyType::ROLE_SCOPE_TAG) => "scope tag".to_owned(),
        (None, other) => other.to_owned(),
    }
}

/// The first few paths, in brackets.
pub(crate) fn shown(paths: &[String]) -> String {
    const SHOWN: usize = 3;
    match paths {
        [] => String::new(),
        few if few.len() <= SHOWN => format!(" (at {})", few.join(", ")),
        many => format!(" (at {} and {} more)", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
