//! The worker of `restore.execute`.

use std::collections::BTreeSet;

use apply::{Means, Pace, Trouble};
use domain::id::PolicyType;
use domain::restore::RestoreItem;
use domain::run::RunType;
use graph::Provider;
use pb::operation::ClaimedItem;
use server::structure::from_struct;
use tokio_util::sync::CancellationToken;
use worker::{Ending, Handler, RunSession, WorkError};

use super::ground::OneTenant;
use super::names;
use crate::state::State;
use crate::sync::{Scope, away, reconnect, scope_of};

/// The work of a restore.
#[derive(Debug)]
pub(crate) struct RestoreWork {
    /// Tables and contracts.
    pub(crate) state: State,
    /// The way to tenants' providers.
    pub(crate) provider: Provider,
    /// How fast, and how patiently.
    pub(crate) pace: Pace,
    /// Cancelled when this process is going down.
    pub(crate) drain: CancellationToken,
}

#[tonic::async_trait]
impl Handler for RestoreWork {
    fn run_type(&self) -> RunType {
        RunType::RestoreExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        let scope = scope_of(session.run())?;
        let context = session.run().context.as_ref().map(from_struct).unwrap_or_default();
        let Some(include_assignments) = context["selection"]["include_assignments"].as_bool() else {
            return Ok(Ending::Blocked {
                reason: "RUN_CONTEXT_INVALID".into(),
                message: "the run's selection cannot be read".into(),
            });
        };
        let ended = self.restore(session, scope, include_assignments).await;
        apply::ending(session, self.pace, ended)
    }
}

impl RestoreWork {
    async fn restore(&self, session: &RunSession, scope: Scope, include_assignments: bool) -> Result<(), Trouble> {
        let claimed = session.items().await?;
        let items = claimed.iter().map(read_item).collect::<Result<Vec<_>, _>>()?;
        let client = match reconnect(&self.state, &self.provider, scope).await.map_err(away)? {
            Ok(client) => client,
            Err(why) => return Err(Trouble::blocked(why.reason(), why.to_string())),
        };
        let names = self.names(scope, &items, include_assignments).await.map_err(away)?;
        let means = Means {
            ground: OneTenant { state: self.state.clone(), scope },
            registry: &self.state.registry,
            client,
            content_names: names.clone(),
            target_names: names,
            include_assignments,
            pace: self.pace,
            drain: self.drain.clone(),
        };
        apply::apply(session, &claimed, means).await
    }

    /// The names that the preview was made with: of today, and what is gone by the names it was planned with.
    async fn names(
        &self,
        scope: Scope,
        items: &[RestoreItem],
        include_assignments: bool,
    ) -> crate::error::Result<domain::reference::NameTable> {
        let types: BTreeSet<&PolicyType> = items.iter().map(|item| &item.plan.policy_type).collect();
        let kinds = names::referred_kinds(&self.state.registry, &types, include_assignments);
        let mut tx = self.state.db.workspace(scope.workspace_id.uuid()).await?;
        let mut table = names::load(&mut tx, scope.workspace_id, scope.tenant_id, &kinds).await?;
        for gone in items.iter().flat_map(|item| &item.recalled) {
            table.recall(gone.kind.clone(), &gone.id, &gone.name, &gone.label);
        }
        Ok(table)
    }
}

fn read_item(item: &ClaimedItem) -> Result<RestoreItem, Trouble> {
    let plan = item.plan.as_ref().map(from_struct).unwrap_or_default();
    serde_json::from_value(plan)
        .map_err(|error| Trouble::blocked("RUN_CONTEXT_INVALID", format!("an item's plan cannot be read: {error}")))
}
