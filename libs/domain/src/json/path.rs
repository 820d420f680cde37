//! The path language of every rule in a contract.
//!
//! | written | means |
//! |---|---|
//! | `a` | field `a` of the object |
//! | `a.b` | field `b` of the object in field `a` |
//! | `a[]` | every element of the array in field `a` |
//! | `a[].b` | field `b` of every element |
//! | `**.a` | every field `a`, at any depth, the top included |
//! | `a.**.b` | every field `b` anywhere below `a` |
//!
//! A dot after `@odata` belongs to the name (`@odata.type`, `definition@odata.bind`). Array elements are always written
//! with `[]`; `**` passes through arrays and objects alike. Nothing else has a meaning: names are taken literally.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A parsed path; serialised as its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Field(String),
    Elements,
    Anything,
}

/// One step of a concrete place in a value, as a walk over the value goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into this field of an object.
    Field(&'a str),
    /// Into this element of an array.
    Element(usize),
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No text, or nothing between two dots.
    #[error("path `{0}` has an empty segment")]
    EmptySegment(String),
    /// `**` as the last segment would match everything.
    #[error("path `{0}` ends in `**`")]
    EndsInAnything(String),
    /// A bracket that is not the suffix `[]`.
    #[error("path `{0}` has a stray bracket; elements are written `name[]`")]
    StrayBracket(String),
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parts = Vec::new();
        for segment in segments(text) {
            if segment == "**" {
                parts.push(Part::Anything);
                continue;
            }
            let name = segment.trim_end_matches("[]");
            if name.is_empty() {
                return Err(PathError::EmptySegment(text.to_owned()));
            }
            if name.contains(['[', ']']) {
                return Err(PathError::StrayBracket(text.to_owned()));
            }
            parts.push(Part::Field(name.to_owned()));
            parts.extend((0..(segment.len() - name.len()) / 2).map(|_| Part::Elements));
        }
        if parts.last() == Some(&Part::Anything) {
            return Err(PathError::EndsInAnything(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

fn segments(text: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut start = 0;
    for (position, character) in text.char_indices() {
        if character == '.' && !text[start..position].ends_with("@odata") {
            segments.push(&text[start..position]);
            start = position + 1;
        }
    }
    segments.push(&text[start..]);
    segments
}

impl Path {
    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True when `place`, steps from the root of a value, is one of the places this path means.
    pub fn matches(&self, place: &[Step<'_>]) -> bool {
        matches(&self.parts, place)
    }

    /// How many fields and elements the path goes through; `**` counts as none.
    pub(crate) fn depth(&self) -> usize {
        self.parts.iter().filter(|part| **part != Part::Anything).count()
    }

    /// The field that every matching place ends in, elements aside (`b` for `a.b[]`): what rules can be indexed by.
    pub fn last_field(&self) -> &str {
        let last = self.parts.iter().rev().find_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// The top-level field when the path is nothing but that.
    pub fn single_field(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Field(name)] => Some(name),
            _ => None,
        }
    }

    /// The field every place begins in, when the path does not begin with `**`.
    pub fn first_field(&self) -> Option<&str> {
        match self.parts.first() {
            Some(Part::Field(name)) => Some(name),
            _ => None,
        }
    }

    /// Every value at this path in `root`, in document order.
    pub fn values<'v>(&self, root: &'v Value) -> Vec<&'v Value> {
        let mut found = Vec::new();
        collect(&self.parts, root, &mut found);
        found
    }

    /// The paths of the arrays that this path goes through: `a` and `a[].b` for `a[].b[].c`.
    pub fn arrays(&self) -> Vec<Self> {
        let elements = self.parts.iter().enumerate().filter(|(_, part)| **part == Part::Elements);
        elements.map(|(position, _)| Self { text: self.text.clone(), parts: self.parts[..position].to_vec() }).collect()
    }

    /// Writes `new` into the field this path ends in, in every object that the rest of the path finds.
    pub fn set(&self, root: &mut Value, new: &Value) {
        if let [holder @ .., Part::Field(name)] = self.parts.as_slice() {
            visit_mut(holder, root, &mut |value| {
                if let Value::Object(fields) = value {
                    fields.insert(name.clone(), new.clone());
                }
            });
        }
    }

    /// Calls `visit` for every value at this path, which it may change.
    pub fn for_each_mut(&self, root: &mut Value, visit: &mut impl FnMut(&mut Value)) {
        visit_mut(&self.parts, root, visit);
    }

    /// Takes every field this path means out of its object. (A path to elements empties the array.)
    pub fn remove(&self, root: &mut Value) {
        remove(&self.parts, root);
    }
}

fn matches(parts: &[Part], place: &[Step<'_>]) -> bool {
    match (parts, place) {
        ([], []) => true,
        ([Part::Anything, rest @ ..], place) => (0..=place.len()).any(|skipped| matches(rest, &place[skipped..])),
        ([Part::Field(name), rest @ ..], [Step::Field(field), below @ ..]) => name == field && matches(rest, below),
        ([Part::Elements, rest @ ..], [Step::Element(_), below @ ..]) => matches(rest, below),
        _ => false,
    }
}

fn collect<'v>(parts: &[Part], value: &'v Value, found: &mut Vec<&'v Value>) {
    match parts {
        [] => found.push(value),
        [Part::Field(name), rest @ ..] => {
            if let Some(field) = value.get(name) {
                collect(rest, field, found);
            }
        }
        [Part::Elements, rest @ ..] => {
            value.as_array().into_iter().flatten().for_each(|element| collect(rest, element, found));
        }
        [Part::Anything, rest @ ..] => {
            collect(rest, value, found);
            match value {
                Value::Object(fields) => fields.values().for_each(|field| collect(parts, field, found)),
                Value::Array(elements) => elements.iter().for_each(|element| collect(parts, element, found)),
                _ => {}
            }
        }
    }
}

fn visit_mut(parts: &[Part], value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    match parts {
        [] => visit(value),
        [Part::Field(name), rest @ ..] => {
            if let Some(field) = value.get_mut(name) {
                visit_mut(rest, field, visit);
            }
        }
        [Part::Elements, rest @ ..] => {
            for element in value.as_array_mut().into_iter().flatten() {
                visit_mut(rest, element, visit);
            }
        }
        [Part::Anything, rest @ ..] => {
            visit_mut(rest, value, visit);
            match value {
                Value::Object(fields) => fields.values_mut().for_each(|field| visit_mut(parts, field, visit)),
                Value::Array(elements) => elements.iter_mut().for_each(|element| visit_mut(parts, element, visit)),
                _ => {}
            }
        }
    }
}

fn remove(parts: &[Part], value: &mut Value) {
    match parts {
        [] => {}
        [Part::Field(name)] => {
            if let Value::Object(fields) = value {
                fields.remove(name);
            }
        }
        [Part::Elements] => {
            if let Value::Array(elements) = value {
                elements.clear();
            }
        }
        [Part::Field(name), rest @ ..] => {
            if let Some(field) = value.get_mut(name) {
                remove(rest, field);
            }
        }
        [Part::Elements, rest @ ..] => {
            value.as_array_mut().into_iter().flatten().for_each(|element| remove(rest, element));
        }
        [Part::Anything, rest @ ..] => {
            remove(rest, value);
            match value {
                Value::Object(fields) => fields.values_mut().for_each(|field| remove(parts, field)),
                Value::Array(elements) => elements.iter_mut().for_each(|element| remove(parts, element)),
                _ => {}
            }
        }
    }
}

/// The first value at `path`, if there is one and it is not null.
pub fn get<'v>(path: &Path, root: &'v Value) -> Option<&'v Value> {
    path.values(root).into_iter().find(|value| !value.is_null())
}

