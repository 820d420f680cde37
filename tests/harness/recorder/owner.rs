//! The single owner: judges the events of the database in the order in which they became final.
//!
//! - Positions rise, and each run's revisions are dense: nothing is lost and nothing comes twice.
//! - A claim raises the fence and the attempt, and only a run that nobody holds is claimed: the intervals of two holders do not
//!   overlap. No event carries an older fence than one before it.
//! - Nothing comes after the end, and what was done does not become less.

use std::collections::HashMap;

use super::Violation;

/// What happened to a run, in the words of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was queued, or imported with its end.
    Created,
    /// Somebody holds it from now on.
    Claimed,
    /// Nobody does.
    Released,
    /// Items got outcomes.
    Progressed,
    /// It was asked to stop.
    CancelRequested,
    /// It ended.
    Completed,
}

impl Kind {
    /// By its name in the table.
    pub fn parse(kind: &str) -> Result<Self, Violation> {
        Ok(match kind {
            "created" => Self::Created,
            "claimed" => Self::Claimed,
            "released" => Self::Released,
            "progressed" => Self::Progressed,
            "cancel_requested" => Self::CancelRequested,
            // History of an older system begins with its end.
            "completed" | "imported" => Self::Completed,
            other => return Err(Violation::new("every kind is known", other)),
        })
    }
}

/// One row of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it is.
    pub position: (i64, i64),
    /// Which run.
    pub run_id: String,
    /// Its revision after it.
    pub revision: i64,
    /// What happened.
    pub kind: Kind,
    /// The run's fence after it.
    pub fence: i64,
    /// Its attempt after it.
    pub attempt: i32,
    /// How many of its items have an outcome after it.
    pub processed: i32,
    /// `queued`, `running` or `completed`.
    pub status: String,
}

#[derive(Debug, Clone)]
struct Known {
    last: Event,
    held: bool,
}

/// Judges event after event.
#[derive(Debug, Default)]
pub struct Owners {
    position: (i64, i64),
    runs: HashMap<String, Known>,
    claims: usize,
    events: usize,
}

impl Owners {
    /// Takes the next event.
    pub fn take(&mut self, event: Event) -> Result<(), Violation> {
        if event.position <= self.position {
            return Err(told("positions rise", &event));
        }
        self.position = event.position;
        self.events += 1;
        let held = match self.runs.get(&event.run_id) {
            None => first(&event)?,
            Some(known) => next(known, &event)?,
        };
        if event.kind == Kind::Claimed {
            self.claims += 1;
        }
        self.runs.insert(event.run_id.clone(), Known { last: event, held });
        Ok(())
    }

    /// Where it has come to: what is read next lies after it.
    pub fn position(&self) -> (i64, i64) {
        self.position
    }

    /// Runs, claims, events seen so far.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.runs.len(), self.claims, self.events)
    }
}

fn told(rule: &'static str, event: &Event) -> Violation {
    Violation::new(rule, format!("{event:?}"))
}

fn first(event: &Event) -> Result<bool, Violation> {
    // A run that never begins is born with its end.
    let born = matches!(event.kind, Kind::Created) || (event.kind == Kind::Completed && event.status == "completed");
    if event.revision != 1 || !born {
        return Err(told("a run begins with its first revision", event));
    }
    Ok(false)
}

