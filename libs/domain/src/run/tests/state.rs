//! The state machine, leases and freshness.

use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::run::deadline::TIMED_OUT;
use crate::run::lease::{ATTEMPTS_EXHAUSTED, FreshnessFacts, QUEUED_LOOKS_STALE_AFTER};
use crate::run::*;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

fn event() -> impl Strategy<Value = RunEvent> {
    prop_oneof![
        Just(RunEvent::Claim),
        Just(RunEvent::Release),
        Just(RunEvent::Requeue),
        Just(RunEvent::GiveUp),
        Just(RunEvent::TimeOut),
        Just(RunEvent::RequestCancel),
        prop::sample::select(RunOutcome::ALL).prop_map(RunEvent::Complete),
    ]
}

proptest! {
    #[test]
    fn terminal_states_absorb(
        outcome in prop::sample::select(&RunOutcome::ALL[1..]), cancel_requested: bool, item_in_flight: bool, event in event(),
    ) {
        let state = RunState { status: RunStatus::Completed, outcome, cancel_requested, item_in_flight };
        prop_assert_eq!(transition(state, event), Err(TransitionRefused::Completed));
    }

    #[test]
    fn status_and_outcome_never_contradict_each_other(events in prop::collection::vec(event(), 0..20)) {
        let mut state = RunState::QUEUED;
        for event in events {
            let cancel_was_requested = state.cancel_requested;
            if let Ok(next) = transition(state, event) {
                state = next;
            }
            prop_assert_eq!(state.status == RunStatus::Completed, state.outcome.is_terminal());
            prop_assert!(!cancel_was_requested || state.cancel_requested, "a stop was forgotten");
        }
    }

    #[test]
    fn a_cancelled_run_always_ends(in_flight: bool, running: bool, rescues in 0u32..20) {
        let status = if running { RunStatus::Running } else { RunStatus::Queued };
        let state = RunState { status, item_in_flight: in_flight, ..RunState::QUEUED };
        let mut state = transition(state, RunEvent::RequestCancel).unwrap();
        // Workers keep dying; in the end the rescuer decides.
        for attempt in 0..rescues + 20 {
            if state.status == RunStatus::Completed { break; }
            if state.status == RunStatus::Queued { state = transition(state, RunEvent::Claim).unwrap(); }
            let facts = LeaseFacts {
                status: state.status, lease_until: Some(NOW - Duration::seconds(1)),
                cancel_requested: state.cancel_requested, item_in_flight: state.item_in_flight,
                attempts_without_progress: attempt, max_attempts_without_progress: 5, timed_out: attempt > 15,
            };
            state = match rescue(NOW, &facts) {
                RescueVerdict::Requeue => transition(state, RunEvent::Requeue).unwrap(),
                RescueVerdict::Cancelled | RescueVerdict::Fail(_) => transition(state, RunEvent::GiveUp).unwrap(),
                RescueVerdict::NotDue => unreachable!("the lease has run out"),
            };
        }
        prop_assert_eq!(state.outcome, RunOutcome::Cancelled);
    }
}

#[test]
fn transitions_by_table() {
    use RunEvent::{Claim, Complete, GiveUp, Release, RequestCancel, Requeue, TimeOut};
    let queued = RunState::QUEUED;
    let running = RunState { status: RunStatus::Running, ..queued };
    let stopping = |state: RunState| RunState { cancel_requested: true, ..state };
    let in_flight = |state: RunState| RunState { item_in_flight: true, ..state };
    let ended = |state: RunState, outcome| RunState { status: RunStatus::Completed, outcome, ..state };
    let cancelled = ended(stopping(queued), RunOutcome::Cancelled);
    let table = [
        (queued, Claim, Ok(running)),
        (running, Claim, Err(TransitionRefused::NotQueued)),
        (running, Release, Ok(queued)),
        (running, Requeue, Ok(queued)),
        (queued, Release, Err(TransitionRefused::NotRunning)),
        (queued, Requeue, Err(TransitionRefused::NotRunning)),
        (queued, GiveUp, Err(TransitionRefused::NotRunning)),
        (queued, Complete(RunOutcome::Succeeded), Err(TransitionRefused::NotRunning)),
        (running, Complete(RunOutcome::Pending), Err(TransitionRefused::OutcomeMissing)),
        (running, Complete(RunOutcome::Blocked), Ok(ended(running, RunOutcome::Blocked))),
        (running, GiveUp, Ok(ended(running, RunOutcome::Failed))),
        // The time of a run that a worker holds ends with its lease.
        (queued, TimeOut, Ok(ended(queued, RunOutcome::Failed))),
        (running, TimeOut, Err(TransitionRefused::NotQueued)),
        (stopping(in_flight(queued)), TimeOut, Ok(ended(stopping(in_flight(queued)), RunOutcome::Cancelled))),
        // Stops.
        (queued, RequestCancel, Ok(cancelled)),
        (running, RequestCancel, Ok(stopping(running))),
        (stopping(running), RequestCancel, Ok(stopping(running))),
        (stopping(running), Release, Ok(cancelled)),
        (stopping(running), Requeue, Ok(cancelled)),
        (stopping(running), GiveUp, Ok(cancelled)),
        (stopping(running), Complete(RunOutcome::Succeeded), Ok(ended(stopping(running), RunOutcome::Succeeded))),
        // A write that may have happened is looked at first.
        (in_flight(queued), RequestCancel, Ok(stopping(in_flight(queued)))),
        (stopping(in_flight(running)), Requeue, Ok(stopping(in_flight(queued)))),
        (stopping(in_flight(queued)), Claim, Ok(stopping(in_flight(running)))),
    ];
    for (state, event, expected) in table {
        assert_eq!(transition(state, event), expected, "{state:?} on {event:?}");
    }
}

