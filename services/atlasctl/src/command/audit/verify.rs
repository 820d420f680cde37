//! `atlasctl audit verify`: is the trail as it was?

use clap::Args;
use pb::audit::{AuditCheckpoint, VerifyAuditTrailRequest, VerifyAuditTrailResponse};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::resolve;
use crate::session::call;
use crate::table::one_line;

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The checkpoint that an earlier verification printed: shows also that nothing was cut off since.
    #[arg(long, value_name = "POSITION:HASH", value_parser = checkpoint)]
    known: Option<AuditCheckpoint>,
}

/// As it is printed.
fn checkpoint(text: &str) -> Result<AuditCheckpoint, String> {
    let refused = || "a checkpoint as `audit verify` prints it: POSITION:HASH".to_owned();
    let (position, hash) = text.split_once(':').ok_or_else(refused)?;
    let position = position.parse().map_err(|_| refused())?;
    let plain = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { Ok(AuditCheckpoint { position, hash: hash.to_owned() }) } else { Err(refused()) }
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &VerifyArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let mut verified = 0;
    let mut after = None;
    // A service verifies so many entries a call; from one part to the next the chain goes on.
    let whole = loop {
        let request = VerifyAuditTrailRequest {
            workspace_id: workspace_id.clone(),
            after: after.clone(),
            known: args.known.clone(),
            max_entries: 0,
        };
        let answer = call!(app.session, audit.verify_audit_trail, request)?;
        verified += answer.verified_count();
        let goes_on = !answer.complete() && answer.broken.is_none() && answer.verified_through != after;
        if !goes_on {
            break VerifyAuditTrailResponse { verified_count: Some(verified), ..answer };
        }
        after = answer.verified_through;
    };
    app.show_one(&whole, || told(&whole))?;
    Ok(if whole.broken.is_some() { Exit::Failed } else { Exit::Done })
}

fn told(answer: &VerifyAuditTrailResponse) -> String {
    let through = answer.verified_through.clone().unwrap_or_default();
    let checkpoint = format!("{}:{}", through.position, through.hash);
    match &answer.broken {
        None => format!(
            "Whole: {} entries, {} not sealed yet.\n  Checkpoint  {checkpoint}\n  \
             Keep it elsewhere, and give it back: atlasctl audit verify --known ...\n",
            answer.verified_count(),
            answer.unsealed_count()
        ),
        Some(broken) => {
            let entry = if broken.entry_id.is_empty() { "an entry" } else { &broken.entry_id };
            format!(
                "BROKEN at position {}, {entry}\n  {}: {}\n  Whole up to {checkpoint}\n",
                broken.position,
                broken.code,
                one_line(&broken.message)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use pb::audit::BrokenEntry;

    use super::*;

    #[test]
    fn a_checkpoint_is_taken_back_as_it_was_printed() {
        let hash = "ab".repeat(32);
        let known = checkpoint(&format!("42:{hash}")).unwrap();
        assert_eq!((known.position, known.hash.as_str()), (42, hash.as_str()));
        for bad in ["", "42", "42:abc", ":abc", "x:y"] {
            assert!(checkpoint(bad).is_err(), "{bad:?}");
        }
        let whole = VerifyAuditTrailResponse {
            verified_through: Some(known),
            verified_count: Some(42),
            complete: Some(true),
            unsealed_count: Some(1),
            ..Default::default()
        };
        let text = told(&whole);
        assert!(text.starts_with("Whole: 42 entries, 1 not sealed yet.\n"), "{text}");
        let printed = text.lines().find_map(|line| line.strip_prefix("  Checkpoint  ")).unwrap();
        assert_eq!(checkpoint(printed).unwrap().position, 42);
        let broken = BrokenEntry { position: 7, code: "ENTRY_CHANGED".into(), ..Default::default() };
        let text = told(&VerifyAuditTrailResponse { broken: Some(broken), ..whole });
        assert!(text.starts_with("BROKEN at position 7, an entry\n  ENTRY_CHANGED: "), "{text}");
    }
}
