//! Table `operation.run_item`: the steps of a run. An item gets one outcome; the first stays.

use domain::id::{Hash, RunId, WorkspaceId};
use domain::run::{Failure, ItemEffect, ItemOutcome, ItemState};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use super::json_texts;
use crate::error::{Error, Result, UnreadableRow};
use crate::run::{Intent, Item};

/// An item to be made with its run; its ordinal is its place in the list, from 1.
#[derive(Debug, Clone)]
pub struct NewItem {
    pub key: String,
    pub label: String,
    pub policy_type: String,
    pub plan: Value,
}

/// Inserts the items of a new run.
pub async fn insert(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    items: &[NewItem],
) -> Result<()> {
    sqlx::query(
        "INSERT INTO operation.run_item (workspace_id, run_id, ordinal, key, label, policy_type, plan)
         SELECT $1, $2, n.ordinal, n.key, n.label, n.policy_type, n.plan::jsonb
         FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
             AS n(key, label, policy_type, plan, ordinal)",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>())
    .bind(items.iter().map(|item| item.label.as_str()).collect::<Vec<_>>())
    .bind(items.iter().map(|item| item.policy_type.as_str()).collect::<Vec<_>>())
    .bind(json_texts(items.iter().map(|item| &item.plan)))
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct ItemRow {
    ordinal: i32,
    key: String,
    label: String,
    policy_type: String,
    plan: Value,
    state: String,
    effect: String,
    reason_code: Option<String>,
    message: Option<String>,
    detail: Value,
    intent_attempt: Option<i32>,
    intent_fence: Option<i64>,
    intent_hash: Option<Vec<u8>>,
    intent_action: Option<String>,
    intent_at: Option<OffsetDateTime>,
    receipt: Option<Value>,
    attempt: i32,
    updated_at: OffsetDateTime,
}

impl ItemRow {
    fn read(self, run: RunId) -> Result<Item> {
        let unreadable = |source| UnreadableRow::new("operation.run_item", format!("{run}/{}", self.ordinal), source);
        let effect = match self.effect.as_str() {
            "none" => None,
            effect => Some(effect.parse::<ItemEffect>().map_err(unreadable)?),
        };
        let intent =
            match (self.intent_hash, self.intent_action, self.intent_attempt, self.intent_fence, self.intent_at) {
                (Some(desired_hash), Some(action), Some(attempt), Some(fence), Some(recorded_at)) => {
                    Some(Intent { desired_hash, action, attempt, fence, recorded_at })
                }
                // The table's constraints: all of them or none.
                _ => None,
            };
        Ok(Item {
            ordinal: self.ordinal,
            key: self.key,
            label: self.label,
            policy_type: self.policy_type,
            plan: self.plan,
            state: self.state.parse::<ItemState>().map_err(unreadable)?,
            effect,
            reason_code: self.reason_code,
            message: self.message,
            detail: self.detail,
            intent,
            receipt: self.receipt,
            attempt: self.attempt,
            updated_at: self.updated_at,
        })
    }
}

/// Items after `after_ordinal` in the order of work, at most `limit`; `states` empty for all.
pub async fn page(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    states: &[ItemState],
    after_ordinal: i32,
    limit: i64,
) -> Result<Vec<Item>> {
    let rows: Vec<ItemRow> = sqlx::query_as(
        "SELECT ordinal, key, label, policy_type, plan, state, effect, reason_code, message, detail, intent_attempt,
             intent_fence, intent_hash, intent_action, intent_at, receipt, attempt, updated_at
         FROM operation.run_item
         WHERE workspace_id = $1 AND run_id = $2 AND ordinal > $3
             AND (cardinality($4::text[]) = 0 OR state = ANY($4))
         ORDER BY ordinal LIMIT $5",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .bind(after_ordinal)
    .bind(states.iter().map(|state| state.as_str()).collect::<Vec<_>>())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(run)).collect()
}

/// How many items have no outcome yet, and how many of those may have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    pub pending: u64,
    pub in_flight: u64,
}

/// Counts the open items of a run.
pub async fn open(connection: &mut PgConnection, workspace: WorkspaceId, run: RunId) -> Result<Open> {
    let (pending, in_flight): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(intent_fence) FROM operation.run_item
         WHERE workspace_id = $1 AND run_id = $2 AND state = 'pending'",
    )
    .bind(workspace.uuid())
    .bind(run.uuid())
    .fetch_one(connection)
    .await?;
    Ok(Open { pending: pending.unsigned_abs(), in_flight: in_flight.unsigned_abs() })
}

