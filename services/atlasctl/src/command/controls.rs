//! `atlasctl controls`: which types of operations may start.

use clap::{Args, Subcommand};
use pb::control::{
    ListOperationalControlsRequest, OperationalControl, PauseOperationTypeRequest, ResumeOperationTypeRequest,
};

use crate::app::{self, App};
use crate::cli::Format;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table, one_line};
use crate::{ambient, resolve, words};

#[derive(Subcommand)]
pub(crate) enum ControlsCommand {
    /// List which types are paused, by whom and why.
    List(PlaceArgs),
    /// Pause a type: new operations of it are blocked, queued ones stay queued, running ones go on.
    Pause(ChangeArgs),
    /// Let a paused type start again.
    Resume(ChangeArgs),
}

#[derive(Args)]
pub(crate) struct PlaceArgs {
    /// Not of the workspace but of the whole installation; for its operators.
    #[arg(long, conflicts_with = "workspace")]
    everywhere: bool,
}

#[derive(Args)]
pub(crate) struct ChangeArgs {
    /// The type, such as `promotion.execute`.
    #[arg(value_name = "TYPE")]
    run_type: String,
    /// Why: shown to everybody whose operation is blocked, and in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &ControlsCommand) -> Result<Exit, Failure> {
    match command {
        ControlsCommand::List(place) => {
            let request = ListOperationalControlsRequest { workspace_id: workspace(app, place).await? };
            let answer = call!(app.session, controls.list_operational_controls, request)?;
            app.show(&answer, &answer.controls, || shown(app, &answer.controls))?;
        }
        ControlsCommand::Pause(args) => {
            let request = PauseOperationTypeRequest {
                request_id: ambient::fresh_id(),
                workspace_id: workspace(app, &args.place).await?,
                r#type: args.run_type.clone(),
                reason: args.reason.clone(),
            };
            let answer = call!(app.session, controls.pause_operation_type, request)?;
            app.show_one(&answer, || format!("Paused {}.", told(answer.control.as_ref())))?;
        }
        ControlsCommand::Resume(args) => {
            let request = ResumeOperationTypeRequest {
                request_id: ambient::fresh_id(),
                workspace_id: workspace(app, &args.place).await?,
                r#type: args.run_type.clone(),
                reason: args.reason.clone(),
            };
            let answer = call!(app.session, controls.resume_operation_type, request)?;
            app.show_one(&answer, || format!("Resumed {}.", told(answer.control.as_ref())))?;
            if app.format == Format::Table && !args.place.everywhere {
                app::tell("A pause of the whole installation, if there is one, still holds.");
            }
        }
    }
    Ok(Exit::Done)
}

async fn workspace(app: &App, place: &PlaceArgs) -> Result<String, Failure> {
    if place.everywhere { Ok(String::new()) } else { resolve::workspace(app).await }
}

fn told(control: Option<&OperationalControl>) -> String {
    let Some(control) = control else { return "it".to_owned() };
    format!("{} ({}) {}", one_line(&control.label), control.r#type, words::control_scope(control.scope()))
}

fn shown(app: &App, controls: &[OperationalControl]) -> String {
    if controls.is_empty() {
        return "Nothing is paused.".to_owned();
    }
    const COLUMNS: [Column; 5] = [
        Column::whole("PAUSED TYPE"),
        Column::new("WHERE"),
        Column::new("REASON"),
        Column::new("BY").on_screens_of(80),
        Column::whole("AGE").on_screens_of(70),
    ];
    let mut table = Table::new(&COLUMNS);
    for control in controls {
        table.row([
            control.r#type.clone(),
            words::control_scope(control.scope()),
            control.reason.clone(),
            control.paused_by_name.clone(),
            words::age(control.pause_time.as_ref(), ambient::now()),
        ]);
    }
    app.table(&table)
}

#[cfg(test)]
mod tests {
    use pb::control::ControlScope;

    use super::*;

    #[test]
    fn a_change_says_what_and_where() {
        let control = OperationalControl {
            r#type: "promotion.execute".into(),
            label: "Promotion".into(),
            scope: ControlScope::Workspace.into(),
            ..Default::default()
        };
        assert_eq!(told(Some(&control)), "Promotion (promotion.execute) in this workspace");
    }
}
