//! The hash by which captured content is addressed: did anything change that somebody meant?

use serde_json::{Map, Value};

use crate::contract::{Contract, RuleBook};
use crate::id::Hash;
use crate::json::{Step, canonical, canonical_hash, canonical_number};
use crate::normal_form::{is_annotation, is_common_noise, is_secret_setting, straighten};

/// The hash of an object's raw content without annotations, server-owned fields and secret tokens, which are different
/// at every read. Assignments are content here, in no order. Unlike the normal form's hash it needs no names and keeps
/// the order of collections, so it says whether *this* object changed, not whether two mean the same.
pub fn content_hash(contract: &Contract, raw: &Value) -> Hash {
    let raw = straighten(contract, raw);
    let mut content = Quiet { book: RuleBook::new(contract), place: Vec::new() }.value(&raw, &raw, false);
    if let Some(Value::Array(assignments)) = content.get_mut("assignments") {
        assignments.sort_by_cached_key(canonical);
    }
    canonical_hash(&content)
}

/// A walk that leaves out what changes by itself.
struct Quiet<'w> {
    book: RuleBook<'w>,
    place: Vec<Step<'w>>,
}

impl<'w> Quiet<'w> {
    fn value(&mut self, value: &'w Value, holder: &'w Value, secret: bool) -> Value {
        match value {
            _ if secret => Value::Bool(true),
            Value::Number(number) => Value::Number(canonical_number(number)),
            Value::Object(fields) => self.object(value, fields),
            Value::Array(elements) => {
                let mut kept = Vec::with_capacity(elements.len());
                for (position, element) in elements.iter().enumerate() {
                    self.place.push(Step::Element(position));
                    let found = self.book.at(&self.place, holder);
                    if !found.strip {
                        kept.push(self.value(element, holder, found.secret));
                    }
                    self.place.pop();
                }
                Value::Array(kept)
            }
            other => other.clone(),
        }
    }

    fn object(&mut self, object: &'w Value, fields: &'w Map<String, Value>) -> Value {
        let (catalog_secret, top_level) = (is_secret_setting(fields), self.place.is_empty());
        let mut kept = Map::new();
        for (key, field) in fields.iter().filter(|(key, _)| is_content(key, top_level)) {
            self.place.push(Step::Field(key));
            let found = self.book.at(&self.place, object);
            if !found.strip {
                let token = catalog_secret && (key == "value" || key == "valueState");
                kept.insert(key.clone(), self.value(field, object, found.secret || token));
            }
            self.place.pop();
        }
        Value::Object(kept)
    }
}

fn is_content(key: &str, top_level: bool) -> bool {
    let bind = key.ends_with("@odata.bind");
    (bind || !is_annotation(key)) && (key == "assignments" || !is_common_noise(key, top_level))
}
