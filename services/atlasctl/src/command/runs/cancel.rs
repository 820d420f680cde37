//! `atlasctl runs cancel`.

use clap::Args;
use pb::operation::{CancelOperationRunRequest, OperationRunStatus};

use super::{RunArg, watch};
use crate::app::{self, App};
use crate::cli::{Format, WaitArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::words;

#[derive(Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    run: RunArg,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs the command.
pub(super) async fn run(app: &mut App, args: &CancelArgs) -> Result<Exit, Failure> {
    let request = CancelOperationRunRequest {
        request_id: crate::ambient::fresh_id(),
        run_id: args.run.run.clone(),
        reason: args.reason.clone(),
    };
    let answer = call!(app.session, runs.cancel_operation_run, request)?;
    let run = answer.run.clone().unwrap_or_default();
    let ended = run.status() == OperationRunStatus::Completed;
    if args.wait.wait && !ended {
        return watch::to_its_end(app, &run.run_id, args.wait.wait_timeout).await;
    }
    if app.format == Format::Table {
        app::print(&if ended {
            format!("{} {}: {}.", run.label, words::state(&run), words::counts(&run))
        } else {
            format!(
                "{} was asked to stop; it ends after the item it is working on.\nFollow it: atlasctl runs watch {}",
                run.label, run.run_id
            )
        })?;
    } else {
        app.show_one(&answer, String::new)?;
    }
    // The stop was asked for and came about: that is this command's success, unless its waiting was asked for too.
    Ok(if args.wait.wait { Exit::of_outcome(run.outcome()) } else { Exit::Done })
}
