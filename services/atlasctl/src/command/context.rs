//! `atlasctl context`: which installation is meant. Nothing here speaks to a service.

use clap::Subcommand;

use crate::app;
use crate::cli::{Format, Global};
use crate::context::{Context, Contexts, context_name, file};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::session::is_encrypted;
use crate::table::{Column, Table};

#[derive(Subcommand)]
pub(crate) enum ContextCommand {
    /// Make a context, or change what is said of it. A token is never kept in it, only where one is found.
    Set {
        /// Its name.
        #[arg(value_parser = context_name)]
        name: String,
        #[command(flatten)]
        change: Box<Context>,
    },
    /// Use this context from now on.
    Use {
        /// Its name.
        name: String,
    },
    /// List the contexts; the current one is marked.
    List,
}

/// Runs the command.
pub(crate) fn run(command: &ContextCommand, global: &Global, screen: Screen) -> Result<Exit, Failure> {
    let file = file()?;
    let mut contexts = Contexts::read(&file)?;
    match command {
        ContextCommand::Set { name, change } => {
            check(change)?;
            contexts.set(name, Context::clone(change));
            check(&contexts.chosen(Some(name))?.1)?;
            contexts.write(&file)?;
            let current = contexts.current.as_deref() == Some(name);
            let use_it = if current { "It is the current one." } else { "Use it: atlasctl context use" };
            let ending = if current { String::new() } else { format!(" {name}") };
            app::tell(&format!("Context {name} is set. {use_it}{ending}"));
        }
        ContextCommand::Use { name } => {
            contexts.chosen(Some(name))?;
            contexts.current = Some(name.clone());
            contexts.write(&file)?;
            app::tell(&format!("Context {name} is the current one."));
        }
        ContextCommand::List => list(&contexts, global, screen)?,
    }
    Ok(Exit::Done)
}

/// What can be known to be wrong is refused before it is written.
fn check(context: &Context) -> Result<(), Failure> {
    let urls = [
        ("--compare", &context.compare),
        ("--promotion", &context.promotion),
        ("--operation-run", &context.operation_run),
        ("--issuer", &context.issuer),
    ];
    for (option, url) in urls {
        if let Some(url) = url {
            // Whether plain http is allowed is looked at once the whole context is known.
            is_encrypted(url, true).map_err(|why| Failure::new(format!("{option} {url}: {why}")))?;
        }
    }
    Ok(())
}

fn list(contexts: &Contexts, global: &Global, screen: Screen) -> Result<(), Failure> {
    let is_current = |name: &str| contexts.current.as_deref() == Some(name);
    let as_json = |name: &str, context: &Context| {
        let mut value = serde_json::to_value(context).unwrap_or_default();
        value["name"] = name.into();
        value["current"] = is_current(name).into();
        value
    };
    match global.output {
        Format::Json => {
            let all = contexts.contexts.iter().map(|(name, context)| as_json(name, context)).collect::<Vec<_>>();
            app::print_document(&serde_json::json!({ "contexts": all }))
        }
        Format::Jsonl => {
            contexts.contexts.iter().try_for_each(|(name, context)| app::print_line(&as_json(name, context)))
        }
        Format::Table if contexts.contexts.is_empty() => {
            app::tell("There is no context yet. Make one: atlasctl context set NAME --compare URL ...");
            Ok(())
        }
        Format::Table => app::print(&table(contexts, is_current).shown(screen.width)),
    }
}

fn table(contexts: &Contexts, is_current: impl Fn(&str) -> bool) -> Table {
    const COLUMNS: [Column; 6] = [
        Column::whole("CURRENT"),
        Column::whole("NAME"),
        Column::new("WORKSPACE"),
        Column::new("TOKEN"),
        Column::new("COMPARE").on_screens_of(80),
        Column::new("OPERATION-RUN").on_screens_of(120),
    ];
    let mut table = Table::new(&COLUMNS);
    for (name, context) in &contexts.contexts {
        let token = match (&context.token_file, &context.token_command, &context.issuer) {
            (Some(file), _, _) => format!("file {}", file.display()),
            (None, Some(_), _) => "command".to_owned(),
            (None, None, Some(_)) => "login".to_owned(),
            (None, None, None) => String::new(),
        };
        table.row([
            if is_current(name) { " *".to_owned() } else { " ".to_owned() },
            name.clone(),
            context.workspace.clone().unwrap_or_default(),
            token,
            context.compare.clone().unwrap_or_default(),
            context.operation_run.clone().unwrap_or_default(),
        ]);
    }
    table
}
