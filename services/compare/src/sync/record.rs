//! Writing what was seen: one transaction per batch, a handful of statements for many objects.

use std::collections::BTreeMap;

use domain::id::PolicyVersionId;
use domain::observe::Observation;
use serde_json::Value;
use server::ambient;
use time::OffsetDateTime;

use super::{Scope, Tally};
use crate::error::Result;
use crate::state::State;
use crate::store;
use crate::store::coverage::NewCoverage;
use crate::store::policy_version::{NewVersion, Purpose};

/// Objects written per transaction. A page may hold a thousand; their documents are large.
const BATCH: usize = 100;

/// One object as seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the provider said, without its secrets.
    pub(super) content: Value,
    /// What it means.
    pub(super) observed: Observation,
}

/// Writes objects of one type, which the provider was asked for at `asked_at`, and counts what was new about them.
pub(super) async fn record(
    state: &State,
    scope: Scope,
    policy_type: &str,
    asked_at: OffsetDateTime,
    seen: Vec<Seen>,
    tally: &mut Tally,
) -> Result<()> {
    // A page may repeat what an earlier one had, and a statement touches a row once: the last word counts.
    let by_id: BTreeMap<String, Seen> =
        seen.into_iter().map(|seen| (seen.observed.external_id.0.clone(), seen)).collect();
    let mut seen: Vec<Seen> = by_id.into_values().collect();
    while !seen.is_empty() {
        let rest = seen.split_off(seen.len().min(BATCH));
        record_batch(state, scope, policy_type, asked_at, seen, tally).await?;
        seen = rest;
    }
    Ok(())
}

async fn record_batch(
    state: &State,
    scope: Scope,
    policy_type: &str,
    asked_at: OffsetDateTime,
    batch: Vec<Seen>,
    tally: &mut Tally,
) -> Result<()> {
    let Scope { workspace_id, tenant_id, run_id } = scope;
    let mut tx = state.db.workspace(workspace_id.uuid()).await?;
    store::policy_version::lock_numbers(&mut tx, tenant_id, policy_type).await?;
    let ids: Vec<&str> = batch.iter().map(|seen| seen.observed.external_id.as_str()).collect();
    let known = store::item_write::known(&mut tx, workspace_id, tenant_id, policy_type, &ids).await?;
    let (mut whole, mut halves, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for seen in &batch {
        let Seen { content, observed } = seen;
        match known.get(observed.external_id.as_str()) {
            // Somebody asked after us and wrote before us.
            Some(known) if known.known_at > asked_at => {}
            // Half an object proves that it is there. It must not take the place of what was once read wholly.
            Some(_) if !observed.facts.complete => halves.push(observed.external_id.as_str()),
            Some(known) if known.content_hash == observed.content_hash => whole.push((observed, known.version_id)),
            known => {
                let id = PolicyVersionId(ambient::fresh_id());
                tally.captured += 1;
                tally.changed += u64::from(known.is_some());
                versions.push(NewVersion {
                    id,
                    external_id: observed.external_id.clone(),
                    content,
                    content_hash: observed.content_hash,
                    normal_hash: observed.normal_hash,
                });
                whole.push((observed, id));
            }
        }
    }
    let purpose = Purpose::Sync;
    store::policy_version::insert(&mut tx, workspace_id, tenant_id, policy_type, run_id, purpose, &versions).await?;
    store::item_write::upsert(&mut tx, workspace_id, tenant_id, policy_type, run_id, asked_at, &whole).await?;
    store::item_write::mark_incomplete(&mut tx, workspace_id, tenant_id, policy_type, run_id, asked_at, &halves)
        .await?;
    tx.commit().await?;
    tally.observed += batch.len() as u64;
    tally.incomplete += batch.iter().filter(|seen| !seen.observed.facts.complete).count() as u64;
    Ok(())
}

/// Ends the reading of a type: what it did not see is missing (unless it could not look), and the coverage says how
/// it went. One transaction, so that nobody sees one without the other.
pub(super) async fn conclude(
    state: &State,
    scope: Scope,
    policy_type: &str,
    coverage: &NewCoverage<'_>,
    absence: Absence,
    tally: &mut Tally,
) -> Result<()> {
    let Scope { workspace_id, tenant_id, run_id } = scope;
    let mut tx = state.db.workspace(workspace_id.uuid()).await?;
    let certain = match absence {
        Absence::Unknown => None,
        Absence::Likely => Some(false),
        Absence::Certain => Some(true),
    };
    if let Some(certain) = certain {
        tally.missing =
            store::item_write::mark_missing(&mut tx, workspace_id, tenant_id, policy_type, coverage.began_at, certain)
                .await?;
    }
    store::coverage::put(&mut tx, workspace_id, tenant_id, policy_type, run_id, coverage).await?;
    Ok(tx.commit().await?)
}

/// What not having seen an object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// Nothing: the reading did not get that far.
    Unknown,
    /// It is probably gone: something was listed that could not be told.
    Likely,
    /// It is gone.
    Certain,
}
