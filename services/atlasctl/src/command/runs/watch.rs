//! `atlasctl runs watch`: a bar where somebody looks at a terminal, a line a change where a program reads.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use pb::operation::watch_operation_runs_response::Message;
use pb::operation::{
    Delivery, OperationRun, OperationRunStatus, WatchOperationRunsRequest, WatchOperationRunsResponse,
};
use tokio::time::Instant;

use super::list::FilterArgs;
use super::{get, run_id};
use crate::app::{self, App};
use crate::cli::{Format, duration};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Sight, follow};
use crate::screen::painted;
use crate::{json, resolve, words};

mod bar;

use bar::Bar;

/// Between two lines about the same run.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct WatchArgs {
    /// Its id, or its link; every operation of the workspace when not given.
    #[arg(value_name = "OPERATION", value_parser = run_id)]
    run: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Give up following after this long; the operation goes on.
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    wait_timeout: Option<Duration>,
}

/// Runs the command.
pub(super) async fn run(app: &mut App, args: &WatchArgs) -> Result<Exit, Failure> {
    match &args.run {
        Some(run_id) => to_its_end(app, run_id, args.wait_timeout).await,
        None => workspace(app, args).await,
    }
}

/// Follows a run to its end; the exit code is its outcome's.
pub(crate) async fn to_its_end(app: &mut App, run_id: &str, patience: Option<Duration>) -> Result<Exit, Failure> {
    let question = WatchOperationRunsRequest { run_id: run_id.to_owned(), ..question(app.format, app.screen.can_draw) };
    let mut view = View::of(app);
    let followed = follow(&mut app.session, question, patience.map(|patience| Instant::now() + patience), |sight| {
        let Sight::Message(message) = sight else {
            view.away();
            return Ok(ControlFlow::Continue(()));
        };
        let Some(run) = run_of(message) else { return Ok(ControlFlow::Continue(())) };
        view.shows(message, run)?;
        let ended = run.status() == OperationRunStatus::Completed;
        Ok(if ended { ControlFlow::Break(run.clone()) } else { ControlFlow::Continue(()) })
    });
    let run = tokio::select! {
        followed = followed => followed,
        _ = tokio::signal::ctrl_c() => {
            view.close();
            app::tell(&format!("Stopped watching; the operation goes on. Stop it: atlasctl runs cancel {run_id}"));
            return Ok(Exit::Interrupted);
        }
    };
    view.close();
    let run = run?;
    match app.format {
        Format::Table => app::print(&ending(&run, app.screen.colour))?,
        Format::Json => app::print_document(&json::of(&run))?,
        Format::Jsonl => {}
    }
    Ok(Exit::of_outcome(run.outcome()))
}

/// Follows every run of the workspace until Ctrl-C.
async fn workspace(app: &mut App, args: &WatchArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let filter = args.filter.filter(app, &workspace_id).await?;
    let names = resolve::tenant_names(app, &workspace_id).await;
    let question = WatchOperationRunsRequest { workspace_id, filter: Some(filter), ..question(app.format, false) };
    let format = app.format;
    let deadline = args.wait_timeout.map(|patience| Instant::now() + patience);
    let followed = follow::<Exit>(&mut app.session, question, deadline, |sight| {
        match sight {
            Sight::Away => app::tell("The connection is away; trying again."),
            Sight::Message(message) if format == Format::Table => {
                if let Some(run) = run_of(message) {
                    let tenant = names.get(&run.tenant_id).unwrap_or(&run.tenant_id);
                    app::print(&format!("{}  {}  {}: {tenant}", line(run), run.run_id, run.label))?;
                }
            }
            Sight::Message(message) => app::print_line(&json::of(message))?,
        }
        Ok(ControlFlow::Continue(()))
    });
    tokio::select! {
        followed = followed => followed,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    }
}

/// People see the newest state; a program that wants every change gets every change.
fn question(format: Format, draws: bool) -> WatchOperationRunsRequest {
    let (delivery, min_interval) = match (format, draws) {
        (Format::Jsonl, _) => (Delivery::All, None),
        (_, true) => (Delivery::Latest, None),
        (_, false) => (Delivery::Latest, prost_types::Duration::try_from(LINE_INTERVAL).ok()),
    };
    WatchOperationRunsRequest { delivery: delivery.into(), min_interval, ..Default::default() }
}

