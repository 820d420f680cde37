//! What is remembered of a tenant's directory: groups and role definitions, as lists and search need them.
//!
//! The directory is not governed. Nothing here is compared or written, so a few properties suffice, read directly.

use serde_json::Value;

use crate::id::ExternalId;
use crate::identity::folded_name;

/// Most characters of an id. The provider's are UUIDs.
const MOST_ID_CHARS: usize = 512;
/// Most characters kept of a name. The provider allows 256.
const MOST_NAME_CHARS: usize = 1_000;
/// Most characters kept of a description or a membership rule: a cache shows what something is, it does not archive it.
const MOST_TEXT_CHARS: usize = 4_000;

/// Why an object cannot be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCacheable {
    /// It has no usable id.
    #[error("the object has no usable id")]
    NoId,
    /// It has no usable name.
    #[error("the object has no usable name")]
    NoName,
}

/// What every entry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The provider's id.
    pub external_id: ExternalId,
    /// Its name, as the provider writes it.
    pub display_name: String,
    /// The name as it is searched and sorted by.
    pub folded_name: String,
    /// What it is for; may be empty.
    pub description: String,
}

/// How a group comes to its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They are assigned one by one.
    Assigned,
    /// A rule decides.
    Dynamic,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Id and name.
    pub entry: Entry,
    /// Whether access can be given to it.
    pub security_enabled: bool,
    /// Whether it has an address.
    pub mail_enabled: bool,
    /// How it comes to its members.
    pub membership: Membership,
    /// Whether it is kept by a directory outside of the cloud.
    pub on_premises: bool,
    /// Whether roles can be given to it.
    pub role_assignable: bool,
}

/// Where a role definition applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleScope {
    /// To the directory.
    Directory,
    /// To device management.
    Intune,
}

impl RoleScope {
    /// Every scope.
    pub const ALL: [RoleScope; 2] = [RoleScope::Directory, RoleScope::Intune];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            RoleScope::Directory => "directory",
            RoleScope::Intune => "intune",
        }
    }

    /// The key of the contract by which its role definitions are read.
    pub const fn collection(self) -> &'static str {
        match self {
            RoleScope::Directory => "directoryRoleDefinition",
            RoleScope::Intune => "intuneRoleDefinition",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A role definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDefinition {
    /// Id and name.
    pub entry: Entry,
    /// Whether every tenant has it from the start.
    pub built_in: bool,
    /// The id that a built-in one has in every tenant; may be empty.
    pub template_id: String,
}

/// Reads a group.
///
/// # Errors
/// Without id or name there is nothing to find it by.
pub fn group(raw: &Value) -> Result<Group, NotCacheable> {
    let types = raw.get("groupTypes").and_then(Value::as_array).into_iter().flatten();
    let dynamic = types.filter_map(Value::as_str).any(|name| name.eq_ignore_ascii_case("DynamicMembership"));
    Ok(Group {
        entry: entry(raw)?,
        security_enabled: flag(raw, "securityEnabled"),
        mail_enabled: flag(raw, "mailEnabled"),
        membership: if dynamic { Membership::Dynamic } else { Membership::Assigned },
        on_premises: flag(raw, "onPremisesSyncEnabled"),
        role_assignable: flag(raw, "isAssignableToRole"),
    })
}

/// Reads a role definition, of Intune or of the directory.
///
/// # Errors
/// Without id or name there is nothing to find it by.
pub fn role_definition(raw: &Value) -> Result<RoleDefinition, NotCacheable> {
    Ok(RoleDefinition {
        entry: entry(raw)?,
        // Intune says it twice, under an old name and a new one.
        built_in: flag(raw, "isBuiltIn") || flag(raw, "isBuiltInRoleDefinition"),
        template_id: text(raw, "templateId", MOST_ID_CHARS),
    })
}

fn entry(raw: &Value) -> Result<Entry, NotCacheable> {
    let id = raw.get("id").and_then(Value::as_str).unwrap_or_default();
    if id.is_empty() || id.chars().count() > MOST_ID_CHARS || id.contains('\0') {
        return Err(NotCacheable::NoId);
    }
    let display_name = text(raw, "displayName", MOST_NAME_CHARS);
    let folded_name = folded_name(&display_name);
    if folded_name.is_empty() {
        return Err(NotCacheable::NoName);
    }
    Ok(Entry {
        external_id: ExternalId(id.to_owned()),
        display_name,
        folded_name,
        description: text(raw, "description", MOST_TEXT_CHARS),
    })
}

fn flag(raw: &Value, field: &str) -> bool {
    raw.get(field).and_then(Value::as_bool).unwrap_or_default()
}

/// A text that a database can keep, cut to what is shown of it.
fn text(raw: &Value, field: &str, most: usize) -> String {
    let text = raw.get(field).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|letter| *letter != '\0').take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_is_what_its_flags_and_types_say() {
        let raw = json!({"id": "g", "displayName": " All  Staff ", "groupTypes": ["Unified", "DynamicMembership"],
            "securityEnabled": true, "mailEnabled": null, "onPremisesSyncEnabled": true});
        let group = group(&raw).unwrap();
        assert_eq!(
            (group.entry.display_name.as_str(), group.entry.folded_name.as_str()),
            (" All  Staff ", "all staff")
        );
        assert_eq!(group.membership, Membership::Dynamic);
        assert_eq!(
            (group.security_enabled, group.mail_enabled, group.on_premises, group.role_assignable),
            (true, false, true, false)
        );
        let plain = super::group(&json!({"id": "g", "displayName": "x", "groupTypes": ["Unified"]})).unwrap();
        assert_eq!(plain.membership, Membership::Assigned);
    }

    #[test]
    fn built_in_is_said_under_either_name() {
        let built_in = |raw: Value| role_definition(&raw).unwrap().built_in;
        assert!(built_in(json!({"id": "r", "displayName": "x", "isBuiltIn": true})));
        assert!(built_in(json!({"id": "r", "displayName": "x", "isBuiltInRoleDefinition": true})));
        assert!(!built_in(json!({"id": "r", "displayName": "x", "isBuiltIn": false})));
    }

    #[test]
    fn what_cannot_be_found_again_is_not_cached_and_what_is_too_long_is_cut() {
        for (raw, why) in [
            (json!({"displayName": "x"}), NotCacheable::NoId),
            (json!({"id": "", "displayName": "x"}), NotCacheable::NoId),
            (json!({"id": "a\0b", "displayName": "x"}), NotCacheable::NoId),
            (json!({"id": "i".repeat(513), "displayName": "x"}), NotCacheable::NoId),
            (json!({"id": "1"}), NotCacheable::NoName),
            (json!({"id": "1", "displayName": " \u{0} "}), NotCacheable::NoName),
            (json!("text"), NotCacheable::NoId),
        ] {
            assert_eq!(group(&raw).unwrap_err(), why, "{raw}");
            assert_eq!(role_definition(&raw).unwrap_err(), why, "{raw}");
        }
        let long = json!({"id": "1", "displayName": "n\0".repeat(2_000), "description": "d".repeat(5_000)});
        let entry = group(&long).unwrap().entry;
        assert_eq!((entry.display_name.len(), entry.description.len()), (1_000, 4_000));
    }
}
