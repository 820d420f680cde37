//! `cargo dev`: the developer's and the newcomer's one command. Everything it does for people is in the library, where the
//! system tests use it too.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use dev::demo::{self, DemoArgs};
use dev::faults::FaultsArgs;
use dev::persona::Persona;
use dev::{check, cluster, faults, manifests, token, up};

/// TenantAtlas for developers.
#[derive(Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything with the demo's two tenants, print addresses and commands to try, and stay until Ctrl-C.
    Up(up::UpArgs),
    /// Do the main job once, from compare to the end of the promotion, and stop.
    Demo(DemoArgs),
    /// Run every test. Arguments after `--` go to `cargo test`.
    Test {
        /// Passed on to `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run what takes minutes: the long tests of faults, then a soak in which everything is killed, stopped and cut.
    Faults(FaultsArgs),
    /// Check form and lints.
    Lint,
    /// Render what is in k8s/ and have it judged: by our rules, Kubernetes's schemas and checkov.
    Manifests,
    /// Print figures of the system on this machine, against peers and limits.
    Bench {
        /// Names of benchmarks; all without any.
        names: Vec<String>,
    },
    /// Print a token of the local issuer for a persona: owner, manager, operator, readonly, unentitled or outsider.
    Token {
        /// Whose token.
        persona: Persona,
    },
    /// For a cluster that runs k8s/overlays/dev: its Secrets, its demo, its tokens.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Print a new UUID, for the `request_id` of a call.
    Uuid,
}

#[tokio::main]
async fn main() -> ExitCode {
    // Two providers of cryptography may be linked into one process: which one is meant is said once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(args) => {
            check::build_binaries().await?;
            up::run(&args).await?;
        }
        Command::Demo(args) => {
            check::build_binaries().await?;
            demo::run(&args).await?;
        }
        Command::Test { arguments } => return check::run(&arguments).await,
        Command::Faults(args) => return faults::run(&args).await,
        Command::Lint => return check::lint().await,
        Command::Manifests => return manifests::run().await,
        Command::Bench { names } => return check::bench(&names).await,
        Command::Token { persona } => println!("{}", token::of_running_stack(persona)?),
        Command::Cluster(command) => cluster::run(&command).await?,
        Command::Uuid => println!("{}", new_request_id()),
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "somebody at a keyboard asked for one")]
fn new_request_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}
