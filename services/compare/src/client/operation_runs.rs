//! OperationRunService, as far as this service starts runs.

use domain::id::{Hash, RequestId, TenantId, WorkspaceId};
use domain::run::RunType;
use pb::operation::operation_run_service_client::OperationRunServiceClient;
use pb::operation::{
    LookupOperationRunRequest, NewRunItem, OperationRun, StartOperationRunRequest, StartOperationRunResponse,
};
use server::caller::Caller;
use server::client::Upstream;
use server::failure::Failure;
use server::structure::to_struct;

type Client = OperationRunServiceClient<server::client::Outgoing>;

/// Starts operation runs.
#[derive(Debug, Clone)]
pub struct OperationRuns {
    upstream: Upstream,
}

/// What a start came to, as operation-run-service says it. Passed on, not looked into.
#[derive(Debug, Clone)]
pub struct Started(pub StartOperationRunResponse);

/// A run to be started.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What it does.
    pub run_type: RunType,
    /// Makes the start idempotent.
    pub request_id: RequestId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The tenant it works on.
    pub tenant_id: TenantId,
    /// What makes two starts the same beyond workspace, type and tenant; what follows from that is the type's to say.
    pub identity: Hash,
    /// Digest of the user's request.
    pub request_digest: Hash,
    /// What the run is about, for people.
    pub context: serde_json::Value,
    /// What is worked on, in order.
    pub items: Vec<NewItem>,
}

/// One item of a run.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// Which one it is; unique within the run.
    pub key: String,
    /// Its policy type.
    pub policy_type: String,
    /// Its name for people.
    pub label: String,
    /// What its turn needs; no content.
    pub plan: Option<serde_json::Value>,
}

impl NewItem {
    /// A policy type as a whole.
    pub fn of_type(policy_type: impl Into<String>, label: impl Into<String>) -> Self {
        let policy_type = policy_type.into();
        Self { key: policy_type.clone(), policy_type, label: label.into(), plan: None }
    }
}

impl OperationRuns {
    /// Starts through this connection.
    pub fn new(upstream: Upstream) -> Self {
        Self { upstream }
    }

    /// The connection, for the worker of our own runs.
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Starts a run on behalf of the caller, or finds the one there is.
    pub async fn start(&self, caller: &Caller, run: NewRun) -> Result<Started, Failure> {
        send(self.client(caller), run).await
    }

    /// Starts a run that nobody starts by hand, as this service itself, or finds the one there is.
    pub async fn start_by_itself(&self, run: NewRun) -> Result<Started, Failure> {
        send(self.own_client(), run).await
    }

    /// The run that an earlier start by this service itself made or found.
    pub async fn earlier_of_ours(
        &self,
        workspace: WorkspaceId,
        request_id: RequestId,
    ) -> Result<Option<OperationRun>, Failure> {
        let request = LookupOperationRunRequest {
            workspace_id: workspace.to_string(),
            request_id: request_id.to_string(),
            request_digest: Vec::new(),
        };
        let answer = self.own_client().lookup_operation_run(request).await.map_err(Failure::from_upstream)?;
        Ok(answer.into_inner().run)
    }

    /// What an earlier start with this request id came to, if it made or found a run.
    pub async fn earlier(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        request_id: RequestId,
        request_digest: Hash,
    ) -> Result<Option<Started>, Failure> {
        let request = LookupOperationRunRequest {
            workspace_id: workspace.to_string(),
            request_id: request_id.to_string(),
            request_digest: request_digest.as_bytes().to_vec(),
        };
        let answer = self.client(caller).lookup_operation_run(request).await.map_err(Failure::from_upstream)?;
        let found = answer.into_inner();
        Ok(found.run.map(|run| {
            Started(StartOperationRunResponse {
                outcome: found.outcome,
                run: Some(run),
                reason: String::new(),
                message: String::new(),
            })
        }))
    }

    fn client(&self, caller: &Caller) -> Client {
        OperationRunServiceClient::new(self.upstream.on_behalf_of(caller))
    }

    fn own_client(&self) -> Client {
        OperationRunServiceClient::new(self.upstream.as_self())
    }
}

async fn send(mut client: Client, run: NewRun) -> Result<Started, Failure> {
    let items = run.items.into_iter().map(|item| {
        Ok::<_, Failure>(NewRunItem {
            key: item.key,
            label: item.label,
            policy_type: item.policy_type,
            plan: item.plan.as_ref().map(to_struct).transpose()?,
        })
    });
    let request = StartOperationRunRequest {
        request_id: run.request_id.to_string(),
        workspace_id: run.workspace_id.to_string(),
        r#type: run.run_type.as_str().to_owned(),
        tenant_id: run.tenant_id.to_string(),
        related_tenant_ids: Vec::new(),
        identity: run.identity.as_bytes().to_vec(),
        context: Some(to_struct(&run.context)?),
        items: items.collect::<Result<_, _>>()?,
        request_digest: run.request_digest.as_bytes().to_vec(),
    };
    let answer = client.start_operation_run(request).await.map_err(Failure::from_upstream)?;
    Ok(Started(answer.into_inner()))
}
