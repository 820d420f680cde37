//! The whole decision table, and what it guarantees when workers die.

use uuid::Uuid;

use super::Decision::{Create, Fail, ReadAgain, Skip};
use super::StepReason::{AmbiguousTarget, IntentMismatch, TargetDrifted, VerificationFailed};
use super::*;
use crate::id::{PolicyVersionId, SubjectKey};
use crate::plan::ExpectedTarget;
use crate::run::ItemEffect::{Created, Unchanged, Updated};

fn desired() -> Hash {
    Hash::of("desired")
}
fn seen() -> Hash {
    Hash::of("seen by the preflight")
}
fn other() -> Hash {
    Hash::of("something else")
}

fn found(id: &str, hash: Hash) -> Found {
    Found { external_id: ExternalId::new(id), hash }
}

fn item(expected_target: Option<ExpectedTarget>) -> PlanItem {
    PlanItem {
        subject_key: SubjectKey::new("policy: a"),
        label: "A".to_owned(),
        policy_type: "policy".into(),
        source_version: PolicyVersionId(Uuid::nil()),
        expected_target,
        desired_hash: desired(),
        references: vec![],
    }
}

fn creation() -> PlanItem {
    item(None)
}

fn updating() -> PlanItem {
    item(Some(ExpectedTarget { external_id: ExternalId::new("e"), hash: seen() }))
}

fn succeeds(effect: ItemEffect, id: &str) -> Decision {
    Decision::Succeed { effect, external_id: ExternalId::new(id) }
}

fn writes(id: &str, effect: ItemEffect) -> Decision {
    Decision::Update { external_id: ExternalId::new(id), effect }
}

const INTENT: bool = true;
const NO_INTENT: bool = false;

fn decide(item: &PlanItem, attempted: bool, now: &TargetNow) -> Decision {
    step(item, attempted.then_some(&Intent { desired_hash: desired() }), now)
}

#[test]
fn the_table_of_creations() {
    // Every number of matches (0, 1, 2) × what the first means × intent × settled.
    let none: &[Found] = &[];
    let equal = &[found("x", desired())][..];
    let different = &[found("x", other())][..];
    let two = &[found("x", desired()), found("y", other())][..];
    let two_equal = &[found("x", desired()), found("y", desired())][..];
    let table = [
        (none, NO_INTENT, false, Create),
        (none, NO_INTENT, true, Create),
        (none, INTENT, false, ReadAgain),
        (none, INTENT, true, Create),
        (equal, NO_INTENT, false, succeeds(Unchanged, "x")),
        (equal, NO_INTENT, true, succeeds(Unchanged, "x")),
        (equal, INTENT, false, succeeds(Created, "x")),
        (equal, INTENT, true, succeeds(Created, "x")),
        (different, NO_INTENT, false, Skip(TargetDrifted)),
        (different, NO_INTENT, true, Skip(TargetDrifted)),
        (different, INTENT, false, writes("x", Created)),
        (different, INTENT, true, writes("x", Created)),
        (two, NO_INTENT, false, Skip(AmbiguousTarget)),
        (two, NO_INTENT, true, Skip(AmbiguousTarget)),
        (two, INTENT, false, Skip(AmbiguousTarget)),
        (two, INTENT, true, Skip(AmbiguousTarget)),
        (two_equal, NO_INTENT, true, Skip(AmbiguousTarget)),
        (two_equal, INTENT, true, Skip(AmbiguousTarget)),
    ];
    for (matches, attempted, absence_settled, expected) in table {
        let now = TargetNow { expected: None, matches: matches.to_vec(), absence_settled };
        assert_eq!(decide(&creation(), attempted, &now), expected, "{now:?}, attempted: {attempted}");
    }
}

#[test]
fn the_table_of_updates() {
    let at = |hash| Some(found("e", hash));
    let alone = |hash| vec![found("e", hash)];
    let beside = |hash| vec![found("e", hash), found("y", other())];
    // (the expected object, everything of that identity, decision without an intent, decision with one)
    let table = [
        // Still there, alone.
        (at(seen()), alone(seen()), writes("e", Updated), writes("e", Updated)),
        (at(desired()), alone(desired()), succeeds(Unchanged, "e"), succeeds(Updated, "e")),
        (at(other()), alone(other()), Skip(TargetDrifted), writes("e", Updated)),
        // Still there, renamed by somebody: its content differs, since the name is part of it.
        (at(other()), vec![], Skip(TargetDrifted), writes("e", Updated)),
        (at(other()), vec![found("y", other())], Skip(TargetDrifted), writes("e", Updated)),
        // Somebody made a second one.
        (at(seen()), beside(seen()), Skip(AmbiguousTarget), writes("e", Updated)),
        (at(desired()), beside(desired()), Skip(AmbiguousTarget), succeeds(Updated, "e")),
        (at(other()), beside(other()), Skip(AmbiguousTarget), writes("e", Updated)),
        // Gone and replaced.
        (None, vec![found("y", desired())], succeeds(Unchanged, "y"), succeeds(Unchanged, "y")),
        (None, vec![found("y", seen())], Skip(TargetDrifted), Skip(TargetDrifted)),
        (None, vec![found("y", other())], Skip(TargetDrifted), Skip(TargetDrifted)),
        (None, vec![found("y", desired()), found("z", other())], Skip(AmbiguousTarget), Skip(AmbiguousTarget)),
    ];
    for (expected, matches, without, with) in table {
        for absence_settled in [false, true] {
            let now = TargetNow { expected: expected.clone(), matches: matches.clone(), absence_settled };
            assert_eq!(decide(&updating(), NO_INTENT, &now), without, "{now:?}");
            assert_eq!(decide(&updating(), INTENT, &now), with, "{now:?} after an attempt");
        }
    }
    // Gone without a trace: never created anew, and after an attempt believed only once settled.
    let gone = |absence_settled| TargetNow { expected: None, matches: vec![], absence_settled };
    assert_eq!(decide(&updating(), NO_INTENT, &gone(false)), Skip(TargetDrifted));
    assert_eq!(decide(&updating(), NO_INTENT, &gone(true)), Skip(TargetDrifted));
    assert_eq!(decide(&updating(), INTENT, &gone(false)), ReadAgain);
    assert_eq!(decide(&updating(), INTENT, &gone(true)), Skip(TargetDrifted));
}

