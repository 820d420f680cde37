//! `atlasctl promote`: preflight, a person's word, execution; with `--wait`, to the end.

use clap::Args;
use pb::compare::Readiness;
use pb::promotion::{ExecutePromotionRequest, PromotionConfirmation};

use crate::ambient;
use crate::app::{self, App};
use crate::cli::{SelectionArgs, WaitArgs};
use crate::command::preflight;
use crate::command::runs::started::{Started, after_start};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::{question, resolve};

mod confirmation;

#[derive(Args)]
pub(crate) struct PromoteArgs {
    /// Do not ask. Needs the fingerprint of the preflight that was read; when it is out of date nothing is done.
    #[arg(long, requires = "preflight")]
    yes: bool,
    /// Fingerprint of the preflight that was read.
    #[arg(long, value_name = "FINGERPRINT")]
    preflight: Option<String>,
    /// A UUID of your own, so that repeating the command starts nothing twice.
    #[arg(long, value_name = "UUID")]
    request_id: Option<uuid::Uuid>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, args: &PromoteArgs) -> Result<Exit, Failure> {
    if !args.yes && !app.screen.can_ask {
        return Err(Failure::with_fix(
            "promote asks before it changes a tenant, and there is no terminal to ask on",
            "read `atlasctl preflight`, then give its fingerprint: promote ... --yes --preflight FINGERPRINT",
        ));
    }
    let selected = resolve::selection(app, &args.selection).await?;
    let preflight = preflight::generate(app, &selected, &[Readiness::Ready]).await?;
    let counts = preflight.counts.unwrap_or_default();
    if let Some(read) = args.preflight.as_ref().filter(|read| **read != preflight.fingerprint) {
        return Err(Failure::with_fix(
            format!(
                "the preflight is another one now than {read}: the tenants or the selection changed since\n  \
                     reason: PREFLIGHT_STALE"
            ),
            "read `atlasctl preflight` again and give its fingerprint",
        ));
    }
    app::tell(&confirmation::text(&preflight, app.screen.stderr_colour));
    if counts.ready() == 0 {
        return Err(Failure::with_fix(
            "no subject is ready, so there is nothing to promote\n  reason: NOTHING_READY",
            "see why each subject is left out: `atlasctl preflight`",
        ));
    }
    if !args.yes && !question::yes(&confirmation::question(&preflight))? {
        app::tell("Nothing was started.");
        return Ok(Exit::Failed);
    }
    let request = ExecutePromotionRequest {
        request_id: args.request_id.map_or_else(ambient::fresh_id, |id| id.to_string()),
        selection: Some(selected.selection.clone()),
        preflight_fingerprint: preflight.fingerprint.clone(),
        confirmation: Some(PromotionConfirmation {
            source_tenant_id: selected.selection.source_tenant_id.clone(),
            target_tenant_id: selected.selection.target_tenant_id.clone(),
            ready_count: counts.ready,
            excluded_count: counts.excluded,
        }),
    };
    let answer = call!(app.session, promotions.execute_promotion, request)?;
    let started = Started {
        what: format!("Promotion {}", selected.title()),
        outcome: answer.outcome(),
        run: answer.run.clone(),
        reason: answer.reason.clone(),
        message: answer.message.clone(),
    };
    after_start(app, &answer, started, args.wait).await
}
