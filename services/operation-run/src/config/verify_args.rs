//! What `tenantatlas-audit-verify` can be told.

use std::str::FromStr;

use clap::Parser;
use domain::audit::Checkpoint;
use domain::id::{Hash, WorkspaceId};

/// Walks the chain of seals over every audit trail and names the first entry that is not as it was.
#[derive(Debug, Parser)]
#[command(name = "tenantatlas-audit-verify", version)]
pub struct VerifyArgs {
    /// The database, as role tenantatlas_operation or anybody who may read schema audit.
    #[command(flatten)]
    pub database: pg::DatabaseArgs,
    /// Only this workspace; may be repeated.
    #[arg(long)]
    pub workspace: Vec<WorkspaceId>,
    /// What an earlier run printed, as WORKSPACE:POSITION:HASH; may be repeated. Shows also that the end was cut off.
    #[arg(long)]
    pub known: Vec<Known>,
}

/// A checkpoint of a workspace.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Where its trail stood.
    pub checkpoint: Checkpoint,
}

impl FromStr for Known {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || "must be WORKSPACE:POSITION:HASH".to_owned();
        let mut parts = text.split(':');
        let (Some(workspace), Some(position), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let bytes = hex::decode(hash).map_err(|_| refused())?;
        Ok(Self {
            workspace: workspace.parse().map_err(|_| refused())?,
            checkpoint: Checkpoint {
                position: position.parse().map_err(|_| refused())?,
                hash: Hash::from_slice(&bytes).ok_or_else(refused)?,
            },
        })
    }
}
