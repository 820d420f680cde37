//! The shape of JSON bodies: what clients add and the server drops, and what each metadata level shows.

use serde_json::{Map, Value};

/// How much metadata the client asked for in `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Metadata {
    None,
    #[default]
    Minimal,
    Full,
}

impl Metadata {
    /// Reads an `Accept` header.
    pub(crate) fn of(accept: &str) -> Self {
        let accept = accept.to_ascii_lowercase();
        if accept.contains("odata.metadata=full") {
            Metadata::Full
        } else if accept.contains("odata.metadata=none") {
            Metadata::None
        } else {
            Metadata::Minimal
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Metadata::None => "none",
            Metadata::Minimal => "minimal",
            Metadata::Full => "full",
        }
    }
}

/// Complex and entity types that stand where the schema declares exactly them. Minimal metadata says no `@odata.type` for such a
/// value, only for derived types (seen in portal exports beside full ones).
const DECLARED: &[&str] = &[
    "deviceManagementConfigurationSetting",
    "deviceManagementConfigurationChoiceSettingValue",
    "deviceManagementConfigurationGroupSettingValue",
    "deviceManagementConfigurationPolicyTemplateReference",
    "deviceManagementConfigurationSettingInstanceTemplateReference",
    "deviceManagementConfigurationSettingValueTemplateReference",
    "deviceComplianceScheduledActionForRule",
    "deviceComplianceActionItem",
    "deviceManagementComplianceScheduledActionForRule",
    "deviceManagementComplianceActionItem",
    "conditionalAccessConditionSet",
    "conditionalAccessApplications",
    "conditionalAccessClientApplications",
    "conditionalAccessUsers",
    "conditionalAccessPlatforms",
    "conditionalAccessLocations",
    "conditionalAccessDevices",
    "conditionalAccessFilter",
    "conditionalAccessGrantControls",
    "conditionalAccessSessionControls",
    "conditionalAccessGuestsOrExternalUsers",
    "conditionalAccessAuthenticationFlows",
    "applicationEnforcedRestrictionsSessionControl",
    "cloudAppSecuritySessionControl",
    "persistentBrowserSessionControl",
    "signInFrequencySessionControl",
    "authenticationStrengthPolicy",
    "groupPolicyDefinitionValue",
    "localizedNotificationMessage",
];

/// Drops what is no data of the object: annotations (`x@odata.type`, `@odata.id`, ...) and action bags (`#microsoft.graph.assign`).
/// Keeps the bare `@odata.type`, and `x@odata.bind`, which creates refer by.
pub(crate) fn clean(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(clean_map(map)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
        other => other,
    }
}

/// `clean` for one object.
pub(crate) fn clean_map(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .filter(|(key, _)| {
            key == "@odata.type" || key.ends_with("@odata.bind") || !(key.contains('@') || key.starts_with('#'))
        })
        .map(|(key, value)| (key, clean(value)))
        .collect()
}

/// Brings the inside of an object (not its own type) to a metadata level.
pub(crate) fn level(value: &mut Value, metadata: Metadata) {
    match value {
        Value::Object(map) => {
            let declared = map
                .get("@odata.type")
                .and_then(Value::as_str)
                .map(bare_type)
                .is_some_and(|name| DECLARED.contains(&name));
            if metadata == Metadata::None || (declared && metadata == Metadata::Minimal) {
                map.remove("@odata.type");
            }
            map.values_mut().for_each(|inner| level(inner, metadata));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| level(item, metadata)),
        _ => {}
    }
}

/// `#microsoft.graph.x` without the prefix.
pub(crate) fn bare_type(name: &str) -> &str {
    let name = name.strip_prefix('#').unwrap_or(name);
    name.strip_prefix("microsoft.graph.").unwrap_or(name)
}

/// The `@odata.type` of an object, without the prefix.
pub(crate) fn type_of(map: &Map<String, Value>) -> Option<&str> {
    map.get("@odata.type").and_then(Value::as_str).map(bare_type)
}

/// `name` as the wire writes a type.
pub(crate) fn wire_type(name: &str) -> Value {
    Value::String(format!("#microsoft.graph.{name}"))
}

/// Keeps the selected properties (and annotations); an empty selection keeps all.
pub(crate) fn select(map: &mut Map<String, Value>, names: &[String]) {
    if names.is_empty() || names.iter().any(|name| name == "*") {
        return;
    }
    map.retain(|key, _| key.contains("@odata.") || names.iter().any(|name| name.eq_ignore_ascii_case(key)));
}

/// Calls `visit` on every object inside `value`, itself included, parents first.
pub(crate) fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.values().for_each(|inner| walk(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// Like `walk`, with leave to change.
pub(crate) fn walk_mut(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.values_mut().for_each(|inner| walk_mut(inner, visit));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk_mut(item, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn noise_goes_and_types_stay() {
        let dirty = json!({"@odata.context": "x", "@odata.type": "#microsoft.graph.a", "b@odata.type": "#String", "b": [{"c@odata.navigationLink": "", "c": 1}],
            "#microsoft.graph.assign": {}, "d@odata.bind": "url"});
        assert_eq!(clean(dirty), json!({"@odata.type": "#microsoft.graph.a", "b": [{"c": 1}], "d@odata.bind": "url"}));
    }

    #[test]
    fn minimal_metadata_types_derived_values_only() {
        let mut value = json!({"a": {"@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingValue"},
            "b": {"@odata.type": "#microsoft.graph.deviceManagementConfigurationStringSettingValue"}});
        level(&mut value, Metadata::Minimal);
        assert_eq!(value["a"], json!({}));
        assert!(value["b"]["@odata.type"].is_string());
    }
}
