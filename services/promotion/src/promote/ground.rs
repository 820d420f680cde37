//! What a promotion stands on: content of the source tenant, and a place for what it replaces in the target's own history.

use apply::{Ground, Refusal, Trouble};
use domain::id::ExternalId;
use domain::plan::{PlanItem, StepReason};
use pb::inventory::{CapturePreImageRequest, GetPolicyVersionContentRequest};
use serde_json::Value;
use tonic::Code;

use super::operable;
use super::patience::patiently;
use crate::app::App;
use crate::brief::Brief;

/// The source and the target of a promotion, by way of compare-service.
pub(super) struct TwoTenants {
    pub(super) app: App,
    pub(super) run_id: String,
    pub(super) brief: Brief,
}

#[tonic::async_trait]
impl Ground for TwoTenants {
    async fn content(&self, item: &PlanItem) -> Result<Value, Trouble> {
        let request = GetPolicyVersionContentRequest {
            workspace_id: self.brief.workspace_id.to_string(),
            tenant_id: self.brief.source_tenant_id.to_string(),
            policy_version_id: item.source_version.to_string(),
        };
        let read = || async { self.app.inventory().get_policy_version_content(request.clone()).await };
        let content = match patiently(read).await {
            Ok(response) => response.into_inner().content_json,
            Err(status) if status.code() == Code::NotFound => {
                return Err(Trouble::item(
                    "SOURCE_CONTENT_MISSING",
                    "the source's captured content is gone; sync the source tenant",
                ));
            }
            Err(status) => return Err(Trouble::of_item(&status)),
        };
        serde_json::from_slice(&content)
            .map_err(|_| Trouble::item("CONTENT_INVALID", "the source's captured content is not JSON"))
    }

    async fn keep_pre_image(&self, item: &PlanItem, external_id: &ExternalId, current: &Value) -> Result<(), Trouble> {
        let request = CapturePreImageRequest {
            workspace_id: self.brief.workspace_id.to_string(),
            tenant_id: self.brief.target_tenant_id.to_string(),
            policy_type: item.policy_type.to_string(),
            external_id: external_id.to_string(),
            content_json: current.to_string().into_bytes(),
            run_id: self.run_id.clone(),
        };
        let keep = || async { self.app.inventory().capture_pre_image(request.clone()).await };
        patiently(keep).await.map_err(|status| Trouble::of_item(&status))?;
        Ok(())
    }

    async fn recheck(&self) -> Result<Result<(), Refusal>, Trouble> {
        operable::recheck(&self.app, &self.brief).await
    }

    fn explain(&self, reason: StepReason) -> String {
        reason.to_string()
    }

    fn content_changed(&self) -> Trouble {
        let message = "an object the source refers to was renamed after the preflight; compare again";
        Trouble::item("SOURCE_CHANGED", message)
    }
}
