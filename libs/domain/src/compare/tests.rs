use proptest::prelude::*;

use super::*;

fn row(key: &str, id: &str, content: &str, evidence: Evidence) -> SubjectRow {
    SubjectRow {
        subject_key: SubjectKey(format!("t: {key}")),
        policy_type: PolicyType::from("t"),
        display_name: key.to_uppercase(),
        platform: Some(if key.len().is_multiple_of(2) { "windows10" } else { "iOS" }.to_owned()),
        external_id: ExternalId::from(id),
        normal_hash: Hash::of(content),
        assignments_hash: Hash::of(format!("assigned {content}")),
        evidence,
    }
}

fn whole(key: &str, id: &str, content: &str) -> SubjectRow {
    row(key, id, content, Evidence::Whole)
}

fn selection() -> Selection {
    Selection {
        source: TenantId(uuid::Uuid::from_u128(1)),
        target: TenantId(uuid::Uuid::from_u128(2)),
        filter: Filter::default(),
        include_assignments: false,
    }
}

#[test]
fn every_state_by_its_cause() {
    use Evidence::{Incomplete, SecretsHidden, Whole};
    let source = [
        whole("same", "1", "x"),
        whole("other", "2", "x"),
        whole("new", "3", "x"),
        whole("twin", "4", "x"),
        whole("twin", "5", "x"),
        row("hidden", "6", "x", SecretsHidden),
        row("hidden but other", "7", "x", SecretsHidden),
        row("cut", "8", "x", Whole),
    ];
    let target = [
        whole("same", "a", "x"),
        whole("other", "b", "y"),
        whole("old", "c", "x"),
        whole("twin", "d", "x"),
        row("hidden", "e", "x", Whole),
        row("hidden but other", "f", "y", Whole),
        row("cut", "g", "x", Incomplete),
    ];
    let comparison = compare(&source, &target, &selection());
    let states: Vec<(&str, CompareState)> =
        comparison.subjects.iter().map(|subject| (subject.subject_key.as_str(), subject.state)).collect();
    assert_eq!(
        states,
        [
            ("t: cut", CompareState::NotComparable),
            ("t: hidden", CompareState::NotComparable),
            ("t: hidden but other", CompareState::Different),
            ("t: new", CompareState::MissingInTarget),
            ("t: old", CompareState::OnlyInTarget),
            ("t: other", CompareState::Different),
            ("t: same", CompareState::Identical),
            ("t: twin", CompareState::Ambiguous),
        ]
    );
    assert_eq!(comparison.counts.total, 8);
    assert_eq!((comparison.counts.not_comparable, comparison.counts.different), (2, 2));
}

#[test]
fn assignments_count_when_asked_for() {
    let source = [whole("a", "1", "x")];
    let mut target = [whole("a", "2", "x")];
    target[0].assignments_hash = Hash::of("somebody else");
    let mut selection = selection();
    assert_eq!(compare(&source, &target, &selection).subjects[0].state, CompareState::Identical);
    selection.include_assignments = true;
    assert_eq!(compare(&source, &target, &selection).subjects[0].state, CompareState::Different);
}

#[test]
fn filters_take_subjects_whole() {
    let mut source = [whole("ab", "1", "x"), whole("abc", "2", "x"), whole("Straße  Nord", "3", "x")];
    let target = [whole("ab", "4", "x")];
    source[0].platform = Some("macOS".into());
    let with = |filter: Filter| Selection { filter, ..selection() };
    let keys = |filter: Filter| -> Vec<(String, CompareState)> {
        let selection = with(filter);
        let comparison = compare(&source, &target, &selection);
        comparison.subjects.iter().map(|s| (s.subject_key.0.clone(), s.state)).collect()
    };
    // The source says macOS, the target windows10: either platform takes the subject, and it never looks missing.
    let both = vec![("t: ab".to_owned(), CompareState::Identical)];
    assert_eq!(keys(Filter { platforms: ["macos".into()].into(), ..Filter::default() }), both);
    assert!(keys(Filter { platforms: ["Windows10".into()].into(), ..Filter::default() }).contains(&both[0]));
    assert_eq!(keys(Filter { subject_keys: ["t: ab".into()].into(), ..Filter::default() }), both);
    assert_eq!(keys(Filter { name_contains: Some(" STRASSE nord".into()), ..Filter::default() }).len(), 1);
    assert_eq!(keys(Filter { name_contains: Some("  ".into()), ..Filter::default() }).len(), 3);
    assert_eq!(keys(Filter { policy_types: ["u".into()].into(), ..Filter::default() }), []);
}

