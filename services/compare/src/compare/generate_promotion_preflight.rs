//! Sorts every source subject that is not identical into ready, blocked or manual mapping required.

use std::collections::BTreeSet;

use domain::access::ActorFacts;
use domain::id::Hash;
use domain::preflight::{Preflight, PreflightCounts, PreflightSubject, ReasonCode};
use serde_json::{Map, Value, json};
use server::ambient;
use server::caller::{Caller, User};
use server::fields::Page;

use super::judge::{Judged, judge};
use super::preview_compare::{has_changed, page_of};
use super::{After, Ends, EvidenceAge, Selected, authorise};
use crate::client::NewAuditEvent;
use crate::error::{Error, Result};
use crate::state::State;

/// The audit action of a generated preflight.
const AUDIT_ACTION: &str = "cross_tenant_promotion_preflight.generated";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PreflightAsked {
    /// What to promote from where to where.
    pub selected: Selected,
    /// Only subjects of these classes ([`domain::preflight::Readiness::as_str`]); empty for all.
    pub classes: BTreeSet<&'static str>,
    /// Which page.
    pub page: Page<After>,
}

/// One page of a preflight.
#[derive(Debug, Clone)]
pub struct PreflightPage {
    /// Fingerprint over everything it rests on.
    pub fingerprint: Hash,
    /// Counts over the whole selection.
    pub counts: PreflightCounts,
    /// Reasons over the whole selection, most frequent first.
    pub reason_counts: Vec<(ReasonCode, u64)>,
    /// One page, by policy type and key.
    pub subjects: Vec<PreflightSubject>,
    /// Token of the next page; empty on the last.
    pub next: String,
    /// Age of the source's evidence.
    pub source_evidence: EvidenceAge,
    /// Age of the target's evidence.
    pub target_evidence: EvidenceAge,
    /// Name of the source tenant.
    pub source_tenant_name: String,
    /// Name of the target tenant.
    pub target_tenant_name: String,
    /// What the two tenants are good for.
    pub ends: Ends,
}

/// The page. The first one is written into the audit trail before it is shown: what is not recorded is not told.
pub async fn generate_promotion_preflight(
    state: &State,
    caller: &Caller,
    asked: &PreflightAsked,
) -> Result<PreflightPage> {
    let (user, actor) = authorise(state, caller, &asked.selected).await?;
    let judged = judge(state, caller, &asked.selected, ambient::now()).await?;
    if has_changed(&asked.page, judged.preflight.fingerprint) {
        return Err(Error::PreflightChanged);
    }
    if asked.page.after.is_none() {
        state.audit.record(caller, generated(user, &asked.selected, &judged.preflight)).await?;
    }
    Ok(page(judged, asked, &actor))
}

/// Fingerprint, counts and reasons, with one page of subjects.
fn page(judged: Judged, asked: &PreflightAsked, actor: &ActorFacts) -> PreflightPage {
    let wanted =
        |subject: &PreflightSubject| asked.classes.is_empty() || asked.classes.contains(subject.readiness.as_str());
    let Preflight { subjects, .. } = &judged.preflight;
    let (subjects, next) = page_of(
        &asked.page,
        judged.preflight.fingerprint,
        subjects.iter().filter(|subject| wanted(subject)),
        |subject| (subject.policy_type.as_str(), subject.subject_key.as_str()),
    );
    let subjects = subjects.into_iter().cloned().collect();
    PreflightPage { subjects, next, ..summary(judged, actor) }
}

/// Everything of a preflight but its subjects.
pub(super) fn summary(judged: Judged, actor: &ActorFacts) -> PreflightPage {
    let Judged { gathered, preflight } = judged;
    PreflightPage {
        ends: Ends::of(&gathered, actor),
        fingerprint: preflight.fingerprint,
        counts: preflight.counts,
        reason_counts: preflight.reason_counts,
        subjects: Vec::new(),
        next: String::new(),
        source_evidence: gathered.source_evidence,
        target_evidence: gathered.target_evidence,
        source_tenant_name: gathered.source.name,
        target_tenant_name: gathered.target.name,
    }
}

fn generated(user: &User, selected: &Selected, preflight: &Preflight) -> NewAuditEvent {
    let Selected { workspace_id, selection } = selected;
    let counts = &preflight.counts;
    let reasons: Map<String, Value> =
        preflight.reason_counts.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
    NewAuditEvent {
        entry_id: ambient::fresh_id(),
        workspace_id: *workspace_id,
        action: AUDIT_ACTION.into(),
        actor_subject: user.subject.to_string(),
        actor_name: user.name.to_string(),
        tenant_id: Some(selection.target),
        related_tenant_ids: vec![selection.source],
        outcome: "generated".into(),
        detail: json!({
            "source_tenant_id": selection.source,
            "target_tenant_id": selection.target,
            "selection": selection,
            "fingerprint": preflight.fingerprint,
            "counts": {
                "ready": counts.ready(),
                "ready_create": counts.ready_create,
                "ready_update": counts.ready_update,
                "blocked": counts.blocked,
                "manual_mapping_required": counts.manual_mapping_required,
                "excluded": counts.excluded(),
                "unchanged": counts.unchanged,
                "only_in_target": counts.only_in_target,
            },
            "reasons": reasons,
        }),
    }
}
