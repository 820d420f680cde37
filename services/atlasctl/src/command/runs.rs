//! `atlasctl runs`: operations.

use clap::{Args, Subcommand};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;

mod cancel;
mod explain;
mod get;
mod list;
pub(crate) mod started;
pub(crate) mod watch;

#[derive(Subcommand)]
pub(crate) enum RunsCommand {
    /// List operations, newest first.
    List(list::ListArgs),
    /// Show one operation, with the items that did not succeed.
    Get(get::GetArgs),
    /// Say why an operation is not running, or not moving.
    Explain(explain::ExplainArgs),
    /// Follow one operation to its end, or all of the workspace until Ctrl-C.
    ///
    /// An interrupted connection is taken up where it was cut. The exit code says how the operation ended.
    Watch(watch::WatchArgs),
    /// Ask an operation to stop. What it has done stays done.
    Cancel(cancel::CancelArgs),
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, command: &RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List(args) => list::run(app, args).await,
        RunsCommand::Get(args) => get::run(app, args).await,
        RunsCommand::Explain(args) => explain::run(app, args).await,
        RunsCommand::Watch(args) => watch::run(app, args).await,
        RunsCommand::Cancel(args) => cancel::run(app, args).await,
    }
}

/// Which operation.
#[derive(Debug, Args)]
pub(crate) struct RunArg {
    /// Its id, or its link.
    #[arg(value_name = "OPERATION", value_parser = run_id)]
    run: String,
}

/// An id as it is printed; a link is taken too, because that is what is at hand.
pub(crate) fn run_id(text: &str) -> Result<String, String> {
    let id = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match uuid::Uuid::try_parse(id) {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err("an operation's id, or its link".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_by_its_id_or_its_link() {
        let id = "0193a5f2-0000-7000-8000-000000000001";
        for text in
            [id.to_owned(), format!("/admin/operations/{id}"), format!("https://atlas.example/admin/operations/{id}/")]
        {
            assert_eq!(run_id(&text).as_deref(), Ok(id), "{text}");
        }
        assert!(run_id("promotion").is_err() && run_id("").is_err());
    }
}
