//! From an id to what it means across tenants.

use serde_json::{Value, json};

use crate::contract::ReferenceRule;
use crate::identity::folded_name;
use crate::reference::{NameTable, Reference, Standing};

/// What a value in a reference field turned out to be.
pub(crate) enum Referral {
    /// Nothing is referred to.
    Nothing,
    /// A word that means the same everywhere, or something that is no id at all.
    Word,
    /// A reference.
    To(Reference),
}

/// Reads the value of a reference field: an id, or an object with an `id`.
pub(crate) fn refer(rule: &ReferenceRule, value: &Value, path: &str, names: &NameTable) -> Referral {
    let id = match value {
        Value::String(id) => id.as_str(),
        Value::Object(fields) => match fields.get("id").and_then(Value::as_str) {
            Some(id) => id,
            None => return if crate::json::is_folded(value) { Referral::Nothing } else { Referral::Word },
        },
        Value::Null => return Referral::Nothing,
        _ => return Referral::Word,
    };
    if id.is_empty() || rule.none_values.iter().any(|none| none.eq_ignore_ascii_case(id)) {
        return Referral::Nothing;
    }
    if rule.sentinels.iter().any(|word| word == id) {
        return Referral::Word;
    }
    let kind = rule.kind.as_str();
    let fixed = rule.fixed.iter().find(|(fixed, _)| fixed.eq_ignore_ascii_case(id)).map(|(_, name)| name.as_str());
    let (standing, name, display_name) = match (fixed, names.name(kind, id)) {
        (Some(fixed), _) => (Standing::Fixed, Some(folded_name(fixed)), fixed),
        (None, Some(name)) => {
            let standing = if names.is_shared(kind, name) { Standing::Ambiguous } else { Standing::Named };
            (standing, Some(name.to_owned()), names.display_name(kind, id).unwrap_or(name))
        }
        (None, None) => (Standing::Unresolved, None, id),
    };
    Referral::To(Reference {
        kind: rule.kind.clone(),
        id: id.to_owned(),
        display_name: display_name.to_owned(),
        name,
        path: path.to_owned(),
        standing,
    })
}

/// The marker of a reference.
pub(super) fn reference_mark(reference: &Reference) -> Value {
    let kind = &reference.kind;
    let name = reference.name.as_deref().unwrap_or_default();
    let inner = match reference.standing {
        Standing::Fixed => json!({ "kind": kind, "name": name, "fixed": true }),
        Standing::Named => json!({ "kind": kind, "name": name }),
        Standing::Ambiguous => json!({ "kind": kind, "name": name, "ambiguous": reference.id }),
        Standing::Unresolved => json!({ "kind": kind, "unresolved": reference.id }),
    };
    json!({ "$ref": inner })
}

/// The id at the end of a bind URL, `.../groupPolicyDefinitions('<id>')` or `.../groupPolicyDefinitions/<id>`; also of an
/// expanded object, or of a bare id.
pub(crate) fn bound_id(value: &Value) -> Option<&str> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(fields) => return fields.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()),
        _ => return None,
    };
    let last = text.trim_end_matches('/').rsplit('/').next()?;
    let id = match last.rsplit_once("('") {
        Some((_, quoted)) => quoted.strip_suffix("')")?,
        None => last,
    };
    (!id.is_empty()).then_some(id)
}

/// True for an id, a URL or an object that ends in one, or an array of such.
pub(crate) fn all_bound(value: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(|value| bound_id(value).is_some()),
        one => bound_id(one).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_bind_in_all_its_spellings() {
        for (value, id) in [
            (json!("https://graph.microsoft.com/beta/deviceManagement/groupPolicyDefinitions('f9-74')"), Some("f9-74")),
            (json!("deviceManagement/groupPolicyDefinitions('d')/presentations('p')"), Some("p")),
            (json!("deviceManagement/groupPolicyDefinitions/d"), Some("d")),
            (json!({"id": "x", "displayName": "X"}), Some("x")),
            (json!("bare"), Some("bare")),
            (json!(""), None),
            (json!({"id": ""}), None),
            (json!(3), None),
        ] {
            assert_eq!(bound_id(&value), id, "{value}");
        }
    }
}
