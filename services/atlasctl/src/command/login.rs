//! `atlasctl login`.

use crate::app;
use crate::cli::Global;
use crate::context::{Contexts, file, token_file};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::login::{Invitation, Login};
use crate::table::one_line;

/// Runs the command.
pub(crate) async fn run(global: &Global) -> Result<Exit, Failure> {
    let contexts = Contexts::read(&file()?)?;
    let (name, context) = contexts.chosen(global.context.as_deref())?;
    let Some(name) = name else {
        return Err(Failure::with_fix(
            "there is no context to log in to",
            "atlasctl context set NAME --issuer URL ...",
        ));
    };
    let Some(login) = Login::of(&context, token_file(name)?) else {
        let fix = format!("atlasctl context set {name} --issuer URL");
        return Err(Failure::with_fix(format!("the context {name} has no issuer to log in at"), fix));
    };
    if context.token_file.is_some() || context.token_command.is_some() {
        app::tell(&format!("The context {name} takes its token from elsewhere; this login will not be used there."));
    }
    login.log_in(invite).await?;
    app::tell(&format!("Logged in to {name}. See as whom: atlasctl whoami"));
    Ok(Exit::Done)
}

fn invite(invitation: &Invitation) {
    app::tell(&format!(
        "Open {} in a browser, on any device, and enter the code {}",
        one_line(&invitation.verification_uri),
        one_line(&invitation.user_code)
    ));
    if let Some(complete) = &invitation.verification_uri_complete {
        app::tell(&format!("or open {}", one_line(complete)));
    }
    app::tell("Waiting ...");
}