#[test]
fn an_intent_for_other_content_is_an_error_and_not_a_licence() {
    let now = TargetNow { expected: None, matches: vec![], absence_settled: true };
    let strange = Intent { desired_hash: other() };
    assert_eq!(step(&creation(), Some(&strange), &now), Fail(IntentMismatch));
    assert_eq!(step(&updating(), Some(&strange), &now), Fail(IntentMismatch));
}

#[test]
fn what_is_read_back_by_table() {
    let table = [
        (Some(desired()), false, Verification::Verified),
        (Some(desired()), true, Verification::Verified),
        (Some(other()), false, Verification::ReadAgain),
        (None, false, Verification::ReadAgain),
        (Some(other()), true, Verification::Failed(VerificationFailed)),
        (None, true, Verification::Failed(VerificationFailed)),
    ];
    for (read_back, settled, expected) in table {
        assert_eq!(verify(read_back, desired(), settled), expected, "{read_back:?} {settled}");
    }
}

#[test]
fn reasons_have_codes_and_sentences() {
    for reason in StepReason::ALL {
        assert!(reason.code().chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        assert!(reason.to_string().ends_with('.'), "{reason}");
    }
}

/// A target whose reads may lag, and a worker that dies at any of its instructions: a small model of the world.
struct World {
    objects: Vec<Found>,
    next_id: u32,
    creates: u32,
}

/// How far an attempt gets before its process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiesAt {
    BeforeIntent,
    AfterIntent,
    HalfWritten,
    Written,
    Never,
}

const DEATHS: [DiesAt; 5] =
    [DiesAt::BeforeIntent, DiesAt::AfterIntent, DiesAt::HalfWritten, DiesAt::Written, DiesAt::Never];

impl World {
    fn now(&self, item: &PlanItem, stale: bool) -> TargetNow {
        let expected = item.expected_target.as_ref();
        let visible = |object: &&Found| !stale || expected.is_some_and(|e| e.external_id == object.external_id);
        TargetNow {
            expected: expected.and_then(|e| self.objects.iter().find(|o| o.external_id == e.external_id)).cloned(),
            matches: self.objects.iter().filter(visible).cloned().collect(),
            // A settled absence is a true one: that is what the rule's window is for.
            absence_settled: !stale,
        }
    }

    fn write(&mut self, decision: &Decision, hash: Hash) {
        match decision {
            Create => {
                self.objects.push(found(&format!("new{}", self.next_id), hash));
                self.next_id += 1;
                self.creates += 1;
            }
            Decision::Update { external_id, .. } => {
                for object in self.objects.iter_mut().filter(|object| object.external_id == *external_id) {
                    object.hash = hash;
                }
            }
            other => panic!("{other:?} writes nothing"),
        }
    }

    /// One attempt; its effect when it lived to report one.
    fn attempt(
        &mut self,
        item: &PlanItem,
        intent: &mut Option<Intent>,
        dies_at: DiesAt,
        stale: bool,
    ) -> Option<ItemEffect> {
        let mut decision = step(item, intent.as_ref(), &self.now(item, stale));
        if decision == ReadAgain {
            decision = step(item, intent.as_ref(), &self.now(item, false));
        }
        if let Decision::Succeed { effect, .. } = decision {
            return (dies_at == DiesAt::Never).then_some(effect);
        }
        assert!(!matches!(decision, Skip(_) | Fail(_) | ReadAgain), "nobody else touched the target: {decision:?}");
        if dies_at == DiesAt::BeforeIntent {
            return None;
        }
        *intent = Some(Intent { desired_hash: item.desired_hash });
        match dies_at {
            DiesAt::AfterIntent => return None,
            DiesAt::HalfWritten => self.write(&decision, Hash::of("half of it")),
            _ => self.write(&decision, item.desired_hash),
        }
        match (dies_at, decision) {
            (DiesAt::Never, Create) => Some(Created),
            (DiesAt::Never, Decision::Update { effect, .. }) => Some(effect),
            _ => None,
        }
    }
}

#[test]
fn whenever_workers_die_the_target_ends_with_the_content_exactly_once() {
    for item in [creation(), updating()] {
        let is_creation = item.expected_target.is_none();
        for first in DEATHS {
            for second in DEATHS {
                for third in DEATHS {
                    for stale in [false, true] {
                        let objects = if is_creation { vec![] } else { vec![found("e", seen())] };
                        let mut world = World { objects, next_id: 0, creates: 0 };
                        let mut intent = None;
                        let effect = [first, second, third, DiesAt::Never]
                            .into_iter()
                            .find_map(|dies_at| world.attempt(&item, &mut intent, dies_at, stale));
                        let story = format!("{first:?}, {second:?}, {third:?}, stale: {stale}");
                        assert_eq!(world.objects.len(), 1, "{story}");
                        assert_eq!(world.objects[0].hash, desired(), "{story}");
                        assert_eq!(world.creates, u32::from(is_creation), "{story}");
                        assert_eq!(effect, Some(if is_creation { Created } else { Updated }), "{story}");
                    }
                }
            }
        }
    }
}
