//! The decision about one item of a promotion, given the target as it is now.
//!
//! It is taken right before writing, and again by whoever claims the run after a crash. It never guesses: what cannot be
//! told from the target is read again, and what somebody else changed is left alone.

use super::PlanItem;
use crate::id::{ExternalId, Hash};
use crate::run::ItemEffect;

/// An object found in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The provider's id.
    pub external_id: ExternalId,
    /// What it means now; see [`super::wanted_hash`].
    pub hash: Hash,
}

/// The target as far as one item is concerned, just read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNow {
    /// The object the item is expected to update, whatever its name is now; `None` when it is gone or none is expected.
    pub expected: Option<Found>,
    /// Every object with the item's identity (type, name, discriminators), the expected one included.
    pub matches: Vec<Found>,
    /// Whether an object that was not found may be believed to be absent ([`super::Absence::is_settled`]). Matters only
    /// after an attempt.
    pub absence_settled: bool,
}

/// What an earlier attempt recorded before it wrote. Whether and how far it wrote is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// What it wanted the target to mean.
    pub desired_hash: Hash,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the target is as wanted. Report success with this effect.
    Succeed {
        /// Created or updated when our own recorded intent explains it, else unchanged.
        effect: ItemEffect,
        /// The object.
        external_id: ExternalId,
    },
    /// Record the intent and create the object.
    Create,
    /// Record the intent and update this object. Once verified, report success with this effect.
    Update {
        /// The object.
        external_id: ExternalId,
        /// Created when this completes a create of our own that was applied in part.
        effect: ItemEffect,
    },
    /// Read the target again a little later.
    ReadAgain,
    /// Leave the target alone; the item is skipped.
    Skip(StepReason),
    /// The item fails.
    Fail(StepReason),
}

/// Why an item is not written, or not believed to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StepReason {
    /// The target is not what the preflight saw.
    #[error(
        "The target changed after the preflight. Sync the target tenant, compare again and promote what still differs."
    )]
    TargetDrifted,
    /// Several objects of the target have this identity.
    #[error(
        "Several objects of the target have this name. Rename or remove all but one, sync the target and try again."
    )]
    AmbiguousTarget,
    /// An attempt of the same item wanted something else. Cannot happen while items are immutable.
    #[error("An earlier attempt of this item wanted other content. Start a new promotion.")]
    IntentMismatch,
    /// The write was accepted, and the target means something else than was written.
    #[error(
        "The provider accepted the content but gives back something else. Compare the subject again to see what differs."
    )]
    VerificationFailed,
}

impl StepReason {
    /// Every reason.
    pub const ALL: [StepReason; 4] = [
        StepReason::TargetDrifted,
        StepReason::AmbiguousTarget,
        StepReason::IntentMismatch,
        StepReason::VerificationFailed,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            StepReason::TargetDrifted => "TARGET_DRIFTED",
            StepReason::AmbiguousTarget => "AMBIGUOUS_TARGET",
            StepReason::IntentMismatch => "INTENT_MISMATCH",
            StepReason::VerificationFailed => "VERIFICATION_FAILED",
        }
    }
}

/// Decides about one item. `intent` is what an earlier attempt recorded, if there was one.
pub fn step(item: &PlanItem, intent: Option<&Intent>, now: &TargetNow) -> Decision {
    if intent.is_some_and(|intent| intent.desired_hash != item.desired_hash) {
        return Decision::Fail(StepReason::IntentMismatch);
    }
    let attempted = intent.is_some();
    match &item.expected_target {
        None => create(item.desired_hash, attempted, now),
        Some(expected) => update(item.desired_hash, expected.hash, attempted, now),
    }
}

/// The preflight saw nothing there.
fn create(desired: Hash, attempted: bool, now: &TargetNow) -> Decision {
    match now.matches.as_slice() {
        // The attempt may have arrived and not show yet: a second create would make a second object.
        [] if attempted && !now.absence_settled => Decision::ReadAgain,
        [] => Decision::Create,
        [found] if found.hash == desired => {
            succeed(found, if attempted { ItemEffect::Created } else { ItemEffect::Unchanged })
        }
        // Nobody else had it when we started, so this is our own create, applied in part (types that take several
        // requests) or completed by the provider with values of its own: make it what it should be.
        [found] if attempted => write(found, ItemEffect::Created),
        [_] => Decision::Skip(StepReason::TargetDrifted),
        _ => Decision::Skip(StepReason::AmbiguousTarget),
    }
}

/// The preflight saw an object that meant `seen`.
fn update(desired: Hash, seen: Hash, attempted: bool, now: &TargetNow) -> Decision {
    let Some(found) = &now.expected else { return expected_is_gone(desired, attempted, now) };
    if attempted {
        // Ours, done or not. Writing it again is harmless, also when it was applied in part.
        return match found.hash == desired {
            true => succeed(found, ItemEffect::Updated),
            false => write(found, ItemEffect::Updated),
        };
    }
    if now.matches.iter().any(|other| other.external_id != found.external_id) {
        // Beside it: which of them is meant? Instead of it, because it was renamed: it drifted.
        let several = now.matches.len() > 1;
        return Decision::Skip(if several { StepReason::AmbiguousTarget } else { StepReason::TargetDrifted });
    }
    match found.hash {
        hash if hash == desired => succeed(found, ItemEffect::Unchanged),
        hash if hash == seen => write(found, ItemEffect::Updated),
        _ => Decision::Skip(StepReason::TargetDrifted),
    }
}

fn expected_is_gone(desired: Hash, attempted: bool, now: &TargetNow) -> Decision {
    match now.matches.as_slice() {
        // We know that it was there when we wrote, so a read that does not find it may be a stale one.
        [] if attempted && !now.absence_settled => Decision::ReadAgain,
        [replaced] if replaced.hash == desired => succeed(replaced, ItemEffect::Unchanged),
        [] | [_] => Decision::Skip(StepReason::TargetDrifted),
        _ => Decision::Skip(StepReason::AmbiguousTarget),
    }
}

fn succeed(found: &Found, effect: ItemEffect) -> Decision {
    Decision::Succeed { effect, external_id: found.external_id.clone() }
}

fn write(found: &Found, effect: ItemEffect) -> Decision {
    Decision::Update { external_id: found.external_id.clone(), effect }
}

/// What reading back a written object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The target is as wanted.
    Verified,
    /// The read may be older than the write: read again a little later.
    ReadAgain,
    /// The provider made something else of it.
    Failed(StepReason),
}

/// Decides what a read after an accepted write says. `read_back` is `None` when the object was not found; `settled` says
/// whether reads may be believed to show the write by now.
pub fn verify(read_back: Option<Hash>, desired: Hash, settled: bool) -> Verification {
    match (read_back == Some(desired), settled) {
        (true, _) => Verification::Verified,
        (false, false) => Verification::ReadAgain,
        (false, true) => Verification::Failed(StepReason::VerificationFailed),
    }
}

#[cfg(test)]
mod tests;