/// True for what the normal form treats as absent: null, empty text, empty array, empty object.
pub fn is_folded(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_finds_what_it_says() {
        let value = json!({
            "@odata.type": "t", "id": "0", "a": {"b": [{"c": 1}, {"c": 2, "id": "1"}]}, "list": [[1], [2, 3]],
            "definition@odata.bind": "url"
        });
        for (path, found) in [
            ("@odata.type", json!(["t"])),
            ("definition@odata.bind", json!(["url"])),
            ("a.b[].c", json!([1, 2])),
            ("a.b", json!([[{"c": 1}, {"c": 2, "id": "1"}]])),
            ("**.id", json!(["0", "1"])),
            ("a.**.id", json!(["1"])),
            ("**.c", json!([1, 2])),
            ("list[][]", json!([1, 2, 3])),
            ("a.c", json!([])),
        ] {
            let parsed: Path = path.parse().unwrap();
            assert_eq!(json!(parsed.values(&value)).as_array().map(Vec::len), found.as_array().map(Vec::len), "{path}");
            let mut values: Vec<Value> = parsed.values(&value).into_iter().cloned().collect();
            values.sort_by_key(ToString::to_string);
            let mut expected = found.as_array().cloned().unwrap();
            expected.sort_by_key(ToString::to_string);
            assert_eq!(values, expected, "{path}");
        }
    }

    #[test]
    fn matching_a_place_agrees_with_finding() {
        use Step::{Element, Field};
        for (path, place, expected) in [
            ("**.id", vec![Field("id")], true),
            ("**.id", vec![Field("a"), Element(3), Field("id")], true),
            ("**.id", vec![Field("id"), Field("a")], false),
            ("a[].id", vec![Field("a"), Element(0), Field("id")], true),
            ("a.id", vec![Field("a"), Element(0), Field("id")], false),
            ("a.**.x[]", vec![Field("a"), Field("q"), Field("x"), Element(1)], true),
        ] {
            assert_eq!(path.parse::<Path>().unwrap().matches(&place), expected, "{path}");
        }
    }

    #[test]
    fn removing_leaves_the_rest() {
        let mut value = json!({"a": [{"id": 1, "b": 2}], "id": 3, "k": {"id": {"id": 1}}});
        "**.id".parse::<Path>().unwrap().remove(&mut value);
        assert_eq!(value, json!({"a": [{"b": 2}], "k": {}}));
    }

    #[test]
    fn setting_reaches_every_holder_that_exists() {
        let mut value = json!({"a": [{"b": 1}, {}, 7], "c": {}});
        "a[].b".parse::<Path>().unwrap().set(&mut value, &json!("x"));
        "d.e".parse::<Path>().unwrap().set(&mut value, &json!("x"));
        assert_eq!(value, json!({"a": [{"b": "x"}, {"b": "x"}, 7], "c": {}}));
        let arrays = "a[].b[].c".parse::<Path>().unwrap().arrays();
        assert_eq!(arrays.iter().map(|path| path.values(&json!({"a": 1})).len()).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn what_is_not_a_path_says_why() {
        for bad in ["", "a..b", "a.", "**", "a.**", "[]", "a[0]", "a]"] {
            assert!(bad.parse::<Path>().is_err(), "{bad}");
        }
    }
}
