//! After a start: what it came to, in the words that every start shares, and staying with it where that was asked for.

use pb::operation::{OperationRun, StartOutcome};

use super::watch;
use crate::app::{self, App};
use crate::cli::{Format, WaitArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json::Named;
use crate::screen::{Colour, painted};

/// What a start came to.
pub(crate) struct Started {
    /// What was to be started, for people.
    pub(crate) what: String,
    pub(crate) outcome: StartOutcome,
    pub(crate) run: Option<OperationRun>,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Says what a start came to; with `--wait`, follows the operation to its end.
///
/// As JSON the answer is printed where nobody waits; where somebody does, the run as it ended takes its place.
pub(crate) async fn after_start<A: Named>(
    app: &mut App,
    answer: &A,
    started: Started,
    wait: WaitArgs,
) -> Result<Exit, Failure> {
    let exit = exit_of(started.outcome);
    let to_follow = started.run.as_ref().filter(|_| wait.wait && exit == Exit::Done);
    match (app.format, to_follow) {
        (Format::Table, _) => app::print(&told(&started, wait.wait, app.screen.colour))?,
        (Format::Json | Format::Jsonl, None) => app.show_one(answer, String::new)?,
        (Format::Json | Format::Jsonl, Some(_)) => {}
    }
    match to_follow {
        Some(run) => watch::to_its_end(app, &run.run_id, wait.wait_timeout).await,
        None => Ok(exit),
    }
}

/// Whether there is an operation that does what was asked for.
const fn exit_of(outcome: StartOutcome) -> Exit {
    match outcome {
        StartOutcome::Queued | StartOutcome::Deduped => Exit::Done,
        StartOutcome::ScopeBusy | StartOutcome::Blocked | StartOutcome::Unspecified => Exit::Failed,
    }
}

fn told(started: &Started, waits: bool, colour: bool) -> String {
    let what = &started.what;
    let paint = |word: &str, with: Colour| painted(word, with, colour);
    let mut text = match started.outcome {
        StartOutcome::Queued => format!("{}: {what}.\n", paint("Queued", Colour::Green)),
        StartOutcome::Deduped => {
            format!(
                "{}: {what}. The operation that is active already is the one.\n",
                paint("Already running", Colour::Yellow)
            )
        }
        StartOutcome::ScopeBusy => {
            format!(
                "{}: {what}. Another operation is changing this tenant; nothing was started.\n",
                paint("Busy", Colour::Red)
            )
        }
        StartOutcome::Blocked | StartOutcome::Unspecified => {
            format!("{}: {what}. Nothing was started.\n", paint("Blocked", Colour::Red))
        }
    };
    let because = [started.reason.as_str(), started.message.as_str()].into_iter().filter(|part| !part.is_empty());
    let because = because.collect::<Vec<_>>().join(": ");
    // That it is queued was said.
    if !because.is_empty() && started.outcome != StartOutcome::Queued {
        text += &format!("  {because}\n");
    }
    if let Some(run) = &started.run {
        text += &format!("  Open operation: {}\n", run.link);
        if !waits {
            text += &format!("  Follow it: atlasctl runs watch {}\n", run.run_id);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(outcome: StartOutcome, run: Option<OperationRun>) -> Started {
        Started { what: "Promotion".into(), outcome, run, reason: String::new(), message: String::new() }
    }

    #[test]
    fn every_start_says_what_it_came_to_and_where_the_operation_is() {
        let run = OperationRun { run_id: "r".into(), link: "/admin/operations/r".into(), ..Default::default() };
        for (outcome, begins, exit) in [
            (StartOutcome::Queued, "Queued: Promotion.", Exit::Done),
            (StartOutcome::Deduped, "Already running: Promotion.", Exit::Done),
            (StartOutcome::ScopeBusy, "Busy: Promotion. Another", Exit::Failed),
            (StartOutcome::Blocked, "Blocked: Promotion. Nothing", Exit::Failed),
        ] {
            let text = told(&started(outcome, Some(run.clone())), false, false);
            assert!(text.starts_with(begins), "{text}");
            assert!(
                text.ends_with("  Open operation: /admin/operations/r\n  Follow it: atlasctl runs watch r\n"),
                "{text}"
            );
            assert_eq!(exit_of(outcome), exit);
        }
        let paused = Started {
            reason: "TYPE_PAUSED".into(),
            message: "until noon".into(),
            ..started(StartOutcome::Blocked, None)
        };
        assert!(told(&paused, false, false).ends_with("\n  TYPE_PAUSED: until noon\n"));
    }
}
