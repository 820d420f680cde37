//! The command line, as `--help` tells it.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::command::{
    attention, audit, backups, compare, context, controls, directory, notifications, onboarding, preflight, promote,
    restore, runs, sync, tenants, workspaces,
};
use crate::exit::EXIT_CODES;

const ENVIRONMENT: &str = "\
Environment:
  TENANTATLAS_TOKEN                    the token, instead of the context's source
  TENANTATLAS_WORKSPACE                as --workspace
  TENANTATLAS_COMPARE_ENDPOINT         instead of the context's endpoints
  TENANTATLAS_PROMOTION_ENDPOINT
  TENANTATLAS_OPERATION_RUN_ENDPOINT
  ATLASCTL_CONTEXT                     as --context
  ATLASCTL_CONFIG                      the file of contexts
  NO_COLOR                             no colour";

const MAIN_JOB: &str = "\
The main job:
  atlasctl sync \"Northwind Model\" --wait
  atlasctl sync \"Contoso Clinics\" --wait
  atlasctl compare   --source \"Northwind Model\" --target \"Contoso Clinics\"
  atlasctl preflight --source \"Northwind Model\" --target \"Contoso Clinics\"
  atlasctl promote   --source \"Northwind Model\" --target \"Contoso Clinics\" --wait";

/// TenantAtlas on the command line: compare tenants, promote what is ready, follow operations.
///
/// Tenants and workspaces are named by their name or id. Results go to standard output, everything else to standard error.
#[derive(Parser)]
#[command(
    name = "atlasctl",
    version,
    after_help = EXIT_CODES,
    after_long_help = format!("{MAIN_JOB}\n\n{EXIT_CODES}\n\n{ENVIRONMENT}"),
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// How results are written.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// The context, instead of the current one.
    #[arg(long, global = true, env = "ATLASCTL_CONTEXT", hide_env = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The workspace, by name or id; the context's, or the only one there is, when not given.
    #[arg(long, global = true, env = "TENANTATLAS_WORKSPACE", hide_env = true, value_name = "WORKSPACE")]
    pub(crate) workspace: Option<String>,
    /// How long one call may take: `500ms`, `30s`, `2m`.
    #[arg(long, global = true, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    pub(crate) timeout: Duration,
    /// With an error, the ids by which support finds it.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One document: the API's message as canonical protobuf JSON.
    Json,
    /// One message a line.
    Jsonl,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say how the target tenant differs from the source tenant.
    Compare(compare::CompareArgs),
    /// Say what could be promoted, and why the rest could not. Changes nothing.
    Preflight(preflight::PreflightArgs),
    /// Execute promotion: apply the ready subjects of the source tenant to the target tenant.
    Promote(promote::PromoteArgs),
    /// Operations: list, get, explain, watch, cancel.
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Tenants of the workspace.
    #[command(subcommand)]
    Tenants(tenants::TenantsCommand),
    /// Read a tenant's policies from the provider.
    Sync(sync::SyncArgs),
    /// Setting a tenant up: start, connect, complete.
    #[command(subcommand)]
    Onboarding(onboarding::OnboardingCommand),
    /// Backups of a tenant: schedules, sets, one now.
    #[command(subcommand)]
    Backups(backups::BackupsCommand),
    /// Put policies of a tenant back to what they were: preview, execute.
    #[command(subcommand)]
    Restore(restore::RestoreCommand),
    /// A tenant's groups and role definitions.
    #[command(subcommand)]
    Directory(directory::DirectoryCommand),
    /// Is there anything to look at? Counts operations that are stale or did not succeed.
    Attention(attention::AttentionArgs),
    /// How the operations that you started ended.
    #[command(subcommand)]
    Notifications(notifications::NotificationsCommand),
    /// Operational controls: pause a type of operations, resume it.
    #[command(subcommand)]
    Controls(controls::ControlsCommand),
    /// The audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Workspaces you are a member of.
    #[command(subcommand)]
    Workspaces(workspaces::WorkspacesCommand),
    /// Say who you are to the services, and what you may do where.
    Whoami,
    /// Log in at the context's issuer with a code that you enter in a browser.
    Login,
    /// Contexts: which installation is meant, and where its token comes from.
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Print a script that completes commands, for a shell to read.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What is compared with what.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// The tenant that is the model, by name or id. It is never changed.
    #[arg(long, value_name = "TENANT")]
    pub(crate) source: String,
    /// The tenant that is compared with it, by name or id.
    #[arg(long, value_name = "TENANT")]
    pub(crate) target: String,
    /// Only these policy types.
    #[arg(long = "type", value_name = "POLICY_TYPE", value_delimiter = ',')]
    pub(crate) policy_types: Vec<String>,
    /// Only these platforms.
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platforms: Vec<String>,
    /// Only subjects whose name contains this, in any case.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) name_contains: String,
    /// Only these subjects, by their key.
    #[arg(long = "subject", value_name = "KEY")]
    pub(crate) subject_keys: Vec<String>,
    /// Compare and promote assignments too.
    #[arg(long)]
    pub(crate) assignments: bool,
}

/// Following an operation after it was started.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Follow the operation to its end; the exit code says how it ended.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Give up following after this long; the operation goes on.
    #[arg(long, value_parser = duration, value_name = "DURATION", requires = "wait")]
    pub(crate) wait_timeout: Option<Duration>,
}

/// A number with a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "a number and a unit, such as 30s".to_owned())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err("the units are ms, s, m and h".to_owned()),
    };
    match duration {
        Duration::ZERO => Err("must be more than nothing".to_owned()),
        duration if duration > LONGEST => Err("at most 24h".to_owned()),
        duration => Ok(duration),
    }
}

/// Nobody waits longer at a command line.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_argument_is_explained() {
        fn explained(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            for sub in command.get_subcommands() {
                assert!(sub.get_about().is_some(), "{}", sub.get_name());
                explained(sub);
            }
        }
        Cli::command().debug_assert();
        let mut command = Cli::command();
        command.build();
        explained(&command);
    }

    #[test]
    fn durations_have_units_and_limits() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "30", "s", "1.5s", "-1s", "0s", "3d", "25h", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn yes_needs_the_fingerprint_and_a_selection_needs_both_tenants() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(drop).map_err(|error| error.to_string());
        assert!(parse("atlasctl promote --source a --target b").is_ok());
        assert!(parse("atlasctl promote --source a --target b --yes --preflight f00d --wait -o json").is_ok());
        let refused = parse("atlasctl promote --source a --target b --yes").unwrap_err();
        assert!(refused.contains("--preflight"), "{refused}");
        assert!(parse("atlasctl compare --source a").unwrap_err().contains("--target"));
        assert!(parse("atlasctl promote --source a --target b --wait-timeout 5s").unwrap_err().contains("--wait"));
        assert!(parse("atlasctl context set dev --compare http://127.0.0.1:1 --workspace w").is_ok());
    }
}
