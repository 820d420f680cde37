//! BackupService on the wire.

use pb::backup as wire;
use pb::backup::backup_service_server::BackupService;
use server::fields::{self, Page, PageToken};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::backup::{parse_place, parse_plan, to_entry, to_schedule, to_set};
use crate::backup::{
    self, CreateBackupSchedule, EntriesAsked, RetryBackup, RunBackupNow, SchedulesAsked, SetsAsked,
    UpdateBackupSchedule,
};

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);

#[tonic::async_trait]
impl BackupService for Api {
    async fn create_backup_schedule(
        &self,
        request: Request<wire::CreateBackupScheduleRequest>,
    ) -> Result<Response<wire::CreateBackupScheduleResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let (plan, timing) = parse_plan("plan", message.plan.as_ref(), &self.state.registry)?;
        let asked = CreateBackupSchedule {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            plan,
            timing,
        };
        let schedule = backup::create_backup_schedule(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::CreateBackupScheduleResponse { schedule: Some(to_schedule(&schedule)) }))
    }

    async fn get_backup_schedule(
        &self,
        request: Request<wire::GetBackupScheduleRequest>,
    ) -> Result<Response<wire::GetBackupScheduleResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let place = parse_place(&message.workspace_id, &message.tenant_id, &message.backup_schedule_id)?;
        let schedule = backup::get_backup_schedule(&self.state, &caller, place).await?;
        Ok(Response::new(wire::GetBackupScheduleResponse { schedule: Some(to_schedule(&schedule)) }))
    }

    async fn list_backup_schedules(
        &self,
        request: Request<wire::ListBackupSchedulesRequest>,
    ) -> Result<Response<wire::ListBackupSchedulesResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let archived = if message.include_archived { "archived" } else { "" };
        let parts = [message.workspace_id.as_str(), &message.tenant_id, archived];
        let tokens = PageToken::bound_to("ListBackupSchedules", parts);
        let asked = SchedulesAsked {
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            include_archived: message.include_archived,
            page: Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?,
        };
        let (schedules, next_page_token) = backup::list_backup_schedules(&self.state, &caller, &asked).await?;
        let schedules = schedules.iter().map(to_schedule).collect();
        Ok(Response::new(wire::ListBackupSchedulesResponse { schedules, next_page_token }))
    }

    async fn update_backup_schedule(
        &self,
        request: Request<wire::UpdateBackupScheduleRequest>,
    ) -> Result<Response<wire::UpdateBackupScheduleResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let (plan, timing) = parse_plan("plan", message.plan.as_ref(), &self.state.registry)?;
        let asked = UpdateBackupSchedule {
            request_id: fields::id("request_id", &message.request_id)?,
            place: parse_place(&message.workspace_id, &message.tenant_id, &message.backup_schedule_id)?,
            version: message.version,
            plan,
            timing,
        };
        let schedule = backup::update_backup_schedule(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::UpdateBackupScheduleResponse { schedule: Some(to_schedule(&schedule)) }))
    }

    async fn archive_backup_schedule(
        &self,
        request: Request<wire::ArchiveBackupScheduleRequest>,
    ) -> Result<Response<wire::ArchiveBackupScheduleResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let place = parse_place(&message.workspace_id, &message.tenant_id, &message.backup_schedule_id)?;
        let schedule = backup::archive_backup_schedule(&self.state, &caller, place).await?;
        Ok(Response::new(wire::ArchiveBackupScheduleResponse { schedule: Some(to_schedule(&schedule)) }))
    }

    async fn run_backup_now(
        &self,
        request: Request<wire::RunBackupNowRequest>,
    ) -> Result<Response<wire::RunBackupNowResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = RunBackupNow {
            request_id: fields::id("request_id", &message.request_id)?,
            place: parse_place(&message.workspace_id, &message.tenant_id, &message.backup_schedule_id)?,
        };
        let started = backup::run_backup_now(&self.state, &caller, asked).await?.0;
        Ok(Response::new(wire::RunBackupNowResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }

    async fn retry_backup(
        &self,
        request: Request<wire::RetryBackupRequest>,
    ) -> Result<Response<wire::RetryBackupResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let asked = RetryBackup {
            request_id: fields::id("request_id", &message.request_id)?,
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            set_id: fields::id("backup_set_id", &message.backup_set_id)?,
        };
        let started = backup::retry_backup(&self.state, &caller, asked).await?.0;
        Ok(Response::new(wire::RetryBackupResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }

    async fn list_backup_sets(
        &self,
        request: Request<wire::ListBackupSetsRequest>,
    ) -> Result<Response<wire::ListBackupSetsResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let parts = [&message.workspace_id, &message.tenant_id, &message.backup_schedule_id];
        let tokens = PageToken::bound_to("ListBackupSets", parts);
        let asked = SetsAsked {
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            schedule_id: fields::optional_id("backup_schedule_id", &message.backup_schedule_id)?,
            page: Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?,
        };
        let (sets, next_page_token) = backup::list_backup_sets(&self.state, &caller, &asked).await?;
        Ok(Response::new(wire::ListBackupSetsResponse { sets: sets.iter().map(to_set).collect(), next_page_token }))
    }

    async fn get_backup_set(
        &self,
        request: Request<wire::GetBackupSetRequest>,
    ) -> Result<Response<wire::GetBackupSetResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let workspace = fields::id("workspace_id", &message.workspace_id)?;
        let tenant = fields::id("tenant_id", &message.tenant_id)?;
        let set = fields::id("backup_set_id", &message.backup_set_id)?;
        let set = backup::get_backup_set(&self.state, &caller, workspace, tenant, set).await?;
        Ok(Response::new(wire::GetBackupSetResponse { set: Some(to_set(&set)) }))
    }

    async fn list_backup_set_entries(
        &self,
        request: Request<wire::ListBackupSetEntriesRequest>,
    ) -> Result<Response<wire::ListBackupSetEntriesResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.get_ref();
        let parts = [&message.workspace_id, &message.tenant_id, &message.backup_set_id];
        let tokens = PageToken::bound_to("ListBackupSetEntries", parts);
        let asked = EntriesAsked {
            workspace_id: fields::id("workspace_id", &message.workspace_id)?,
            tenant_id: fields::id("tenant_id", &message.tenant_id)?,
            set_id: fields::id("backup_set_id", &message.backup_set_id)?,
            page: Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?,
        };
        let (entries, next_page_token) = backup::list_backup_set_entries(&self.state, &caller, &asked).await?;
        let entries = entries.iter().map(to_entry).collect();
        Ok(Response::new(wire::ListBackupSetEntriesResponse { entries, next_page_token }))
    }
}
