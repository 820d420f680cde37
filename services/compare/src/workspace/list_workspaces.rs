//! Lists the caller's workspaces.

use server::caller::Caller;
use server::fields::Page;

use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::workspace::{After, Workspace};

/// One page by name, and the token of the next. Authorisation is the question itself: one's own memberships.
pub async fn list_workspaces(state: &State, caller: &Caller, page: &Page<After>) -> Result<(Vec<Workspace>, String)> {
    let user = caller.require_user()?;
    let mut conn = state.db.plain().await?;
    let mut rows = store::workspace::list(&mut conn, &user.subject, page.after.as_ref(), page.fetch()).await?;
    let next = page.cut(&mut rows, |(_, position)| position.clone());
    Ok((rows.into_iter().map(|(workspace, _)| workspace).collect(), next))
}
