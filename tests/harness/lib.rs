//! What the system tests share: a scene of real processes on a fresh database, the words to read answers with, and a look
//! behind the services: the provider's stand-in, the rows, the bytes on the wire.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]

pub mod collector;
pub mod json;
pub mod provider;
pub mod recorder;
pub mod rows;
pub mod story;
pub mod watching;
pub mod wire;

use std::io::Write as _;

use anyhow::Result;
use dev::scene::{Scene, Script};
use dev::stack::Plan;
use tonic::Status;
use tonic_types::StatusExt;

/// The demo's two tenants in processes of their own, with terms short enough to wait for.
pub async fn scene() -> Result<Scene> {
    Scene::set(&Script::own(), Plan::test().await?).await
}

/// The machine-readable reason of an error; empty when it has none.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Says that a test was skipped and why. Past the capture of test output: nobody should have to ask for it.
pub fn skipped(test: &str, why: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
