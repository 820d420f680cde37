//! What a restore stands on: versions of the tenant's own, and a place among them for what is replaced.

use apply::{Ground, Refusal, Trouble};
use domain::id::ExternalId;
use domain::operability::{Question, Reason, state_allows};
use domain::plan::{PlanItem, StepReason};
use domain::preflight::ReasonCode;
use domain::restore::explain;
use serde_json::Value;

use crate::error::Error;
use crate::inventory::{CapturePreImage, ObjectPlace, keep_pre_image};
use crate::state::State;
use crate::store;
use crate::sync::{Scope, away};

/// The one tenant of a restore.
pub(super) struct OneTenant {
    pub(super) state: State,
    pub(super) scope: Scope,
}

#[tonic::async_trait]
impl Ground for OneTenant {
    async fn content(&self, item: &PlanItem) -> Result<Value, Trouble> {
        let Scope { workspace_id, tenant_id, .. } = self.scope;
        let found = async {
            let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
            store::policy_version::find_with_content(&mut tx, workspace_id, tenant_id, item.source_version).await
        };
        let found = found.await.map_err(|error| away(error.into()))?;
        let missing = || Trouble::item("SOURCE_CONTENT_MISSING", "the version is gone; preview the restore again");
        Ok(found.ok_or_else(missing)?.1)
    }

    async fn keep_pre_image(&self, item: &PlanItem, external_id: &ExternalId, current: &Value) -> Result<(), Trouble> {
        let Scope { workspace_id, tenant_id, run_id } = self.scope;
        let place = ObjectPlace {
            workspace_id,
            tenant_id,
            policy_type: item.policy_type.to_string(),
            external_id: external_id.to_string(),
        };
        let request = CapturePreImage { place, content: current.clone(), run_id };
        match keep_pre_image(&self.state, &request).await {
            Ok(_) => Ok(()),
            // What cannot be kept is not replaced: that is the item's own trouble, and the others go on.
            Err(Error::Failure(failure)) => {
                let (reason, message) = (failure.reason().to_owned().into(), failure.message().to_owned());
                Err(Trouble::Item { reason, message })
            }
            Err(error) => Err(away(error).into()),
        }
    }

    async fn recheck(&self) -> Result<Result<(), Refusal>, Trouble> {
        let Scope { workspace_id, tenant_id, .. } = self.scope;
        let found = async {
            let mut tx = self.state.db.workspace(workspace_id.uuid()).await?;
            store::tenant::find(&mut tx, workspace_id, tenant_id).await
        };
        let tenant = found.await.map_err(|error| away(error.into()))?;
        let Some(tenant) = tenant else {
            let reason = ReasonCode::TargetTenantNotOperable.as_str();
            return Ok(Err(Refusal { reason, message: "the tenant does not exist any more".to_owned() }));
        };
        Ok(state_allows(Question::ContentRestore, tenant.facts()).map_err(|denied| Refusal {
            // A tenant in service whose connection is gone says so: what helps is another thing than Restore.
            reason: match denied.reason {
                Reason::ProviderConnectionMissing => ReasonCode::ProviderConnectionMissing.as_str(),
                _ => ReasonCode::TargetTenantNotOperable.as_str(),
            },
            message: format!("nothing can be restored to the tenant any more: {denied}"),
        }))
    }

    fn explain(&self, reason: StepReason) -> String {
        explain(reason).to_owned()
    }

    fn content_changed(&self) -> Trouble {
        let message = "an object it refers to was renamed after the preview; preview the restore again";
        Trouble::item("SOURCE_CHANGED", message)
    }
}