fn run_of(message: &WatchOperationRunsResponse) -> Option<&OperationRun> {
    match message.message.as_ref()? {
        Message::Snapshot(run) => Some(run),
        Message::Event(event) => event.run.as_ref(),
        Message::Bookmark(_) => None,
    }
}

/// How a run's way is shown.
enum View {
    Bar(Bar),
    /// The last line, so that none is printed twice.
    Lines(String),
    /// One message a line.
    Messages,
    /// Only the end counts.
    Nothing,
}

impl View {
    fn of(app: &App) -> Self {
        match app.format {
            Format::Table if app.screen.can_draw => Self::Bar(Bar::new()),
            Format::Table => Self::Lines(String::new()),
            Format::Json => Self::Nothing,
            Format::Jsonl => Self::Messages,
        }
    }

    fn shows(&mut self, message: &WatchOperationRunsResponse, run: &OperationRun) -> Result<(), Failure> {
        match self {
            Self::Bar(bar) => bar.shows(run),
            Self::Lines(last) => {
                let told = told(run);
                if told != *last {
                    app::print(&line(run))?;
                    *last = told;
                }
            }
            Self::Messages => app::print_line(&json::of(message))?,
            Self::Nothing => {}
        }
        Ok(())
    }

    fn away(&mut self) {
        match self {
            Self::Bar(bar) => bar.away(),
            Self::Lines(_) | Self::Messages | Self::Nothing => app::tell("The connection is away; trying again."),
        }
    }

    fn close(&mut self) {
        if let Self::Bar(bar) = self {
            bar.close();
        }
    }
}

/// One state of a run as a line; columns, so that it can be read and cut alike.
fn line(run: &OperationRun) -> String {
    format!("{}  {}", run.update_time.as_ref().map(words::moment).unwrap_or_default(), told(run))
}

fn told(run: &OperationRun) -> String {
    format!("{:<20}  {:>9}  {}", words::state(run), words::progress(run), words::counts(run))
}

/// The last word about a run.
fn ending(run: &OperationRun, colour: bool) -> String {
    let state = words::state(run);
    let mut initial = state.chars();
    let state = initial.next().map(|first| first.to_uppercase().to_string() + initial.as_str()).unwrap_or_default();
    let state = painted(&state, words::state_colour(run), colour);
    let took = words::took(run.start_time.as_ref(), run.complete_time.as_ref());
    let took = took.map(|took| format!(" in {took}")).unwrap_or_default();
    let mut text = format!("{state}{took}: {}.\n", words::counts(run));
    let reasons = get::failures(run);
    if !reasons.is_empty() {
        text += &format!("{reasons}Which ones: atlasctl runs get {}\n", run.run_id);
    }
    text
}

#[cfg(test)]
mod tests {
    use pb::operation::{FailureSummary, OperationRunOutcome, SummaryCounts};

    use super::*;

    #[test]
    fn the_last_word_says_how_it_ended_and_why_not_wholly() {
        let mut run = OperationRun {
            run_id: "r".into(),
            status: OperationRunStatus::Completed.into(),
            outcome: OperationRunOutcome::PartiallySucceeded.into(),
            summary_counts: Some(SummaryCounts {
                total: Some(3),
                processed: Some(3),
                succeeded: Some(2),
                skipped: Some(1),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(ending(&run, false), "Partially succeeded: 2 succeeded, 0 failed, 1 skipped.\n");
        run.failure_summary =
            vec![FailureSummary { code: "TARGET_DRIFTED".into(), message: "changed meanwhile".into(), count: Some(1) }];
        assert!(
            ending(&run, false)
                .ends_with("\nReasons\n     1 × TARGET_DRIFTED: changed meanwhile\nWhich ones: atlasctl runs get r\n")
        );
        assert_eq!(told(&run), "partially succeeded         3/3  2 succeeded, 0 failed, 1 skipped");
    }

    #[test]
    fn a_program_that_reads_messages_gets_every_change() {
        assert_eq!(question(Format::Jsonl, false).delivery(), Delivery::All);
        assert_eq!(question(Format::Table, true).delivery(), Delivery::Latest);
        assert_eq!(question(Format::Table, false).min_interval.unwrap().seconds, 1);
    }
}
