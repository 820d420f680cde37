//! The contract of an object type: everything this system knows about one type of Graph object, as data.
//!
//! A contract is read from TOML (`libs/graph/contracts/<policy type>.toml`); no other code knows a property's name. Every
//! rule speaks of fields in the path language of [`crate::json::Path`]. Unknown keys are an error, so that a misspelt
//! rule cannot silently mean "no rule". A type without a contract is unknown, and unknown types fail safe: no call.

mod capture;
mod field_test;
mod registry;
mod rulebook;
mod rules;
mod validate;
mod write;

use serde::Deserialize;

pub use capture::{Child, Item, List};
pub use field_test::{FieldTest, Test};
pub use registry::Registry;
pub(crate) use rulebook::{Found, RuleBook};
pub use rules::{
    DefaultRule, Encoding, LinkRule, PlatformRule, ReferenceRule, SecretRule, TextRule, UnorderedRule, ValidityRule,
};
pub use validate::ContractError;
pub use write::{
    AssignmentStyle, Assignments, Create, FollowUp, Method, SetRule, Update, UpdateMethod, Write, WriteStyle,
};

use crate::id::PolicyType;
use crate::json::Path;

/// One object type: where it is read, how it is compared, how it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The key of the type, e.g. `settingsCatalogPolicy`. Unique in the registry; reference rules name kinds by it.
    pub policy_type: PolicyType,
    /// What people call it, e.g. `Settings catalog policy`.
    pub label: String,
    /// Governed by itself, or only there so that others can refer to it.
    #[serde(default)]
    pub kind: Kind,
    /// Whether promotion may write it.
    pub promotion: Promotion,
    /// Which of Graph's rate limits its requests count against.
    pub family: Family,
    /// The API version. Intune types are beta only, Conditional Access loses properties in v1.0.
    #[serde(default)]
    pub api: Api,
    /// The order of reading and writing: foundations (scope tags 10, filters 15) before what refers to them (policies 1000).
    pub order: u32,
    /// The property that holds the display name: `displayName`, `name` or `fileName`.
    #[serde(default = "display_name")]
    pub name_field: String,
    /// The `@odata.type` that Graph leaves out because it is the collection's own type; put back when absent.
    #[serde(default)]
    pub default_odata_type: Option<String>,
    /// `@odata.type` values below the top that Graph writes only with full metadata, because they are the declared type of
    /// their property. They say nothing and are dropped from the normal form.
    #[serde(default)]
    pub implied_types: Vec<String>,
    /// Where the platform is read from, for filtering.
    #[serde(default)]
    pub platform: PlatformRule,
    /// What belongs to a subject's identity besides type and name, e.g. `@odata.type`, `platforms`.
    #[serde(default)]
    pub discriminators: Vec<Path>,
    /// The collection it is listed from.
    pub list: List,
    /// Which objects of that collection are of this type: all tests hold. Several contracts may share a collection.
    #[serde(default)]
    pub belongs: Vec<FieldTest>,
    /// Present when each object must be read by itself, because the list leaves properties out.
    #[serde(default)]
    pub item: Option<Item>,
    /// Collections below an object that are part of its content.
    #[serde(default)]
    pub children: Vec<Child>,
    /// Server-owned fields beyond the common set ([`crate::normal_form::COMMON_STRIP`]): neither compared nor written.
    #[serde(default)]
    pub strip: Vec<Path>,
    /// Values Graph fills in for an absent property: equal to absent.
    #[serde(default)]
    pub defaults: Vec<DefaultRule>,
    /// Fields that hold ids of other objects. `roleScopeTagIds` and `roleScopeTags` are known without a rule.
    #[serde(default)]
    pub references: Vec<ReferenceRule>,
    /// Navigation properties that are written as `<field>@odata.bind` and read as an expanded object.
    #[serde(default)]
    pub links: Vec<LinkRule>,
    /// Fields whose value Graph does not give back. Masked values (`****`) and settings catalog secrets are known without a rule.
    #[serde(default)]
    pub secrets: Vec<SecretRule>,
    /// Fields that cannot change after creation; a difference blocks an update.
    #[serde(default)]
    pub immutable: Vec<Path>,
    /// Objects every tenant has from the start: any test holds. They are never created.
    #[serde(default)]
    pub provider_default: Vec<FieldTest>,
    /// Arrays whose order means nothing.
    #[serde(default)]
    pub unordered: Vec<UnorderedRule>,
    /// Fields compared by the text they carry: encoded scripts, JSON in a string, property lists.
    #[serde(default)]
    pub text: Vec<TextRule>,
    /// ISO 8601 durations: `PT60M` and `PT1H` are equal.
    #[serde(default)]
    pub durations: Vec<Path>,
    /// Instants and times of day: trailing zeros of the fraction mean nothing.
    #[serde(default)]
    pub times: Vec<Path>,
    /// Fields without which Graph refuses the object.
    #[serde(default)]
    pub required: Vec<Path>,
    /// What must hold for Graph to accept the object, with a sentence for the operator.
    #[serde(default)]
    pub valid: Vec<ValidityRule>,
    /// How it is created and updated; required for promotable types.
    #[serde(default)]
    pub write: Option<Write>,
    /// How it is assigned; absent when the type has no assignments.
    #[serde(default)]
    pub assignments: Option<Assignments>,
}

fn display_name() -> String {
    "displayName".to_owned()
}

/// What an object is to this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A governed subject: compared and, if the promotion rule allows, promoted.
    #[default]
    Policy,
    /// Read so that ids resolve to names (groups, locations); never compared by itself.
    Reference,
}

/// Whether promotion may write a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promotion {
    /// Created and updated in the target.
    Promotable,
    /// Compared and shown, never written (Conditional Access by default).
    PreviewOnly,
    /// Neither promoted nor offered for it.
    Never,
}

/// The rate-limit family of a type (GRAPH: Intune 100 writes / 20 s, Conditional Access 1 request / s per tenant).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `deviceManagement` and `deviceAppManagement`.
    Intune,
    /// `identity/conditionalAccess`: 1 request a second for all applications of a tenant together.
    ConditionalAccess,
    /// Groups, roles, users.
    Directory,
}

/// Graph's API version. Both sides of a compare read the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Api {
    /// `beta`
    #[default]
    #[serde(rename = "beta")]
    Beta,
    /// `v1.0`
    #[serde(rename = "v1.0")]
    V1,
}

impl Api {
    /// The version as the first segment of a URL's path.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::V1 => "v1.0",
        }
    }
}

impl Contract {
    /// Reads and validates a contract.
    ///
    /// # Errors
    /// [`ContractError::Toml`] with line and column, or the rule that does not hold.
    pub fn from_toml(text: &str) -> Result<Self, ContractError> {
        let contract: Self = toml::from_str(text).map_err(|error| ContractError::Toml(error.to_string()))?;
        contract.validate()?;
        Ok(contract)
    }

    /// True when `object`, a member of the contract's collection, is of this type.
    pub fn owns(&self, object: &serde_json::Value) -> bool {
        self.belongs.iter().all(|test| test.holds(object))
    }
}

#[cfg(test)]
mod tests;
