//! How old the evidence is that an answer rests on.

use pb::compare::Evidence;
use time::OffsetDateTime;

use crate::{ambient, words};

/// A line about both sides, and one for each thing that is missing in them.
pub(crate) fn evidence(source: Option<&Evidence>, target: Option<&Evidence>) -> String {
    told(source, target, ambient::now())
}

fn told(source: Option<&Evidence>, target: Option<&Evidence>, now: OffsetDateTime) -> String {
    let age = |evidence: Option<&Evidence>| {
        let age = words::age(evidence.and_then(|evidence| evidence.oldest_observed_time.as_ref()), now);
        if age.is_empty() { "never read completely".to_owned() } else { format!("read {age} ago") }
    };
    let mut text = format!("Evidence: source {}, target {}\n", age(source), age(target));
    for (side, evidence) in [("source", source), ("target", target)] {
        let Some(evidence) = evidence else { continue };
        for (what, types) in [
            ("never read", &evidence.never_observed_policy_types),
            ("read incompletely", &evidence.incomplete_policy_types),
        ] {
            if !types.is_empty() {
                text += &format!("  {side}: {what}: {}\n", types.join(", "));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    #[test]
    fn old_and_missing_evidence_is_named() {
        let now = OffsetDateTime::from_unix_timestamp(1000).unwrap();
        let read = Evidence { oldest_observed_time: Some(Timestamp { seconds: 940, nanos: 0 }), ..Default::default() };
        let gaps = Evidence { never_observed_policy_types: vec!["a".into(), "b".into()], ..Default::default() };
        assert_eq!(
            told(Some(&read), Some(&gaps), now),
            "Evidence: source read 60s ago, target never read completely\n  target: never read: a, b\n"
        );
    }
}
