//! `atlasctl audit export`.

use clap::Args;
use pb::audit::ExportAuditEventsRequest;

use super::FilterArgs;
use crate::app::{self, App};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{ambient, resolve};

#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &ExportArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant_id = args.filter.tenant_id(app, &workspace_id).await?;
    let question = ExportAuditEventsRequest {
        workspace_id,
        actions: args.filter.actions.clone(),
        tenant_id,
        run_id: args.filter.run.clone(),
        actor_subjects: args.filter.actors.clone(),
        from_time: args.filter.from,
        before_time: args.filter.before,
    };
    let request_id = ambient::fresh_id();
    let refused = |status: tonic::Status| Failure::of_status(&status, &request_id);
    let request = app.session.request(question, &request_id)?;
    let answer = app.session.audit()?.export_audit_events(request).await.map_err(refused)?;
    let mut chunks = answer.into_inner();
    while let Some(piece) = chunks.message().await.map_err(refused)? {
        app::print_bytes(&piece.chunk)?;
    }
    Ok(Exit::Done)
}
