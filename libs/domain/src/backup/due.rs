//! Which times of a schedule are due now, and which of those that were missed are made up for.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Timing;

/// A time that is due for no longer than this is on time, whatever the policy: a scheduler looks every few seconds and restarts
/// within minutes.
pub const ON_TIME: Duration = Duration::minutes(5);
/// Times further back than this are never made up for.
pub const CATCH_UP_HORIZON: Duration = Duration::days(31);
/// The most missed times that a schedule may ask to be made up for.
pub const MOST_CATCH_UP: u16 = 100;

/// What becomes of times that passed while nobody could start anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatchUp {
    /// Nothing.
    Skip,
    /// One backup makes up for all of them: the latest, unless one is on time.
    Latest,
    /// The newest of them, so many at most (1 to [`MOST_CATCH_UP`]).
    All {
        /// How many.
        most: u16,
    },
}

impl CatchUp {
    /// How many missed times are made up for, given how many are on time.
    fn made_up(self, on_time: usize) -> usize {
        match self {
            CatchUp::Skip => 0,
            CatchUp::Latest => usize::from(on_time == 0),
            CatchUp::All { most } => usize::from(most),
        }
    }
}

/// What is to be done about a schedule now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The times to run for, rising.
    pub fire: Vec<OffsetDateTime>,
    /// How many times are passed over.
    pub passed_over: u64,
    /// Until when the schedule has been looked at: goes into the next question as `since`.
    pub until: OffsetDateTime,
    /// When it is due again; `None` for never.
    pub next: Option<OffsetDateTime>,
}

/// Decides about the times after `since` up to `now`. With a clock that went back (`now` before `since`) nothing is due, and no time
/// comes a second time.
pub fn due(timing: &Timing, since: OffsetDateTime, now: OffsetDateTime, catch_up: CatchUp) -> Due {
    let now = now.max(since);
    let mut missed = VecDeque::new();
    let mut on_time = Vec::new();
    let mut passed_over = 0;
    let mut next = timing.next_after(since.max(now - CATCH_UP_HORIZON));
    while let Some(time) = next.filter(|time| *time <= now) {
        if now - time <= ON_TIME {
            on_time.push(time);
        } else {
            missed.push_back(time);
            if missed.len() > usize::from(MOST_CATCH_UP) {
                missed.pop_front();
                passed_over += 1;
            }
        }
        next = timing.next_after(time);
    }
    let keep = catch_up.made_up(on_time.len()).min(missed.len());
    passed_over += (missed.len() - keep) as u64;
    let mut fire: Vec<OffsetDateTime> = missed.split_off(missed.len() - keep).into();
    fire.append(&mut on_time);
    Due { fire, passed_over, until: now, next }
}

#[cfg(test)]
mod tests;
