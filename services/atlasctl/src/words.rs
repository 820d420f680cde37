//! The API's values in the words of the product.

use std::time::Duration;

use pb::backup::BackupSetState;
use pb::compare::{CompareState, PromotionAction, Readiness};
use pb::control::ControlScope;
use pb::operation::{
    ExplanationCode, ItemEffect, ItemState, OperationRun, OperationRunOutcome, OperationRunStatus, RunFreshness,
};
use pb::restore::RestoreFate;
use pb::tenant::{OnboardingCheckpoint, OnboardingState, ProviderConnectionState, TenantLifecycle};
use pb::workspace::Role;
use prost_types::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::screen::Colour;

/// `OPERATION_RUN_OUTCOME_PARTIALLY_SUCCEEDED` without what every value of the enum begins with: `partially succeeded`.
fn without(prefix: &str, name: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).replace('_', " ").to_lowercase()
}

pub(crate) fn status(status: OperationRunStatus) -> String {
    without("OPERATION_RUN_STATUS_", status.as_str_name())
}

pub(crate) fn outcome(outcome: OperationRunOutcome) -> String {
    without("OPERATION_RUN_OUTCOME_", outcome.as_str_name())
}

pub(crate) fn explanation(code: ExplanationCode) -> String {
    without("EXPLANATION_CODE_", code.as_str_name())
}

pub(crate) fn item_state(state: ItemState) -> String {
    without("ITEM_STATE_", state.as_str_name())
}

pub(crate) fn effect(effect: ItemEffect) -> String {
    match effect {
        ItemEffect::Unspecified | ItemEffect::None => String::new(),
        effect => without("ITEM_EFFECT_", effect.as_str_name()),
    }
}

pub(crate) fn compare_state(state: CompareState) -> String {
    without("COMPARE_STATE_", state.as_str_name())
}

pub(crate) fn readiness(readiness: Readiness) -> String {
    without("READINESS_", readiness.as_str_name())
}

pub(crate) fn action(action: PromotionAction) -> String {
    match action {
        PromotionAction::Unspecified => String::new(),
        action => without("PROMOTION_ACTION_", action.as_str_name()),
    }
}

pub(crate) fn restore_fate(fate: RestoreFate) -> String {
    without("RESTORE_FATE_", fate.as_str_name())
}

pub(crate) fn lifecycle(lifecycle: TenantLifecycle) -> String {
    without("TENANT_LIFECYCLE_", lifecycle.as_str_name())
}

pub(crate) fn onboarding_state(state: OnboardingState) -> String {
    without("ONBOARDING_STATE_", state.as_str_name())
}

pub(crate) fn checkpoint(checkpoint: OnboardingCheckpoint) -> String {
    without("ONBOARDING_CHECKPOINT_", checkpoint.as_str_name())
}

pub(crate) fn connection_state(state: ProviderConnectionState) -> String {
    without("PROVIDER_CONNECTION_STATE_", state.as_str_name())
}

pub(crate) fn backup_set_state(state: BackupSetState) -> String {
    without("BACKUP_SET_STATE_", state.as_str_name())
}

pub(crate) fn control_scope(scope: ControlScope) -> String {
    match scope {
        ControlScope::Everywhere => "everywhere".to_owned(),
        ControlScope::Workspace | ControlScope::Unspecified => "in this workspace".to_owned(),
    }
}

pub(crate) fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}

pub(crate) fn role(role: Role) -> String {
    without("ROLE_", role.as_str_name())
}

/// One word for where a run is: its outcome once it has one, and what there is to say before.
pub(crate) fn state(run: &OperationRun) -> String {
    if run.status() == OperationRunStatus::Completed {
        return match run.freshness() {
            RunFreshness::ReconciledFailed => format!("{} (given up)", outcome(run.outcome())),
            _ => outcome(run.outcome()),
        };
    }
    let mut text = status(run.status());
    if run.cancel_request_time.is_some() {
        text += " (stopping)";
    } else if run.freshness() == RunFreshness::LikelyStale {
        text += " (likely stale)";
    }
    text
}

/// What the state means at a glance.
pub(crate) fn state_colour(run: &OperationRun) -> Colour {
    match run.outcome() {
        OperationRunOutcome::Succeeded => Colour::Green,
        OperationRunOutcome::Failed | OperationRunOutcome::Blocked => Colour::Red,
        OperationRunOutcome::PartiallySucceeded | OperationRunOutcome::Cancelled => Colour::Yellow,
        OperationRunOutcome::Pending | OperationRunOutcome::Unspecified => Colour::Bold,
    }
}

/// `31/31`, or `-` while nobody knows how many there are.
pub(crate) fn progress(run: &OperationRun) -> String {
    let counts = run.summary_counts.unwrap_or_default();
    match counts.total {
        Some(total) => format!("{}/{total}", counts.processed()),
        None => String::new(),
    }
}

/// What was done to objects, as far as anything was.
pub(crate) fn effects(run: &OperationRun) -> Vec<String> {
    let counts = run.summary_counts.unwrap_or_default();
    let all = [
        (counts.created(), "created"),
        (counts.updated(), "updated"),
        (counts.deleted(), "deleted"),
        (counts.unchanged(), "unchanged"),
    ];
    all.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect()
}

