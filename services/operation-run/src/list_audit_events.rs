//! ListAuditEvents: the audit trail of a workspace, newest first, without what is about tenants the caller is not
//! entitled to.

use domain::access::{Capability, Need};
use domain::id::{RunId, TenantId, WorkspaceId};
use serde::{Deserialize, Serialize};
use server::fields::Page;
use server::{Caller, Failure};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::store;
use crate::store::audit_entry::{AuditEntry, Wanted};
use crate::visibility::Visibility;

/// The entry after which a page goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    /// Microseconds since 1970.
    at_us: i64,
    id: Uuid,
}

impl Cursor {
    fn of(entry: &AuditEntry) -> Self {
        Self { at_us: i64::try_from(entry.at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX), id: entry.id }
    }

    fn place(&self) -> Result<(OffsetDateTime, Uuid)> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.at_us) * 1000)
            .map_err(|_| Failure::invalid_argument("page_token", "holds no time"))?;
        Ok((at, self.id))
    }
}

/// Which entries; empty does not restrict.
#[derive(Debug, Clone)]
pub struct Filter {
    pub actions: Vec<String>,
    pub tenant: Option<TenantId>,
    pub run: Option<RunId>,
    pub actors: Vec<String>,
    /// Written at this moment or later.
    pub from: Option<OffsetDateTime>,
    /// Written before this moment.
    pub until: Option<OffsetDateTime>,
}

/// One page and the token of the next, empty at the end.
pub async fn list(
    runs: &Runs,
    caller: &Caller,
    workspace: WorkspaceId,
    filter: &Filter,
    page: Page<Cursor>,
) -> Result<(Vec<AuditEntry>, String)> {
    let user = caller.require_user()?;
    let before = page.after.as_ref().map(Cursor::place).transpose()?;
    let mut entries = read(runs, &user.subject, workspace, filter, before, page.fetch()).await?;
    let token = page.cut(&mut entries, Cursor::of);
    Ok((entries, token))
}

/// Entries before a place, newest first, for somebody whose access is read now.
pub(crate) async fn read(
    runs: &Runs,
    subject: &str,
    workspace: WorkspaceId,
    filter: &Filter,
    before: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let visibility = Visibility::of(runs.access.facts(subject, workspace).await?);
    visibility.may_name(filter.tenant.as_slice()).map_err(Failure::from)?;
    visibility.require(&[Need::InWorkspace(Capability::AuditView)]).map_err(Failure::from)?;
    let wanted = Wanted {
        workspace,
        actions: filter.actions.clone(),
        tenant: filter.tenant,
        run: filter.run,
        actors: filter.actors.clone(),
        from: filter.from,
        until: filter.until,
        entitled_to: visibility.entitled_to(),
    };
    let mut tx = runs.db.workspace(workspace.uuid()).await?;
    store::audit_entry::page(&mut tx, &wanted, before, limit).await
}
