//! One walk over an object, which at every place asks the contract's rules what the value means.

use serde_json::{Map, Value, json};

use super::{Referral, element_label, mark, refer, sort_elements, straighten, text, time};
use super::{
    all_bound, bound_field, bound_id, canonical_duration, is_annotation, is_common_noise, is_masked, is_secret_setting,
};
use crate::contract::{Contract, Found, RuleBook, UnorderedRule};
use crate::id::PolicyType;
use crate::json::{Step, canonical_number, is_folded};
use crate::reference::{NameTable, Reference, Standing};

pub(super) fn walk(contract: &Contract, raw: &Value, names: &NameTable) -> (Value, Vec<Reference>, Vec<String>) {
    let raw = straighten(contract, raw);
    let mut walk = Walk {
        contract,
        book: RuleBook::new(contract),
        names,
        place: Vec::new(),
        labels: Vec::new(),
        references: Vec::new(),
        secrets: Vec::new(),
    };
    let value = walk.root(&raw);
    let Walk { mut references, mut secrets, .. } = walk;
    references.sort();
    references.dedup();
    secrets.sort();
    secrets.dedup();
    (value, references, secrets)
}

struct Walk<'w> {
    contract: &'w Contract,
    book: RuleBook<'w>,
    names: &'w NameTable,
    /// The way from the root to the value at hand.
    place: Vec<Step<'w>>,
    /// What people call the elements on that way, one per element step.
    labels: Vec<String>,
    references: Vec<Reference>,
    secrets: Vec<String>,
}

impl<'w> Walk<'w> {
    /// The whole object: its type filled in, its name trimmed.
    fn root(&mut self, root: &'w Value) -> Value {
        let mut value = match root {
            Value::Object(_) => self.object(root),
            odd => odd.clone(),
        };
        if let Value::Object(fields) = &mut value {
            if let Some(default) = &self.contract.default_odata_type {
                fields.entry("@odata.type").or_insert_with(|| default.as_str().into());
            }
            if let Some(Value::String(name)) = fields.get_mut(&self.contract.name_field) {
                *name = name.trim().to_owned();
                if name.is_empty() {
                    fields.remove(&self.contract.name_field);
                }
            }
        }
        value
    }

    fn object(&mut self, object: &'w Value) -> Value {
        let mut form = Map::new();
        for (key, value) in object.as_object().into_iter().flatten() {
            if let Some(field) = bound_field(key) {
                // An expanded object beside the bind says the same, and more.
                if object.get(field).is_none_or(is_folded) {
                    self.field(field, value, object, &mut form, Self::bound);
                }
            } else if !is_annotation(key) && !self.is_implied_type(key, value) && !is_secret_state(key, object) {
                self.field(key, value, object, &mut form, Self::value);
            }
        }
        Value::Object(form)
    }

    /// Puts the normal form of one field into `form`, unless it folds to nothing.
    fn field(
        &mut self,
        key: &'w str,
        value: &'w Value,
        holder: &'w Value,
        form: &mut Map<String, Value>,
        read: fn(&mut Self, &'w Value, &'w Value, Found<'w>) -> Value,
    ) {
        self.place.push(Step::Field(key));
        let found = self.book.at(&self.place, holder);
        if !found.strip && !is_common_noise(key, self.place.len() == 1) {
            let value = read(self, value, holder, found);
            let is_default = found.default.is_some_and(|default| default.value == value);
            if !is_folded(&value) && !is_default {
                form.insert(key.to_owned(), value);
            }
        }
        self.place.pop();
    }

    /// What `<field>@odata.bind` says about the field.
    fn bound(&mut self, value: &'w Value, holder: &'w Value, found: Found<'w>) -> Value {
        if !all_bound(value) {
            return Value::Null;
        }
        if found.link.is_some() || found.reference.is_some() {
            return self.value(value, holder, found);
        }
        // A link nobody declared must not get lost on the way to the target: it is a reference that does not resolve.
        let kind = PolicyType::from(self.place_text());
        let urls: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |urls| urls.iter().collect());
        let marks =
            urls.into_iter().filter_map(bound_id).map(str::to_owned).collect::<Vec<_>>().into_iter().map(|id| {
                let path = self.place_text();
                self.note(Reference {
                    kind: kind.clone(),
                    display_name: id.clone(),
                    id,
                    name: None,
                    path,
                    standing: Standing::Unresolved,
                })
            });
        marks.collect()
    }

