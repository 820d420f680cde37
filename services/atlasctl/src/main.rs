//! The binary `atlasctl`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    atlasctl::main().await
}
