//! The normal form: what an object says, in words that mean the same in every tenant.
//!
//! Server-owned and volatile fields are gone, absent and empty are one, collections without order are sorted, ids of
//! other objects have become names, secrets have become a marker, encoded text is decoded. Two objects mean the same if
//! and only if their normal forms are equal, so comparing tenants is comparing hashes.
//!
//! Where a value is not the provider's own any more, it is an object with one key that begins with `$`:
//!
//! | marker | for |
//! |---|---|
//! | `{"$ref": {"kind", "name"}}` | a reference, by name; `"fixed": true` for ids that all tenants share |
//! | `{"$ref": {"kind", "name", "ambiguous": id}}` | a name that several objects of the tenant have: equal to none |
//! | `{"$ref": {"kind", "unresolved": id}}` | an id whose object is not known |
//! | `{"$link": id}` | a link to an object that all tenants share |
//! | `{"$secret": true}` | a value the provider keeps to itself |
//! | `{"$text": ..}` `{"$json": ..}` `{"$plist": ..}` `{"$bytes": ..}` | what an encoded field says |
//!
//! OData property names cannot begin with `$`, so markers are never mistaken for content, and the normal form of a normal
//! form is itself.

mod assignment;
mod mark;
mod noise;
mod plist;
mod refer;
mod straighten;
mod text;
mod time;
mod walk;

use serde_json::Value;

pub use assignment::{AssignmentsForm, assignments_form};
pub(crate) use assignment::{direct_assignments, filter_rule, group_rule, has_filter};
pub(crate) use mark::secret as secret_marker;
pub use mark::{is_secret, marked};
pub use noise::{COMMON_STRIP, MOMENTS};
pub(crate) use noise::{bound_field, is_annotation, is_common_noise, is_masked, is_secret_setting};
pub(crate) use refer::{Referral, all_bound, bound_id, refer};
pub(crate) use straighten::straighten;
pub(crate) use time::canonical_duration;
pub(crate) use walk::place_text;

use crate::contract::Contract;
use crate::id::Hash;
use crate::json::{Path, canonical, canonical_hash, is_folded};
use crate::reference::{NameTable, Reference};

/// An object's normal form and what was met on the way to it.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalForm {
    /// The content, assignments aside. Key order and the order of unordered collections are canonical.
    pub value: Value,
    /// SHA-256 of the canonical JSON of `value`.
    pub hash: Hash,
    /// Every reference, resolved or not, sorted, each once.
    pub references: Vec<Reference>,
    /// Where secrets are, sorted: `omaSettings[./Device/...].value`.
    pub secrets: Vec<String>,
}

/// The normal form of an object as the provider returned or a tool exported it.
///
/// `names` are the names of the object's own tenant. Never fails: what is odd stays as it is.
pub fn normal_form(contract: &Contract, raw: &Value, names: &NameTable) -> NormalForm {
    let (value, references, secrets) = walk::walk(contract, raw, names);
    NormalForm { hash: canonical_hash(&value), value, references, secrets }
}

/// Sorts elements by key, then by content, so that equal collections have equal order. Used on values in normal form.
pub(crate) fn sort_elements(elements: &mut [Value], keys: &[Path]) {
    let key = |element: &Value| -> Vec<String> {
        let text = |path: &Path| path.values(element).into_iter().map(canonical).collect::<Vec<_>>().join(",");
        keys.iter().map(text).collect()
    };
    if keys.is_empty() {
        elements.sort_by_cached_key(canonical);
        return;
    }
    elements.sort_by_cached_key(key);
    // The whole content decides only between equal keys, which are rare: writing it out is what costs.
    elements.chunk_by_mut(|a, b| key(a) == key(b)).filter(|same| same.len() > 1).for_each(|same| {
        same.sort_by_cached_key(canonical);
    });
}

/// What people call an element of a collection with a key: its key's values. `None` when it has none of them.
pub(crate) fn element_label(element: &Value, keys: &[Path]) -> Option<String> {
    let mut label = String::new();
    for path in keys {
        let Some(value) = path.values(element).into_iter().find(|value| !is_folded(value)) else {
            continue;
        };
        if !label.is_empty() {
            label.push_str(", ");
        }
        label.push_str(&mark::plain(value));
    }
    (!label.is_empty()).then_some(label)
}

/// What people call a value that is a word, a number or a marker: the name in a reference. `None` for other objects.
pub(crate) fn marked_label(value: &Value) -> Option<String> {
    let named = !value.is_object() || matches!(marked(value), Some(("$ref" | "$link", _)));
    named.then(|| mark::plain(value))
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
