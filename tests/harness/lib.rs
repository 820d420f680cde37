//! What the system tests share: a scene of real processes on a fresh database, and the words to read answers with.

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
