//! Field-level differences of two normal forms: where, what kind, both values.
//!
//! Elements of collections are told apart as the contract says, so a path names a setting and not a position, and
//! shuffling a collection is no difference. A path is stable: it does not change when other settings come or go (the
//! elements of collections without a key are numbered, for want of anything better).
//!
//! | in a path | means |
//! |---|---|
//! | `settings[bitlocker_x]` | the element with that key |
//! | `settings[bitlocker_x#2]` | the second element with that key, by content |
//! | `excludeGroups[pilot]` | the value or the reference itself |
//! | `rules[~1]` | the first pair of elements without a key that resemble each other more than any others |

mod elements;
mod lines;

use serde::Serialize;
use serde_json::Value;

pub use lines::{LineChange, TextSummary};

use crate::contract::{Contract, Found, RuleBook};
use crate::json::{Step, canonical};
use crate::normal_form::{is_secret, marked};

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where, in terms of the normal form.
    pub path: String,
    /// Seen from the target: what promoting would add, remove or change there.
    pub kind: DifferenceKind,
    /// The source's value; `None` when it has none. Secrets show as their marker.
    pub source: Option<Value>,
    /// The target's value; `None` when it has none.
    pub target: Option<Value>,
    /// For texts, which lines differ; `source` and `target` then hold line count and hash instead of the text.
    pub text: Option<TextSummary>,
}

/// What promoting would do at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Only the source has it.
    Added,
    /// Only the target has it.
    Removed,
    /// Both have it, with different values.
    Changed,
}

/// The differences between two normal forms of one type, in the order of paths. Empty if and only if they are equal.
pub fn diff(contract: &Contract, source: &Value, target: &Value) -> Vec<Difference> {
    let mut walk = Walk { book: RuleBook::new(contract), place: Vec::new(), found: Vec::new() };
    walk.values(String::new(), source, target, source);
    walk.found
}

struct Walk<'w> {
    book: RuleBook<'w>,
    place: Vec<Step<'w>>,
    found: Vec<Difference>,
}

impl<'w> Walk<'w> {
    fn values(&mut self, path: String, source: &'w Value, target: &'w Value, holder: &'w Value) {
        if source == target {
            return;
        }
        let is_marker = marked(source).is_some() || marked(target).is_some();
        match (source, target) {
            (Value::Object(_), Value::Object(_)) if !is_marker => self.objects(&path, source, target),
            (Value::Array(ours), Value::Array(theirs)) => self.arrays(&path, ours, theirs, holder),
            _ => self.found.push(changed(path, source, target)),
        }
    }

    fn objects(&mut self, path: &str, source: &'w Value, target: &'w Value) {
        let keys = |value: &'w Value| value.as_object().into_iter().flat_map(|fields| fields.keys());
        let all: std::collections::BTreeSet<&'w String> = keys(source).chain(keys(target)).collect();
        for key in all {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.place.push(Step::Field(key));
            match (source.get(key), target.get(key)) {
                (Some(ours), Some(theirs)) => self.values(path, ours, theirs, source),
                (ours, theirs) => self.one_sided(path, ours, theirs),
            }
            self.place.pop();
        }
    }

    fn arrays(&mut self, path: &str, source: &'w [Value], target: &'w [Value], holder: &'w Value) {
        let Found { unordered, .. } = self.book.at(&self.place, holder);
        let pairs = match unordered {
            Some(rule) => elements::unordered(source, target, &rule.key),
            None => elements::ordered(source, target),
        };
        for elements::Pair { label, position, source, target } in pairs {
            let path = format!("{path}[{label}]");
            self.place.push(Step::Element(position));
            match (source, target) {
                (Some(ours), Some(theirs)) => self.values(path, ours, theirs, holder),
                (ours, theirs) => self.one_sided(path, ours, theirs),
            }
            self.place.pop();
        }
    }

    fn one_sided(&mut self, path: String, source: Option<&Value>, target: Option<&Value>) {
        let kind = if source.is_some() { DifferenceKind::Added } else { DifferenceKind::Removed };
        let shown = |value: Option<&Value>| value.map(shown);
        self.found.push(Difference { path, kind, source: shown(source), target: shown(target), text: None });
    }
}

fn changed(path: String, source: &Value, target: &Value) -> Difference {
    let text = match (marked(source), marked(target)) {
        (Some(("$text", Value::String(ours))), Some(("$text", Value::String(theirs)))) => {
            Some(lines::summary(ours, theirs))
        }
        _ => None,
    };
    // Where one side is secret, the other side's value is no business of a report either.
    let redact = is_secret(source) || is_secret(target);
    let show = |value: &Value| Some(if redact { serde_json::json!({ "$secret": true }) } else { shown(value) });
    Difference { path, kind: DifferenceKind::Changed, source: show(source), target: show(target), text }
}

/// A value as a report shows it: texts by size and hash, everything else as it is (secrets are markers already).
fn shown(value: &Value) -> Value {
    match (marked(value), value) {
        (Some(("$text", Value::String(text))), _) => {
            serde_json::json!({ "$text": { "lines": text.lines().count(), "sha256": crate::id::Hash::of(text) } })
        }
        (Some(_), _) => value.clone(),
        (None, Value::Array(elements)) => elements.iter().map(shown).collect(),
        (None, Value::Object(fields)) => {
            Value::Object(fields.iter().map(|(key, field)| (key.clone(), shown(field))).collect())
        }
        (None, other) => other.clone(),
    }
}

/// How two values are put in order where nothing else does.
fn content(value: &Value) -> String {
    canonical(value)
}

#[cfg(test)]
mod tests;
