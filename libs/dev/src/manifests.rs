//! `cargo dev manifests`: what is in k8s/, rendered and judged: by the tests that keep it to our rules, and by checkov.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::{check, paths, tools};

/// Overlays of k8s/.
const OVERLAYS: [&str; 3] = ["dev", "managed", "prod"];

/// Judges every overlay; what was rendered stays in the state folder to be looked at.
pub async fn run() -> Result<ExitCode> {
    let folder = paths::state().join("manifests");
    std::fs::create_dir_all(&folder)?;
    let kubectl = tools::kubectl().await?;
    let mut rendered = Vec::new();
    for overlay in OVERLAYS {
        let file = folder.join(format!("{overlay}.yaml"));
        std::fs::write(&file, render(&kubectl, overlay).await?)?;
        println!("rendered {}", file.display());
        rendered.push(file);
    }
    let rules = check::cargo()
        .args(["test", "--package", "system-tests", "--test", "manifests"])
        .envs(tools::ensure_all().await)
        .status()
        .await?;
    let checkov = tools::checkov().await?;
    let trade = Command::new(checkov)
        .args(["--framework", "kubernetes", "--skip-download", "--compact", "--quiet", "--file"])
        .args(&rendered)
        .status()
        .await?;
    Ok(if rules.success() && trade.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn render(kubectl: &Path, overlay: &str) -> Result<Vec<u8>> {
    let overlay = paths::repository().join("k8s/overlays").join(overlay);
    let done = Command::new(kubectl).arg("kustomize").arg(&overlay).output().await.context("kubectl cannot be run")?;
    ensure!(done.status.success(), "{}: {}", overlay.display(), String::from_utf8_lossy(&done.stderr).trim());
    Ok(done.stdout)
}
