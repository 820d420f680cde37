//! One file for each verb.

use crate::app::App;
use crate::cli::Command;
use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) mod attention;
pub(crate) mod audit;
pub(crate) mod backups;
pub(crate) mod compare;
pub(crate) mod context;
pub(crate) mod controls;
pub(crate) mod directory;
pub(crate) mod login;
pub(crate) mod notifications;
pub(crate) mod onboarding;
pub(crate) mod preflight;
pub(crate) mod promote;
pub(crate) mod restore;
pub(crate) mod runs;
pub(crate) mod sync;
pub(crate) mod tenants;
mod whoami;
pub(crate) mod workspaces;

/// Runs a command that speaks to the services.
pub(crate) async fn run(app: &mut App, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Compare(args) => compare::run(app, &args).await,
        Command::Preflight(args) => preflight::run(app, &args).await,
        Command::Promote(args) => promote::run(app, &args).await,
        Command::Runs(command) => runs::run(app, &command).await,
        Command::Tenants(command) => tenants::run(app, &command).await,
        Command::Onboarding(command) => onboarding::run(app, &command).await,
        Command::Backups(command) => backups::run(app, &command).await,
        Command::Restore(command) => restore::run(app, &command).await,
        Command::Directory(command) => directory::run(app, &command).await,
        Command::Attention(args) => attention::run(app, &args).await,
        Command::Notifications(command) => notifications::run(app, &command).await,
        Command::Controls(command) => controls::run(app, &command).await,
        Command::Sync(args) => sync::run(app, &args).await,
        Command::Audit(command) => audit::run(app, &command).await,
        Command::Workspaces(command) => workspaces::run(app, &command).await,
        Command::Whoami => whoami::run(app).await,
        Command::Context(_) | Command::Login | Command::Completions { .. } => {
            unreachable!("these are run without a session")
        }
    }
}
