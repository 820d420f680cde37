//! `atlasctl runs explain`.

use clap::Args;
use pb::operation::{ExplainOperationRunRequest, ExplainOperationRunResponse};

use super::RunArg;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::one_line;
use crate::words;

#[derive(Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    run: RunArg,
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &ExplainArgs) -> Result<Exit, Failure> {
    let request = ExplainOperationRunRequest { run_id: args.run.run.clone() };
    let answer = call!(app.session, runs.explain_operation_run, request)?;
    app.show_one(&answer, || told(&answer))?;
    Ok(Exit::Done)
}

fn told(answer: &ExplainOperationRunResponse) -> String {
    let run = answer.run.clone().unwrap_or_default();
    let mut text = format!("{}: {}\n", run.label, words::state(&run));
    for explanation in &answer.explanations {
        text += &format!("  {}: {}\n", words::explanation(explanation.code()), one_line(&explanation.message));
        for (title, time) in [("since", &explanation.since_time), ("until", &explanation.until_time)] {
            if let Some(time) = time {
                text += &format!("    {title} {}\n", words::moment(time));
            }
        }
        if !explanation.by_name.is_empty() {
            text += &format!("    by {}\n", one_line(&explanation.by_name));
        }
        if !explanation.link.is_empty() {
            text += &format!("    Open operation: {}\n", explanation.link);
        }
    }
    if let Some(estimate) = &answer.estimate {
        for (title, time) in [("begins", &estimate.start_time), ("ends", &estimate.complete_time)] {
            if let Some(time) = time {
                text += &format!("  probably {title} {}\n", words::moment(time));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use pb::operation::{Estimate, Explanation, ExplanationCode, OperationRun, OperationRunStatus};

    use super::*;

    #[test]
    fn an_explanation_says_what_holds_it_up_and_where_to_look() {
        let queued = OperationRunStatus::Queued.into();
        let answer = ExplainOperationRunResponse {
            run: Some(OperationRun { label: "Promotion".into(), status: queued, ..Default::default() }),
            moving: Some(false),
            explanations: vec![Explanation {
                code: ExplanationCode::PausedInWorkspace.into(),
                message: "Promotions are paused.".into(),
                by_name: "Olivia".into(),
                ..Default::default()
            }],
            estimate: None,
        };
        let expected = "Promotion: queued\n  paused in workspace: Promotions are paused.\n    by Olivia\n";
        assert_eq!(told(&answer), expected);
        let complete_time = prost_types::Timestamp { seconds: 1_767_225_600, nanos: 0 };
        let estimate = Some(Estimate { complete_time: Some(complete_time), sample_runs: 3, ..Default::default() });
        let told = told(&ExplainOperationRunResponse { estimate, ..answer });
        let end = words::moment(&complete_time);
        assert_eq!(told, format!("{expected}  probably ends {end}\n"));
    }
}
