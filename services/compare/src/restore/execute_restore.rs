//! What a person confirmed becomes one queued run, or nothing.

use domain::id::{Hash, RequestId};
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::plan::plan;
use domain::restore::{Preview, RestoreConfirmation, RestoreItem, confirm};
use domain::run::RunType;
use serde_json::{Value, json};
use server::ambient;
use server::caller::Caller;
use server::failure::Failure;

use super::Selected;
use super::gather::{Gathered, gather};
use super::preview_restore::{reasons, shown};
use crate::client::{NewItem, NewRun, Started};
use crate::error::{Error, Result};
use crate::state::State;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ExecuteRestore {
    /// Makes it idempotent.
    pub request_id: RequestId,
    /// Digest of the whole request, by which a repeated id with another body is recognised.
    pub digest: Hash,
    /// What to restore.
    pub selected: Selected,
    /// Fingerprint of the preview that was confirmed.
    pub fingerprint: String,
    /// What was confirmed.
    pub confirmation: RestoreConfirmation,
}

/// Starts the restore, or says why not. No run exists after a failure.
pub async fn execute_restore(state: &State, caller: &Caller, request: &ExecuteRestore) -> Result<Started> {
    let Selected { workspace_id, selection } = &request.selected;
    let needs = Question::ContentRestore.needs(selection.tenant);
    let (_, actor) = state.authorise(caller, *workspace_id, &[selection.tenant], &needs).await?;
    // First of all: a repeated request must find its run, although the preview it was made for is long gone.
    let earlier = state.operation_runs.earlier(caller, *workspace_id, request.request_id, request.digest).await?;
    if let Some(earlier) = earlier {
        return Ok(earlier);
    }
    let Gathered { tenant, preview } = gather(state, caller, &actor, &request.selected, ambient::now()).await?;
    check(request, &preview)?;
    Ok(state.operation_runs.start(caller, run(state, request, &tenant.name, &preview)?).await?)
}

/// What was confirmed must be what would happen now.
fn check(request: &ExecuteRestore, preview: &Preview) -> Result<()> {
    if preview.fingerprint.to_string() != request.fingerprint {
        return Err(Error::RestorePreviewStale);
    }
    if preview.counts.restored() == 0 {
        return Err(Error::NothingToRestore);
    }
    let actual = RestoreConfirmation {
        tenant: request.selected.selection.tenant,
        create_count: preview.counts.create,
        update_count: preview.counts.update,
        blocked_count: preview.counts.blocked,
    };
    Ok(confirm(&request.confirmation, &actual)?)
}

fn run(state: &State, request: &ExecuteRestore, tenant_name: &str, preview: &Preview) -> Result<NewRun> {
    let Selected { workspace_id, selection } = &request.selected;
    let registry = &state.registry;
    let items: Vec<&RestoreItem> = preview.restored().collect();
    let ordered = plan(items.iter().map(|item| item.plan.clone()).collect(), |policy_type| {
        registry.get(policy_type.as_str()).map_or(u32::MAX, |contract| contract.order)
    });
    let recalled = |version| items.iter().find(|item| item.plan.source_version == version).map(|item| &item.recalled);
    let items = ordered.items.into_iter().map(|plan| {
        let recalled = recalled(plan.source_version).cloned().unwrap_or_default();
        new_item(RestoreItem { plan, recalled })
    });
    let selected = serde_json::to_value(selection).map_err(Failure::internal)?;
    Ok(NewRun {
        run_type: RunType::RestoreExecute,
        request_id: request.request_id,
        workspace_id: *workspace_id,
        tenant_id: selection.tenant,
        // Two requests are for the same run when selection and plan are the same.
        identity: Hash::of_parts([canonical_hash(&selected), ordered.identity]),
        request_digest: request.digest,
        context: context(request, tenant_name, preview),
        items: items.collect::<Result<_>>()?,
    })
}

/// What the run is about, for Monitoring and the audit; no content.
fn context(request: &ExecuteRestore, tenant_name: &str, preview: &Preview) -> Value {
    json!({
        "selection": shown(&request.selected),
        "tenant_name": tenant_name,
        "preview_fingerprint": preview.fingerprint,
        "create": preview.counts.create,
        "update": preview.counts.update,
        "unchanged": preview.counts.unchanged,
        "excluded": preview.counts.blocked,
        "excluded_reasons": reasons(preview),
    })
}

fn new_item(item: RestoreItem) -> Result<NewItem> {
    let plan = serde_json::to_value(&item).map_err(Failure::internal)?;
    Ok(NewItem {
        key: item.plan.subject_key.to_string(),
        policy_type: item.plan.policy_type.to_string(),
        label: item.plan.line(),
        plan: Some(plan),
    })
}
