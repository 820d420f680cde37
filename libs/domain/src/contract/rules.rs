//! How a type's content is compared: one small struct per sort of rule.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::FieldTest;
use crate::id::PolicyType;
use crate::json::Path;

/// Where an object's platform is read from. The first of `field`, `types`, `always` that gives something wins.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformRule {
    /// The field that says it (`platforms`, `platform`).
    #[serde(default)]
    pub field: Option<Path>,
    /// By the longest prefix of `@odata.type`: `{ "#microsoft.graph.windows" = "windows10" }`.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// For types with one platform only.
    #[serde(default)]
    pub always: Option<String>,
}

/// A value that Graph fills in by itself when a property is absent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRule {
    /// The property.
    pub path: Path,
    /// The value that is equal to absent, as it stands in the normal form.
    pub value: Value,
    /// True when a write that says it is refused, so that it must be left out
    /// (`sessionControls.disableResilienceDefaults: false` of Conditional Access).
    #[serde(default)]
    pub omit: bool,
}

/// A field that holds the id of another object, or an object with an `id` (`authenticationStrength`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRule {
    /// The id: `notificationTemplateId`, or with `[]` every element of an array.
    pub path: Path,
    /// The policy type of what is referred to. A kind without a contract never resolves, so it needs manual mapping.
    pub kind: PolicyType,
    /// Tests of the object that holds the field; the rule applies where all hold.
    #[serde(default)]
    pub when: Vec<FieldTest>,
    /// Values that are words, not ids, and mean the same in every tenant: `All`, `None`, `AllTrusted`.
    #[serde(default)]
    pub sentinels: Vec<String>,
    /// Values that mean "no reference", e.g. the zero guid: equal to absent.
    #[serde(default)]
    pub none_values: Vec<String>,
    /// Ids that are the same in every tenant, with their names: `{ "0" = "Default" }`.
    #[serde(default)]
    pub fixed: BTreeMap<String, String>,
    /// Present when the field is a navigation property (a profile's `rootCertificate`), which is read as an object and
    /// written as `<field>@odata.bind`: what the bind URL is made of, below the API version, with `{id}`.
    #[serde(default)]
    pub bind: Option<String>,
}

/// A navigation property: read as an expanded object with an `id` or exported as `<field>@odata.bind`, always written as
/// a bind. Its normal form is the id, so it is for ids that are the same in every tenant (built-in ADMX definitions).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRule {
    /// The property: `definitionValues[].definition`.
    pub path: Path,
    /// What its bind URL is made of, below the API version: `deviceManagement/groupPolicyDefinitions('{id}')`. `{id}` is
    /// its own id, `{other}` the id of the link `other` in one of the objects around it.
    pub bind: String,
}

/// A field whose value Graph keeps to itself: shown as a marker, never compared, never written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// The field.
    pub path: Path,
    /// Tests of the object that holds the field; the rule applies where all hold.
    #[serde(default)]
    pub when: Vec<FieldTest>,
}

/// An array whose order means nothing. An object in its place is read as an array of one (PowerShell's JSON unrolls).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnorderedRule {
    /// The array, without `[]`: `settings`, `**.children`.
    pub path: Path,
    /// Fields of an element that tell it from the others: `["settingInstance.settingDefinitionId"]`. Empty for sets of
    /// values and for multisets without a key, which are matched by their whole content.
    #[serde(default)]
    pub key: Vec<Path>,
}

/// A field compared by what its text says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRule {
    /// The field.
    pub path: Path,
    /// How the text is written in the field.
    #[serde(default)]
    pub encoding: Encoding,
    /// Tests of the object that holds the field; the rule applies where all hold.
    #[serde(default)]
    pub when: Vec<FieldTest>,
}

/// How a text stands in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Base64 of text; byte-order mark and line ends mean nothing.
    #[default]
    Base64,
    /// The text itself; line ends mean nothing.
    Plain,
    /// JSON in a string, compared as JSON (`valueJson` of an intent's setting).
    Json,
    /// Base64 of JSON (`payloadJson` of an Android app configuration).
    Base64Json,
    /// Base64 of an XML property list, compared as the values in it (Apple profiles).
    Base64Plist,
}

/// A condition without which Graph refuses the object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidityRule {
    /// What must hold.
    pub test: FieldTest,
    /// The rule applies to objects for which all of these hold.
    #[serde(default)]
    pub when: Vec<FieldTest>,
    /// A sentence for the operator.
    pub why: String,
}
