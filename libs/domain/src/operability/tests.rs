//! The rules as stories, in the words of the specification; the whole space as a table is in [`table`].

mod table;
mod world;

use super::*;
use crate::access::{Capability, Role};
use crate::tenant::{Connection, Lifecycle};
use world::{Actor, TENANT, actor, facts};

fn ask(lane: Lane, question: Question, lifecycle: Lifecycle, who: Actor) -> Result<(), Reason> {
    let actor = actor(who);
    let tenant = Some(facts(lifecycle, Connection::Verified));
    evaluate(&Asked { lane, question, tenant_id: TENANT, tenant, actor: actor.as_ref() }).map_err(|no| no.reason)
}

const OWNER: Actor = Actor::Entitled { workspace: Role::Owner, tenant: Role::Owner };
const READER: Actor = Actor::Entitled { workspace: Role::Readonly, tenant: Role::Readonly };

#[test]
fn each_lifecycle_across_each_lane_has_a_structured_reason_code() {
    for lane in Lane::ALL {
        for question in Question::ALL {
            for lifecycle in Lifecycle::ALL {
                let actor = actor(OWNER);
                let tenant = Some(facts(lifecycle, Connection::Missing));
                let asked = Asked { lane, question, tenant_id: TENANT, tenant, actor: actor.as_ref() };
                if let Err(denied) = evaluate(&asked) {
                    assert!(Reason::ALL.contains(&denied.reason));
                    assert!(denied.guidance.ends_with('.') && denied.guidance.len() > 15, "{}", denied.guidance);
                    assert_eq!(denied.missing_capability, None, "an owner lacks nothing");
                }
            }
        }
    }
}

#[test]
fn selector_eligibility() {
    let select = |lifecycle| ask(Lane::ActiveSelector, Question::SelectorEligibility, lifecycle, READER);
    assert_eq!(select(Lifecycle::Active), Ok(()));
    for other in [Lifecycle::Draft, Lifecycle::Onboarding, Lifecycle::Archived] {
        assert_eq!(select(other), Err(Reason::NotSelectorEligible), "{other}");
    }
}

#[test]
fn remembered_context_validity() {
    let remember = |lifecycle, who| ask(Lane::RememberedContext, Question::RememberedContextValidity, lifecycle, who);
    assert_eq!(remember(Lifecycle::Active, READER), Ok(()));
    for other in [Lifecycle::Draft, Lifecycle::Onboarding, Lifecycle::Archived] {
        assert_eq!(remember(other, READER), Err(Reason::StaleRememberedContext), "{other}");
    }
    assert_eq!(remember(Lifecycle::Active, Actor::Unentitled(Role::Owner)), Err(Reason::NotEntitled));
    // The tenant is gone, or left the workspace: no facts, and the same answer.
    let actor = actor(OWNER);
    let (lane, question) = (Lane::RememberedContext, Question::RememberedContextValidity);
    let gone = evaluate(&Asked { lane, question, tenant_id: TENANT, tenant: None, actor: actor.as_ref() });
    assert_eq!(gone.unwrap_err().reason, Reason::NotEntitled);
}

#[test]
fn tenant_bound_viewability() {
    for lifecycle in Lifecycle::ALL {
        let view = |who| ask(Lane::TenantBound, Question::TenantBoundViewability, lifecycle, who);
        assert_eq!(view(READER), Ok(()), "{lifecycle}");
        assert_eq!(view(Actor::Unentitled(Role::Owner)), Err(Reason::NotEntitled), "{lifecycle}");
        assert_eq!(view(Actor::NotAMember), Err(Reason::NotEntitled), "{lifecycle}");
    }
}

#[test]
fn canonical_linked_record_viewability() {
    for lifecycle in Lifecycle::ALL {
        assert_eq!(ask(Lane::CanonicalRecord, Question::CanonicalRecordViewability, lifecycle, READER), Ok(()));
    }
}

#[test]
fn administrative_discoverability_does_not_collapse_to_selector_only_semantics() {
    let found: Vec<_> = lifecycles_listed(Lane::Administrative).collect();
    let selectable: Vec<_> = lifecycles_listed(Lane::ActiveSelector).collect();
    assert_eq!((found.as_slice(), selectable.as_slice()), (&Lifecycle::ALL[..], &[Lifecycle::Active][..]));
    assert_eq!(lifecycles_listed(Lane::OnboardingWorkflow).collect::<Vec<_>>(), [Lifecycle::Onboarding]);
}

