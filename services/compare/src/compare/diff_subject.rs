//! Says in which fields one subject differs.

use domain::compare::{Comparison, Filter, Selection, SubjectRow};
use domain::diff::{Difference, diff};
use domain::id::SubjectKey;
use serde_json::{Map, Value};
use server::caller::Caller;
use server::failure::Failure;
use sqlx::PgConnection;

use super::gather::{begin, gather};
use super::{Selected, Subject, authorise};
use crate::error::{Error, Result};
use crate::state::State;
use crate::store;

/// The most differences of an answer.
pub const MAX_DIFFERENCES: usize = 2000;

/// One subject and its differences.
#[derive(Debug, Clone)]
pub struct SubjectDiff {
    /// The subject.
    pub subject: Subject,
    /// Its differences by path, at most [`MAX_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// Whether there were more.
    pub truncated: bool,
}

/// The differences of one subject. Of the selection only the tenants and the question of assignments matter: a filter does
/// not change what a subject is.
pub async fn diff_subject(
    state: &State,
    caller: &Caller,
    selected: &Selected,
    subject_key: &SubjectKey,
) -> Result<SubjectDiff> {
    authorise(state, caller, selected).await?;
    let filter = Filter { subject_keys: [subject_key.clone()].into(), ..Filter::default() };
    let selection = Selection { filter, ..selected.selection.clone() };
    let selected = Selected { workspace_id: selected.workspace_id, selection };
    let mut tx = begin(state, caller, &selected).await?;
    let gathered = gather(&mut tx, state, &selected).await?;
    let comparison = gathered.compare(&selected);
    let (source_row, target_row) = one_each(&comparison)?;
    let source = form(&mut tx, &selected, gathered.source.id, source_row).await?;
    let target = form(&mut tx, &selected, gathered.target.id, target_row).await?;
    drop(tx);
    let subject = comparison.subjects.first().ok_or(Error::NotFound)?;
    let contract = state
        .registry
        .get(subject.policy_type.as_str())
        .ok_or_else(|| Failure::internal(format!("a governed subject of unknown type {}", subject.policy_type)))?;
    let mut differences = diff(contract, &source, &target);
    let truncated = differences.len() > MAX_DIFFERENCES;
    differences.truncate(MAX_DIFFERENCES);
    Ok(SubjectDiff { subject: subject.into(), differences, truncated })
}

/// The one object of each side, where there is one.
fn one_each<'r>(comparison: &Comparison<'r>) -> Result<(Option<&'r SubjectRow>, Option<&'r SubjectRow>)> {
    let subject = comparison.subjects.first().ok_or(Error::NotFound)?;
    match (subject.source.as_slice(), subject.target.as_slice()) {
        ([], []) => Err(Error::NotFound),
        ([] | [_], [] | [_]) => Ok((subject.source.first().copied(), subject.target.first().copied())),
        _ => Err(Error::SubjectAmbiguous),
    }
}

/// An object in normal form, with its assignments when they are compared. What a side does not have is an object without
/// fields, so that everything of the other side shows field by field.
async fn form(
    conn: &mut PgConnection,
    selected: &Selected,
    tenant: domain::id::TenantId,
    row: Option<&SubjectRow>,
) -> Result<Value> {
    let Some(row) = row else { return Ok(Value::Object(Map::new())) };
    let forms = store::subject::forms(conn, selected.workspace_id, tenant, &row.policy_type, &row.external_id)
        .await?
        .ok_or(Error::NotFound)?;
    let mut form = forms.normal;
    if let (true, Value::Object(fields)) = (selected.selection.include_assignments, &mut form) {
        fields.insert("assignments".to_owned(), forms.assignments);
    }
    Ok(form)
}