fn rows() -> impl Strategy<Value = Vec<SubjectRow>> {
    let evidence = prop_oneof![
        8 => Just(Evidence::Whole), 1 => Just(Evidence::SecretsHidden), 1 => Just(Evidence::Incomplete)
    ];
    let one = ("[a-f]{1,2}", "[a-z0-9]{6}", "[xyz]", evidence);
    proptest::collection::vec(one.prop_map(|(key, id, content, evidence)| row(&key, &id, &content, evidence)), 0..30)
}

proptest! {
    #[test]
    fn a_tenant_compared_with_itself_is_identical(rows in rows()) {
        let mut rows: Vec<_> = rows.into_iter().map(|row| SubjectRow { evidence: Evidence::Whole, ..row }).collect();
        rows.sort_by(|a, b| a.subject_key.cmp(&b.subject_key));
        rows.dedup_by(|a, b| a.subject_key == b.subject_key);
        let selection = selection();
        let comparison = compare(&rows, &rows, &selection);
        prop_assert_eq!(comparison.counts.identical, rows.len() as u64);
        prop_assert_eq!(comparison.counts.total, rows.len() as u64);
    }

    #[test]
    fn comparing_is_symmetric(source in rows(), target in rows()) {
        let selection = selection();
        let there = compare(&source, &target, &selection);
        let back = compare(&target, &source, &selection);
        prop_assert_eq!(there.subjects.len(), back.subjects.len());
        for (there, back) in there.subjects.iter().zip(&back.subjects) {
            prop_assert_eq!(there.subject_key, back.subject_key);
            let mirrored = match back.state {
                CompareState::MissingInTarget => CompareState::OnlyInTarget,
                CompareState::OnlyInTarget => CompareState::MissingInTarget,
                same => same,
            };
            prop_assert_eq!(there.state, mirrored);
        }
    }

    #[test]
    fn each_subject_has_one_state_each_row_one_subject_and_counts_agree(source in rows(), target in rows()) {
        let selection = selection();
        let comparison = compare(&source, &target, &selection);
        let keys: BTreeSet<_> = comparison.subjects.iter().map(|subject| subject.subject_key).collect();
        prop_assert_eq!(keys.len(), comparison.subjects.len());
        prop_assert_eq!(comparison.subjects.iter().map(|subject| subject.source.len()).sum::<usize>(), source.len());
        prop_assert_eq!(comparison.subjects.iter().map(|subject| subject.target.len()).sum::<usize>(), target.len());
        let mut counted = CompareCounts::default();
        comparison.subjects.iter().for_each(|subject| counted.add(subject.state));
        prop_assert_eq!(counted, comparison.counts);
        let c = comparison.counts;
        let parts = c.identical + c.different + c.missing_in_target + c.only_in_target + c.ambiguous + c.not_comparable;
        prop_assert_eq!(parts, c.total);
    }

    #[test]
    fn the_order_of_rows_means_nothing_and_evidence_means_everything(source in rows(), target in rows(), pick in any::<prop::sample::Index>()) {
        // Two rows of one id in one tenant cannot be: the database forbids it.
        let mut source = source;
        source.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        source.dedup_by(|a, b| a.external_id == b.external_id);
        let selection = selection();
        let before = compare(&source, &target, &selection).fingerprint;
        let mut other = source.clone();
        other.reverse();
        prop_assert_eq!(compare(&other, &target, &selection).fingerprint, before);
        if !source.is_empty() {
            let at = pick.index(source.len());
            let changed_selection = Selection { include_assignments: true, ..selection.clone() };
            prop_assert_ne!(compare(&source, &target, &changed_selection).fingerprint, before);
            other = source.clone();
            other[at].normal_hash = Hash::of("something new");
            prop_assert_ne!(compare(&other, &target, &selection).fingerprint, before);
        }
    }
}

/// Run with `cargo test -p domain --release ten_thousand -- --nocapture` for the figure; here only the shape is checked.
#[test]
fn ten_thousand_subjects_a_side() {
    let side = |tenant: &str| -> Vec<SubjectRow> {
        let name = |n: usize| format!("win - device security - baseline setting {n}");
        (0..10_000).map(|n| whole(&name(n * 7919 % 10_000), &format!("{tenant}-{n}"), &format!("{}", n % 97))).collect()
    };
    let (source, target) = (side("s"), side("t"));
    let selection = selection();
    let comparison = compare(&source, &target, &selection);
    assert_eq!(comparison.counts.total, 10_000);
    assert_eq!(comparison.counts.identical, 10_000);
}