fn next(known: &Known, event: &Event) -> Result<bool, Violation> {
    let last = &known.last;
    let both = |rule| Err(Violation::new(rule, format!("{last:?} then {event:?}")));
    if last.status == "completed" {
        return both("nothing comes after the end");
    }
    if event.revision != last.revision + 1 {
        return both("revisions are dense");
    }
    if event.fence < last.fence {
        return both("no event of an old fence comes after one of a newer");
    }
    if event.processed < last.processed {
        return both("progress does not go back");
    }
    match event.kind {
        Kind::Created => both("a run begins once"),
        Kind::Claimed if known.held => both("a run that somebody holds is not claimed"),
        Kind::Claimed if event.fence <= last.fence => both("a claim raises the fence"),
        Kind::Claimed if event.attempt != last.attempt + 1 => both("a claim is one attempt"),
        Kind::Claimed => Ok(true),
        Kind::Released if !known.held => both("only what is held is given back"),
        Kind::Released => Ok(false),
        Kind::Progressed if !known.held => both("only a holder makes progress"),
        Kind::Progressed if event.fence != last.fence => both("progress is made under the fence of the claim"),
        Kind::Completed if event.status != "completed" => both("an end is an end"),
        Kind::Completed => Ok(false),
        Kind::Progressed | Kind::CancelRequested => Ok(known.held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(revision: i64, kind: Kind, fence: i64, attempt: i32) -> Event {
        let status = match kind {
            Kind::Created | Kind::Released => "queued",
            Kind::Completed => "completed",
            _ => "running",
        };
        Event {
            position: (revision, 0),
            run_id: "run".into(),
            revision,
            kind,
            fence,
            attempt,
            processed: 0,
            status: status.into(),
        }
    }

    fn judged(events: Vec<Event>) -> Result<(), &'static str> {
        let mut owners = Owners::default();
        events.into_iter().try_for_each(|event| owners.take(event)).map_err(|violation| violation.rule)
    }

    fn good() -> Vec<Event> {
        vec![
            event(1, Kind::Created, 0, 0),
            event(2, Kind::Claimed, 1, 1),
            event(3, Kind::Progressed, 1, 1),
            event(4, Kind::Released, 1, 1),
            event(5, Kind::Claimed, 2, 2),
            event(6, Kind::CancelRequested, 2, 2),
            event(7, Kind::Completed, 2, 2),
        ]
    }

    #[test]
    fn a_run_that_changes_hands_and_ends_is_good() {
        assert_eq!(judged(good()), Ok(()));
    }

    #[test]
    fn bad_histories_are_refused_by_their_rule() {
        let changed = |at: usize, change: fn(&mut Event)| {
            let mut events = good();
            change(&mut events[at]);
            events
        };
        let mut two_holders = good();
        two_holders.remove(3);
        for (number, event) in two_holders.iter_mut().enumerate() {
            event.revision = i64::try_from(number).unwrap() + 1;
        }
        let mut after_the_end = good();
        after_the_end.push(event(8, Kind::Progressed, 2, 2));
        let mut late = good();
        late.insert(5, Event { position: (5, 1), ..event(6, Kind::Progressed, 1, 1) });
        let mut twice = good();
        twice.insert(3, event(3, Kind::Progressed, 1, 1));
        let mut lost = good();
        lost.remove(2);
        let mut headless = good();
        headless.remove(0);
        let not_held = vec![event(1, Kind::Created, 0, 0), event(2, Kind::Progressed, 0, 0)];
        let given_back_twice = vec![event(1, Kind::Created, 0, 0), event(2, Kind::Released, 0, 0)];
        for (events, rule) in [
            (two_holders, "a run that somebody holds is not claimed"),
            (after_the_end, "nothing comes after the end"),
            (late, "no event of an old fence comes after one of a newer"),
            (twice, "positions rise"),
            (lost, "revisions are dense"),
            (headless, "a run begins with its first revision"),
            (not_held, "only a holder makes progress"),
            (given_back_twice, "only what is held is given back"),
            (changed(4, |event| event.fence = 1), "a claim raises the fence"),
            (changed(4, |event| event.attempt = 1), "a claim is one attempt"),
            (changed(2, |event| event.fence = 2), "progress is made under the fence of the claim"),
            (changed(1, |event| event.processed = 4), "progress does not go back"),
            (changed(6, |event| event.status = "queued".into()), "an end is an end"),
            (changed(1, |event| event.kind = Kind::Created), "a run begins once"),
        ] {
            assert_eq!(judged(events), Err(rule));
        }
    }
}
