//! ListOperationRunItems: the items of a run in the order of work.

use domain::id::RunId;
use domain::run::ItemState;
use server::Caller;
use server::fields::Page;

use crate::Runs;
use crate::error::Result;
use crate::get_operation_run::visible;
use crate::run::Item;
use crate::store;

/// One page and the token of the next, empty at the end. The cursor is the ordinal of the last item.
pub async fn list(
    runs: &Runs,
    caller: &Caller,
    id: RunId,
    states: &[ItemState],
    page: Page<i32>,
) -> Result<(Vec<Item>, String)> {
    let (seen, _) = visible(runs, caller, id).await?;
    let workspace = seen.run.workspace_id;
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    let after = page.after.unwrap_or(0);
    let mut items = store::run_item::page(&mut tx, workspace, id, states, after, page.fetch()).await?;
    let token = page.cut(&mut items, |item| item.ordinal);
    Ok((items, token))
}
