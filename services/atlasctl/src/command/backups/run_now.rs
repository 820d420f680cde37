//! `atlasctl backups run` and `retry`.

use clap::Args;
use pb::backup::{RetryBackupRequest, RunBackupNowRequest};
use uuid::Uuid;

use super::TenantArg;
use crate::ambient;
use crate::app::App;
use crate::cli::WaitArgs;
use crate::command::runs::started::{Started, after_start};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The schedule whose plan is followed, by id.
    #[arg(value_name = "SCHEDULE")]
    schedule: Uuid,
    #[command(flatten)]
    tenant: TenantArg,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Args)]
pub(crate) struct RetryArgs {
    /// The backup set that is partial, by id.
    #[arg(value_name = "SET")]
    set: Uuid,
    #[command(flatten)]
    tenant: TenantArg,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs `backups run`.
pub(super) async fn run(app: &mut App, args: &RunArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let request = RunBackupNowRequest {
        request_id: ambient::fresh_id(),
        workspace_id,
        tenant_id,
        backup_schedule_id: args.schedule.to_string(),
    };
    let answer = call!(app.session, backups.run_backup_now, request)?;
    let started = Started {
        what: format!("Backup of {}", args.tenant.tenant),
        outcome: answer.outcome(),
        run: answer.run.clone(),
        reason: answer.reason.clone(),
        message: answer.message.clone(),
    };
    after_start(app, &answer, started, args.wait).await
}

/// Runs `backups retry`.
pub(super) async fn retry(app: &mut App, args: &RetryArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let request = RetryBackupRequest {
        request_id: ambient::fresh_id(),
        workspace_id,
        tenant_id,
        backup_set_id: args.set.to_string(),
    };
    let answer = call!(app.session, backups.retry_backup, request)?;
    let started = Started {
        what: format!("Backup of {}, again", args.tenant.tenant),
        outcome: answer.outcome(),
        run: answer.run.clone(),
        reason: answer.reason.clone(),
        message: answer.message.clone(),
    };
    after_start(app, &answer, started, args.wait).await
}
