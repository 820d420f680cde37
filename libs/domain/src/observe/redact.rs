//! Content without its secrets, as it may be stored.
//!
//! Graph gives most secrets back masked or not at all, and says nowhere that it always will. What a contract calls a secret
//! is taken out before it is written down, whatever the provider said.

use std::borrow::Cow;

use serde_json::Value;

use crate::contract::{Contract, Found, RuleBook};
use crate::json::{Step, is_folded};
use crate::normal_form::{is_secret_setting, secret_marker, straighten};

/// The content with a marker in place of every secret; the content itself when it holds none. It is observed as before:
/// same hashes, same facts.
pub fn redact<'v>(contract: &Contract, raw: &'v Value) -> Cow<'v, Value> {
    let mut straight = straighten(contract, raw);
    let mut search = Search { book: RuleBook::new(contract), place: Vec::new(), found: Vec::new() };
    search.value(&straight, &straight, Found::default());
    let secrets = search.found;
    if secrets.is_empty() {
        return Cow::Borrowed(raw);
    }
    for pointer in &secrets {
        if let Some(value) = straight.to_mut().pointer_mut(pointer) {
            *value = secret_marker();
        }
    }
    straight
}

/// A walk that notes where secrets are, as JSON pointers.
struct Search<'w> {
    book: RuleBook<'w>,
    place: Vec<Step<'w>>,
    found: Vec<String>,
}

impl<'w> Search<'w> {
    fn value(&mut self, value: &'w Value, holder: &'w Value, rules: Found<'w>) {
        match value {
            _ if is_folded(value) => {}
            _ if rules.secret || self.is_catalog_secret(holder) => self.found.push(self.pointer()),
            Value::Object(fields) => {
                for (key, field) in fields {
                    self.place.push(Step::Field(key));
                    let rules = self.book.at(&self.place, value);
                    self.value(field, value, rules);
                    self.place.pop();
                }
            }
            Value::Array(elements) => {
                for (position, element) in elements.iter().enumerate() {
                    self.place.push(Step::Element(position));
                    let rules = self.book.at(&self.place, holder);
                    self.value(element, holder, rules);
                    self.place.pop();
                }
            }
            _ => {}
        }
    }

    fn is_catalog_secret(&self, holder: &Value) -> bool {
        self.place.last() == Some(&Step::Field("value")) && holder.as_object().is_some_and(is_secret_setting)
    }

    fn pointer(&self) -> String {
        let step = |step: &Step<'_>| match step {
            Step::Field(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Element(position) => format!("/{position}"),
        };
        self.place.iter().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::normal_form::samples::{ALL, any_object, contract, names, settings_policy};
    use crate::observe::observe;

    #[test]
    fn secrets_are_taken_out_and_nothing_else() {
        let profile = json!({"id": "1", "displayName": "x", "omaSettings": [
            {"omaUri": "./a", "isEncrypted": true, "value": "hunter2"},
            {"omaUri": "./b", "isEncrypted": false, "value": "plain"},
            {"omaUri": "./c", "isEncrypted": true, "value": null},
        ]});
        let stored = redact(&contract("profile"), &profile);
        assert_eq!(stored["omaSettings"][0]["value"], json!({"$secret": true}));
        assert_eq!(stored["omaSettings"][1], profile["omaSettings"][1]);
        assert_eq!(stored["omaSettings"][2], profile["omaSettings"][2]);

        let mut policy = settings_policy("a");
        assert!(matches!(redact(&contract("settings"), &policy), Cow::Borrowed(_)), "nothing to take out");
        let value = json!({"@odata.type": "#microsoft.graph.deviceManagementConfigurationSecretSettingValue",
            "value": "hunter2", "valueState": "notEncrypted"});
        policy["settings"][0]["settingInstance"]["simpleSettingValue"] = value;
        assert!(!redact(&contract("settings"), &policy).to_string().contains("hunter2"));
    }

    #[test]
    fn an_export_with_an_unrolled_array_hides_its_secret_too() {
        let one = json!({"omaUri": "./a", "isEncrypted": true, "value": "hunter2"});
        let profile = json!({"id": "1", "displayName": "x", "omaSettings": one});
        assert!(!redact(&contract("profile"), &profile).to_string().contains("hunter2"));
    }

    proptest! {
        #[test]
        fn what_is_stored_is_observed_as_what_was_read(raw in any_object()) {
            for name in ALL {
                let contract = contract(name);
                let mut raw = raw.clone();
                raw["id"] = json!("1");
                let stored = redact(&contract, &raw);
                prop_assert_eq!(observe(&contract, &stored, &names("a")), observe(&contract, &raw, &names("a")), "{}", name);
                prop_assert_eq!(redact(&contract, &stored), stored.clone(), "{}", name);
            }
        }
    }
}
