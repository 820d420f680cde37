//! `atlasctl`, the command line for operators: a client of the gRPC API like any other.
//!
//! `cli` is the command line, `command` has one file for each verb, `session` speaks to the services, `follow` stays with a
//! run to its end, `context` and `token` know which installation is meant and as whom; the rest is about reading well:
//! `failure`, `table`, `json`, `words`, `screen`, `exit`.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

mod ambient;
mod app;
mod cli;
mod command;
mod context;
mod exit;
mod failure;
mod follow;
mod json;
mod login;
mod page;
mod question;
mod resolve;
mod screen;
mod session;
mod table;
mod token;
mod words;

use app::App;
use cli::{Cli, Command, Global};
use context::Context;
use exit::Exit;
use failure::Failure;
use login::Login;
use screen::{Colour, Screen, painted};
use session::Session;
use token::{Token, TokenSource};

/// The command line itself, for what is printed about it.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process to its end.
pub async fn main() -> ExitCode {
    // Two providers of cryptography may be linked into one process: which one is meant is said once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let (verbose, screen) = (cli.global.verbose, Screen::look());
    match run(cli, screen).await {
        Ok(exit) => exit.into(),
        Err(Failure::NobodyReads) => Exit::Done.into(),
        Err(failure) => {
            app::tell(&format!("{} {}", painted("error:", Colour::Red, screen.stderr_colour), failure.shown(verbose)));
            Exit::Error.into()
        }
    }
}

async fn run(cli: Cli, screen: Screen) -> Result<Exit, Failure> {
    match cli.command {
        // These need no services.
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "atlasctl", &mut script);
            app::print_bytes(&script)?;
            Ok(Exit::Done)
        }
        Command::Login => command::login::run(&cli.global).await,
        Command::Context(command) => command::context::run(&command, &cli.global, screen),
        command => command::run(&mut open(&cli.global, screen).await?, command).await,
    }
}

/// Everything a command needs to speak to the services.
async fn open(global: &Global, screen: Screen) -> Result<App, Failure> {
    let contexts = context::Contexts::read(&context::file()?)?;
    let (name, context) = contexts.chosen(global.context.as_deref())?;
    let context = overridden(context, |variable| env::var_os(variable))?;
    let login = match name {
        Some(name) => Login::of(&context, context::token_file(name)?),
        None => None,
    };
    let source = token_source(&context, env::var_os("TENANTATLAS_TOKEN"), login)?;
    let workspace = global.workspace.clone().or_else(|| context.workspace.clone());
    Ok(App {
        context_name: name.map(str::to_owned),
        context: context.clone(),
        token_source: source.shown(),
        session: Session::open(context, source, global.timeout).await?,
        format: global.output,
        screen,
        workspace,
    })
}

/// The context with what the environment says instead.
fn overridden(context: Context, variable: impl Fn(&str) -> Option<OsString>) -> Result<Context, Failure> {
    let given = |name: &str| match variable(name).filter(|value| !value.is_empty()).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Failure::new(format!("{name} is no text"))),
    };
    Ok(Context {
        compare: given("TENANTATLAS_COMPARE_ENDPOINT")?.or(context.compare),
        promotion: given("TENANTATLAS_PROMOTION_ENDPOINT")?.or(context.promotion),
        operation_run: given("TENANTATLAS_OPERATION_RUN_ENDPOINT")?.or(context.operation_run),
        ..context
    })
}

/// Where the token comes from: the environment before the context.
fn token_source(context: &Context, variable: Option<OsString>, login: Option<Login>) -> Result<TokenSource, Failure> {
    if let Some(value) = variable.filter(|value| !value.is_empty()) {
        let name = "TENANTATLAS_TOKEN";
        let text = value.into_string().map_err(|_| Failure::new(format!("{name} is no text")))?;
        return Token::new(&text, name).map(TokenSource::Environment);
    }
    Ok(match (&context.token_file, &context.token_command) {
        (Some(file), _) => TokenSource::File(file.clone()),
        (None, Some(command)) => TokenSource::Command(command.clone()),
        (None, None) => login.map_or(TokenSource::Nowhere, TokenSource::Login),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_before_the_context() {
        let context = Context {
            compare: Some("http://127.0.0.1:1".into()),
            promotion: Some("http://127.0.0.1:2".into()),
            token_file: Some("/token".into()),
            ..Context::default()
        };
        let environment = |name: &str| match name {
            "TENANTATLAS_COMPARE_ENDPOINT" => Some("http://127.0.0.1:9".into()),
            "TENANTATLAS_PROMOTION_ENDPOINT" => Some(OsString::new()),
            _ => None,
        };
        let chosen = overridden(context.clone(), environment).unwrap();
        assert_eq!(chosen.compare.as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(chosen.promotion.as_deref(), Some("http://127.0.0.1:2"), "an empty variable says nothing");
        assert_eq!(token_source(&context, None, None).unwrap(), TokenSource::File("/token".into()));
        assert!(matches!(token_source(&context, Some("t".into()), None).unwrap(), TokenSource::Environment(_)));
        assert_eq!(token_source(&Context::default(), Some(OsString::new()), None).unwrap(), TokenSource::Nowhere);
    }
}
