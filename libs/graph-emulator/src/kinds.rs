//! The kinds of Graph objects the emulator serves, as data (`kinds.toml`, where every field is explained).

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Properties that Graph computes on every kind: accepted in a body and ignored.
const OWNED_EVERYWHERE: &[&str] = &[
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "modifiedDateTime",
    "version",
    "supportsScopeTags",
    "settingCount",
    "isAssigned",
    "creationSource",
    "priorityMetaData",
    "assignments",
];

/// One kind of object: where it lives and what Graph enforces for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kind {
    /// Stable name of the kind inside the emulator and its reports.
    pub(crate) key: String,
    /// Collection path below the version segment.
    pub(crate) path: String,
    /// Type name without `#microsoft.graph.`.
    pub(crate) odata_type: String,
    /// Creatable types of a polymorphic kind; empty = not polymorphic.
    #[serde(default)]
    pub(crate) subtypes: Vec<String>,
    /// Types that a pattern of `subtypes` would admit although they belong elsewhere.
    #[serde(default)]
    pub(crate) except: Vec<String>,
    #[serde(default)]
    pub(crate) v1: bool,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) properties: Vec<String>,
    pub(crate) page: usize,
    #[serde(default)]
    pub(crate) max_top: Option<usize>,
    #[serde(default)]
    pub(crate) over_top: OverTop,
    #[serde(default)]
    pub(crate) count_per_page: bool,
    #[serde(default)]
    pub(crate) create: Option<u16>,
    #[serde(default)]
    pub(crate) patch: Option<u16>,
    #[serde(default)]
    pub(crate) put: Option<u16>,
    #[serde(default)]
    pub(crate) delete: Option<u16>,
    #[serde(default)]
    pub(crate) scope_tags: Option<String>,
    #[serde(default)]
    pub(crate) owned: Vec<String>,
    #[serde(default)]
    pub(crate) patch_reject: Vec<String>,
    #[serde(default)]
    pub(crate) list_null: Vec<String>,
    #[serde(default)]
    pub(crate) select_only: Vec<String>,
    #[serde(default)]
    pub(crate) defaults: Map<String, Value>,
    #[serde(default)]
    pub(crate) nulls: Vec<String>,
    #[serde(default)]
    pub(crate) versioned: bool,
    /// The property that changes with every write.
    #[serde(default)]
    pub(crate) modified: Option<String>,
    /// Has neither a creation nor a modification date.
    #[serde(default)]
    pub(crate) undated: bool,
    pub(crate) read: Vec<String>,
    pub(crate) write: Vec<String>,
    #[serde(default)]
    pub(crate) approval: Option<String>,
    /// Served by Entra, not by Intune: plain error messages, its own throttling.
    #[serde(default)]
    pub(crate) entra: bool,
    #[serde(default)]
    pub(crate) shape: Vec<String>,
    #[serde(default)]
    pub(crate) rules: Vec<RuleName>,
    #[serde(default)]
    pub(crate) assign: Option<Assign>,
    #[serde(default)]
    pub(crate) children: Vec<Child>,
}

/// What happens when `$top` exceeds `max_top`.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OverTop {
    #[default]
    Clamp,
    Reject,
}

/// `POST /{id}/assign` of a kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assign {
    pub(crate) key: String,
    pub(crate) code: u16,
    #[serde(default)]
    pub(crate) echo: bool,
}

/// A child collection that is kept inside its parent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) odata_type: String,
    pub(crate) page: usize,
    #[serde(default)]
    pub(crate) create: InBody,
    /// Navigation properties of the child: shown only when expanded.
    #[serde(default)]
    pub(crate) nested: Vec<String>,
    /// `$expand` of this child is allowed on the collection, not only on one object.
    #[serde(default = "yes")]
    pub(crate) collection_expand: bool,
}

/// What a create does with children in its body.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InBody {
    Stored,
    Ignored,
    #[default]
    Refused,
}

fn yes() -> bool {
    true
}

/// Names of the behaviours that a table field cannot express; each lives in `rules/`.
#[derive(Debug, Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuleName {
    SettingsCatalog,
    OmaUri,
    UpdateRing,
    ScheduledActions,
    ScheduledActionsV2,
    Admx,
    ScriptContent,
    GlobalScript,
    AssignmentFilter,
    ScopeTag,
    Notification,
    FeatureUpdate,
    DriverUpdate,
    ReusableSetting,
    ConditionalAccess,
    NamedLocation,
    Intent,
    Group,
}

#[derive(Deserialize)]
struct Table {
    kind: Vec<Kind>,
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    toml::from_str::<Table>(include_str!("kinds.toml")).expect("kinds.toml is compiled in and read by a test").kind
});

/// Every kind the emulator serves.
pub(crate) fn all() -> &'static [Kind] {
    &KINDS
}

/// The kind with this key.
pub(crate) fn by_key(key: &str) -> Option<&'static Kind> {
    all().iter().find(|kind| kind.key == key)
}

/// The kind whose collection has this path, compared without regard to case.
pub(crate) fn by_path(path: &str) -> Option<&'static Kind> {
    all().iter().find(|kind| kind.path.eq_ignore_ascii_case(path))
}

impl Kind {
    pub(crate) fn polymorphic(&self) -> bool {
        !self.subtypes.is_empty()
    }

    pub(crate) fn has(&self, rule: RuleName) -> bool {
        self.rules.contains(&rule)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Child> {
        self.children.iter().find(|child| child.name.eq_ignore_ascii_case(name))
    }

    /// A property the server computes: ignored when a client sends it.
    pub(crate) fn owns(&self, property: &str) -> bool {
        OWNED_EVERYWHERE.contains(&property) || self.owned.iter().any(|owned| owned == property)
    }

    /// Whether the schema has this property. Where the emulator does not know the whole schema, it has every property.
    pub(crate) fn declares(&self, property: &str) -> bool {
        let named = property.split('@').next().unwrap_or_default();
        self.properties.is_empty()
            || named.is_empty()
            || self.owns(named)
            || self.name.as_deref() == Some(named)
            || self.properties.iter().any(|known| known == named)
            || self.children.iter().any(|child| child.name == named)
    }

    /// Whether `name` (without `#microsoft.graph.`) is a type that objects of this kind can have.
    pub(crate) fn admits(&self, name: &str) -> bool {
        if !self.polymorphic() {
            return name == self.odata_type;
        }
        let fits = |pattern: &String| match pattern.strip_prefix('*') {
            Some(suffix) => name.ends_with(suffix),
            None => name == pattern,
        };
        // A pattern must not swallow a type that is a kind of its own, such as groupPolicyConfiguration.
        let elsewhere = all().iter().any(|kind| kind.odata_type == name);
        !elsewhere && self.subtypes.iter().any(fits) && !self.except.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_readable_and_paths_are_unique() {
        let mut paths: Vec<&str> = all().iter().map(|kind| kind.path.as_str()).collect();
        assert!(paths.len() > 20);
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), all().len());
    }

    #[test]
    fn only_concrete_subtypes_are_admitted() {
        let kind = by_key("deviceConfiguration").unwrap();
        assert!(kind.admits("windows10CustomConfiguration"));
        assert!(!kind.admits("deviceConfiguration"));
        assert!(!kind.admits("iosCompliancePolicy"));
        assert!(!kind.admits("groupPolicyConfiguration"));
        assert!(!kind.admits("windows10EnrollmentCompletionPageConfiguration"));
    }
}
