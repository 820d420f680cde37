//! Real exports of real tenants: every file is read, normalised twice, observed and compared with itself.
//!
//! The files are not part of this repository. They are found by `ATLAS_EXPORTS_DIR`, or in `../shared/data` beside it.

#![allow(clippy::print_stderr, reason = "a test that skips must say so, and the counts are worth seeing")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use domain::contract::Contract;
use domain::diff::diff;
use domain::normal_form::normal_form;
use domain::observe::observe;
use domain::payload::target_payload;
use domain::reference::NameTable;
use serde_json::{Value, json};

fn exports() -> Option<PathBuf> {
    let given = std::env::var_os("ATLAS_EXPORTS_DIR").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    given.or(Some(beside)).filter(|folder| folder.is_dir())
}

fn json_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

/// UTF-16LE or UTF-8, with a byte-order mark or without.
fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap();
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> = rest.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            String::from_utf16(&units).unwrap()
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).unwrap(),
        all => String::from_utf8(all.to_vec()).unwrap(),
    };
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Contracts {
    settings: Contract,
    compliance: Contract,
    admx: Contract,
    profile: Contract,
    access: Contract,
    other: Contract,
}

impl Contracts {
    fn load() -> Self {
        let read = |text: &str| Contract::from_toml(text).unwrap();
        Self {
            settings: read(include_str!("contracts/settings.toml")),
            compliance: read(include_str!("contracts/compliance.toml")),
            admx: read(include_str!("contracts/admx.toml")),
            profile: read(include_str!("contracts/profile.toml")),
            access: read(include_str!("contracts/access.toml")),
            other: read(include_str!("contracts/other.toml")),
        }
    }

    fn of(&self, raw: &Value) -> &Contract {
        let context = raw["@odata.context"].as_str().unwrap_or_default();
        let collection = |path: &str| context.contains(&format!("#{path}(")) || context.contains(&format!("#{path}/"));
        if collection("deviceManagement/configurationPolicies") {
            &self.settings
        } else if collection("deviceManagement/deviceCompliancePolicies") {
            &self.compliance
        } else if collection("deviceManagement/groupPolicyConfigurations") {
            &self.admx
        } else if collection("deviceManagement/deviceConfigurations") {
            &self.profile
        } else if collection("identity/conditionalAccess/policies") {
            &self.access
        } else {
            &self.other
        }
    }
}

/// Every key and every string of a value.
fn visit(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, field)| {
            see(key, field);
            visit(field, see);
        }),
        Value::Array(elements) => elements.iter().for_each(|element| visit(element, see)),
        _ => {}
    }
}

/// Reverses every array that is a collection of settings, groups of settings, actions or values.
fn reversed(value: &Value) -> Value {
    const COLLECTIONS: &[&str] = &[
        "settings",
        "children",
        "groupSettingCollectionValue",
        "omaSettings",
        "scheduledActionConfigurations",
        "excludeGroups",
    ];
    match value {
        Value::Object(fields) => {
            let turn = |(key, field): (&String, &Value)| {
                let mut field = reversed(field);
                if let (true, Value::Array(elements)) = (COLLECTIONS.contains(&key.as_str()), &mut field) {
                    elements.reverse();
                }
                (key.clone(), field)
            };
            Value::Object(fields.iter().map(turn).collect())
        }
        Value::Array(elements) => elements.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

#[test]
fn every_export_has_a_normal_form_that_is_its_own() {
    let Some(folder) = exports() else {
        eprintln!("SKIPPED: no exports; set ATLAS_EXPORTS_DIR or put them into ../shared/data beside the repository");
        return;
    };
    let mut files = Vec::new();
    json_files(&folder, &mut files);
    files.sort();
    let (contracts, names) = (Contracts::load(), NameTable::new());
    let mut observed = 0;
    let begun = Instant::now();
    for file in &files {
        let (raw, shown) = (read(file), file.display());
        let contract = contracts.of(&raw);
        let once = normal_form(contract, &raw, &names);
        let twice = normal_form(contract, &once.value, &names);
        assert_eq!(once.value, twice.value, "{shown}");
        assert_eq!(once.hash, twice.hash, "{shown}");
        let turned = normal_form(contract, &reversed(&raw), &names);
        assert_eq!(once.hash, turned.hash, "{shown}: the order of collections means nothing");
        assert_eq!(diff(contract, &once.value, &turned.value), [], "{shown}");
        visit(&once.value, &mut |key, _| {
            let annotation = key.starts_with('#') || (key.contains("@odata.") && key != "@odata.type");
            let noise = annotation || domain::normal_form::MOMENTS.contains(&key);
            assert!(!noise, "{shown}: {key} is noise");
        });
        if raw.get("id").is_some() {
            let seen = observe(contract, &raw, &names).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(seen.normal_hash, once.hash, "{shown}");
            observed += 1;
        }
    }
    eprintln!("{} files, {observed} objects, {:?}", files.len(), begun.elapsed());
    assert!(observed > 0, "no object in {}", folder.display());
}

/// Promoted into an empty tenant and read back with minimal metadata and new ids, everything that can be promoted is
/// identical to its source.
#[test]
fn whatever_can_be_promoted_reads_back_identical() {
    let Some(folder) = exports() else {
        eprintln!("SKIPPED: no exports; set ATLAS_EXPORTS_DIR or put them into ../shared/data beside the repository");
        return;
    };
    let mut files = Vec::new();
    json_files(&folder, &mut files);
    files.sort();
    let contracts = Contracts::load();
    let mut source = NameTable::new();
    let mut target = NameTable::new();
    for (number, file) in files.iter().enumerate().filter(|(_, file)| !file.ends_with("MigrationTable.json")) {
        let raw = read(file);
        let of = |part: &str| file.components().any(|component| component.as_os_str() == part);
        let kind = if of("Groups") { "group" } else { "namedLocation" };
        if (of("Groups") || of("NamedLocations")) && raw["displayName"].is_string() {
            let (id, name) = (raw["id"].as_str().unwrap(), raw["displayName"].as_str().unwrap());
            source.insert(kind, id, name);
            target.insert(kind, &format!("target-{number}"), name);
        }
    }
    let (mut promoted, mut refused) = (0, 0);
    for file in &files {
        let raw = read(file);
        let contract = contracts.of(&raw);
        if contract.write.is_none() {
            continue;
        }
        let Ok(payload) = target_payload(contract, &raw, &source, &target, true) else {
            refused += 1;
            continue;
        };
        let mut created = payload.content.clone();
        created["id"] = json!("new");
        created["createdDateTime"] = json!("2030-01-01T00:00:00Z");
        let (ours, theirs) = (normal_form(contract, &raw, &source), normal_form(contract, &created, &target));
        let differences = diff(contract, &ours.value, &theirs.value);
        assert_eq!(differences, [], "{}", file.display());
        assert_eq!(ours.hash, theirs.hash, "{}", file.display());
        promoted += 1;
    }
    eprintln!("{promoted} promoted and identical, {refused} refused");
    assert!(promoted > 0);
}
