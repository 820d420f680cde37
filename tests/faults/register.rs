//! The register: twenty faults that must be survived, what must be true of each whatever happens, and which tests prove it. What is
//! not proved anywhere else is proved by the soak (`tests/faults/soak`), in which all of them happen at the same time.
//!
//! A test that is named `fault_NN_...` belongs to number NN; the long ones run with `cargo dev faults`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One line of the register.
struct Fault {
    number: u8,
    /// What goes wrong.
    what: &'static str,
    /// What is true nevertheless.
    invariant: &'static str,
    /// File and name of the tests.
    proof: &'static [(&'static str, &'static str)],
}

const REGISTER: [Fault; 20] = [
    Fault {
        number: 1,
        what: "a worker is killed at any step",
        invariant: "the run ends once; an item has at most one effect; every claim is one more attempt",
        proof: &[
            ("tests/faults/kill_worker.rs", "a_worker_killed_twenty_times_does_everything_once"),
            (
                "tests/faults/kill_worker.rs",
                "fault_01_a_worker_killed_fifty_times_over_broken_connections_does_everything_once",
            ),
            ("tests/faults/boundaries.rs", "fault_01_a_worker_killed_at_each_boundary_does_the_item_once"),
        ],
    },
    Fault {
        number: 2,
        what: "a worker is stopped past its lease and wakes up",
        invariant: "every late word is refused as LEASE_LOST; the fence rises; no event of an old fence comes after a newer one",
        proof: &[
            ("tests/faults/zombie.rs", "workers_that_wake_up_too_late_change_nothing"),
            ("services/operation-run/tests/api/lease.rs", "a_zombie_is_refused_everything"),
        ],
    },
    Fault {
        number: 3,
        what: "such a worker reaches the target",
        invariant: "one effect",
        proof: &[("tests/faults/zombie.rs", "a_worker_that_sleeps_between_intent_and_write_does_not_write")],
    },
    Fault {
        number: 4,
        what: "a finish races with the rescue",
        invariant: "the end is final, and nothing comes after it",
        proof: &[
            (
                "services/operation-run/tests/api/fault/owner.rs",
                "fault_04_a_finish_that_races_with_the_rescue_has_one_end",
            ),
            ("libs/pg/tests/all/run_state.rs", "a_completed_run_absorbs_everything"),
        ],
    },
    Fault {
        number: 5,
        what: "a hundred ask for the same at once, and a replica dies",
        invariant: "one active run, and all of them are told of it",
        proof: &[
            ("services/operation-run/tests/api/start.rs", "a_hundred_starts_of_the_same_identity_make_one_run"),
            ("tests/faults/crowd.rs", "fault_05_a_crowd_that_loses_a_replica_makes_one_run"),
        ],
    },
    Fault {
        number: 6,
        what: "a start is acknowledged and nobody hears it",
        invariant: "asked again: the same run, one beginning, one audit entry",
        proof: &[
            ("tests/faults/repeat.rs", "requests_that_come_again_start_nothing_again"),
            ("services/operation-run/tests/api/start.rs", "a_hundred_times_the_same_request_get_equal_answers"),
        ],
    },
    Fault {
        number: 7,
        what: "a request id comes again with something else",
        invariant: "ALREADY_EXISTS, and nothing is written",
        proof: &[(
            "services/operation-run/tests/api/fault/request.rs",
            "fault_07_a_request_id_that_is_used_for_something_else_writes_nothing",
        )],
    },
    Fault {
        number: 8,
        what: "many claim in a scope that has room for one",
        invariant: "at every moment one mutation of a tenant is active",
        proof: &[
            (
                "services/operation-run/tests/api/fault/owner.rs",
                "fault_08_at_every_moment_one_mutation_of_a_tenant_is_active",
            ),
            ("libs/pg/tests/all/race.rs", "one_active_mutation_per_target_tenant"),
        ],
    },
    Fault {
        number: 9,
        what: "clocks are set",
        invariant: "no clock but the database's counts for leases; setting that one delays, and never gives two owners",
        proof: &[
            (
                "services/operation-run/tests/api/fault/owner.rs",
                "fault_09_a_clock_that_is_set_delays_a_rescue_and_never_gives_two_owners",
            ),
            ("tests/faults/register.rs", "fault_09_a_worker_reads_no_clock_that_can_be_set"),
        ],
    },
    Fault {
        number: 10,
        what: "the connection to the database is lost at any statement",
        invariant: "state, event and audit entry all or none; UNAVAILABLE, and asking again is safe",
        proof: &[
            (
                "services/operation-run/tests/api/fault/atomic.rs",
                "fault_10_a_start_or_a_cancel_that_loses_the_database_at_any_statement_happens_once",
            ),
            (
                "services/operation-run/tests/api/fault/atomic.rs",
                "fault_10_a_worker_that_loses_the_database_at_any_statement_has_said_all_or_nothing",
            ),
            ("services/operation-run/tests/api/fault/atomic.rs", "fault_10_a_run_is_given_back_wholly_or_not_at_all"),
            ("services/operation-run/tests/api/outage.rs", "connections_cut_at_any_moment_lose_and_repeat_nothing"),
        ],
    },
    Fault {
        number: 11,
        what: "the database server is killed under load",
        invariant: "what was acknowledged is there; everybody recovers within 10 s; no progress goes back",
        proof: &[
            ("tests/faults/database.rs", "fault_11_numbers_that_a_killed_server_gives_away_again_hide_no_event"),
            ("tests/faults/database.rs", "fault_11_a_database_killed_under_load_loses_nothing_and_everybody_recovers"),
            ("tests/faults/kill_others.rs", "the_run_outlives_what_it_leans_on"),
        ],
    },
    Fault {
        number: 12,
        what: "an older copy of the database comes back",
        invariant: "every watch is told that the history is another; beginning anew shows what is there",
        proof: &[
            ("tests/faults/database.rs", "fault_12_an_older_copy_of_the_database_begins_a_new_history"),
            ("services/operation-run/tests/api/watch/resume.rs", "a_token_of_another_history_is_told_apart"),
        ],
    },
    Fault {
        number: 13,
        what: "a transaction writes for long",
        invariant: "watches stand still and then tell all in order; work goes on; somebody is told",
        proof: &[
            (
                "services/operation-run/tests/api/fault/watch.rs",
                "fault_13_a_writer_that_takes_long_holds_up_the_watch_and_nobody_else",
            ),
            ("tests/faults/database.rs", "fault_13_a_writer_that_takes_long_is_told_of_and_work_goes_on"),
            ("tests/faults/database.rs", "fault_13_a_minute_of_writing_holds_up_the_watch_and_loses_nothing"),
        ],
    },
    Fault {
        number: 14,
        what: "commits overtake one another",
        invariant: "every subscriber is told of everything once, in one order",
        proof: &[
            ("libs/pg/tests/all/event_order.rs", "the_tail_misses_and_repeats_nothing_under_concurrent_writers"),
            (
                "services/operation-run/tests/api/watch/order.rs",
                "two_watchers_cut_and_resumed_see_every_event_once_and_in_order",
            ),
        ],
    },
    Fault {
        number: 15,
        what: "a subscriber is slow, among many",
        invariant: "nobody else waits for it; it misses nothing that it was promised",
        proof: &[
            (
                "services/operation-run/tests/api/watch/latest.rs",
                "a_reader_that_stands_still_delays_nobody_and_misses_nothing",
            ),
            ("tests/faults/many_watchers.rs", "fault_15_slow_readers_among_three_hundred_delay_nobody"),
            ("tests/faults/many_watchers.rs", "fault_15_slow_readers_among_ten_thousand_delay_nobody"),
        ],
    },
    Fault {
        number: 16,
        what: "a stream is taken up at any edge, at another replica, in a rollout",
        invariant: "no gap and no repetition; too old is said to be so; too new waits",
        proof: &[
            ("services/operation-run/tests/api/watch/resume.rs", "every_edge_has_its_answer"),
            ("services/operation-run/tests/api/watch/resume.rs", "old_events_are_removed_and_told_of"),
            ("services/operation-run/tests/api/watch/access.rs", "a_drain_leaves_a_good_token_behind"),
            ("tests/faults/rollout.rs", "fault_16_watches_live_through_a_rollout_at_any_replica"),
        ],
    },
    Fault {
        number: 17,
        what: "bookmarks race with events",
        invariant: "no event comes after a bookmark that lies beyond it",
        proof: &[(
            "services/operation-run/tests/api/fault/watch.rs",
            "fault_17_no_event_comes_after_a_bookmark_that_lies_beyond_it",
        )],
    },
    Fault {
        number: 18,
        what: "a run is cancelled in any state, at its end, and when its worker is dead",
        invariant: "one end; the wish outlives the worker; nothing more is begun",
        proof: &[
            ("tests/faults/cancel.rs", "a_run_that_is_asked_to_stop_ends_and_begins_nothing_more"),
            ("tests/faults/cancel.rs", "a_wish_that_races_with_the_end_has_one_answer"),
            ("services/operation-run/tests/api/rescue.rs", "the_wish_to_stop_outlives_the_worker"),
            ("services/operation-run/tests/api/cancel.rs", "a_race_with_the_end_has_one_winner"),
        ],
    },
    Fault {
        number: 19,
        what: "the time of a call, of the queue, of a run is over; a reader goes away",
        invariant: "nothing begins too late; TIMED_OUT once; a stream is freed within a second; no transaction stays open",
        proof: &[
            ("services/operation-run/tests/api/deadline.rs", "the_claim_itself_refuses_what_is_too_late"),
            ("services/operation-run/tests/api/deadline.rs", "a_worker_that_does_not_stop_loses_the_run"),
            ("services/operation-run/tests/api/deadline.rs", "of_claim_cancel_and_time_out_one_comes_first"),
            (
                "services/operation-run/tests/api/fault/request.rs",
                "fault_19_a_call_that_nobody_waits_for_leaves_no_transaction_open",
            ),
            (
                "services/operation-run/tests/api/fault/watch.rs",
                "fault_19_a_stream_that_nobody_reads_any_more_is_freed_within_a_second",
            ),
        ],
    },
    Fault {
        number: 20,
        what: "schedulers die, disagree about the time, and nobody looks for half a day",
        invariant: "a time of a schedule is at most one run; missed ones are made up for as declared",
        proof: &[
            ("services/compare/tests/api/backup_schedule.rs", "fault_20_three_schedulers_start_each_time_once"),
            (
                "services/compare/tests/api/backup_schedule.rs",
                "fault_20_three_schedulers_start_a_thousand_times_once_each",
            ),
            ("services/compare/tests/api/backup_schedule.rs", "a_slot_outlives_whoever_wrote_it_down"),
        ],
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}

/// Every test of a file, by name: a function whose attributes say that it is one.
fn tests_in(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let name =
            line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        match name {
            Some(name) if is_test => drop(found.insert(name)),
            _ if line.starts_with("#[test]") || line.starts_with("#[tokio::test") => is_test = true,
            _ if line.starts_with("#[") => continue,
            _ => is_test = false,
        }
        if name.is_some() {
            is_test = false;
        }
    }
    found
}

