//! `cargo dev faults`: what takes minutes. The long tests of the register of faults (`tests/faults/register.rs`), then the soak:
//! real processes under load while everything that can be killed, stopped or cut is.

use std::process::ExitCode;

use anyhow::Result;

use crate::check;

/// What is run, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct FaultsArgs {
    /// For how long the soak goes on; 0: not at all.
    #[arg(long, default_value_t = 10)]
    pub minutes: u64,
    /// Repeats the choices of an earlier time, which it has printed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Leave the long tests out.
    #[arg(long)]
    pub soak_only: bool,
}

/// Runs the long tests and the soak; fails when either does.
pub async fn run(args: &FaultsArgs) -> Result<ExitCode> {
    let tests = if args.soak_only { true } else { check::long_fault_tests(args.seed).await? };
    let soak = if args.minutes == 0 { true } else { soak(args).await? };
    Ok(if tests && soak { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn soak(args: &FaultsArgs) -> Result<bool> {
    check::build_binaries().await?;
    let mut command = check::cargo();
    command.args(["run", "--quiet", "--package", "system-tests", "--bin", "soak", "--"]);
    command.args(["--minutes", &args.minutes.to_string()]);
    if let Some(seed) = args.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    Ok(command.status().await?.success())
}
