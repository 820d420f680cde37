//! compare-service, the process.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    server::exit_code(compare_service::serve::run().await)
}
