//! k8s/configuration.md: what every program can be told, printed from the programs' own command lines, so that it cannot be out of
//! date; and its limits, each tried at its edges.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args as _, Command, CommandFactory as _, Parser};
use server::ConfigError;

use super::objects::k8s;

/// Set to write the reference anew after an option was changed on purpose.
const REWRITE: &str = "ATLAS_REWRITE_TABLES";

const HEAD: &str = "\
# Configuration

What every program can be told. Printed from their command lines (`ATLAS_REWRITE_TABLES=1 cargo test -p system-tests --test manifests
configuration`); a test fails when it is not what they say. An option beats its variable. A value that cannot be used is refused at the
start, with the option's name, before anything is bound or connected.

A *duration* is a whole number and its unit: `500ms`, `30s`, `10m`, `1h`. *Limits* are allowed values, both ends included.
Secrets are files: what is in a variable is seen by whoever may look at a process, and what is in an argument by everybody on the machine.
";

/// The commands of all programs, by name.
pub(crate) fn programs() -> Vec<Command> {
    vec![
        compare_service::config::Args::command(),
        promotion_service::Config::command(),
        operation_run_service::config::Args::command(),
        pg::Migrate::command(),
        operation_run_service::config::VerifyArgs::command(),
        atlasctl::command_line(),
        graph_emulator::Arguments::command(),
    ]
}

#[test]
fn the_reference_says_what_the_programs_do() {
    let printed = print();
    let file = k8s().join("configuration.md");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&file, &printed).expect("the reference is written");
        return;
    }
    let kept = std::fs::read_to_string(&file).expect("k8s/configuration.md");
    assert!(kept == printed, "an option is not as configuration.md says; print it anew with {REWRITE}=1 and review");
}

/// Every number and every duration of a service has limits, and they are where the reference says.
#[test]
fn limits_hold_at_their_edges() {
    let compare = ["--operation-run-endpoint=http://127.0.0.1:1"];
    let promotion = ["--operation-run-endpoint=http://127.0.0.1:1", "--compare-endpoint=http://127.0.0.1:1"];
    let tried = tried::<compare_service::config::Args>(&compare, |args| {
        args.server.validate().map(drop).and_then(|()| args.validate().map(drop))
    }) + tried::<promotion_service::Config>(&promotion, |config| {
        config.server.validate().map(drop).and_then(|()| config.validate())
    }) + tried::<operation_run_service::config::Args>(&["--run-retention=87600h"], |args| {
        args.server.validate().map(drop).and_then(|()| args.validate().map(drop))
    });
    assert!(tried > 150, "only {tried} values were tried");
}

#[test]
fn secrets_have_a_file_and_are_not_shown_by_help() {
    for program in programs() {
        let ids: BTreeSet<&str> = program.get_arguments().map(|option| option.get_id().as_str()).collect();
        for option in program.get_arguments() {
            let id = option.get_id().as_str();
            let secret = id == "database_url" || (id.ends_with("secret") && kind(option) == "text");
            if secret && option.get_env().is_some() {
                assert!(option.is_hide_env_values_set(), "{}: --help shows {id}", program.get_name());
                let file =
                    if id == "database_url" { "database_password_file".to_owned() } else { format!("{id}_file") };
                assert!(ids.contains(file.as_str()), "{}: {id} has no file", program.get_name());
            }
        }
    }
}

/// Parses and validates with each limit, and with what is just beyond it; returns how many values that were.
fn tried<P: Parser>(more: &[&str], validate: impl Fn(P) -> Result<(), ConfigError>) -> usize {
    let mut tried = 0;
    let command = P::command();
    for option in command.get_arguments().filter(|option| option.get_env().is_some()) {
        let id = option.get_id().as_str();
        let name = format!("--{}", option.get_long().expect("every option has a name"));
        let Some((least, most)) = limits(option) else {
            let bounded = TypeId::of::<Duration>() == type_of(option) || is_number(option);
            assert!(!bounded, "{} {id} has no limits: \"From .. to ..\" at the end of its help", command.get_name());
            continue;
        };
        let accepted = |value: &str| {
            let mut words = vec![command.get_name().to_owned(), format!("{name}={value}")];
            // The shorter one of the two has to go out of the longer one's way.
            let required =
                ["--oidc-issuer=http://127.0.0.1:1", "--database-url=postgres://a@b/c", "--default-deadline=1ms"];
            let others = required.iter().chain(more).filter(|other| !other.starts_with(&format!("{name}=")));
            words.extend(others.map(|other| (*other).to_owned()));
            let parsed = P::try_parse_from(words.iter().map(OsString::from));
            parsed.is_ok_and(|parsed| validate(parsed).is_ok())
        };
        for (limit, beyond) in [(&least, just(&least, -1)), (&most, just(&most, 1))] {
            // A limit that is another option is tried where both are known.
            if limit.starts_with("--") {
                continue;
            }
            assert!(accepted(limit), "{} {name}={limit} is within its limits", command.get_name());
            tried += 1;
            if let Some(beyond) = beyond {
                assert!(!accepted(&beyond), "{} {name}={beyond} is beyond its limits", command.get_name());
                tried += 1;
            }
        }
    }
    tried
}

