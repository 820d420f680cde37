//! What an exported document is: by its type, by its context, by its shape, at last by the folder it lies in.

use serde_json::{Map, Value};

use crate::kinds::{self, Kind};
use crate::odata::json;
use crate::odata::path::{self, Segment};

/// Documents that exports contain beside objects.
pub(crate) fn other(map: &Map<String, Value>) -> Option<&'static str> {
    if map.contains_key("TenantId") && map.contains_key("Objects") {
        return Some("migration table");
    }
    None
}

pub(crate) fn kind(map: &Map<String, Value>, folder: Option<&str>) -> Option<&'static Kind> {
    by_type(map).or_else(|| by_context(map)).or_else(|| by_shape(map)).or_else(|| by_folder(folder?))
}

fn by_type(map: &Map<String, Value>) -> Option<&'static Kind> {
    let name = json::type_of(map)?;
    kinds::all().iter().find(|kind| kind.admits(name))
}

/// `https://graph.microsoft.com/beta/$metadata#deviceManagement/configurationPolicies(assignments())/$entity`
fn by_context(map: &Map<String, Value>) -> Option<&'static Kind> {
    let (_, fragment) = map.get("@odata.context")?.as_str()?.split_once('#')?;
    let names: Vec<String> = path::parse(fragment)
        .iter()
        .filter_map(|segment| match segment {
            Segment::Name(name) if name != "$entity" => Some(name.clone()),
            _ => None,
        })
        .collect();
    kinds::by_path(&names.join("/"))
}

/// The kind whose telling properties are all there; of several the one that asks for most.
fn by_shape(map: &Map<String, Value>) -> Option<&'static Kind> {
    kinds::all()
        .iter()
        .filter(|kind| !kind.shape.is_empty() && kind.shape.iter().all(|name| map.contains_key(name)))
        .max_by_key(|kind| kind.shape.len())
}

fn by_folder(folder: &str) -> Option<&'static Kind> {
    kinds::all().iter().find(|kind| kind.path.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(document: Value) -> Option<&'static str> {
        kind(document.as_object().unwrap(), None).map(|kind| kind.key.as_str())
    }

    #[test]
    fn type_context_and_shape() {
        assert_eq!(
            key(json!({"@odata.type": "#microsoft.graph.windows10CompliancePolicy"})),
            Some("deviceCompliancePolicy")
        );
        let context = "https://graph.microsoft.com/beta/$metadata#deviceManagement/configurationPolicies(assignments(),settings())/$entity";
        assert_eq!(key(json!({"@odata.context": context})), Some("settingsCatalogPolicy"));
        assert_eq!(key(json!({"displayName": "g", "mailEnabled": false, "securityEnabled": true})), Some("group"));
        assert_eq!(
            key(json!({"displayName": "f", "platform": "windows10AndLater", "rule": "(x)"})),
            Some("assignmentFilter")
        );
        assert_eq!(key(json!({"x": 1})), None);
    }
}