/// Who records: the claim that the run is held under.
#[derive(Debug, Clone, Copy)]
pub struct Recorder {
    pub workspace: WorkspaceId,
    pub run: RunId,
    pub attempt: u32,
    pub fence: i64,
}

/// What an attempt is about to write.
#[derive(Debug, Clone)]
pub struct NewIntent {
    pub ordinal: i32,
    pub desired_hash: Hash,
    pub action: &'static str,
}

/// Records intents of items that are pending; the same intent twice changes nothing.
///
/// # Errors
/// `INVALID_ARGUMENT` for an item the run does not have, [`Error::ItemSettled`] for one that has its outcome. The caller
/// rolls back.
pub async fn record_intents(connection: &mut PgConnection, by: Recorder, intents: &[NewIntent]) -> Result<()> {
    let not_pending: Option<(i32, Option<String>)> = sqlx::query_as(
        // The items are seen as they were before the update, and the run is held: nobody else changes them meanwhile.
        "WITH given AS (
             SELECT * FROM unnest($5::int[], $6::bytea[], $7::text[]) AS g(ordinal, hash, action)),
         recorded AS (
             UPDATE operation.run_item i SET intent_attempt = $3, intent_fence = $4, intent_hash = g.hash,
                 intent_action = g.action, intent_at = clock_timestamp()
             FROM given g
             WHERE i.workspace_id = $1 AND i.run_id = $2 AND i.ordinal = g.ordinal AND i.state = 'pending'
                 AND (i.intent_fence, i.intent_hash, i.intent_action) IS DISTINCT FROM ($4, g.hash, g.action))
         SELECT g.ordinal, i.state FROM given g
         LEFT JOIN operation.run_item i ON i.workspace_id = $1 AND i.run_id = $2 AND i.ordinal = g.ordinal
         WHERE i.state IS DISTINCT FROM 'pending' ORDER BY g.ordinal LIMIT 1",
    )
    .bind(by.workspace.uuid())
    .bind(by.run.uuid())
    .bind(i32::try_from(by.attempt).unwrap_or(i32::MAX))
    .bind(by.fence)
    .bind(intents.iter().map(|intent| intent.ordinal).collect::<Vec<_>>())
    .bind(intents.iter().map(|intent| intent.desired_hash.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(intents.iter().map(|intent| intent.action).collect::<Vec<_>>())
    .fetch_optional(connection)
    .await?;
    match not_pending {
        None => Ok(()),
        Some((ordinal, None)) => Err(unknown_item("intents", ordinal)),
        Some((ordinal, Some(_))) => Err(Error::ItemSettled { ordinal }),
    }
}

/// What became of an item.
#[derive(Debug, Clone)]
pub struct Report {
    pub ordinal: i32,
    /// Not `Pending`.
    pub outcome: ItemOutcome,
    pub message: Option<String>,
    pub detail: Value,
    pub receipt: Option<Value>,
}

/// What a report settled: items that had no outcome before, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct Settled {
    pub succeeded: i32,
    pub failed: i32,
    pub skipped: i32,
    pub created: i32,
    pub updated: i32,
    pub deleted: i32,
    pub unchanged: i32,
}

impl Settled {
    /// Whether nothing was new.
    pub fn is_nothing(&self) -> bool {
        self.succeeded + self.failed + self.skipped == 0
    }
}