/// The value beside a limit; `None` below nothing.
fn just(limit: &str, by: i64) -> Option<String> {
    if let Ok(number) = limit.parse::<i64>() {
        return Some(number + by).filter(|number| *number >= 0).map(|number| number.to_string());
    }
    let duration = server::config::duration(limit).ok()?;
    let millis = i64::try_from(duration.as_millis()).expect("limits are short") + by;
    (millis >= 0).then(|| format!("{millis}ms"))
}

fn print() -> String {
    let mut text = HEAD.to_owned();
    let chassis = server::ServerArgs::augment_args(Command::new("chassis"));
    section(&mut text, "Every service", "compare-service, promotion-service, operation-run-service.", &chassis, &[]);
    let database = pg::DatabaseArgs::augment_args(Command::new("database"));
    let who = "The three services, tenantatlas-migrate (as the database's owner), tenantatlas-audit-verify.";
    section(&mut text, "The database", who, &database, &[]);
    for program in programs() {
        let about = program.get_about().map(ToString::to_string).unwrap_or_default();
        let about = format!("{}.", about.trim_end_matches('.'));
        section(&mut text, program.get_name(), &about, &program, &[&chassis, &database]);
    }
    text
}

/// A table of a command's options, without those that others have told.
fn section(text: &mut String, title: &str, about: &str, command: &Command, told: &[&Command]) {
    let told: BTreeSet<&str> =
        told.iter().flat_map(|command| command.get_arguments()).map(|option| option.get_id().as_str()).collect();
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|option| !told.contains(option.get_id().as_str()) && option.get_long().is_some())
        .filter(|option| !["help", "version"].contains(&option.get_id().as_str()))
        .collect();
    write!(text, "\n## {title}\n{about}\n").expect("writing into a String cannot fail");
    if own.is_empty() {
        return;
    }
    text.push_str("\n| option | variable | value | default | limits | what |\n|---|---|---|---|---|---|\n");
    for option in own {
        text.push_str(&row(option));
    }
}

fn row(option: &Arg) -> String {
    let name = option.get_long().expect("options were chosen by it");
    let variable = option.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
    let defaults: Vec<_> = option.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = match (defaults.is_empty(), option.is_required_set()) {
        (false, _) if !option.is_hide_default_value_set() => format!("`{}`", defaults.join(",")),
        (true, true) => "required".to_owned(),
        _ => String::new(),
    };
    let (what, limits) = match limits(option) {
        Some((least, most)) => (sentences(option).0, format!("{least} to {most}")),
        None => (help(option), String::new()),
    };
    let what = what.replace('|', "\\|");
    format!("| `--{name}` | {variable} | {} | {default} | {limits} | {what} |\n", kind(option))
}

fn help(option: &Arg) -> String {
    let help = option.get_long_help().or_else(|| option.get_help()).map(ToString::to_string).unwrap_or_default();
    let text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    // clap takes the full stop off a help of one paragraph.
    if text.ends_with('.') { text } else { text + "." }
}

/// What an option is for, and the sentence of its limits.
fn sentences(option: &Arg) -> (String, Option<String>) {
    let text = help(option);
    match text.rsplit_once("From ") {
        Some((what, limits)) if limits.contains(" to ") => {
            (what.trim_end().to_owned(), Some(limits.trim_end_matches('.').to_owned()))
        }
        _ => (text, None),
    }
}

/// The least and the most, as they are written.
fn limits(option: &Arg) -> Option<(String, String)> {
    let (_, limits) = sentences(option);
    limits?.split_once(" to ").map(|(least, most)| (least.to_owned(), most.to_owned()))
}

fn type_of(option: &Arg) -> TypeId {
    // The parser says which type it makes, but only by comparing.
    let made = option.get_value_parser().type_id();
    let known = [
        TypeId::of::<Duration>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<bool>(),
        TypeId::of::<PathBuf>(),
        TypeId::of::<SocketAddr>(),
    ];
    known.into_iter().find(|known| made == *known).unwrap_or_else(TypeId::of::<String>)
}

fn is_number(option: &Arg) -> bool {
    [TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>()].contains(&type_of(option))
}

/// What a value looks like, with its unit.
fn kind(option: &Arg) -> String {
    let id = option.get_id().as_str();
    let possible: Vec<_> = option.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let made = type_of(option);
    let one = match made {
        _ if !option.get_action().takes_values() => return "flag".to_owned(),
        _ if made == TypeId::of::<bool>() => "`true` or `false`".to_owned(),
        _ if !possible.is_empty() => possible.join(" or "),
        _ if made == TypeId::of::<Duration>() => "duration".to_owned(),
        _ if is_number(option) && id.ends_with("_bytes") => "bytes".to_owned(),
        _ if is_number(option) && id.ends_with("_ms") => "milliseconds".to_owned(),
        _ if is_number(option) && id.ends_with("_s") => "seconds".to_owned(),
        _ if is_number(option) => "number".to_owned(),
        _ if made == TypeId::of::<PathBuf>() => "path".to_owned(),
        _ if made == TypeId::of::<SocketAddr>() => "address:port".to_owned(),
        _ => "text".to_owned(),
    };
    if option.get_value_delimiter().is_some() { format!("{one}; several, separated by commas") } else { one }
}
