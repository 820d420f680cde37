//! `atlasctl restore execute`: preview, a person's word, execution; with `--wait`, to the end.

use clap::Args;
use pb::restore::{ExecuteRestoreRequest, RestoreConfirmation, RestoreFate};

use super::{ContentArgs, confirmation, preview_of};
use crate::ambient;
use crate::app::{self, App};
use crate::cli::WaitArgs;
use crate::command::runs::started::{Started, after_start};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::question;
use crate::session::call;

#[derive(Args)]
pub(crate) struct ExecuteArgs {
    /// Do not ask. Needs the fingerprint of the preview that was read; when it is out of date nothing is done.
    #[arg(long, requires = "preview")]
    yes: bool,
    /// Fingerprint of the preview that was read.
    #[arg(long, value_name = "FINGERPRINT")]
    preview: Option<String>,
    /// A UUID of your own, so that repeating the command starts nothing twice.
    #[arg(long, value_name = "UUID")]
    request_id: Option<uuid::Uuid>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    content: ContentArgs,
}

/// Runs the command.
pub(super) async fn run(app: &mut App, args: &ExecuteArgs) -> Result<Exit, Failure> {
    if !args.yes && !app.screen.can_ask {
        return Err(Failure::with_fix(
            "restore asks before it changes a tenant, and there is no terminal to ask on",
            "read `atlasctl restore preview`, then give its fingerprint: restore execute ... --yes --preview FINGERPRINT",
        ));
    }
    let selection = args.content.selection(app).await?;
    let preview = preview_of(app, &selection, &[RestoreFate::Create, RestoreFate::Update]).await?;
    let counts = preview.counts.unwrap_or_default();
    if let Some(read) = args.preview.as_ref().filter(|read| **read != preview.fingerprint) {
        return Err(Failure::with_fix(
            format!(
                "the preview is another one now than {read}: the tenant or the selection changed since\n  \
                     reason: RESTORE_PREVIEW_STALE"
            ),
            "read `atlasctl restore preview` again and give its fingerprint",
        ));
    }
    app::tell(&confirmation::text(&preview, app.screen.stderr_colour));
    if counts.create() + counts.update() == 0 {
        return Err(Failure::with_fix(
            "nothing is gone and nothing differs, so there is nothing to restore\n  reason: NOTHING_TO_RESTORE",
            "see what becomes of each policy: `atlasctl restore preview`",
        ));
    }
    if !args.yes && !question::yes(&confirmation::question(&preview))? {
        app::tell("Nothing was started.");
        return Ok(Exit::Failed);
    }
    let request = ExecuteRestoreRequest {
        request_id: args.request_id.map_or_else(ambient::fresh_id, |id| id.to_string()),
        confirmation: Some(RestoreConfirmation {
            tenant_id: selection.tenant_id.clone(),
            create_count: counts.create,
            update_count: counts.update,
            blocked_count: counts.blocked,
        }),
        selection: Some(selection),
        preview_fingerprint: preview.fingerprint.clone(),
    };
    let answer = call!(app.session, restores.execute_restore, request)?;
    let started = Started {
        what: format!("Restore of {}", preview.tenant_name),
        outcome: answer.outcome(),
        run: answer.run.clone(),
        reason: answer.reason.clone(),
        message: answer.message.clone(),
    };
    after_start(app, &answer, started, args.wait).await
}
