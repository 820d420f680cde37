//! Catching up, by policy; and that no path of a scheduler doubles or loses a time beyond it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const NOON: OffsetDateTime = datetime!(2026-05-01 12:00 UTC);

fn hourly() -> Timing {
    Timing::parse("0 * * * *", "UTC").unwrap()
}

/// Hours of the day that are fired.
fn hours(due: &Due) -> Vec<u8> {
    due.fire.iter().map(|time| time.hour()).collect()
}

#[test]
fn what_was_missed_is_made_up_for_as_declared() {
    let quarter_past = NOON + Duration::minutes(15);
    let just_past = NOON + Duration::minutes(1);
    let since = NOON - Duration::hours(4);
    for (now, catch_up, fired, passed_over) in [
        // 9, 10, 11 and 12 were missed.
        (quarter_past, CatchUp::Skip, vec![], 4),
        (quarter_past, CatchUp::Latest, vec![12], 3),
        (quarter_past, CatchUp::All { most: 2 }, vec![11, 12], 2),
        (quarter_past, CatchUp::All { most: 9 }, vec![9, 10, 11, 12], 0),
        // 12 is on time.
        (just_past, CatchUp::Skip, vec![12], 3),
        (just_past, CatchUp::Latest, vec![12], 3),
        (just_past, CatchUp::All { most: 1 }, vec![11, 12], 2),
        (just_past, CatchUp::All { most: 3 }, vec![9, 10, 11, 12], 0),
    ] {
        let due = due(&hourly(), since, now, catch_up);
        assert_eq!((hours(&due), due.passed_over), (fired, passed_over), "{catch_up:?} at {now}");
        assert_eq!((due.until, due.next), (now, Some(NOON + Duration::HOUR)));
    }
}

#[test]
fn nothing_is_due_twice_and_a_clock_that_goes_back_makes_nothing_due() {
    let first = due(&hourly(), NOON - Duration::minutes(30), NOON, CatchUp::Latest);
    assert_eq!(hours(&first), [12]);
    let again = due(&hourly(), first.until, NOON, CatchUp::Latest);
    assert!(again.fire.is_empty());
    let back = due(&hourly(), first.until, NOON - Duration::hours(3), CatchUp::All { most: 9 });
    assert_eq!((back.fire.len(), back.passed_over, back.until), (0, 0, first.until));
}

#[test]
fn what_is_too_long_ago_is_never_made_up_for() {
    let since = NOON - Duration::days(400);
    let due = due(&hourly(), since, NOON + Duration::minutes(15), CatchUp::All { most: MOST_CATCH_UP });
    assert_eq!(due.fire.len(), usize::from(MOST_CATCH_UP));
    assert_eq!(due.fire.last(), Some(&NOON));
    // A month of hours, and not a year of them.
    assert_eq!(due.passed_over + due.fire.len() as u64, 31 * 24);
}

proptest! {
    #[test]
    fn however_often_one_looks_each_time_comes_at_most_once_and_none_is_lost_beyond_the_policy(
        looks in proptest::collection::vec(-90_i64..600, 1..40), policy in 0_u8..3,
    ) {
        let catch_up = [CatchUp::Skip, CatchUp::Latest, CatchUp::All { most: MOST_CATCH_UP }][usize::from(policy)];
        let timing = Timing::parse("*/15 * * * *", "Europe/Berlin").unwrap();
        let start = datetime!(2026-03-28 20:00 UTC);
        let (mut since, mut now) = (start, start);
        let (mut fired, mut passed_over) = (BTreeSet::new(), 0);
        for minutes in looks {
            // Looks come early, late, and with a clock that was set back.
            now += Duration::minutes(minutes);
            let due = due(&timing, since, now, catch_up);
            prop_assert!(due.fire.windows(2).all(|pair| pair[0] < pair[1]));
            for time in due.fire {
                prop_assert!(time > since && fired.insert(time), "{time} came twice");
                prop_assert!(catch_up != CatchUp::Skip || now - time <= ON_TIME);
            }
            passed_over += due.passed_over;
            since = due.until;
        }
        let all = std::iter::successors(timing.next_after(start), |last| timing.next_after(*last));
        let all = all.take_while(|time| *time <= since).count() as u64;
        prop_assert_eq!(fired.len() as u64 + passed_over, all);
        if policy == 2 {
            // Nothing was longer away than what may be made up for.
            prop_assert_eq!(passed_over, 0);
        }
    }
}
