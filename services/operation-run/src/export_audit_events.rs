//! ExportAuditEvents: the trail as JSON Lines, read as fast as it is taken.

use std::sync::Arc;

use domain::id::WorkspaceId;
use server::Caller;
use server::Failure;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Runs;
use crate::error::Result;
use crate::list_audit_events::{Filter, read};
use crate::store::audit_entry::AuditEntry;

/// Entries read at once.
const PAGE: i64 = 200;
/// Largest piece, in bytes.
const CHUNK: usize = 64 << 10;

/// An export under way. Every page reads its actor's access again.
#[derive(Debug)]
pub struct Export {
    runs: Runs,
    subject: Arc<str>,
    workspace: WorkspaceId,
    filter: Filter,
    before: Option<(OffsetDateTime, Uuid)>,
    /// Written down and not sent yet.
    ready: Vec<u8>,
    at_the_end: bool,
}

/// Begins an export; whoever may not have it is told at once.
pub async fn export(runs: &Runs, caller: &Caller, workspace: WorkspaceId, filter: Filter) -> Result<Export> {
    let subject = Arc::clone(&caller.require_user()?.subject);
    let (runs, ready) = (runs.clone(), Vec::new());
    let mut export = Export { runs, subject, workspace, filter, before: None, ready, at_the_end: false };
    export.read_on().await?;
    Ok(export)
}

impl Export {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>>> {
        while self.ready.len() < CHUNK && !self.at_the_end {
            if self.runs.drain.is_cancelled() {
                self.stop();
                return Some(Err(Failure::draining().into()));
            }
            if let Err(error) = self.read_on().await {
                self.stop();
                return Some(Err(error));
            }
        }
        let rest = self.ready.split_off(self.ready.len().min(CHUNK));
        let chunk = std::mem::replace(&mut self.ready, rest);
        (!chunk.is_empty()).then_some(Ok(chunk))
    }

    fn stop(&mut self) {
        self.ready.clear();
        self.at_the_end = true;
    }

    async fn read_on(&mut self) -> Result<()> {
        let entries = read(&self.runs, &self.subject, self.workspace, &self.filter, self.before, PAGE).await?;
        self.at_the_end = i64::try_from(entries.len()).is_ok_and(|read| read < PAGE);
        self.before = entries.last().map(|last| (last.at, last.id)).or(self.before);
        for entry in &entries {
            self.ready.extend(line(entry).to_string().into_bytes());
            self.ready.push(b'\n');
        }
        Ok(())
    }
}

/// One line: the fields of AuditEvent, by their names.
fn line(entry: &AuditEntry) -> serde_json::Value {
    let text = |at: OffsetDateTime| at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
    serde_json::json!({
        "entry_id": entry.id,
        "workspace_id": entry.workspace_id,
        "event_time": text(entry.at),
        "action": entry.action,
        "actor_subject": entry.actor_subject.as_deref().unwrap_or_default(),
        "actor_name": entry.actor_name,
        "tenant_id": entry.tenant_id,
        "related_tenant_ids": entry.related_tenant_ids,
        "run_id": entry.run_id,
        "outcome": entry.outcome,
        "detail": entry.detail,
        "seal_position": entry.seal_position,
        "seal_hash": entry.seal_hash.as_ref().map(hex::encode),
        "seal_time": entry.sealed_at.map(text),
    })
}
