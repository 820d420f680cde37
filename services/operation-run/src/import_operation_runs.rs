//! ImportOperationRuns: completed runs of an older system, brought in as history. All of a request or nothing: whoever moves
//! a history wants to know where it stands.

use std::collections::HashMap;

use domain::access::{Capability, Need};
use domain::id::{Hash, RequestId, RunId, TenantId, WorkspaceId};
use serde::{Deserialize, Serialize};
use server::{Caller, Failure};

use crate::Runs;
use crate::error::{Error, Result};
use crate::run::SeenRun;
use crate::store;
use crate::store::answered_request::Request;
use crate::store::run::import::{ImportedRun, Importer};
use crate::visibility::Visibility;

/// What is to be brought in.
#[derive(Debug, Clone)]
pub struct Import {
    pub request: RequestId,
    pub workspace: WorkspaceId,
    pub runs: Vec<ImportedRun>,
}

/// One run of the answer.
#[derive(Debug, Clone)]
pub struct Imported {
    pub seen: SeenRun,
    /// Whether this request brought it in; otherwise an earlier one had.
    pub new: bool,
}

/// What a request was answered.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    new: Vec<RunId>,
}

/// Brings the runs in, and returns them in the order given. Those that were brought in before, as they are given now, are left
/// alone.
///
/// # Errors
/// EXTERNAL_ID_REUSED when a run with one of the external ids was brought in before and is another one.
pub async fn import(runs: &Runs, caller: &Caller, import: &Import) -> Result<Vec<Imported>> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, import.workspace).await?);
    let mut tenants: Vec<TenantId> = Vec::new();
    for run in &import.runs {
        tenants.extend(run.tenants.tenant.iter().chain(&run.tenants.related));
    }
    visibility.may_name(&tenants).map_err(Failure::from)?;
    // A history speaks of what others did: only those who answer for the workspace bring one in.
    visibility.require(&[Need::InWorkspace(Capability::WorkspaceMembersManage)]).map_err(Failure::from)?;

    let hash = Hash::of_parts(
        std::iter::once(user.subject.as_bytes()).chain(import.runs.iter().map(|run| run.content.as_bytes().as_slice())),
    );
    let request = Request { workspace: import.workspace, id: import.request, method: "ImportOperationRuns", hash };
    let mut tx = runs.db.workspace(import.workspace.uuid()).await?;
    let earlier: Option<Answer> = store::answered_request::earlier(&mut tx, &request).await?;
    if let Some(answer) = earlier {
        return in_the_order_given(&mut tx, import, &answer).await;
    }
    let by = Importer { subject: &user.subject, name: &user.name };
    let answer = Answer { new: store::run::import::insert(&mut tx, import.workspace, &import.runs, by).await? };
    let imported = in_the_order_given(&mut tx, import, &answer).await?;
    store::answered_request::remember(&mut tx, &request, &answer).await?;
    tx.commit().await?;
    Ok(imported)
}

async fn in_the_order_given(tx: &mut pg::Tx, import: &Import, answer: &Answer) -> Result<Vec<Imported>> {
    let external_ids: Vec<&str> = import.runs.iter().map(|run| run.external_id.as_str()).collect();
    let found = store::run::import::of_external_ids(tx, import.workspace, &external_ids).await?;
    let mut by_external_id: HashMap<String, (Vec<u8>, SeenRun)> =
        found.into_iter().map(|(external_id, content, seen)| (external_id, (content, seen))).collect();
    let mut imported = Vec::with_capacity(import.runs.len());
    for run in &import.runs {
        // Retention may just have taken what was there.
        let (content, seen) = by_external_id.remove(&run.external_id).ok_or(Error::Contended)?;
        if content != run.content.as_bytes() {
            return Err(Error::ExternalIdReused { external_id: run.external_id.clone() });
        }
        imported.push(Imported { new: answer.new.contains(&seen.run.id), seen });
    }
    Ok(imported)
}
