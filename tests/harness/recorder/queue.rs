//! The total queue: acknowledged starts = ended ∪ still active, nothing twice, and one effect an item.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Violation;

/// What a caller knows about a run it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The request.
    pub request_id: String,
    /// The run that was made for it.
    pub run_id: String,
}

/// A run in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub run_id: String,
    /// The request that made it.
    pub request_id: Option<String>,
    /// What it is the same as, while it is active or for ever: its rule and identity. Empty where every click is new.
    pub identity: String,
    /// The tenant it changes; empty when it changes none.
    pub mutates: String,
    /// From its first to its last event, in microseconds of the database's clock; no end while it is active.
    pub lived: (i64, Option<i64>),
    /// How often its start and its end are audited.
    pub audited: (i64, i64),
}

/// Runs that nobody can find, that are there twice, and that did not end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Acknowledged and not there.
    pub lost: Vec<String>,
    /// One request, identity or tenant, and two runs at the same time.
    pub doubled: Vec<String>,
    /// Active when everything should have ended.
    pub stuck: Vec<String>,
}

/// Compares what was acknowledged with what there is, after everything has come to rest.
pub fn balance(acknowledged: &[Acknowledged], rows: &[Row]) -> Balance {
    let mut balance = Balance::default();
    let there: HashMap<&str, &Row> = rows.iter().map(|row| (row.run_id.as_str(), row)).collect();
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Acknowledged { request_id, run_id } in acknowledged {
        told.entry(request_id).or_default().insert(run_id);
        match there.get(run_id.as_str()) {
            None => balance.lost.push(format!("request {request_id} made run {run_id}, which is not there")),
            Some(row) if row.request_id.as_deref() != Some(request_id) => {
                balance.doubled.push(format!("run {run_id} was made for {request_id} and for {:?}", row.request_id));
            }
            Some(_) => {}
        }
    }
    for (request_id, runs) in told.iter().filter(|(_, runs)| runs.len() > 1) {
        balance.doubled.push(format!("request {request_id} made {runs:?}"));
    }
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        if let Some(request_id) = &row.request_id {
            *made.entry(request_id).or_default() += 1;
        }
        if row.lived.1.is_none() {
            balance.stuck.push(row.run_id.clone());
        }
        let ends = i64::from(row.lived.1.is_some());
        if row.audited != (1, ends) {
            let told = format!("the start and end of run {} are audited {:?} times", row.run_id, row.audited);
            if row.audited.0 < 1 || row.audited.1 < ends { &mut balance.lost } else { &mut balance.doubled }.push(told);
        }
    }
    balance.doubled.extend(made.iter().filter(|(_, n)| **n > 1).map(|(id, n)| format!("request {id} made {n} runs")));
    balance.doubled.extend(overlaps("identity", rows, |row| &row.identity));
    balance.doubled.extend(overlaps("mutated tenant", rows, |row| &row.mutates));
    balance
}

/// Runs of the same key whose lives overlap.
fn overlaps(what: &str, rows: &[Row], key: impl Fn(&Row) -> &String) -> Vec<String> {
    let mut same: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !key(row).is_empty()) {
        same.entry(key(row)).or_default().push(row);
    }
    let mut found = Vec::new();
    for (key, mut rows) in same {
        rows.sort_by_key(|row| row.lived.0);
        for pair in rows.windows(2) {
            if pair[0].lived.1.is_none_or(|end| end > pair[1].lived.0) {
                found.push(format!("{what} {key}: runs {} and {} at the same time", pair[0].run_id, pair[1].run_id));
            }
        }
    }
    found
}

/// One object of a target: how many writes the provider committed, by its own log, and how many items were to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// Writes the provider committed.
    pub committed: usize,
    /// Items that recorded an intent for it.
    pub intended: usize,
}

/// At most one effect an item: the provider committed no more than was intended.
pub fn effects<'o>(objects: impl IntoIterator<Item = (&'o str, Effects)>) -> Result<(), Violation> {
    for (object, effects) in objects {
        if effects.committed > effects.intended {
            return Err(Violation::new("an item has one effect", format!("{object}: {effects:?}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(request: &str, run: &str) -> Acknowledged {
        Acknowledged { request_id: request.into(), run_id: run.into() }
    }

    fn row(run: &str, request: &str, lived: (i64, i64)) -> Row {
        Row {
            run_id: run.into(),
            request_id: Some(request.into()),
            identity: "sync".into(),
            mutates: "tenant".into(),
            lived: (lived.0, Some(lived.1)),
            audited: (1, 1),
        }
    }

    fn two() -> Vec<Row> {
        vec![row("a", "1", (0, 10)), row("b", "2", (10, 20))]
    }

    fn counts(acknowledgements: &[Acknowledged], rows: &[Row]) -> (usize, usize, usize) {
        let balance = balance(acknowledgements, rows);
        (balance.lost.len(), balance.doubled.len(), balance.stuck.len())
    }

    #[test]
    fn what_was_acknowledged_is_there_once_and_over() {
        assert_eq!(
            counts(&[acknowledged("1", "a"), acknowledged("1", "a"), acknowledged("2", "b")], &two()),
            (0, 0, 0)
        );
        // One that nobody heard of: allowed, its caller was told nothing.
        assert_eq!(counts(&[acknowledged("1", "a")], &two()), (0, 0, 0));
    }

    #[test]
    fn the_lost_the_doubled_and_the_stuck_are_found() {
        assert_eq!(counts(&[acknowledged("1", "a"), acknowledged("3", "c")], &two()), (1, 0, 0));
        assert_eq!(counts(&[acknowledged("1", "a"), acknowledged("1", "b")], &two()), (0, 2, 0), "told of two");
        let mut rows = two();
        rows[1].request_id = Some("1".into());
        assert_eq!(counts(&[], &rows), (0, 1, 0), "two runs of one request");
        let mut rows = two();
        rows[1].lived = (20, None);
        rows[1].audited = (1, 0);
        assert_eq!(counts(&[], &rows), (0, 0, 1));
        let mut rows = two();
        rows[1].lived.0 = 9;
        assert_eq!(counts(&[], &rows), (0, 2, 0), "the same identity and tenant at the same time");
        let mut rows = two();
        rows[0].audited = (1, 0);
        assert_eq!(counts(&[], &rows), (1, 0, 0), "an end that is not audited");
        rows[0].audited = (2, 1);
        assert_eq!(counts(&[], &rows), (0, 1, 0), "a start that is audited twice");
    }

    #[test]
    fn one_effect_an_item() {
        assert!(effects([("policy", Effects { committed: 1, intended: 1 })]).is_ok());
        assert!(effects([("policy", Effects { committed: 0, intended: 3 })]).is_ok());
        let twice = effects([("policy", Effects { committed: 2, intended: 1 })]);
        assert_eq!(twice.map_err(|violation| violation.rule), Err("an item has one effect"));
    }
}
