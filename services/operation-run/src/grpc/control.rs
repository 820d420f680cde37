//! OperationalControlService.

use domain::id::WorkspaceId;
use domain::run::{ControlScope, Pause};
use pb::control as proto;
use pb::control::operational_control_service_server::OperationalControlService;
use server::fields::{self, to_timestamp};
use server::{Failure, caller};
use tonic::{Request, Response, Status};

use super::convert::parse_run_type;
use crate::control_authority::ControlOrder;
use crate::{Runs, list_operational_controls, pause_operation_type, resume_operation_type};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Pausing and resuming.
#[derive(Debug, Clone)]
pub struct ControlApi(pub Runs);

#[tonic::async_trait]
impl OperationalControlService for ControlApi {
    async fn pause_operation_type(
        &self,
        request: Request<proto::PauseOperationTypeRequest>,
    ) -> Result<Response<proto::PauseOperationTypeResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let order = parse_order(&request.request_id, &request.workspace_id, &request.r#type, &request.reason)?;
        let pause = pause_operation_type::pause(&self.0, &caller, &order).await.map_err(Failure::from)?;
        Ok(Response::new(proto::PauseOperationTypeResponse { control: Some(to_control(&pause)) }))
    }

    async fn resume_operation_type(
        &self,
        request: Request<proto::ResumeOperationTypeRequest>,
    ) -> Result<Response<proto::ResumeOperationTypeResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let order = parse_order(&request.request_id, &request.workspace_id, &request.r#type, &request.reason)?;
        let lifted = resume_operation_type::resume(&self.0, &caller, &order).await.map_err(Failure::from)?;
        Ok(Response::new(proto::ResumeOperationTypeResponse { control: lifted.as_ref().map(to_control) }))
    }

    async fn list_operational_controls(
        &self,
        request: Request<proto::ListOperationalControlsRequest>,
    ) -> Result<Response<proto::ListOperationalControlsResponse>, Status> {
        let caller = caller(&request)?;
        let workspace: Option<WorkspaceId> = fields::optional_id("workspace_id", &request.into_inner().workspace_id)?;
        let pauses = list_operational_controls::list(&self.0, &caller, workspace).await.map_err(Failure::from)?;
        let controls = pauses.iter().map(to_control).collect();
        Ok(Response::new(proto::ListOperationalControlsResponse { controls }))
    }
}

fn parse_order(request: &str, workspace: &str, run_type: &str, reason: &str) -> Result<ControlOrder, Failure> {
    Ok(ControlOrder {
        request: fields::id("request_id", request)?,
        workspace: fields::optional_id("workspace_id", workspace)?,
        run_type: parse_run_type("type", run_type)?,
        reason: fields::text("reason", reason, LONGEST_REASON)?.to_owned(),
    })
}

fn to_control(pause: &Pause) -> proto::OperationalControl {
    let (scope, workspace_id) = match pause.scope {
        ControlScope::Workspace(workspace) => (proto::ControlScope::Workspace, workspace.to_string()),
        ControlScope::Everywhere => (proto::ControlScope::Everywhere, String::new()),
    };
    proto::OperationalControl {
        r#type: pause.run_type.to_string(),
        label: pause.run_type.label().to_owned(),
        scope: scope.into(),
        workspace_id,
        reason: pause.reason.clone(),
        paused_by_subject: pause.paused_by.subject().to_owned(),
        paused_by_name: pause.paused_by.name().to_owned(),
        pause_time: Some(to_timestamp(pause.paused_at)),
    }
}