#[test]
fn rescue_by_table() {
    let past = Some(NOW - Duration::milliseconds(1));
    let facts = LeaseFacts {
        status: RunStatus::Running,
        lease_until: past,
        cancel_requested: false,
        item_in_flight: false,
        attempts_without_progress: 1,
        max_attempts_without_progress: 3,
        timed_out: false,
    };
    let table = [
        (facts, RescueVerdict::Requeue),
        (LeaseFacts { lease_until: Some(NOW), ..facts }, RescueVerdict::NotDue),
        (LeaseFacts { lease_until: Some(NOW + Duration::seconds(1)), ..facts }, RescueVerdict::NotDue),
        (LeaseFacts { status: RunStatus::Queued, ..facts }, RescueVerdict::NotDue),
        (LeaseFacts { status: RunStatus::Completed, ..facts }, RescueVerdict::NotDue),
        (LeaseFacts { attempts_without_progress: 2, ..facts }, RescueVerdict::Requeue),
        (LeaseFacts { attempts_without_progress: 3, ..facts }, RescueVerdict::Fail(ATTEMPTS_EXHAUSTED)),
        (LeaseFacts { cancel_requested: true, ..facts }, RescueVerdict::Cancelled),
        (LeaseFacts { cancel_requested: true, item_in_flight: true, ..facts }, RescueVerdict::Requeue),
        (
            LeaseFacts { cancel_requested: true, item_in_flight: true, attempts_without_progress: 3, ..facts },
            RescueVerdict::Cancelled,
        ),
        (LeaseFacts { timed_out: true, ..facts }, RescueVerdict::Fail(TIMED_OUT)),
        (LeaseFacts { timed_out: true, attempts_without_progress: 3, ..facts }, RescueVerdict::Fail(TIMED_OUT)),
        (LeaseFacts { timed_out: true, lease_until: Some(NOW), ..facts }, RescueVerdict::NotDue),
        (
            LeaseFacts { timed_out: true, cancel_requested: true, item_in_flight: true, ..facts },
            RescueVerdict::Cancelled,
        ),
    ];
    for (facts, expected) in table {
        assert_eq!(rescue(NOW, &facts), expected, "{facts:?}");
    }
}

#[test]
fn freshness_by_table() {
    let queued = FreshnessFacts {
        status: RunStatus::Queued,
        outcome: RunOutcome::Pending,
        reconciled: false,
        queued_since: NOW,
        lease_until: None,
        held: false,
    };
    let waiting_long = FreshnessFacts { queued_since: NOW - QUEUED_LOOKS_STALE_AFTER - Duration::seconds(1), ..queued };
    let running =
        FreshnessFacts { status: RunStatus::Running, lease_until: Some(NOW + Duration::seconds(5)), ..waiting_long };
    let over = FreshnessFacts { status: RunStatus::Completed, outcome: RunOutcome::Failed, ..waiting_long };
    let table = [
        (queued, Freshness::FreshActive),
        (waiting_long, Freshness::LikelyStale),
        (FreshnessFacts { held: true, ..waiting_long }, Freshness::FreshActive),
        (running, Freshness::FreshActive),
        (FreshnessFacts { lease_until: Some(NOW - Duration::seconds(1)), ..running }, Freshness::LikelyStale),
        (over, Freshness::TerminalNormal),
        (FreshnessFacts { reconciled: true, ..over }, Freshness::ReconciledFailed),
        (FreshnessFacts { reconciled: true, outcome: RunOutcome::Cancelled, ..over }, Freshness::TerminalNormal),
    ];
    for (facts, expected) in table {
        assert_eq!(freshness(NOW, &facts), expected, "{facts:?}");
    }
}
