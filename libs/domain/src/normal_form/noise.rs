//! What every type's objects carry that is not content.

use serde_json::{Map, Value};

/// Top-level fields that belong to the server, in every type (GRAPH section 1, common strip set).
pub const COMMON_STRIP: &[&str] = &[
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "modifiedDateTime",
    "version",
    "supportsScopeTags",
    "isAssigned",
    "creationSource",
    "settingCount",
    "priorityMetaData",
    "assignments",
];

/// The moments of creation and change, which expanded objects carry at any depth.
pub const MOMENTS: &[&str] = &["createdDateTime", "lastModifiedDateTime", "modifiedDateTime"];

/// The settings catalog's secret; Graph returns a token in place of the value, a different one at each read (GRAPH Q5).
const SECRET_SETTING: &str = "#microsoft.graph.deviceManagementConfigurationSecretSettingValue";

/// True for OData annotations and action bags: `@odata.context`, `state@odata.type`, `#microsoft.graph.assign`. The bare
/// `@odata.type` is content: it decides what the object is.
pub(crate) fn is_annotation(key: &str) -> bool {
    key.starts_with('#') || (key.contains("@odata.") && key != "@odata.type")
}

/// The field that a `<field>@odata.bind` speaks for.
pub(crate) fn bound_field(key: &str) -> Option<&str> {
    key.strip_suffix("@odata.bind").filter(|field| !field.is_empty())
}

/// True for a field that is noise in every type.
pub(crate) fn is_common_noise(field: &str, top_level: bool) -> bool {
    MOMENTS.contains(&field) || (top_level && COMMON_STRIP.contains(&field))
}

/// True for a value that Graph has masked: nothing but asterisks.
pub(crate) fn is_masked(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 4 && text.bytes().all(|byte| byte == b'*'))
}

/// True when `holder` is a settings catalog secret. Its `value` is the secret, its `valueState` says only how it was sent.
pub(crate) fn is_secret_setting(holder: &Map<String, Value>) -> bool {
    holder.get("@odata.type").and_then(Value::as_str) == Some(SECRET_SETTING)
}