#[test]
fn archive_and_restore_eligibility() {
    let archive = |lifecycle, who| ask(Lane::TenantBound, Question::Archive, lifecycle, who);
    let restore = |lifecycle, who| ask(Lane::TenantBound, Question::Restore, lifecycle, who);
    assert_eq!(archive(Lifecycle::Active, OWNER), Ok(()));
    assert_eq!(archive(Lifecycle::Archived, OWNER), Err(Reason::AlreadyArchived));
    assert_eq!(archive(Lifecycle::Onboarding, OWNER), Err(Reason::LifecycleMismatch));
    assert_eq!(restore(Lifecycle::Archived, OWNER), Ok(()));
    assert_eq!(restore(Lifecycle::Active, OWNER), Err(Reason::NotArchived));
    // Whoever lacks the capability is told that, and not what state the tenant is in.
    assert_eq!(archive(Lifecycle::Archived, READER), Err(Reason::CapabilityMissing));
}

#[test]
fn resume_onboarding_eligibility() {
    let resume = |lifecycle, who| ask(Lane::OnboardingWorkflow, Question::ResumeOnboarding, lifecycle, who);
    assert_eq!(resume(Lifecycle::Onboarding, OWNER), Ok(()));
    for other in [Lifecycle::Draft, Lifecycle::Active, Lifecycle::Archived] {
        assert_eq!(resume(other, OWNER), Err(Reason::OnboardingNotResumable), "{other}");
    }
    assert_eq!(resume(Lifecycle::Onboarding, READER), Err(Reason::CapabilityMissing));
}

#[test]
fn an_onboarding_that_has_ended_is_not_gone_on_with() {
    use crate::tenant::OnboardingState;
    for state in OnboardingState::ALL {
        let refused = onboarding_allows(state).err().map(|no| no.reason);
        let ended = state != OnboardingState::InProgress;
        assert_eq!(refused, ended.then_some(Reason::OnboardingNotResumable), "{state}");
    }
}

#[test]
fn onboarding_completion_and_verification_have_capability_aware_and_lifecycle_aware_reasons() {
    let state = |question, lifecycle, connection| {
        state_allows(question, facts(lifecycle, connection)).map_err(|denied| denied.reason)
    };
    let complete = |connection| state(Question::CompleteOnboarding, Lifecycle::Onboarding, connection);
    assert_eq!(complete(Connection::Verified), Ok(()));
    assert_eq!(complete(Connection::Unverified), Err(Reason::OnboardingIncomplete));
    assert_eq!(complete(Connection::Missing), Err(Reason::OnboardingIncomplete));
    let verify = |lifecycle, connection| state(Question::VerificationReadiness, lifecycle, connection);
    assert_eq!(verify(Lifecycle::Onboarding, Connection::Unverified), Ok(()));
    assert_eq!(verify(Lifecycle::Onboarding, Connection::Missing), Err(Reason::ProviderConnectionMissing));
    assert_eq!(verify(Lifecycle::Archived, Connection::Verified), Err(Reason::LifecycleMismatch));
    let refused = |question| {
        let actor = actor(READER);
        let tenant = Some(facts(Lifecycle::Onboarding, Connection::Verified));
        let lane = Lane::OnboardingWorkflow;
        let denied = evaluate(&Asked { lane, question, tenant_id: TENANT, tenant, actor: actor.as_ref() }).unwrap_err();
        (denied.reason, denied.missing_capability)
    };
    let missing = |capability| (Reason::CapabilityMissing, Some(capability));
    assert_eq!(refused(Question::CompleteOnboarding), missing(Capability::TenantOnboardingManage));
    assert_eq!(refused(Question::VerificationReadiness), missing(Capability::ProviderConnectionManage));
}

#[test]
fn capability_denied_and_lifecycle_denied_are_told_apart() {
    let into = |lifecycle, who| ask(Lane::TenantBound, Question::PromotionTarget, lifecycle, who);
    assert_eq!(into(Lifecycle::Active, OWNER), Ok(()));
    assert_eq!(into(Lifecycle::Active, READER), Err(Reason::CapabilityMissing));
    assert_eq!(into(Lifecycle::Archived, OWNER), Err(Reason::LifecycleMismatch));
    assert_eq!(ask(Lane::Administrative, Question::PromotionTarget, Lifecycle::Active, OWNER), Err(Reason::WrongLane));
}

