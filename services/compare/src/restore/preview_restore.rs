//! Says what would become of each policy of a selection.

use std::collections::BTreeSet;

use domain::access::{Capability, Need};
use domain::id::Hash;
use domain::operability::{Asked, Lane, Question, evaluate};
use domain::preflight::ReasonCode;
use domain::restore::{Preview, PreviewedPolicy, RestoreCounts};
use serde_json::{Map, Value, json};
use server::ambient;
use server::caller::{Caller, User};
use server::fields::Page;

use super::Selected;
use super::gather::{Gathered, gather};
use crate::client::NewAuditEvent;
use crate::compare::{After, has_changed, page_of};
use crate::error::{Error, Result};
use crate::state::State;
use crate::tenant::Outcome;

/// The audit action of a generated preview.
const AUDIT_ACTION: &str = "restore_preview.generated";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PreviewAsked {
    /// What to restore.
    pub selected: Selected,
    /// Only policies of these fates ([`domain::restore::Fate::as_str`]); empty for all.
    pub fates: BTreeSet<&'static str>,
    /// Which page.
    pub page: Page<After>,
}

/// One page of a preview.
#[derive(Debug, Clone)]
pub struct PreviewPage {
    /// Fingerprint over everything it rests on.
    pub fingerprint: Hash,
    /// Counts over the whole selection.
    pub counts: RestoreCounts,
    /// Reasons over the whole selection, most frequent first.
    pub reason_counts: Vec<(ReasonCode, u64)>,
    /// One page, by policy type and id.
    pub policies: Vec<PreviewedPolicy>,
    /// Token of the next page; empty on the last.
    pub next: String,
    /// Name of the tenant.
    pub tenant_name: String,
    /// Whether whoever asks may restore to the tenant.
    pub outcome: Outcome,
}

/// The page. The first one is written into the audit trail before it is shown: what is not recorded is not told.
pub async fn preview_restore(state: &State, caller: &Caller, asked: &PreviewAsked) -> Result<PreviewPage> {
    let tenant = asked.selected.selection.tenant;
    let need = Need::OnTenant(tenant, Capability::TenantView);
    let (user, actor) = state.authorise(caller, asked.selected.workspace_id, &[tenant], &[need]).await?;
    let Gathered { tenant, preview } = gather(state, caller, &actor, &asked.selected, ambient::now()).await?;
    if has_changed(&asked.page, preview.fingerprint) {
        return Err(Error::RestorePreviewChanged);
    }
    if asked.page.after.is_none() {
        state.audit.record(caller, generated(user, &asked.selected, &preview)).await?;
    }
    let (lane, question, facts) = (Lane::TenantBound, Question::ContentRestore, Some(tenant.facts()));
    let outcome = evaluate(&Asked { lane, question, tenant_id: tenant.id, tenant: facts, actor: Some(&actor) });
    let wanted = |policy: &&PreviewedPolicy| asked.fates.is_empty() || asked.fates.contains(policy.fate.as_str());
    let (policies, next) =
        page_of(&asked.page, preview.fingerprint, preview.policies.iter().filter(wanted), |policy| {
            (policy.policy_type.as_str(), policy.external_id.as_str())
        });
    let policies = policies.into_iter().cloned().collect();
    Ok(PreviewPage {
        fingerprint: preview.fingerprint,
        counts: preview.counts,
        reason_counts: preview.reason_counts,
        policies,
        next,
        tenant_name: tenant.name,
        outcome,
    })
}

fn generated(user: &User, selected: &Selected, preview: &Preview) -> NewAuditEvent {
    NewAuditEvent {
        entry_id: ambient::fresh_id(),
        workspace_id: selected.workspace_id,
        action: AUDIT_ACTION.into(),
        actor_subject: user.subject.to_string(),
        actor_name: user.name.to_string(),
        tenant_id: Some(selected.selection.tenant),
        related_tenant_ids: Vec::new(),
        outcome: "generated".into(),
        detail: json!({
            "selection": shown(selected),
            "fingerprint": preview.fingerprint,
            "counts": preview.counts,
            "reasons": reasons(preview),
        }),
    }
}

/// How many policies have each reason.
pub(super) fn reasons(preview: &Preview) -> Map<String, Value> {
    preview.reason_counts.iter().map(|(code, count)| (code.to_string(), json!(count))).collect()
}

/// A selection for people to read: whole, but for a long list, of which the count and a digest say enough. A context has room for
/// a person's words, not for thousands of ids.
pub(super) fn shown(selected: &Selected) -> Value {
    /// Names of a list that are shown.
    const MOST_SHOWN: usize = 20;
    let mut selection =
        serde_json::to_value(&selected.selection).expect("a selection holds nothing that JSON cannot say");
    for path in ["/from/backup_set/external_ids", "/from/policy_versions"] {
        if let Some(list) = selection.pointer_mut(path)
            && let Some(count) = list.as_array().map(Vec::len).filter(|count| *count > MOST_SHOWN)
        {
            *list = json!({ "count": count, "digest": domain::json::canonical_hash(list) });
        }
    }
    selection
}

#[cfg(test)]
mod tests {
    use domain::id::{PolicyVersionId, TenantId, WorkspaceId};
    use domain::restore::{Origin, Selection};
    use uuid::Uuid;

    use super::*;

    fn selected(versions: u128) -> Selected {
        let ids = (1..=versions).map(|id| PolicyVersionId(Uuid::from_u128(id))).collect();
        let tenant = TenantId(Uuid::from_u128(2));
        Selected {
            workspace_id: WorkspaceId(Uuid::from_u128(1)),
            selection: Selection { tenant, from: Origin::PolicyVersions(ids), include_assignments: true },
        }
    }

    #[test]
    fn however_many_versions_are_named_what_is_shown_stays_small_and_tells_them_apart() {
        assert_eq!(shown(&selected(20))["from"]["policy_versions"].as_array().map(Vec::len), Some(20));
        let many = shown(&selected(1000));
        assert_eq!(many["from"]["policy_versions"]["count"], 1000);
        assert!(many.to_string().len() < 1000);
        assert_ne!(many, shown(&selected(999)));
        assert_eq!(many["include_assignments"], true, "the worker reads this");
    }
}
