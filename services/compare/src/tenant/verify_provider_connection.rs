//! Starts `provider_connection.verify` for a tenant.

use domain::id::{RequestId, TenantId, WorkspaceId};
use domain::json::canonical_hash;
use domain::operability::Question;
use domain::run::RunType;
use serde_json::json;
use server::caller::Caller;

use crate::client::{NewItem, NewRun, Started};
use crate::error::Result;
use crate::start_reading::start_gated;
use crate::state::State;
use crate::store;

/// Where a run's context names the connection that it verifies.
pub(crate) const VERIFIED_CONNECTION: &str = "provider_connection_id";

/// Starts it. Two starts for one connection are one run while it is active; for another connection it is another run.
pub async fn verify_provider_connection(
    state: &State,
    caller: &Caller,
    request_id: RequestId,
    workspace: WorkspaceId,
    tenant: TenantId,
) -> Result<Started> {
    let question = Question::VerificationReadiness;
    state.authorise(caller, workspace, &[tenant], &question.needs(tenant)).await?;
    let mut tx = state.db.workspace(workspace.uuid()).await?;
    let connection = store::provider_connection::find(&mut tx, workspace, tenant).await?;
    drop(tx);
    // Without one the gates refuse: what is asked of the authority there includes a connection.
    let connection = connection.map(|connection| connection.id);
    let run = NewRun {
        run_type: RunType::ProviderConnectionVerify,
        request_id,
        workspace_id: workspace,
        tenant_id: tenant,
        identity: canonical_hash(&json!({ VERIFIED_CONNECTION: connection })),
        request_digest: canonical_hash(&json!(["VerifyProviderConnection", workspace, tenant])),
        context: json!({ VERIFIED_CONNECTION: connection }),
        items: state
            .registry
            .iter()
            .map(|contract| NewItem::of_type(&contract.policy_type.0, &contract.label))
            .collect(),
    };
    start_gated(state, caller, run, question).await
}
