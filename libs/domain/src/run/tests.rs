//! The tables and laws of runs: names, catalogue, visibility, counts, identity.

mod state;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::access::{ActorFacts, Capability, Denial, Need, Role, authorize};
use crate::id::{TenantId, WorkspaceId};

fn tenant(n: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(n))
}

// --- names ---

#[test]
fn run_types_have_the_names_of_the_contract() {
    let names: Vec<_> = RunType::ALL.iter().map(|run_type| run_type.as_str()).collect();
    assert_eq!(
        names,
        [
            "inventory.sync",
            "directory_groups.sync",
            "directory_role_definitions.sync",
            "backup_schedule.scheduled",
            "backup_schedule.run_now",
            "backup_schedule.retry",
            "restore.execute",
            "provider_connection.verify",
            "promotion.execute",
        ]
    );
    for run_type in RunType::ALL {
        assert_eq!(run_type.as_str().parse(), Ok(*run_type));
    }
    assert!("promotion".parse::<RunType>().is_err());
}

#[test]
fn serde_and_wire_names_agree() {
    for status in RunStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for outcome in RunOutcome::ALL {
        assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
    }
    for state in ItemState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    for effect in ItemEffect::ALL {
        assert_eq!(serde_json::to_value(effect).unwrap(), effect.as_str());
    }
}

#[test]
fn the_link_names_the_run_and_no_tenant() {
    let run = RunId::from(Uuid::from_u128(7));
    assert_eq!(canonical_link(run), "/admin/operations/00000000-0000-0000-0000-000000000007");
}

// --- catalogue and visibility ---

#[test]
fn identity_rules_are_those_of_the_contract() {
    use IdentityRule::{Forever, Unique, WhileActive};
    for run_type in RunType::ALL {
        let expected = match run_type.as_str() {
            "backup_schedule.scheduled" => Forever,
            "backup_schedule.run_now" | "backup_schedule.retry" => Unique,
            _ => WhileActive,
        };
        assert_eq!(run_type.facts().identity, expected, "{run_type}");
        let mutates = matches!(run_type.as_str(), "promotion.execute" | "restore.execute");
        assert_eq!(run_type.facts().mutates_target, mutates, "{run_type}");
    }
}

#[test]
fn starting_takes_the_capabilities_of_the_contract() {
    let on = |n, capability| Need::OnTenant(tenant(n), capability);
    let table = [
        (RunType::InventorySync, Capability::TenantInventorySync),
        (RunType::DirectoryGroupsSync, Capability::DirectoryGroupsSync),
        (RunType::DirectoryRoleDefinitionsSync, Capability::DirectoryRolesSync),
        (RunType::BackupScheduleScheduled, Capability::TenantBackupRun),
        (RunType::BackupScheduleRunNow, Capability::TenantBackupRun),
        (RunType::BackupScheduleRetry, Capability::TenantBackupRun),
        (RunType::RestoreExecute, Capability::TenantRestoreExecute),
        (RunType::ProviderConnectionVerify, Capability::ProviderConnectionManage),
    ];
    for (run_type, capability) in table {
        assert_eq!(run_type.start_needs(&RunTenants::of(tenant(1))), [on(1, capability)], "{run_type}");
    }
    assert_eq!(
        RunType::PromotionExecute.start_needs(&RunTenants::promotion(tenant(1), tenant(2))),
        [
            Need::InWorkspace(Capability::WorkspaceBaselinesView),
            on(1, Capability::TenantView),
            on(2, Capability::TenantView),
            Need::InWorkspace(Capability::WorkspaceBaselinesManage),
            on(2, Capability::TenantManage),
        ]
    );
}

#[test]
fn seeing_takes_what_starting_takes_except_for_connection_checks() {
    for run_type in RunType::ALL {
        let tenants = match run_type {
            RunType::PromotionExecute => RunTenants::promotion(tenant(1), tenant(2)),
            _ => RunTenants::of(tenant(2)),
        };
        assert!(tenants.fits(*run_type));
        let view = view_needs(*run_type, &tenants);
        match run_type {
            RunType::ProviderConnectionVerify => {
                assert_eq!(view.needs, [Need::OnTenant(tenant(2), Capability::TenantView)]);
            }
            _ => assert_eq!(view.needs, run_type.start_needs(&tenants), "{run_type}"),
        }
        assert!(!view.needs.is_empty(), "a run nobody needs anything to see: {run_type}");
    }
}