/// The canonical counts; those of effects only where there are some.
pub(crate) fn counts(run: &OperationRun) -> String {
    let counts = run.summary_counts.unwrap_or_default();
    let effects = effects(run);
    let effects = if effects.is_empty() { String::new() } else { format!(" ({})", effects.join(", ")) };
    format!("{} succeeded{effects}, {} failed, {} skipped", counts.succeeded(), counts.failed(), counts.skipped())
}

/// A moment, to the second.
pub(crate) fn moment(timestamp: &Timestamp) -> String {
    let Some(moment) = instant(timestamp) else { return String::new() };
    moment.replace_nanosecond(0).unwrap_or(moment).format(&Rfc3339).unwrap_or_default()
}

/// A moment as people type it.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "a moment with its offset, such as 2026-11-01T00:00:00Z".to_owned())?;
    let nanos = i32::try_from(moment.nanosecond()).unwrap_or(0);
    Ok(Timestamp { seconds: moment.unix_timestamp(), nanos })
}

/// How long ago, in the largest unit that says enough: `3m`.
pub(crate) fn age(timestamp: Option<&Timestamp>, now: OffsetDateTime) -> String {
    let Some(moment) = timestamp.and_then(instant) else { return String::new() };
    // Two clocks differ: what lies ahead is now.
    short(Duration::try_from(now - moment).unwrap_or_default())
}

/// How long something took: `1m12s`.
pub(crate) fn took(from: Option<&Timestamp>, to: Option<&Timestamp>) -> Option<String> {
    let (from, to) = (from.and_then(instant)?, to.and_then(instant)?);
    let seconds = Duration::try_from(to - from).ok()?.as_secs();
    Some(match seconds {
        0 => "less than a second".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    })
}

fn short(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}

fn instant(timestamp: &Timestamp) -> Option<OffsetDateTime> {
    let nanoseconds = i128::from(timestamp.seconds) * 1_000_000_000 + i128::from(timestamp.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
}

/// `1 ready subject`, `2 ready subjects`.
pub(crate) fn number(count: i32, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use pb::operation::SummaryCounts;

    use super::*;

    #[test]
    fn values_are_told_in_the_words_of_the_product() {
        assert_eq!(outcome(OperationRunOutcome::PartiallySucceeded), "partially succeeded");
        assert_eq!(compare_state(CompareState::MissingInTarget), "missing in target");
        assert_eq!(readiness(Readiness::ManualMappingRequired), "manual mapping required");
        assert_eq!(action(PromotionAction::Unspecified), "");
        assert_eq!(role(Role::Owner), "owner");
        assert_eq!(lifecycle(TenantLifecycle::Active), "active");
    }

    #[test]
    fn a_run_says_where_it_is_in_one_word() {
        let run = |status: OperationRunStatus, outcome: OperationRunOutcome, freshness: RunFreshness| OperationRun {
            status: status.into(),
            outcome: outcome.into(),
            freshness: freshness.into(),
            ..Default::default()
        };
        use {OperationRunOutcome as O, OperationRunStatus as S, RunFreshness as F};
        assert_eq!(state(&run(S::Running, O::Pending, F::FreshActive)), "running");
        assert_eq!(state(&run(S::Running, O::Pending, F::LikelyStale)), "running (likely stale)");
        assert_eq!(state(&run(S::Completed, O::Failed, F::ReconciledFailed)), "failed (given up)");
        assert_eq!(state(&run(S::Completed, O::Cancelled, F::TerminalNormal)), "cancelled");
        let mut stopping = run(S::Running, O::Pending, F::FreshActive);
        stopping.cancel_request_time = Some(Timestamp::default());
        assert_eq!(state(&stopping), "running (stopping)");
    }

    #[test]
    fn counts_show_their_zeroes() {
        let mut run = OperationRun::default();
        assert_eq!((progress(&run).as_str(), counts(&run).as_str()), ("", "0 succeeded, 0 failed, 0 skipped"));
        run.summary_counts = Some(SummaryCounts {
            total: Some(5),
            processed: Some(3),
            succeeded: Some(3),
            created: Some(2),
            updated: Some(1),
            ..Default::default()
        });
        assert_eq!(progress(&run), "3/5");
        assert_eq!(counts(&run), "3 succeeded (2 created, 1 updated), 0 failed, 0 skipped");
    }

    #[test]
    fn times_are_short_and_never_negative() {
        let now = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        for (seconds, text) in [(999_990, "10s"), (999_800, "3m"), (980_000, "5h"), (500_000, "5d"), (1_000_005, "0s")]
        {
            assert_eq!(age(Some(&at(seconds)), now), text);
        }
        assert_eq!(age(None, now), "");
        assert_eq!(took(Some(&at(0)), Some(&at(72))).unwrap(), "1m12s");
        assert_eq!(took(Some(&at(0)), Some(&at(0))).unwrap(), "less than a second");
        assert_eq!(moment(&at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp("1970-01-01T01:00:10+01:00"), Ok(at(10)));
        assert!(timestamp("yesterday").is_err() && timestamp("1970-01-01").is_err());
    }
}
