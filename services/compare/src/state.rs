//! What every use case of this service works with, and the one function by which it authorises.

use std::sync::Arc;

use domain::access::{ActorFacts, Need};
use domain::contract::Registry;
use domain::id::{TenantId, WorkspaceId};
use graph::ProviderRules;
use server::access::AccessReader;
use server::caller::{Caller, User};
use time::Duration;

use crate::audit::bell::Bell;
use crate::client::{Audit, OperationRuns};
use crate::error::Result;

/// What every use case works with. Cheap to clone; holds nothing that another replica lacks.
#[derive(Debug, Clone)]
pub struct State {
    /// The database, as role `tenantatlas_compare`.
    pub db: pg::Db,
    /// Who may see and do what.
    pub access: AccessReader,
    /// What is known of each policy type, with this installation's promotable ones.
    pub registry: Arc<Registry>,
    /// Starts operation runs.
    pub operation_runs: OperationRuns,
    /// Writes the audit trail.
    pub audit: Audit,
    /// Rung when there is something for the audit trail in the outbox.
    pub audit_bell: Bell,
    /// Evidence older than this is stale.
    pub stale_after: Duration,
    /// What provider connections may be.
    pub provider_rules: Arc<ProviderRules>,
}

impl State {
    /// The order of answers of every RPC of a user, after the token and the fields were read: membership of the workspace,
    /// entitlement to every tenant named, capabilities. Gives back what the actor may see.
    ///
    /// # Errors
    /// NOT_FOUND for what is hidden as for what is absent; PERMISSION_DENIED `CAPABILITY_MISSING`, or
    /// `USER_IDENTITY_REQUIRED` when no user is behind the call.
    pub async fn authorise<'c>(
        &self,
        caller: &'c Caller,
        workspace: WorkspaceId,
        tenants: &[TenantId],
        needs: &[Need],
    ) -> Result<(&'c User, ActorFacts)> {
        let user = caller.require_user()?;
        let facts = self.access.require(&user.subject, workspace, tenants, needs).await?;
        Ok((user, facts))
    }
}
