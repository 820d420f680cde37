//! Brings a database's schema up to date, as its owner: `TENANTATLAS_DATABASE_URL=... tenantatlas-migrate`. Run before the
//! services of a new release; they wait for it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use pg::Migrate;

#[tokio::main]
async fn main() -> ExitCode {
    match Migrate::parse().database.migrate().await {
        Ok(version) => {
            println!("the schema is at version {version}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            eprintln!("error: {}", causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")));
            ExitCode::FAILURE
        }
    }
}
