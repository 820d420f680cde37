//! Measurements, not checks: `cargo test -p domain --release --test speed -- --ignored --nocapture`.

#![allow(clippy::print_stderr, reason = "figures are for people")]

use std::time::{Duration, Instant};

use domain::compare::{Evidence, Filter, Selection, SubjectRow, compare};
use domain::contract::Contract;
use domain::diff::diff;
use domain::id::{ExternalId, Hash, PolicyType, SubjectKey, TenantId};
use domain::normal_form::normal_form;
use domain::reference::NameTable;
use serde_json::{Value, json};

/// The shortest of several runs: what the code takes when nothing disturbs it.
fn shortest<T>(mut run: impl FnMut() -> T) -> Duration {
    let once = |_| {
        let begun = Instant::now();
        std::hint::black_box(run());
        begun.elapsed()
    };
    (0..20).map(once).min().unwrap()
}

fn row(number: usize, tenant: &str) -> SubjectRow {
    SubjectRow {
        subject_key: SubjectKey(format!(
            "settingsCatalogPolicy: win - device security - baseline {} [windows10]",
            number * 7919 % 10_000
        )),
        policy_type: PolicyType::from("settingsCatalogPolicy"),
        display_name: format!("Win - Device Security - Baseline {number}"),
        platform: Some("windows10".into()),
        external_id: ExternalId(format!("{tenant}-{number}")),
        normal_hash: Hash::of(format!("{}", number % 97)),
        assignments_hash: Hash::of(""),
        evidence: Evidence::Whole,
    }
}

/// A baseline the size of the largest that people use: 306 settings, some nested.
fn baseline() -> Value {
    let setting = |number: usize| {
        let children: Vec<Value> = (0..number % 12)
            .map(|child| json!({"@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance", "settingDefinitionId": format!("child_{child}"),
                "simpleSettingValue": {"@odata.type": "#microsoft.graph.deviceManagementConfigurationStringSettingValue", "value": format!("{number}-{child}")}}))
            .collect();
        json!({"id": number.to_string(), "settingInstance": {
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
            "settingDefinitionId": format!("device_vendor_msft_policy_config_{}", number * 31 % 306),
            "choiceSettingValue": {"value": format!("choice_{number}"), "children": children}}})
    };
    json!({"id": "x", "name": "Baseline", "platforms": "windows10", "settings": (0..306).map(setting).collect::<Vec<_>>()})
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    let (source, target): (Vec<_>, Vec<_>) = (0..10_000).map(|n| (row(n, "s"), row(n, "t"))).unzip();
    let selection = Selection {
        source: TenantId(uuid::Uuid::from_u128(1)),
        target: TenantId(uuid::Uuid::from_u128(2)),
        filter: Filter::default(),
        include_assignments: true,
    };
    eprintln!("compare, 10,000 subjects a side: {:?}", shortest(|| compare(&source, &target, &selection).counts));
    let contract = Contract::from_toml(include_str!("contracts/settings.toml")).unwrap();
    let (names, raw) = (NameTable::new(), baseline());
    eprintln!("normal form, 306 settings: {:?}", shortest(|| normal_form(&contract, &raw, &names)));
    let ours = normal_form(&contract, &raw, &names).value;
    let mut other = raw.clone();
    for setting in other["settings"].as_array_mut().unwrap() {
        setting["settingInstance"]["choiceSettingValue"]["value"] = json!("else");
    }
    let theirs = normal_form(&contract, &other, &names).value;
    assert_eq!(diff(&contract, &ours, &theirs).len(), 306);
    eprintln!("diff, 306 of 306 settings changed: {:?}", shortest(|| diff(&contract, &ours, &theirs)));
}
