//! `cargo dev test`: builds the binaries, gives the tests a database server and tools, runs them all and counts.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use pg::local;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::paths;
use crate::tools;

/// What the runners said in their closing lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Totals {
    /// Adds a runner's closing line, such as `test result: ok. 12 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ").and_then(|(_, rest)| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

/// Runs everything; arguments are passed on to `cargo test`.
pub async fn run(arguments: &[String]) -> Result<ExitCode> {
    let good = tests(&["--workspace"], arguments, None).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the tests of the register of faults are.
const FAULT_PACKAGES: [&str; 4] =
    ["--package=system-tests", "--package=operation-run-service", "--package=compare-service", "--package=pg"];

/// Runs the tests of faults that are too long for every day.
pub(crate) async fn long_fault_tests(seed: Option<u64>) -> Result<bool> {
    // One after the other: each takes all of the machine.
    let arguments = ["--", "--ignored", "--test-threads=1", "fault_"].map(str::to_owned);
    tests(&FAULT_PACKAGES, &arguments, seed).await
}

/// Runs tests with everything they need; returns whether there were any and all are good.
async fn tests(packages: &[&str], arguments: &[String], seed: Option<u64>) -> Result<bool> {
    build_binaries().await?;
    // One server for all test processes; each test has a database of its own in it.
    let server = match std::env::var("ATLAS_TEST_DATABASE_URL") {
        Ok(url) => Given::Url(url),
        Err(_) => Given::Cluster(local::Cluster::start(&local::Start::temporary()).await?),
    };
    let mut command = cargo();
    command
        .args(["test", "--no-fail-fast"])
        .args(packages)
        .args(arguments)
        .env("ATLAS_TEST_DATABASE_URL", server.url())
        .stdout(Stdio::piped());
    if let Some(seed) = seed {
        command.env("ATLAS_FAULT_SEED", seed.to_string());
    }
    for (variable, tool) in tools::ensure_all().await {
        command.env(variable, tool);
    }
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("standard output was piped")?).lines();
    let mut totals = Totals::default();
    while let Some(line) = lines.next_line().await? {
        totals.add(&line);
        println!("{line}");
    }
    let status = child.wait().await?;
    drop(server);
    println!("\n{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.skipped);
    Ok(status.success() && totals.passed > 0)
}

/// The packages whose binaries the stack runs, and the command line for people who use it.
const PROCESSES: [&str; 5] =
    ["compare-service", "promotion-service", "operation-run-service", "graph-emulator", "atlasctl"];

/// Builds every binary the stack runs, and the command line.
///
/// `ATLAS_BUILT` says that somebody else has built them.
pub async fn build_binaries() -> Result<()> {
    if std::env::var_os("ATLAS_BUILT").is_some() {
        return Ok(());
    }
    let status = cargo()
        .args(["build", "--quiet", "--bins"])
        .args(PROCESSES.map(|name| format!("--package={name}")))
        .status()
        .await?;
    if status.success() { Ok(()) } else { bail!("the build failed") }
}

/// `cargo dev bench`: figures of a release build.
pub async fn bench(names: &[String]) -> Result<ExitCode> {
    let build = cargo().args(["build", "--release", "--workspace", "--bins"]).status().await?;
    if !build.success() {
        return Ok(ExitCode::FAILURE);
    }
    let bench = cargo()
        .args(["run", "--release", "--package", "system-tests", "--bin", "bench", "--"])
        .args(names)
        .status()
        .await?;
    Ok(if bench.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `cargo dev lint`: form and clippy, as CI wants them.
pub async fn lint() -> Result<ExitCode> {
    let form = cargo().args(["fmt", "--all", "--check"]).status().await?;
    let clippy = cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).status().await?;
    Ok(if form.success() && clippy.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The cargo that runs us, in the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::repository());
    command
}

enum Given {
    Url(String),
    Cluster(local::Cluster),
}

impl Given {
    fn url(&self) -> String {
        match self {
            Given::Url(url) => url.clone(),
            Given::Cluster(cluster) => cluster.url(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up_and_other_lines_are_not() {
        let mut totals = Totals::default();
        totals.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.5s");
        totals.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        totals.add("running 99 tests");
        assert_eq!(totals, Totals { passed: 15, failed: 2, skipped: 1 });
    }
}
