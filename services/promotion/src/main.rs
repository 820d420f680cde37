//! The binary `promotion-service`.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    server::exit_code(promotion_service::run(promotion_service::Config::parse()).await)
}
