//! The emulator as a process.

use anyhow::{Context as _, Result};
use clap::Parser as _;
use graph_emulator::Arguments;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let running = arguments.emulator()?.start(arguments.listen).await.context("the emulator could not start")?;
    for (tenant, report) in &running.reports {
        tracing::info!(tenant, files = report.files.len(), objects = report.objects(), "loaded");
        for file in report.failures() {
            tracing::warn!(tenant, path = %file.path.display(), became = ?file.became, "not loaded");
        }
    }
    announce(&running.base_url);
    tokio::select! {
        _ = terminate.recv() => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    running.stop().await;
    Ok(())
}

/// The one line on standard output: whoever started the process with port 0 reads the address from it.
#[allow(clippy::print_stdout)]
fn announce(base_url: &str) {
    println!("{base_url}");
}
