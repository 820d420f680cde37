//! VerifyAuditTrail: recomputes the chain of seals over the entries as they are now, and names the first that is not as it was.

use domain::access::{Capability, Need};
use domain::audit::{Break, Checkpoint, Walk};
use domain::id::WorkspaceId;
use server::{Caller, Failure};
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::store;
use crate::store::audit_seal::Beside;
use crate::visibility::Visibility;

/// Seals read at once.
const PAGE: i64 = 1000;

/// What verifying came to.
#[derive(Debug)]
pub struct Verified {
    /// Up to where the trail is as it was.
    pub through: Checkpoint,
    /// Entries verified.
    pub count: u64,
    /// The first that is not as it was.
    pub broken: Option<Broken>,
    /// When the end was reached: how many entries wait to be sealed.
    pub unsealed: Option<i64>,
}

/// An entry that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Place in the chain; 0 when it has none.
    pub position: i64,
    pub entry: Option<Uuid>,
    pub how: Break,
}

/// Verifies at most `most` entries after a checkpoint, for somebody who may see the trail.
pub async fn verify(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    after: Option<Checkpoint>,
    known: Option<Checkpoint>,
    most: u64,
) -> Result<Verified> {
    let user = caller.require_user()?;
    let visibility = Visibility::of(runs.access.facts(&user.subject, workspace).await?);
    visibility.require(&[Need::InWorkspace(Capability::AuditView)]).map_err(Failure::from)?;
    walk(&runs.db, workspace, after, known, most).await
}

/// The same for whoever has the database.
pub async fn walk(
    db: &pg::Db,
    workspace: WorkspaceId,
    after: Option<Checkpoint>,
    known: Option<Checkpoint>,
    most: u64,
) -> Result<Verified> {
    let start = after.unwrap_or_else(Checkpoint::beginning);
    let mut walk = Walk::after(start, known);
    let mut count = 0;
    let ended = |walk: &Walk, count, broken, unsealed| Verified { through: walk.head(), count, broken, unsealed };
    if let Some(how) = not_as_known(db, workspace, start).await? {
        let broken = Broken { position: start.position, entry: None, how };
        return Ok(ended(&walk, count, Some(broken), None));
    }
    while count < most {
        let limit = PAGE.min(i64::try_from(most - count).unwrap_or(PAGE));
        // One moment for the chain's end and for what lies beside it: in between, entries are sealed that neither would count.
        let mut tx = db.begin(pg::Begin::workspace(workspace.uuid()).snapshot()).await?;
        let sealed = store::audit_seal::after(&mut tx, workspace, walk.head().position, limit).await?;
        let beside = match i64::try_from(sealed.len()).is_ok_and(|read| read < limit) {
            true => Some(store::audit_seal::beside(&mut tx, workspace).await?),
            false => None,
        };
        drop(tx);
        for seal in &sealed {
            if let Err(how) = walk.step(seal) {
                let broken = Broken { position: seal.position, entry: Some(seal.entry_id), how };
                return Ok(ended(&walk, count, Some(broken), None));
            }
            count += 1;
        }
        if let Some(beside) = beside {
            return Ok(ended(&walk, count, at_the_end(&walk, &beside), Some(beside.waiting)));
        }
    }
    Ok(ended(&walk, count, None, None))
}

/// Whether the chain still comes to where a walk begins.
async fn not_as_known(db: &pg::Db, workspace: WorkspaceId, start: Checkpoint) -> Result<Option<Break>> {
    if start.position == 0 {
        return Ok(None);
    }
    let mut tx = db.workspace(workspace.uuid()).await?;
    Ok(match store::audit_seal::hash_at(&mut tx, workspace, start.position).await? {
        None => Some(Break::CheckpointMissing),
        Some(hash) if hash == start.hash.as_bytes() => None,
        Some(_) => Some(Break::CheckpointDiffers),
    })
}

/// What only the end of the chain shows: that it was cut off, and what lies beside it.
fn at_the_end(walk: &Walk, beside: &Beside) -> Option<Broken> {
    let without_place = |entry: Option<Uuid>, how| entry.map(|entry| Broken { position: 0, entry: Some(entry), how });
    let cut_off = walk.end().err().map(|how| Broken { position: walk.head().position, entry: None, how });
    cut_off.or(without_place(beside.gone, Break::EntryMissing)).or(without_place(beside.stray, Break::EntryNotSealed))
}
