//! The demo shows what the product can say: every state of a compare, every readiness, and most reasons.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use dev::job;
use pb::compare::{CompareState, Readiness};
use system_tests::story::Story;

/// Fewer, and the demo would be a toy.
const LEAST_POLICIES: i32 = 40;

/// What an operator meets in real tenants.
const REASONS: [&str; 10] = [
    "AMBIGUOUS_SOURCE",
    "AMBIGUOUS_TARGET",
    "CONTENT_INVALID",
    "IMMUTABLE_FIELD_DIFFERS",
    "POLICY_TYPE_NOT_PROMOTABLE",
    "PROVIDER_DEFAULT_OBJECT",
    "SECRET_VALUE_UNAVAILABLE",
    "UNMAPPED_GROUP",
    "UNMAPPED_REFERENCE",
    "UNMAPPED_SCOPE_TAG",
];

#[tokio::test]
async fn the_demo_holds_every_state_every_readiness_and_most_reasons() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let selection = story.selection();
    let preview = job::preview(&story.manager, &selection).await?;
    let counts = preview.counts.context("a compare counts")?;
    assert!(counts.total() >= LEAST_POLICIES, "{counts:?}");
    let states = [
        (CompareState::Identical, counts.identical()),
        (CompareState::Different, counts.different()),
        (CompareState::MissingInTarget, counts.missing_in_target()),
        (CompareState::OnlyInTarget, counts.only_in_target()),
        (CompareState::Ambiguous, counts.ambiguous()),
        (CompareState::NotComparable, counts.not_comparable()),
    ];
    for (state, count) in states {
        let listed = preview.subjects.iter().filter(|subject| subject.state() == state).count();
        assert!(count > 0, "no subject of the demo is {state:?}");
        assert_eq!(i32::try_from(listed)?, count, "{state:?}");
    }
    assert_eq!(states.iter().map(|(_, count)| count).sum::<i32>(), counts.total());

    let preflight = story.preflight(&selection).await?;
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for subject in &preflight.subjects {
        assert_eq!(subject.reasons.is_empty(), subject.readiness() == Readiness::Ready, "{subject:?}");
        for reason in &subject.reasons {
            assert!(reason.message.ends_with('.') || reason.message.ends_with(')'), "no sentence: {reason:?}");
            told.entry(&reason.reason).or_default().insert(&subject.subject_key);
        }
    }
    let missing: BTreeSet<_> = REASONS.into_iter().filter(|reason| !told.contains_key(reason)).collect();
    assert!(missing.is_empty(), "the demo lacks {missing:?}; it has {told:#?}");
    let of_class = |readiness| preflight.subjects.iter().filter(|subject| subject.readiness() == readiness).count();
    for readiness in [Readiness::Ready, Readiness::Blocked, Readiness::ManualMappingRequired] {
        assert!(of_class(readiness) > 2, "{readiness:?}");
    }
    let counted: BTreeMap<_, _> = preflight.reason_counts.iter().map(|line| (&*line.reason, line.count())).collect();
    let listed: BTreeMap<_, i32> =
        told.iter().map(|(reason, names)| (*reason, i32::try_from(names.len()).unwrap_or(0))).collect();
    assert_eq!(counted, listed);
    Ok(())
}
