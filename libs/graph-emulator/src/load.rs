//! A folder of exports becomes a tenant. Loading stores what the files say: no write rules apply, nothing is invented that a file
//! refers to but does not bring.

mod adopt;
mod detect;
mod encoding;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::object::Object;
use crate::outcome::Change;
use crate::world::Tenant;

/// What became of the files of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One entry per JSON document, in path order.
    pub files: Vec<LoadedFile>,
}

/// What one file became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadedFile {
    /// Path below the folder.
    pub path: PathBuf,
    /// What it became.
    pub became: Became,
}

/// The fates of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Became {
    /// An object of this kind with this id.
    Object {
        /// Key of the kind.
        kind: String,
        /// Id in the tenant.
        id: String,
    },
    /// The same object as an earlier file, with the same content: stored once.
    Same {
        /// Key of the kind.
        kind: String,
        /// Id in the tenant.
        id: String,
    },
    /// The id of an earlier file with other content: a second object under an id of its own.
    Renumbered {
        /// Key of the kind.
        kind: String,
        /// New id in the tenant.
        id: String,
        /// Id in the file.
        original: String,
    },
    /// Recognised, and nothing a tenant stores.
    NotAPolicy {
        /// What it is.
        what: String,
    },
    /// Not understood, not stored.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl Report {
    /// Files that are objects of the tenant now.
    pub fn objects(&self) -> usize {
        let stored = |file: &&LoadedFile| matches!(file.became, Became::Object { .. } | Became::Renumbered { .. });
        self.files.iter().filter(stored).count()
    }

    /// Files that were not understood.
    pub fn failures(&self) -> impl Iterator<Item = &LoadedFile> {
        self.files.iter().filter(|file| matches!(file.became, Became::Unreadable { .. }))
    }
}

/// Every JSON file below a folder, in path order.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads one file. A file may hold one object, an array of them, or a Graph list.
pub(crate) fn documents(path: &Path) -> Result<Vec<Value>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = encoding::decode(&bytes)?;
    match serde_json::from_str(&text).map_err(|error| error.to_string())? {
        Value::Array(items) => Ok(items),
        Value::Object(map) => match map.get("value") {
            Some(Value::Array(items)) if map.contains_key("@odata.context") => Ok(with_context(&map, items)),
            _ => Ok(vec![Value::Object(map)]),
        },
        _ => Err("neither an object nor a list of objects".into()),
    }
}

/// Items of a Graph list carry no context of their own: the list's one says what they are.
fn with_context(list: &Map<String, Value>, items: &[Value]) -> Vec<Value> {
    let context = list.get("@odata.context").cloned().unwrap_or_default();
    let mut items = items.to_vec();
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.entry("@odata.context").or_insert_with(|| context.clone());
    }
    items
}

/// Decides what one document becomes in a tenant that already has `tenant`'s objects.
pub(crate) fn place(tenant: &Tenant, document: &Value, hint: Option<&str>) -> (Became, Option<Change>) {
    let Some(map) = document.as_object() else {
        return (Became::Unreadable { why: "not an object".into() }, None);
    };
    if let Some(what) = detect::other(map) {
        return (Became::NotAPolicy { what: what.into() }, None);
    }
    let Some(kind) = detect::kind(map, hint) else {
        return (Became::Unreadable { why: "no known type, context or shape".into() }, None);
    };
    let mut object = adopt::object(kind, map);
    let name = kind.key.clone();
    let Some(held) = tenant.get(kind, &object.id) else {
        let became = Became::Object { kind: name, id: object.id.clone() };
        return (became, Some(Change::Put { object }));
    };
    if same(&held, &object) {
        return (Became::Same { kind: name, id: held.id.clone() }, None);
    }
    let original = object.id.clone();
    if kind.key == "roleScopeTag" {
        object.id = tenant.next_scope_tag();
        if original == "0" {
            // The built-in tag is there already; an export of it can only rename it.
            object.id = original.clone();
            object.order = held.order;
            return (Became::Object { kind: name, id: original }, Some(Change::Put { object }));
        }
    } else {
        object.id = adopt::derived_id(&original, map);
        if tenant.get(kind, &object.id).is_some_and(|held| same(&held, &object)) {
            return (Became::Same { kind: name, id: object.id }, None);
        }
    }
    let became = Became::Renumbered { kind: name, id: object.id.clone(), original };
    (became, Some(Change::Put { object }))
}

fn same(held: &Object, object: &Object) -> bool {
    held.body == object.body && held.children == object.children && held.assignments == object.assignments
}
