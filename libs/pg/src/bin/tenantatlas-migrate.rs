//! Brings a database's schema up to date, as its owner: `TENANTATLAS_DATABASE_URL=... tenantatlas-migrate`. Run before the
//! services of a new release; they wait for it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("TENANTATLAS_DATABASE_URL") else {
        eprintln!("error: TENANTATLAS_DATABASE_URL is not set: the database's URL, as its owner");
        return ExitCode::FAILURE;
    };
    match pg::migrate(&url).await {
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
