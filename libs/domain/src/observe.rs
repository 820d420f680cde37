//! What one read of a provider object says: its identity, its content's hashes, and the facts decisions rest on.

mod content;
mod facts;
mod redact;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compare::Evidence;
use crate::contract::{Contract, PlatformRule};
use crate::id::{ExternalId, Hash, PolicyType, SubjectKey};
use crate::identity::subject_key;
use crate::normal_form::{assignments_form, normal_form, straighten};
use crate::reference::{NameTable, Reference};

pub use content::content_hash;
pub use redact::redact;

/// An observed object, ready to be stored as an inventory item and (its raw content) as a policy version.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The provider's id.
    pub external_id: ExternalId,
    /// The contract it was read by.
    pub policy_type: PolicyType,
    /// The display name as written, trimmed; empty when it has none.
    pub display_name: String,
    /// Its identity across tenants.
    pub subject_key: SubjectKey,
    /// `@odata.type`, the contract's default filled in.
    pub odata_type: Option<String>,
    /// The platform, in the provider's words (`windows10`, `iOS`), for filtering.
    pub platform: Option<String>,
    /// Hash of the raw content without what changes by itself (dates, annotations, rotating secret tokens). A new policy
    /// version is captured when it changes.
    pub content_hash: Hash,
    /// The content without assignments, as it is compared across tenants.
    pub normal_form: Value,
    /// Hash of the normal form.
    pub normal_hash: Hash,
    /// The assignments, as they are compared across tenants (a sorted array).
    pub assignments_form: Value,
    /// Hash of the assignments form.
    pub assignments_hash: Hash,
    /// What preflight needs to know without the content.
    pub facts: SubjectFacts,
}

/// What preflight decides by; stored with the inventory item.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SubjectFacts {
    /// References in the content, assignments aside, sorted.
    #[serde(default)]
    pub references: Vec<Reference>,
    /// References in the assignments (groups, filters), sorted.
    #[serde(default)]
    pub assignment_references: Vec<Reference>,
    /// Where the content holds secrets that the provider does not give back.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The values, in normal form, of fields that cannot change after creation. A folded value is absent here.
    #[serde(default)]
    pub immutable: BTreeMap<String, Value>,
    /// An object that every tenant has from the start; never created, never overwritten by promotion.
    #[serde(default)]
    pub provider_default: bool,
    /// Why the provider would refuse this content.
    #[serde(default)]
    pub invalid: Vec<Invalid>,
    /// False when less was read than the object says it has (`settingCount`).
    pub complete: bool,
}

/// A reason why the provider would refuse the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// The field.
    pub path: String,
    /// A sentence for the operator.
    pub why: String,
}

impl SubjectFacts {
    /// How far hashes of this subject can be trusted.
    pub fn evidence(&self) -> Evidence {
        match (self.complete, self.secrets.is_empty()) {
            (false, _) => Evidence::Incomplete,
            (true, false) => Evidence::SecretsHidden,
            (true, true) => Evidence::Whole,
        }
    }
}

/// Why an object cannot be observed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unobservable {
    /// Not a JSON object.
    #[error("the provider's reply is not an object")]
    NotAnObject,
    /// No `id`, so it can be neither stored nor written.
    #[error("the provider's object has no id")]
    NoId,
}

/// Observes one object, read by `contract` from the tenant whose names are `names`. Odd content never fails: it is
/// reported among the facts.
///
/// # Errors
/// When it is no object or has no id, so that there is nothing to store it by.
pub fn observe(contract: &Contract, raw: &Value, names: &NameTable) -> Result<Observation, Unobservable> {
    if !raw.is_object() {
        return Err(Unobservable::NotAnObject);
    }
    let text = |field: &str| raw.get(field).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let external_id = ExternalId::from(text("id").ok_or(Unobservable::NoId)?);
    let display_name = text(&contract.name_field).unwrap_or_default().to_owned();
    let odata_type = text("@odata.type").or(contract.default_odata_type.as_deref()).map(str::to_owned);
    let straight = straighten(contract, raw);
    let content = normal_form(contract, &straight, names);
    let assignments = assignments_form(contract, &straight, names);
    let facts = facts::facts(contract, &straight, &content, &assignments);
    Ok(Observation {
        external_id,
        policy_type: contract.policy_type.clone(),
        subject_key: subject_key(contract, &display_name, raw),
        display_name,
        platform: platform(&contract.platform, odata_type.as_deref(), raw),
        odata_type,
        content_hash: content_hash(contract, raw),
        normal_form: content.value,
        normal_hash: content.hash,
        assignments_form: assignments.value,
        assignments_hash: assignments.hash,
        facts,
    })
}

fn platform(rule: &PlatformRule, odata_type: Option<&str>, raw: &Value) -> Option<String> {
    let said = rule.field.as_ref().and_then(|path| path.values(raw).into_iter().find_map(Value::as_str));
    let by_type = || {
        let odata_type = odata_type?;
        let known = rule.types.iter().filter(|(prefix, _)| odata_type.starts_with(prefix.as_str()));
        known.max_by_key(|(prefix, _)| prefix.len()).map(|(_, platform)| platform.as_str())
    };
    said.filter(|text| !text.is_empty()).or_else(by_type).or(rule.always.as_deref()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
