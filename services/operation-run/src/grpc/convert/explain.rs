//! Explanations and attention counts.

use domain::run::{Eta, Explanation, Hindrance, canonical_link};
use pb::operation as proto;
use server::fields::to_timestamp;

use crate::store::run::attention::Attention;

/// An explanation as it is sent.
pub fn to_explanation(known: &Explanation) -> proto::Explanation {
    proto::Explanation {
        code: to_code(known.hindrance).into(),
        message: known.sentence.clone(),
        since_time: known.since.map(to_timestamp),
        until_time: known.until.map(to_timestamp),
        run_id: known.run.map(|run| run.to_string()).unwrap_or_default(),
        link: known.run.map(canonical_link).unwrap_or_default(),
        by_name: known.by.clone().unwrap_or_default(),
    }
}

const fn to_code(hindrance: Hindrance) -> proto::ExplanationCode {
    use proto::ExplanationCode as Wire;
    match hindrance {
        Hindrance::Ended => Wire::Ended,
        Hindrance::DeadlinePassed => Wire::DeadlinePassed,
        Hindrance::PausedEverywhere => Wire::PausedEverywhere,
        Hindrance::PausedInWorkspace => Wire::PausedInWorkspace,
        Hindrance::ProviderBackoff => Wire::ProviderBackoff,
        Hindrance::RetryBackoff => Wire::RetryBackoff,
        Hindrance::NoCapableWorker => Wire::NoCapableWorker,
        Hindrance::AheadInQueue => Wire::AheadInQueue,
        Hindrance::AboutToStart => Wire::AboutToStart,
        Hindrance::LeaseExpired => Wire::LeaseExpired,
        Hindrance::StopRequested => Wire::StopRequested,
        Hindrance::NoProgress => Wire::NoProgress,
        Hindrance::InProgress => Wire::InProgress,
    }
}

/// An estimate as it is sent.
pub fn to_estimate(eta: Eta) -> proto::Estimate {
    proto::Estimate {
        start_time: eta.start.map(to_timestamp),
        complete_time: Some(to_timestamp(eta.complete)),
        sample_runs: i32::try_from(eta.samples).unwrap_or(i32::MAX),
    }
}

/// Attention counts as they are sent.
pub fn to_attention(counts: &Attention) -> proto::AttentionCounts {
    let number = |count: i64| Some(i32::try_from(count).unwrap_or(i32::MAX));
    proto::AttentionCounts {
        active: number(counts.active),
        stale: number(counts.stale),
        failed: number(counts.failed),
        partially_succeeded: number(counts.partially_succeeded),
    }
}