    fn value(&mut self, value: &'w Value, holder: &'w Value, found: Found<'w>) -> Value {
        if let Some((marker, _)) = mark::marked(value) {
            if marker == "$secret" {
                self.secrets.push(self.place_text());
            }
            return value.clone();
        }
        if found.secret || is_masked(value) || self.is_catalog_secret(holder) {
            return self.secret(value);
        }
        if let Some(rule) = found.reference {
            return match value {
                // A rule that forgot its `[]` must not let foreign ids through.
                Value::Array(elements) => self.elements(elements, holder, found),
                _ => match refer(rule, &bound_or_self(rule.bind.is_some(), value), &self.place_text(), self.names) {
                    Referral::Nothing => Value::Null,
                    Referral::Word => value.clone(),
                    Referral::To(reference) => self.note(reference),
                },
            };
        }
        if found.link.is_some()
            && let Some(id) = bound_id(value)
        {
            return json!({ "$link": id.to_ascii_lowercase() });
        }
        match value {
            Value::Object(_) => self.object(value),
            Value::Array(elements) => self.elements(elements, holder, found),
            Value::Number(number) => Value::Number(canonical_number(number)),
            Value::String(string) => string_form(string, found),
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn elements(&mut self, elements: &'w [Value], holder: &'w Value, array: Found<'w>) -> Value {
        let mut form = Vec::with_capacity(elements.len());
        for (position, element) in elements.iter().enumerate() {
            self.place.push(Step::Element(position));
            self.labels.push(label(element, array.unordered));
            let mut found = self.book.at(&self.place, holder);
            found.reference = found.reference.or(array.reference);
            found.secret |= array.secret;
            if !found.strip {
                let value = self.value(element, holder, found);
                if !is_folded(&value) {
                    form.push(value);
                }
            }
            self.labels.pop();
            self.place.pop();
        }
        if let Some(rule) = array.unordered {
            sort_elements(&mut form, &rule.key);
        }
        Value::Array(form)
    }

    fn secret(&mut self, value: &Value) -> Value {
        if is_folded(value) {
            return Value::Null;
        }
        self.secrets.push(self.place_text());
        mark::secret()
    }

    fn note(&mut self, reference: Reference) -> Value {
        let mark = refer::reference_mark(&reference);
        self.references.push(reference);
        mark
    }

    fn is_catalog_secret(&self, holder: &Value) -> bool {
        self.place.last() == Some(&Step::Field("value")) && holder.as_object().is_some_and(is_secret_setting)
    }

    /// A type that Graph writes with full metadata only says nothing.
    fn is_implied_type(&self, key: &str, value: &Value) -> bool {
        key == "@odata.type"
            && !self.place.is_empty()
            && value.as_str().is_some_and(|t| self.contract.implied_types.iter().any(|implied| implied == t))
    }

    fn place_text(&self) -> String {
        place_text(&self.place, &self.labels)
    }
}

/// A place as people read it, with what they call the elements on the way: `omaSettings[./Device/...].value`.
pub(crate) fn place_text(place: &[Step<'_>], labels: &[String]) -> String {
    let mut text = String::new();
    let mut labels = labels.iter();
    for step in place {
        match step {
            Step::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Element(_) => {
                text.push('[');
                text.push_str(labels.next().map_or("", String::as_str));
                text.push(']');
            }
        }
    }
    text
}

/// How a secret was sent says nothing about it.
fn is_secret_state(key: &str, holder: &Value) -> bool {
    key == "valueState" && holder.as_object().is_some_and(is_secret_setting)
}

/// A navigation property exported as a bind URL is read by the id in it.
fn bound_or_self(navigation: bool, value: &Value) -> Value {
    match value {
        Value::String(url) if navigation => bound_id(value).unwrap_or(url).into(),
        other => other.clone(),
    }
}

fn label(element: &Value, rule: Option<&UnorderedRule>) -> String {
    rule.and_then(|rule| element_label(element, &rule.key)).unwrap_or_default()
}

fn string_form(string: &str, found: Found<'_>) -> Value {
    if string.is_empty() {
        return Value::Null;
    }
    if let Some(rule) = found.text
        && let Some(said) = text::decode(rule.encoding, string)
    {
        // `null` in a string is as absent as null itself.
        return if mark::marked(&said).is_some_and(|(_, inner)| is_folded(inner)) { Value::Null } else { said };
    }
    let duration = found.duration.then(|| canonical_duration(string)).flatten();
    let time = found.time.then(|| time::canonical_time(string));
    Value::String(duration.or(time).unwrap_or_else(|| string.to_owned()))
}
