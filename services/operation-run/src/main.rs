use std::process::ExitCode;

use clap::Parser as _;
use operation_run_service::{config::Args, serve};

#[tokio::main]
async fn main() -> ExitCode {
    server::exit_code(serve::serve(&Args::parse()).await)
}