/// Every Rust file below these folders.
fn sources() -> Vec<(String, String)> {
    let mut open: Vec<PathBuf> = ["services", "libs", "tests"].map(|folder| root().join(folder)).into();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
            let path = entry.expect("an entry of a folder can be read").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("it lies below").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a source is UTF-8")));
            }
        }
    }
    found
}

#[test]
fn every_fault_is_proved_by_tests_that_exist() {
    let numbers: Vec<u8> = REGISTER.iter().map(|fault| fault.number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    for fault in &REGISTER {
        assert!(!fault.what.is_empty() && !fault.invariant.is_empty() && !fault.proof.is_empty(), "{}", fault.number);
        for (file, test) in fault.proof {
            let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(tests_in(&text).contains(test), "fault {}: there is no test {test} in {file}", fault.number);
        }
    }
}

#[test]
fn every_test_of_a_fault_is_in_the_register() {
    let mut seen = 0;
    for (file, text) in sources() {
        for test in tests_in(&text) {
            let Some(number) = test.strip_prefix("fault_").and_then(|rest| rest.get(..2)?.parse::<u8>().ok()) else {
                continue;
            };
            seen += 1;
            let fault = REGISTER.iter().find(|fault| fault.number == number);
            let fault = fault.unwrap_or_else(|| panic!("{test} in {file} is of no fault"));
            assert!(fault.proof.contains(&(file.as_str(), test)), "{test} in {file} is not in the register");
        }
    }
    assert!(seen >= 20, "{seen}: is the rule looking in the right place?");
}

#[test]
fn a_function_is_a_test_when_it_says_so() {
    let text = "#[tokio::test(flavor = \"multi_thread\")]\n#[ignore = \"long\"]\nasync fn one() {}\n\nasync fn two() {}\n\
        #[test]\n// why\nfn three() {}\n#[test]\nfn four() {}";
    assert_eq!(
        tests_in(text),
        BTreeSet::from(["four", "one"]),
        "nothing may stand between the attribute and the function"
    );
}

/// What a worker is told of its lease is a length of time, and it measures it with a clock that nobody sets.
#[test]
fn fault_09_a_worker_reads_no_clock_that_can_be_set() {
    let settable = ["SystemTime", "OffsetDateTime", "UtcDateTime", "ambient::now", "now_utc"];
    let worker: Vec<_> = sources().into_iter().filter(|(file, _)| file.starts_with("libs/worker/src/")).collect();
    assert!(worker.len() > 5, "is the rule looking in the right place?");
    for (file, text) in worker {
        for clock in settable {
            assert!(!text.contains(clock), "{file} reads {clock}");
        }
    }
}
