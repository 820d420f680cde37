//! Who gets which answer, for every method of the API, as a table. A method without a row fails the test, so a new one
//! cannot be forgotten; a row whose method is gone fails it too.

pub(crate) mod table;
mod token;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use system_tests::wire::{self, Answer};
use tonic::Code;
use tonic_types::StatusExt as _;

use table::{ROWS, Row};

use crate::world::{Callers, Place, World};

/// Calls under way at once: the services take requests side by side, and so does the test.
const AT_ONCE: usize = 8;

/// One call of the matrix.
struct Cell<'a> {
    row: &'a Row,
    place: Place,
    caller: &'static str,
    request: String,
    expected: char,
}

#[tokio::test]
async fn every_method_answers_everybody_as_the_table_says() -> Result<()> {
    every_method_has_a_row();
    let world = World::set().await?;
    let cells = cells(&world)?;
    assert!(cells.len() > 1000, "the matrix has shrunk to {} cells", cells.len());
    let answers: Vec<(Cell<'_>, Answer)> = stream::iter(cells)
        .map(|cell| async {
            let answer = world.call(cell.row.method, &cell.request, cell.caller).await;
            answer.with_context(|| format!("{} {}", cell.row.method, cell.request)).map(|answer| (cell, answer))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;

    let mut wrong = String::new();
    for (cell, answer) in &answers {
        let (letter, status) = (letter(answer), answer.status());
        if letter != cell.expected {
            let Cell { row, place, caller, request, expected } = cell;
            writeln!(
                wrong,
                "{} {place:?} by {caller}: {letter} instead of {expected}: {status:?} {request}",
                row.method
            )?;
        }
        // Nothing says no without saying why in a way that a machine can read.
        if status.code() != Code::Ok {
            let domain = status.get_details_error_info().map(|info| info.domain);
            assert_eq!(domain.as_deref(), Some("tenantatlas"), "{}: {status:?}", cell.row.method);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    all_that_is_not_found_looks_the_same(&answers);
    Ok(())
}

fn every_method_has_a_row() {
    let methods: BTreeSet<String> = wire::methods().into_keys().collect();
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.method.to_owned()).collect();
    let without: Vec<_> = methods.difference(&rows).collect();
    assert!(without.is_empty(), "methods without a row in tests/system/access_matrix/table.rs: {without:#?}");
    let gone: Vec<_> = rows.difference(&methods).collect();
    assert!(gone.is_empty(), "rows of methods that do not exist: {gone:#?}");
}

fn cells(world: &World) -> Result<Vec<Cell<'static>>> {
    let mut cells = Vec::new();
    for row in ROWS {
        let mut asked = BTreeSet::new();
        for place in Place::ALL {
            let request = world.request(row.request, place);
            // Where a row has nothing that could be another's, it asks the same again.
            if !asked.insert(request.clone()) {
                continue;
            }
            let expected: Vec<char> = row.expected(place).split_whitespace().flat_map(str::chars).collect();
            assert_eq!(expected.len(), Callers::NAMES.len(), "{} {place:?}", row.method);
            cells.extend(Callers::NAMES.into_iter().zip(expected).map(|(caller, expected)| Cell {
                row,
                place,
                caller,
                request: world.fresh(&request),
                expected,
            }));
        }
    }
    Ok(cells)
}

/// The letter of the table for an answer; `?` for what no row may expect.
fn letter(answer: &Answer) -> char {
    let status = answer.status();
    let reason = system_tests::reason(&status);
    match (status.code(), reason.as_str()) {
        (Code::Ok, _) if answer.http_status == 200 => 'o',
        (Code::Unauthenticated, "TOKEN_MISSING") => '.',
        (Code::NotFound, "NOT_FOUND") => 'N',
        (Code::PermissionDenied, "CAPABILITY_MISSING") => 'C',
        (Code::PermissionDenied, "SERVICE_IDENTITY_REQUIRED") => 'S',
        (Code::PermissionDenied, "USER_IDENTITY_REQUIRED") => 'U',
        (Code::FailedPrecondition, _) => 'f',
        (Code::Aborted, "LEASE_LOST") => 'l',
        (Code::Aborted, "TENANT_CHANGED") => 'v',
        _ => '?',
    }
}

/// Byte for byte, whichever method was asked for whatever by whomever: nothing tells the hidden from the absent.
#[track_caller]
fn all_that_is_not_found_looks_the_same(answers: &[(Cell<'_>, Answer)]) {
    let mut absent = answers.iter().filter(|(_, answer)| answer.status().code() == Code::NotFound);
    let (_, first) = absent.next().expect("something is not found");
    for (cell, answer) in absent {
        assert_eq!(answer.clone().comparable(), first.clone().comparable(), "{} {:?}", cell.row.method, cell.place);
    }
}