#[test]
fn archive_restore_and_resume_onboarding_are_offered_lifecycle_safe_and_capability_aware() {
    let offered = |lifecycle, who| -> Vec<&str> {
        let actor = actor(who).expect("a member");
        let offers = offers(TENANT, facts(lifecycle, Connection::Unverified), &actor);
        assert_eq!(offers.iter().map(|offer| offer.action).collect::<Vec<_>>(), Action::ALL);
        offers.into_iter().filter(|offer| offer.outcome.is_ok()).map(|offer| offer.action.as_str()).collect()
    };
    let active = [
        "select",
        "set_provider_connection",
        "verify_provider_connection",
        "sync_inventory",
        "sync_directory_groups",
        "sync_directory_role_definitions",
        "back_up",
        "promote_from",
        "promote_into",
        "restore_content",
        "archive",
    ];
    assert_eq!(offered(Lifecycle::Active, OWNER), active);
    assert_eq!(offered(Lifecycle::Archived, OWNER), ["restore"]);
    assert_eq!(offered(Lifecycle::Draft, OWNER), ["start_onboarding"]);
    assert_eq!(
        offered(Lifecycle::Onboarding, OWNER),
        ["resume_onboarding", "cancel_onboarding", "set_provider_connection", "verify_provider_connection"]
    );
    assert_eq!(offered(Lifecycle::Active, READER), ["select", "promote_from"]);
    assert_eq!(offered(Lifecycle::Archived, READER), [""; 0]);
}

/// What is asked before a run starts and what starting it takes are the same rule.
#[test]
fn a_reading_needs_what_starting_its_run_needs() {
    use crate::run::{RunTenants, RunType};
    for (question, run_type) in [
        (Question::InventorySync, RunType::InventorySync),
        (Question::DirectoryGroupsSync, RunType::DirectoryGroupsSync),
        (Question::DirectoryRoleDefinitionsSync, RunType::DirectoryRoleDefinitionsSync),
        (Question::Backup, RunType::BackupScheduleScheduled),
        (Question::Backup, RunType::BackupScheduleRunNow),
        (Question::Backup, RunType::BackupScheduleRetry),
        (Question::VerificationReadiness, RunType::ProviderConnectionVerify),
    ] {
        let started = run_type.start_needs(&RunTenants { tenant: Some(TENANT), related: vec![] });
        assert_eq!(question.needs(TENANT), started, "{question}");
    }
}

#[test]
fn a_promotion_needs_what_its_two_questions_need() {
    use crate::run::{RunTenants, RunType};
    let (source, target) = (TenantId(uuid::Uuid::from_u128(8)), TENANT);
    let asked: std::collections::BTreeSet<_> =
        Question::PromotionSource.needs(source).into_iter().chain(Question::PromotionTarget.needs(target)).collect();
    let started = RunType::PromotionExecute.start_needs(&RunTenants { tenant: Some(target), related: vec![source] });
    assert_eq!(asked, started.into_iter().collect());
}

/// What the state allows of the lifecycle's own changes, and the change itself, are the same rule.
#[test]
fn a_lifecycle_changes_exactly_where_the_question_allows_it() {
    use crate::tenant::LifecycleEvent::{Archive, BeginOnboarding, CancelOnboarding, CompleteOnboarding, Restore};
    for lifecycle in Lifecycle::ALL {
        for (question, event) in [
            (Question::StartOnboarding, BeginOnboarding),
            (Question::CompleteOnboarding, CompleteOnboarding),
            (Question::CancelOnboarding, CancelOnboarding),
            (Question::Archive, Archive),
            (Question::Restore, Restore),
        ] {
            let allowed = state_allows(question, facts(lifecycle, Connection::Verified)).is_ok();
            assert_eq!(allowed, lifecycle.after(event).is_some(), "{question} in {lifecycle}");
        }
    }
}

#[test]
fn names_read_back() {
    for lane in Lane::ALL {
        assert_eq!(lane.as_str().parse(), Ok(lane));
    }
    for question in Question::ALL {
        assert_eq!(question.as_str().parse(), Ok(question));
    }
}
