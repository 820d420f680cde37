//! Returns the tenant the caller selected last, if it is still good for that.

use domain::id::WorkspaceId;
use domain::operability::{Asked, Denied, Lane, Question, evaluate};
use server::caller::Caller;
use time::OffsetDateTime;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::tenant::Tenant;

/// What became of what the caller selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Nothing is selected.
    None,
    /// It is still good.
    Current(Box<Tenant>),
    /// It was not, and is forgotten now.
    Stale {
        /// Why it was not.
        denied: Denied,
        /// When it was selected.
        selected_at: OffsetDateTime,
    },
}

/// The selection, checked anew at every reading; a stale one is forgotten, and told of once.
pub async fn get_selected_tenant(state: &State, caller: &Caller, workspace: WorkspaceId) -> Result<Selection> {
    let (user, actor) = state.authorise(caller, workspace, &[], &[]).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let Some(selected) = store::selected_tenant::find(&mut tx, workspace, &user.subject).await? else {
        return Ok(Selection::None);
    };
    let tenant = store::tenant::find(&mut tx, workspace, selected.tenant_id).await?;
    let valid = evaluate(&Asked {
        lane: Lane::RememberedContext,
        question: Question::RememberedContextValidity,
        tenant_id: selected.tenant_id,
        tenant: tenant.as_ref().map(Tenant::facts),
        actor: Some(&actor),
    });
    match (valid, tenant) {
        (Ok(()), Some(tenant)) => Ok(Selection::Current(Box::new(tenant))),
        (Ok(()), None) => Ok(Selection::None),
        (Err(denied), _) => {
            // Another reading may have told of it already, or another selection may have taken its place meanwhile, which the
            // next reading finds.
            let told_here = store::selected_tenant::forget(&mut tx, workspace, &user.subject, &selected).await?;
            tx.commit().await?;
            let stale = Selection::Stale { denied, selected_at: selected.selected_at };
            Ok(if told_here { stale } else { Selection::None })
        }
    }
}
