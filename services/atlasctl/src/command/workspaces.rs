//! `atlasctl workspaces`.

use clap::Subcommand;
use pb::workspace::ListWorkspacesResponse;

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::{Column, Table};
use crate::{resolve, words};

#[derive(Subcommand)]
pub(crate) enum WorkspacesCommand {
    /// List the workspaces you are a member of.
    List,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &WorkspacesCommand) -> Result<Exit, Failure> {
    let WorkspacesCommand::List = command;
    let workspaces = resolve::workspaces(app).await?;
    let whole = ListWorkspacesResponse { workspaces: workspaces.clone(), ..Default::default() };
    app.show(&whole, &workspaces, || {
        const COLUMNS: [Column; 4] = [
            Column::new("NAME"),
            Column::whole("ID"),
            Column::whole("YOUR ROLE"),
            Column::whole("CREATED").on_screens_of(100),
        ];
        let mut table = Table::new(&COLUMNS);
        for workspace in &workspaces {
            table.row([
                workspace.name.clone(),
                workspace.workspace_id.clone(),
                words::role(workspace.caller_role()),
                workspace.create_time.as_ref().map(words::moment).unwrap_or_default(),
            ]);
        }
        app.table(&table)
    })?;
    Ok(Exit::Done)
}
