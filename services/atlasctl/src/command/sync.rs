//! `atlasctl sync`: reads a tenant's policies from the provider, as an operation.

use clap::Args;
use pb::inventory::SyncInventoryRequest;

use crate::ambient;
use crate::app::App;
use crate::cli::WaitArgs;
use crate::command::runs::started::{Started, after_start};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::resolve;
use crate::session::call;

#[derive(Args)]
pub(crate) struct SyncArgs {
    /// The tenant, by name or id.
    tenant: String,
    /// Only these policy types.
    #[arg(long = "type", value_name = "POLICY_TYPE", value_delimiter = ',')]
    policy_types: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, args: &SyncArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant = resolve::tenant(app, &workspace_id, &args.tenant).await?;
    let request = SyncInventoryRequest {
        request_id: ambient::fresh_id(),
        workspace_id,
        tenant_id: tenant.tenant_id.clone(),
        policy_types: args.policy_types.clone(),
    };
    let answer = call!(app.session, inventory.sync_inventory, request)?;
    let started = Started {
        what: format!("Inventory sync of {}", tenant.name),
        outcome: answer.outcome(),
        run: answer.run.clone(),
        reason: answer.reason.clone(),
        message: answer.message.clone(),
    };
    after_start(app, &answer, started, args.wait).await
}
