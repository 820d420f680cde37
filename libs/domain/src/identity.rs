//! A subject's identity across tenants: policy type, normalised display name, discriminators.
//!
//! Display names are not unique in Intune, so an identity can stand for several objects of one tenant; such subjects are
//! ambiguous and never guessed at ([`crate::compare`]).

use serde_json::Value;

use crate::contract::Contract;
use crate::id::{PolicyType, SubjectKey};

/// The name as it is compared: trimmed, inner white space collapsed to one space, lower case.
///
/// Two tenants rarely agree on case and stray spaces, and Intune treats such names as the same in its own searches.
pub fn folded_name(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        // Upper case first: it joins what lower case alone keeps apart (ß and SS, final and medial sigma).
        folded.extend(word.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    }
    folded
}

/// `settingsCatalogPolicy: win - bitlocker [windows10; mdm]`.
///
/// Unambiguous: every subject of a type has the same number of discriminators, the bracket is always last, and `%`, `;`
/// and `]` inside a discriminator are written `%25`, `%3B` and `%5D`.
pub fn subject_key(contract: &Contract, display_name: &str, object: &Value) -> SubjectKey {
    let discriminators: Vec<String> = contract
        .discriminators
        .iter()
        .map(|path| discriminator(path.values(object).first().copied(), contract, path.as_str()))
        .collect();
    SubjectKey(format!("{}: {}", contract.policy_type, reference_name(display_name, &discriminators)))
}

/// What references to an object are called in a normal form: its subject key without the policy type.
pub fn name_in_key<'k>(policy_type: &PolicyType, key: &'k SubjectKey) -> &'k str {
    key.0.strip_prefix(&policy_type.0).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&key.0)
}

fn reference_name(display_name: &str, discriminators: &[String]) -> String {
    let name = folded_name(display_name);
    if discriminators.is_empty() { name } else { format!("{name} [{}]", discriminators.join("; ")) }
}

fn discriminator(value: Option<&Value>, contract: &Contract, path: &str) -> String {
    let text = match value {
        None | Some(Value::Null) if path == "@odata.type" => contract.default_odata_type.clone().unwrap_or_default(),
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => crate::json::canonical(other),
    };
    let text = text.strip_prefix("#microsoft.graph.").unwrap_or(&text);
    text.trim().replace('%', "%25").replace(';', "%3B").replace(']', "%5D")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::normal_form::samples::contract;

    #[test]
    fn names_fold_to_what_people_take_for_the_same() {
        for (a, b, same) in [
            ("Win - BitLocker", "  win -  bitlocker\t", true),
            ("Straße", "STRASSE", true),
            ("ΣΊΣΥΦΟΣ", "σίσυφος", true),
            ("Win-BitLocker", "Win - BitLocker", false),
            ("v1", "v2", false),
        ] {
            assert_eq!(folded_name(a) == folded_name(b), same, "{a} / {b}");
        }
    }

    #[test]
    fn discriminators_tell_subjects_of_one_name_apart() {
        let filter = contract("filter");
        let key = |name: &str, platform: &str| subject_key(&filter, name, &json!({ "platform": platform }));
        assert_eq!(key("Corp  Devices", "iOS").as_str(), "assignmentFilter: corp devices [iOS]");
        assert_ne!(key("x", "iOS"), key("x", "android"));
        assert_ne!(key("x [iOS]", "a"), key("x", "iOS] [a"));
        let missing = subject_key(&contract("profile"), "x", &json!({}));
        assert_eq!(missing.as_str(), "deviceConfiguration: x []");
        assert_eq!(name_in_key(&filter.policy_type, &key("x", "iOS")), "x [iOS]");
    }

    proptest! {
        #[test]
        fn a_key_says_name_and_discriminators_apart(a in ".{0,12}", b in ".{0,12}", p in ".{0,8}", q in ".{0,8}") {
            let filter = contract("filter");
            let key = |name: &str, platform: &str| subject_key(&filter, name, &json!({ "platform": platform }));
            let same = folded_name(&a) == folded_name(&b) && p.trim() == q.trim();
            prop_assert_eq!(key(&a, &p) == key(&b, &q), same);
            prop_assert_eq!(folded_name(&folded_name(&a)), folded_name(&a));
        }
    }
}