#[test]
fn a_promotion_is_hidden_without_both_tenants() {
    let view = view_needs(RunType::PromotionExecute, &RunTenants::promotion(tenant(1), tenant(2)));
    let actor = |tenants: &[u128]| ActorFacts {
        subject: "owner".to_owned(),
        workspace_role: Role::Owner,
        tenant_roles: tenants.iter().map(|n| (tenant(*n), Role::Owner)).collect(),
    };
    let see = |tenants: &[u128]| authorize(Some(&actor(tenants)), &view.entitled_to, &view.needs);
    assert_eq!(see(&[1]), Err(Denial::Hidden));
    assert_eq!(see(&[2]), Err(Denial::Hidden));
    assert_eq!(see(&[1, 2]), Ok(()));
}

#[test]
fn tenants_must_fit_the_type() {
    let promotion = RunType::PromotionExecute;
    assert!(!RunTenants::of(tenant(1)).fits(promotion));
    assert!(!RunTenants::promotion(tenant(1), tenant(1)).fits(promotion), "source and target are the same tenant");
    assert!(!RunTenants::promotion(tenant(1), tenant(2)).fits(RunType::InventorySync));
    assert!(!RunTenants::default().fits(RunType::InventorySync));
}

// --- counts ---

fn item() -> impl Strategy<Value = (ItemState, Option<ItemEffect>)> {
    (prop::sample::select(ItemState::ALL), prop::option::of(prop::sample::select(ItemEffect::ALL)))
}

proptest! {
    #[test]
    fn counts_agree_with_items(items in prop::collection::vec(item(), 0..60)) {
        let counts = Counts::of(items.iter().copied());
        prop_assert!(counts.is_consistent());
        prop_assert_eq!(counts.total, items.len() as u64);
        let in_state = |state| items.iter().filter(|item| item.0 == state).count() as u64;
        prop_assert_eq!(counts.succeeded, in_state(ItemState::Succeeded));
        prop_assert_eq!(counts.failed, in_state(ItemState::Failed));
        prop_assert_eq!(counts.skipped, in_state(ItemState::Skipped));
        prop_assert_eq!(counts.total - counts.processed, in_state(ItemState::Pending));
        let created = items.iter().filter(|i| **i == (ItemState::Succeeded, Some(ItemEffect::Created))).count() as u64;
        prop_assert_eq!(counts.created, created);
    }

    #[test]
    fn counts_do_not_depend_on_order(items in prop::collection::vec(item(), 0..40), seed in any::<u64>()) {
        let mut shuffled = items.clone();
        shuffled.sort_by_key(|(state, effect)| {
            (seed.wrapping_mul(31).wrapping_add(*state as u64), effect.map(|e| e as u8))
        });
        prop_assert_eq!(Counts::of(items), Counts::of(shuffled));
    }

    #[test]
    fn a_run_ends_with_a_terminal_outcome_that_agrees_with_its_counts(
        items in prop::collection::vec(item(), 0..40), cancelled: bool, blocked: bool,
    ) {
        let counts = Counts::of(items);
        let outcome = outcome_of(&counts, cancelled, blocked);
        prop_assert!(outcome.is_terminal());
        match outcome {
            RunOutcome::Succeeded => prop_assert_eq!(counts.succeeded, counts.total),
            RunOutcome::PartiallySucceeded => prop_assert!(counts.succeeded > 0),
            RunOutcome::Failed => prop_assert_eq!(counts.succeeded, 0),
            RunOutcome::Blocked => prop_assert!(blocked && counts.succeeded == 0),
            RunOutcome::Cancelled => prop_assert!(cancelled && (counts.processed < counts.total || counts.total == 0)),
            RunOutcome::Pending => prop_assert!(false),
        }
    }
}

