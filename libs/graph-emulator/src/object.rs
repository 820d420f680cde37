//! One stored object of a tenant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One stored object. Children live inside it: a write of a child is a write of its parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Graph id: a GUID, or a small integer for scope tags.
    pub id: String,
    /// Key of the kind.
    pub kind: String,
    /// Position in lists: objects are listed in the order of their creation.
    pub order: u64,
    /// The object's own properties, without `id`.
    pub body: Map<String, Value>,
    /// Child collections by name.
    #[serde(default)]
    pub children: BTreeMap<String, Vec<Value>>,
    /// Assignments as stored: `id`, `target` and what else the kind carries.
    #[serde(default)]
    pub assignments: Vec<Value>,
}

impl Object {
    /// A property as text.
    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        self.body.get(property).and_then(Value::as_str)
    }

    pub(crate) fn child(&self, name: &str) -> &[Value] {
        self.children.get(name).map_or(&[], Vec::as_slice)
    }

    /// The whole object as one JSON value: for admin reads and change detection.
    pub fn to_json(&self) -> Value {
        let mut map = self.body.clone();
        map.insert("id".into(), json!(self.id));
        for (name, items) in &self.children {
            map.insert(name.clone(), json!(items));
        }
        map.insert("assignments".into(), json!(self.assignments));
        Value::Object(map)
    }
}
