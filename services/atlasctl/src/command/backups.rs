//! `atlasctl backups`: schedules, what they made, and making one now.

use clap::{Args, Subcommand};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::resolve;

mod run_now;
mod schedules;
mod sets;

#[derive(Subcommand)]
pub(crate) enum BackupsCommand {
    /// When a tenant is backed up.
    #[command(subcommand)]
    Schedules(schedules::SchedulesCommand),
    /// Back up now, as a schedule would.
    Run(run_now::RunArgs),
    /// Read again what a backup could not read.
    Retry(run_now::RetryArgs),
    /// What backups made.
    #[command(subcommand)]
    Sets(sets::SetsCommand),
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, command: &BackupsCommand) -> Result<Exit, Failure> {
    match command {
        BackupsCommand::Schedules(command) => schedules::run(app, command).await,
        BackupsCommand::Run(args) => run_now::run(app, args).await,
        BackupsCommand::Retry(args) => run_now::retry(app, args).await,
        BackupsCommand::Sets(command) => sets::run(app, command).await,
    }
}

/// Whose backups.
#[derive(Args)]
pub(crate) struct TenantArg {
    /// The tenant, by name, domain or id.
    #[arg(long, value_name = "TENANT")]
    tenant: String,
}

impl TenantArg {
    /// The ids of the workspace and of the tenant.
    async fn ids(&self, app: &App) -> Result<(String, String), Failure> {
        let workspace_id = resolve::workspace(app).await?;
        let tenant = resolve::tenant(app, &workspace_id, &self.tenant).await?;
        Ok((workspace_id, tenant.tenant_id))
    }
}
