//! `atlasctl audit`.

use clap::{Args, Subcommand};
use prost_types::Timestamp;

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{resolve, words};

mod export;
mod list;
mod verify;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// List who did what, newest first.
    List(list::ListArgs),
    /// Write the entries to standard output as JSON Lines, oldest first.
    Export(export::ExportArgs),
    /// Walk the chain of seals: is every entry as it was? Ends with 4 when one is not.
    Verify(verify::VerifyArgs),
}

/// Which entries.
#[derive(Args)]
pub(crate) struct FilterArgs {
    /// Only these actions, such as `cross_tenant_promotion_preflight.generated`.
    #[arg(long = "action", value_name = "ACTION", value_delimiter = ',')]
    actions: Vec<String>,
    /// Only entries about this tenant, by name or id.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only entries of this operation.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    run: String,
    /// Only what these did, by the subject of their tokens.
    #[arg(long = "actor", value_name = "SUBJECT", value_delimiter = ',')]
    actors: Vec<String>,
    /// Only from this moment on, such as `2026-11-01T00:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = words::timestamp)]
    from: Option<Timestamp>,
    /// Only what was before this moment.
    #[arg(long, value_name = "TIME", value_parser = words::timestamp)]
    before: Option<Timestamp>,
}

impl FilterArgs {
    /// Empty for all tenants.
    async fn tenant_id(&self, app: &App, workspace_id: &str) -> Result<String, Failure> {
        match &self.tenant {
            Some(named) => Ok(resolve::tenant(app, workspace_id, named).await?.tenant_id),
            None => Ok(String::new()),
        }
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &AuditCommand) -> Result<Exit, Failure> {
    match command {
        AuditCommand::List(args) => list::run(app, args).await,
        AuditCommand::Export(args) => export::run(app, args).await,
        AuditCommand::Verify(args) => verify::run(app, args).await,
    }
}
