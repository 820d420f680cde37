//! Verifies the audit trails of an installation with nothing but its database:
//! `TENANTATLAS_DATABASE_URL=... tenantatlas-audit-verify`. One line per workspace; ends with failure when one is broken.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to whoever runs it")]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use domain::id::WorkspaceId;
use operation_run_service::config::VerifyArgs;
use operation_run_service::error::Result;
use operation_run_service::store;
use operation_run_service::verify_audit_trail::{Verified, walk};

#[tokio::main]
async fn main() -> ExitCode {
    match verify(&VerifyArgs::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            eprintln!("error: {}", causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")));
            ExitCode::FAILURE
        }
    }
}

async fn verify(args: &VerifyArgs) -> Result<bool> {
    let settings = args.database.settings("tenantatlas-audit-verify").max_connections(2);
    let db = pg::Db::connect(&settings).await?;
    let mut workspaces = args.workspace.clone();
    if workspaces.is_empty() {
        workspaces = store::audit_seal::workspaces(&mut *db.system().await?).await?;
        // One whose whole trail has gone is still asked for.
        workspaces.extend(args.known.iter().map(|known| known.workspace));
        workspaces.sort_unstable();
        workspaces.dedup();
    }
    let mut whole = true;
    for workspace in workspaces {
        let known = args.known.iter().find(|known| known.workspace == workspace).map(|known| known.checkpoint);
        let verified = walk(&db, workspace, None, known, u64::MAX).await?;
        whole &= verified.broken.is_none();
        println!("{}", told(workspace, &verified));
    }
    Ok(whole)
}

fn told(workspace: WorkspaceId, verified: &Verified) -> String {
    let (through, count) = (verified.through, verified.count);
    let checkpoint = format!("{workspace}:{}:{}", through.position, hex::encode(through.hash.as_bytes()));
    match verified.broken {
        None => {
            let waiting = verified.unsealed.unwrap_or_default();
            format!("{checkpoint} whole: {count} entries, {waiting} not sealed yet")
        }
        Some(broken) => {
            let entry = broken.entry.map_or_else(|| "an entry".to_owned(), |entry| format!("entry {entry}"));
            let (place, code, sentence) = (broken.position, broken.how.code(), broken.how.sentence());
            format!("{checkpoint} BROKEN at position {place}, {entry}: {code}: {sentence}")
        }
    }
}