#[test]
fn outcomes_by_table() {
    let counts = |total, succeeded, failed, skipped| Counts {
        total,
        processed: succeeded + failed + skipped,
        succeeded,
        failed,
        skipped,
        ..Counts::default()
    };
    let table = [
        (counts(0, 0, 0, 0), false, false, RunOutcome::Succeeded),
        (counts(3, 3, 0, 0), false, false, RunOutcome::Succeeded),
        (counts(3, 2, 1, 0), false, false, RunOutcome::PartiallySucceeded),
        (counts(3, 2, 0, 1), false, false, RunOutcome::PartiallySucceeded),
        (counts(3, 0, 3, 0), false, false, RunOutcome::Failed),
        (counts(3, 0, 0, 3), false, false, RunOutcome::Failed),
        (counts(3, 2, 0, 0), false, false, RunOutcome::PartiallySucceeded),
        (counts(3, 0, 0, 0), false, true, RunOutcome::Blocked),
        (counts(3, 1, 0, 0), false, true, RunOutcome::PartiallySucceeded),
        (counts(3, 1, 0, 0), true, false, RunOutcome::Cancelled),
        (counts(0, 0, 0, 0), true, false, RunOutcome::Cancelled),
        // The stop came when everything was already done.
        (counts(3, 3, 0, 0), true, false, RunOutcome::Succeeded),
        (counts(3, 2, 1, 0), true, false, RunOutcome::PartiallySucceeded),
    ];
    for (counts, cancelled, blocked, expected) in table {
        assert_eq!(outcome_of(&counts, cancelled, blocked), expected, "{counts:?} {cancelled} {blocked}");
    }
}

#[test]
fn progress_is_shown_only_when_it_can_be_trusted() {
    assert_eq!(Counts::default().progress(), None);
    let half = Counts { total: 4, processed: 2, succeeded: 1, skipped: 1, ..Counts::default() };
    assert_eq!(half.progress(), Some(0.5));
    let imported = Counts { total: 4, processed: 9, ..Counts::default() };
    assert_eq!(imported.progress(), None);
    assert_eq!(Counts::KEYS, Counts::default().entries().map(|entry| entry.0));
    let json = serde_json::to_value(Counts::default()).unwrap();
    assert!(Counts::KEYS.iter().all(|key| json.get(key).is_some()) && json.as_object().unwrap().len() == 9);
}

#[test]
fn failures_are_gathered_by_code() {
    let failures = [
        Failure::new("TARGET_DRIFTED", "b"),
        Failure::new("TARGET_DRIFTED", "a"),
        Failure::new("PROVIDER_REFUSED", "z"),
        Failure::new("AMBIGUOUS_TARGET", "y"),
    ];
    let summary = failure_summary(&failures);
    let lines: Vec<_> = summary.iter().map(|l| (l.code.as_str(), l.message.as_str(), l.count)).collect();
    assert_eq!(lines, [("TARGET_DRIFTED", "a", 2), ("AMBIGUOUS_TARGET", "y", 1), ("PROVIDER_REFUSED", "z", 1)]);
    let mut reversed = failures;
    reversed.reverse();
    assert_eq!(failure_summary(&reversed), summary);
}

// --- identity ---

#[test]
fn identity_is_what_was_asked_for_and_nothing_else() {
    let workspace = WorkspaceId::from(Uuid::from_u128(1));
    let other_workspace = WorkspaceId::from(Uuid::from_u128(2));
    let parts = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
    };
    let hash = |workspace, run_type, pairs: &[(&'static str, &str)]| identity_hash(workspace, run_type, parts(pairs));
    let promotion = RunType::PromotionExecute;
    let base = hash(workspace, promotion, &[("source", "a"), ("target", "b")]);
    assert_eq!(base, hash(workspace, promotion, &[("target", "b"), ("source", "a")]), "order does not matter");
    let others = [
        hash(other_workspace, promotion, &[("source", "a"), ("target", "b")]),
        hash(workspace, RunType::RestoreExecute, &[("source", "a"), ("target", "b")]),
        hash(workspace, promotion, &[("source", "b"), ("target", "a")]),
        hash(workspace, promotion, &[("source", "a"), ("target", "b"), ("plan", "")]),
        hash(workspace, promotion, &[("source", "a\",\"target\":\"b")]),
    ];
    assert!(others.iter().all(|other| *other != base));
}

// --- deadlines ---

#[test]
fn every_type_has_time_to_be_done_when_it_was_taken_up_at_the_last_moment() {
    for run_type in RunType::ALL {
        let facts = run_type.facts();
        assert!(facts.run_for >= facts.queue_for + facts.expected_duration * 10, "{run_type}");
        assert!(facts.queue_for > lease::QUEUED_LOOKS_STALE_AFTER, "{run_type}");
    }
}
