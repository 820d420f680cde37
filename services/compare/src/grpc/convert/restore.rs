//! Selections, previews and confirmations of restores.

use std::collections::BTreeSet;

use domain::contract::Registry;
use domain::id::ExternalId;
use domain::plan::Action;
use domain::restore::{Fate, Origin, PreviewedPolicy, RestoreConfirmation, RestoreCounts, Selection};
use pb::restore as wire;
use pb::restore::restore_selection::Origin as WireOrigin;
use server::failure::Failure;
use server::fields::{self, PageToken};

use super::count;
use super::inventory::parse_policy_types;
use super::operability::to_outcome;
use crate::inventory::MAX_EXTERNAL_ID_CHARS;
use crate::restore::{MAX_POLICIES, PreviewPage, Selected};

/// The most versions that are named one by one.
const MAX_POLICY_VERSIONS: usize = 1_000;

/// A selection, checked.
pub fn parse_selection(message: Option<wire::RestoreSelection>, registry: &Registry) -> Result<Selected, Failure> {
    let message = fields::required("selection", message)?;
    Ok(Selected {
        workspace_id: fields::id("selection.workspace_id", &message.workspace_id)?,
        selection: Selection {
            tenant: fields::id("selection.tenant_id", &message.tenant_id)?,
            from: parse_origin(fields::required("selection.origin", message.origin)?, registry)?,
            include_assignments: message.include_assignments,
        },
    })
}

fn parse_origin(origin: WireOrigin, registry: &Registry) -> Result<Origin, Failure> {
    match origin {
        WireOrigin::BackupSet(set) => {
            let field = "selection.backup_set.external_ids";
            let ids = fields::texts(field, &set.external_ids, MAX_POLICIES, MAX_EXTERNAL_ID_CHARS)?;
            Ok(Origin::BackupSet {
                id: fields::id("selection.backup_set.backup_set_id", &set.backup_set_id)?,
                policy_types: parse_policy_types("selection.backup_set.policy_types", &set.policy_types, registry)?,
                external_ids: ids.into_iter().map(ExternalId).collect(),
            })
        }
        WireOrigin::PolicyVersions(versions) => {
            let field = "selection.policy_versions.policy_version_ids";
            let ids = versions.policy_version_ids;
            if !(1..=MAX_POLICY_VERSIONS).contains(&ids.len()) {
                return Err(Failure::invalid_argument(field, format!("must have 1 to {MAX_POLICY_VERSIONS} entries")));
            }
            Ok(Origin::PolicyVersions(fields::ids(field, &ids)?.into_iter().collect()))
        }
    }
}

/// Fates of a request, by [`Fate::as_str`].
pub fn parse_fates(values: &[i32]) -> Result<BTreeSet<&'static str>, Failure> {
    let parse = |(index, value): (usize, &i32)| {
        let field = format!("fates[{index}]");
        match fields::choice::<wire::RestoreFate>(&field, *value)? {
            wire::RestoreFate::Create => Ok("create"),
            wire::RestoreFate::Update => Ok("update"),
            wire::RestoreFate::Unchanged => Ok("unchanged"),
            wire::RestoreFate::Blocked => Ok("blocked"),
            wire::RestoreFate::Unspecified => Err(Failure::invalid_argument(field, "is required")),
        }
    };
    values.iter().enumerate().map(parse).collect()
}

/// Page tokens of a preview.
pub fn tokens(list: &str, selected: &Selected, fates: &BTreeSet<&'static str>) -> Result<PageToken, Failure> {
    let selection = serde_json::to_vec(&selected.selection).map_err(Failure::internal)?;
    let fates = serde_json::to_vec(fates).map_err(Failure::internal)?;
    Ok(PageToken::bound_to(list, [selected.workspace_id.to_string().into_bytes(), selection, fates]))
}

/// What a person confirmed.
pub fn parse_confirmation(message: Option<wire::RestoreConfirmation>) -> Result<RestoreConfirmation, Failure> {
    let message = fields::required("confirmation", message)?;
    let count = |field: &str, value: Option<i32>| {
        let field = format!("confirmation.{field}");
        let value = fields::required(&field, value)?;
        u64::try_from(value).map_err(|_| Failure::invalid_argument(field, "must not be negative"))
    };
    Ok(RestoreConfirmation {
        tenant: fields::id("confirmation.tenant_id", &message.tenant_id)?,
        create_count: count("create_count", message.create_count)?,
        update_count: count("update_count", message.update_count)?,
        blocked_count: count("blocked_count", message.blocked_count)?,
    })
}

/// One page of a preview.
pub fn to_preview_page(page: PreviewPage) -> wire::PreviewRestoreResponse {
    let reason_counts = page
        .reason_counts
        .iter()
        .map(|(code, policies)| wire::RestoreReasonCount { reason: code.to_string(), count: count(*policies) });
    wire::PreviewRestoreResponse {
        fingerprint: page.fingerprint.to_string(),
        counts: Some(to_counts(&page.counts)),
        reason_counts: reason_counts.collect(),
        policies: page.policies.into_iter().map(to_policy).collect(),
        next_page_token: page.next,
        tenant_name: page.tenant_name,
        operability: Some(to_outcome(&page.outcome)),
    }
}

fn to_counts(counts: &RestoreCounts) -> wire::RestoreCounts {
    wire::RestoreCounts {
        create: count(counts.create),
        update: count(counts.update),
        unchanged: count(counts.unchanged),
        blocked: count(counts.blocked),
    }
}

fn to_policy(policy: PreviewedPolicy) -> wire::RestorePolicy {
    let reasons = policy
        .fate
        .reasons()
        .iter()
        .map(|reason| wire::RestoreReason { reason: reason.code.to_string(), message: reason.message.clone() });
    wire::RestorePolicy {
        reasons: reasons.collect(),
        fate: to_fate(&policy.fate).into(),
        policy_type: policy.policy_type.0,
        external_id: policy.external_id.0,
        display_name: policy.label,
        policy_version_id: policy.version.to_string(),
        number: policy.number,
    }
}

fn to_fate(fate: &Fate) -> wire::RestoreFate {
    match fate {
        Fate::Restored(item) => match item.plan.action() {
            Action::Create => wire::RestoreFate::Create,
            Action::Update => wire::RestoreFate::Update,
        },
        Fate::Unchanged => wire::RestoreFate::Unchanged,
        Fate::Blocked(_) => wire::RestoreFate::Blocked,
    }
}
