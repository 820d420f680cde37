//! NotificationService.

use std::pin::Pin;

use domain::id::{RunId, WorkspaceId};
use domain::run::{canonical_link, notification_title};
use futures::Stream;
use pb::notification as proto;
use pb::notification::notification_service_server::NotificationService;
use server::fields::{self, Page, PageToken, to_timestamp};
use server::{Failure, caller};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};

use super::convert::to_outcome;
use crate::run::Run;
use crate::{Runs, get_unread_count, list_notifications, mark_notifications_read, watch_notifications};

/// Most notifications of one request.
const MOST_RUNS: usize = 500;
/// Longest resume token.
const MOST_TOKEN_BYTES: usize = 128 << 10;

/// What a person should be told.
#[derive(Debug, Clone)]
pub struct NotificationApi(pub Runs);

#[tonic::async_trait]
impl NotificationService for NotificationApi {
    type WatchNotificationsStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchNotificationsResponse, Status>> + Send>>;

    async fn list_notifications(
        &self,
        request: Request<proto::ListNotificationsRequest>,
    ) -> Result<Response<proto::ListNotificationsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        let unread_only = request.unread_only;
        let binding = [request.workspace_id.as_str(), if unread_only { "unread" } else { "all" }];
        let tokens = PageToken::bound_to("ListNotifications", binding);
        let page = Page::read(tokens, request.page_size, &request.page_token, 50, 200)?;
        let (found, next_page_token) = list_notifications::list(&self.0, &caller, workspace, unread_only, page, tokens)
            .await
            .map_err(Failure::from)?;
        let notifications = found.iter().map(|found| to_notification(&found.seen.run, found.read_at)).collect();
        Ok(Response::new(proto::ListNotificationsResponse { notifications, next_page_token }))
    }

    async fn get_unread_count(
        &self,
        request: Request<proto::GetUnreadCountRequest>,
    ) -> Result<Response<proto::GetUnreadCountResponse>, Status> {
        let caller = caller(&request)?;
        let workspace: WorkspaceId = fields::id("workspace_id", &request.into_inner().workspace_id)?;
        let count = get_unread_count::count(&self.0, &caller, workspace).await.map_err(Failure::from)?;
        Ok(Response::new(proto::GetUnreadCountResponse { unread_count: Some(number(count)) }))
    }

    async fn mark_notifications_read(
        &self,
        request: Request<proto::MarkNotificationsReadRequest>,
    ) -> Result<Response<proto::MarkNotificationsReadResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        if request.run_ids.len() > MOST_RUNS {
            let why = format!("must have at most {MOST_RUNS} entries");
            return Err(Failure::invalid_argument("run_ids", why).into());
        }
        let of_runs: Vec<RunId> = fields::ids("run_ids", &request.run_ids)?;
        let through = fields::optional_time("through_time", request.through_time.as_ref())?;
        if of_runs.is_empty() == through.is_none() {
            return Err(Failure::invalid_argument("run_ids", "either these or through_time says which").into());
        }
        let count = mark_notifications_read::mark(&self.0, &caller, workspace, &of_runs, through)
            .await
            .map_err(Failure::from)?;
        Ok(Response::new(proto::MarkNotificationsReadResponse { unread_count: Some(number(count)) }))
    }

    async fn watch_notifications(
        &self,
        request: Request<proto::WatchNotificationsRequest>,
    ) -> Result<Response<Self::WatchNotificationsStream>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let workspace: WorkspaceId = fields::id("workspace_id", &request.workspace_id)?;
        if request.resume_token.len() > MOST_TOKEN_BYTES {
            return Err(Failure::invalid_argument("resume_token", "is too long").into());
        }
        let watch = watch_notifications::watch(&self.0, &caller, workspace, &request.resume_token)
            .await
            .map_err(Failure::from)?;
        let stream = futures::stream::unfold(watch, |mut watch| async move {
            let told = watch.next().await?;
            let message = told.map_err(Failure::from).map(|told| proto::WatchNotificationsResponse {
                notification: told.ended.map(|seen| to_notification(&seen.run, None)),
                unread_count: Some(number(told.unread)),
                resume_token: told.resume_token,
            });
            Some((message.map_err(Status::from), watch))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

fn to_notification(run: &Run, read_at: Option<OffsetDateTime>) -> proto::Notification {
    proto::Notification {
        run_id: run.id.to_string(),
        link: canonical_link(run.id),
        workspace_id: run.workspace_id.to_string(),
        tenant_id: run.tenant_id.map(|tenant| tenant.to_string()).unwrap_or_default(),
        r#type: run.run_type.to_string(),
        title: notification_title(run.run_type, run.outcome),
        outcome: to_outcome(run.outcome).into(),
        create_time: run.completed_at.map(to_timestamp),
        read_time: read_at.map(to_timestamp),
    }
}

fn number(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
