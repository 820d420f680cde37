//! `atlasctl restore`: captured content goes back to the tenant it was read from.

use clap::{Args, Subcommand};
use pb::restore::{
    BackupSetOrigin, PolicyVersionsOrigin, PreviewRestoreRequest, PreviewRestoreResponse, RestoreFate,
    RestoreSelection, restore_selection::Origin,
};
use uuid::Uuid;

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::{page, resolve};

mod confirmation;
mod execute;
mod preview;

#[derive(Subcommand)]
pub(crate) enum RestoreCommand {
    /// Say what would become of each policy. Changes nothing.
    Preview(preview::PreviewArgs),
    /// Execute restore: create what is gone and update what differs.
    Execute(execute::ExecuteArgs),
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, command: &RestoreCommand) -> Result<Exit, Failure> {
    match command {
        RestoreCommand::Preview(args) => preview::run(app, args).await,
        RestoreCommand::Execute(args) => execute::run(app, args).await,
    }
}

/// What is restored.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
#[group(skip)]
struct ContentArgs {
    /// The tenant, by name or id.
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// What this backup set has: `atlasctl backups sets list`.
    #[arg(long, value_name = "SET", required_unless_present = "versions", conflicts_with = "versions")]
    set: Option<Uuid>,
    /// These versions of policies, at most one of each.
    #[arg(long = "version", value_name = "POLICY_VERSION", value_delimiter = ',')]
    versions: Vec<Uuid>,
    /// Of the set, only these policy types.
    #[arg(long = "type", value_name = "POLICY_TYPE", value_delimiter = ',', conflicts_with = "versions")]
    policy_types: Vec<String>,
    /// Of the set, only objects with these ids of the provider.
    #[arg(long = "object", value_name = "ID", value_delimiter = ',', conflicts_with = "versions")]
    external_ids: Vec<String>,
    /// Restore assignments too.
    #[arg(long)]
    assignments: bool,
}

impl ContentArgs {
    async fn selection(&self, app: &App) -> Result<RestoreSelection, Failure> {
        let workspace_id = resolve::workspace(app).await?;
        let tenant_id = resolve::tenant(app, &workspace_id, &self.tenant).await?.tenant_id;
        let origin = match self.set {
            Some(set) => Origin::BackupSet(BackupSetOrigin {
                backup_set_id: set.to_string(),
                policy_types: self.policy_types.clone(),
                external_ids: self.external_ids.clone(),
            }),
            None => Origin::PolicyVersions(PolicyVersionsOrigin {
                policy_version_ids: self.versions.iter().map(Uuid::to_string).collect(),
            }),
        };
        Ok(RestoreSelection { workspace_id, tenant_id, origin: Some(origin), include_assignments: self.assignments })
    }
}

/// A whole preview: the first page's answer with the policies of all pages.
async fn preview_of(
    app: &App,
    selection: &RestoreSelection,
    fates: &[RestoreFate],
) -> Result<PreviewRestoreResponse, Failure> {
    let mut first = None;
    let policies = page::collect(usize::MAX, async |page_size, page_token| {
        let fates = fates.iter().map(|fate| (*fate).into()).collect();
        let request = PreviewRestoreRequest { selection: Some(selection.clone()), fates, page_size, page_token };
        let mut page = call!(app.session, restores.preview_restore, request)?;
        let found = (std::mem::take(&mut page.policies), std::mem::take(&mut page.next_page_token));
        first.get_or_insert(page);
        Ok(found)
    })
    .await?;
    Ok(PreviewRestoreResponse { policies, ..first.unwrap_or_default() })
}