/// Gives items their outcomes, those that have none yet. Each item at most once in `reports`.
///
/// # Errors
/// `INVALID_ARGUMENT` for an item the run does not have. The caller rolls back.
pub async fn settle(connection: &mut PgConnection, by: Recorder, reports: &[Report]) -> Result<Settled> {
    let reason = |report: &Report| match &report.outcome {
        ItemOutcome::Failed(Failure { code, .. }) | ItemOutcome::Skipped(Failure { code, .. }) => Some(code.clone()),
        ItemOutcome::Pending | ItemOutcome::Succeeded(_) => None,
    };
    let row: SettledRow = sqlx::query_as(
        "WITH given AS (
             SELECT * FROM unnest($5::int[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
                 AS g(ordinal, state, effect, reason_code, message, detail, receipt)),
         settled AS (
             UPDATE operation.run_item i SET state = g.state, effect = g.effect, reason_code = g.reason_code,
                 message = g.message, detail = g.detail::jsonb, receipt = g.receipt::jsonb, attempt = $3, fence = $4
             FROM given g
             WHERE i.workspace_id = $1 AND i.run_id = $2 AND i.ordinal = g.ordinal AND i.state = 'pending'
             RETURNING i.state, i.effect)
         SELECT count(*) FILTER (WHERE state = 'succeeded')::int AS succeeded,
             count(*) FILTER (WHERE state = 'failed')::int AS failed,
             count(*) FILTER (WHERE state = 'skipped')::int AS skipped,
             count(*) FILTER (WHERE effect = 'created')::int AS created,
             count(*) FILTER (WHERE effect = 'updated')::int AS updated,
             count(*) FILTER (WHERE effect = 'deleted')::int AS deleted,
             count(*) FILTER (WHERE effect = 'unchanged')::int AS unchanged,
             (SELECT min(g.ordinal) FROM given g WHERE NOT EXISTS (SELECT FROM operation.run_item i
                 WHERE i.workspace_id = $1 AND i.run_id = $2 AND i.ordinal = g.ordinal)) AS unknown
         FROM settled",
    )
    .bind(by.workspace.uuid())
    .bind(by.run.uuid())
    .bind(i32::try_from(by.attempt).unwrap_or(i32::MAX))
    .bind(by.fence)
    .bind(reports.iter().map(|report| report.ordinal).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.outcome.state().as_str()).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.outcome.effect().map_or("none", ItemEffect::as_str)).collect::<Vec<_>>())
    .bind(reports.iter().map(reason).collect::<Vec<_>>())
    .bind(reports.iter().map(|report| report.message.clone()).collect::<Vec<_>>())
    .bind(json_texts(reports.iter().map(|report| &report.detail)))
    .bind(reports.iter().map(|report| report.receipt.as_ref().map(Value::to_string)).collect::<Vec<_>>())
    .fetch_one(connection)
    .await?;
    match row.unknown {
        None => Ok(row.settled),
        Some(ordinal) => Err(unknown_item("outcomes", ordinal)),
    }
}

#[derive(FromRow)]
struct SettledRow {
    #[sqlx(flatten)]
    settled: Settled,
    /// An item that was named and is not there.
    unknown: Option<i32>,
}

/// What the items that a run leaves behind are given as their outcome.
#[derive(Debug, Clone)]
pub struct Remainder {
    /// Of items nobody has begun: skipped.
    pub untouched: Failure,
    /// Of items that may have been written and whose effect nobody has seen: failed.
    pub in_flight: Failure,
}

/// Gives every item without an outcome one: a run that has ended has no open items.
pub async fn settle_remainder(connection: &mut PgConnection, by: Recorder, remainder: &Remainder) -> Result<()> {
    sqlx::query(
        "UPDATE operation.run_item SET
             state = CASE WHEN intent_fence IS NULL THEN 'skipped' ELSE 'failed' END,
             reason_code = CASE WHEN intent_fence IS NULL THEN $5 ELSE $7 END,
             message = CASE WHEN intent_fence IS NULL THEN $6 ELSE $8 END,
             attempt = $3, fence = $4
         WHERE workspace_id = $1 AND run_id = $2 AND state = 'pending'",
    )
    .bind(by.workspace.uuid())
    .bind(by.run.uuid())
    .bind(i32::try_from(by.attempt).unwrap_or(i32::MAX))
    .bind(by.fence)
    .bind(&remainder.untouched.code)
    .bind(&remainder.untouched.message)
    .bind(&remainder.in_flight.code)
    .bind(&remainder.in_flight.message)
    .execute(connection)
    .await?;
    Ok(())
}

fn unknown_item(list: &str, ordinal: i32) -> Error {
    server::Failure::invalid_argument(list, format!("the run has no item {ordinal}")).into()
}
