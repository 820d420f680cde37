//! From a source's captured content to a body that is safe for a target.
//!
//! Safe means: nothing server-owned, every reference carried over by name to the target's own id, no secret that the
//! provider did not give back. What cannot be made safe is refused, with everything that stands in the way at once.

mod assign;
mod body;
mod map;

use serde_json::Value;

use crate::contract::Contract;
use crate::id::PolicyType;
use crate::normal_form::straighten;
use crate::reference::{MappingFault, NameTable, Reference};

/// Content that may be written to the target. The requests it becomes are the provider crate's business.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// What it is.
    pub policy_type: PolicyType,
    /// The whole content with the target's ids; children stand in their fields, links as `<field>@odata.bind` below the
    /// API version (`deviceManagement/groupPolicyDefinitions('<id>')`, to be made absolute).
    pub content: Value,
    /// The whole set of assignments, each `{"target": {..}, ..}`; `None` when the selection leaves assignments alone.
    pub assignments: Option<Vec<Value>>,
}

/// Everything that keeps content from being written to the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of the content cannot be carried over, first {}", .obstacles.len(), .obstacles.first().map(ToString::to_string).unwrap_or_default())]
pub struct Unmapped {
    /// Each obstacle once, in the order of the content.
    pub obstacles: Vec<Obstacle>,
}

/// One thing that cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The provider keeps the value to itself.
    #[error("the secret at {path}")]
    Secret {
        /// Where it stands.
        path: String,
    },
    /// A reference has no counterpart in the target.
    #[error("the {} {} at {}", .reference.kind, .reference.display_name, .reference.path)]
    Reference {
        /// The reference.
        reference: Reference,
        /// Why it has none.
        fault: MappingFault,
    },
}

/// Makes a source's raw content safe for a target. Names are each tenant's own.
///
/// # Errors
/// Every secret and every reference that stands in the way.
pub fn target_payload(
    contract: &Contract,
    raw_source: &Value,
    source_names: &NameTable,
    target_names: &NameTable,
    include_assignments: bool,
) -> Result<Payload, Unmapped> {
    let raw = straighten(contract, raw_source);
    let names = map::Names { source: source_names, target: target_names };
    let mut obstacles = Vec::new();
    let mut content = map::map(contract, &raw, &names, &mut obstacles);
    if let Some(write) = &contract.write {
        write.set.iter().for_each(|rule| rule.path.set(&mut content, &rule.value));
    }
    let assigned = contract.assignments.as_ref().filter(|_| include_assignments);
    let assignments = assigned.map(|rule| assign::assign(rule, &raw, &names, &mut obstacles));
    let mut seen = Vec::new();
    for obstacle in obstacles {
        if !seen.contains(&obstacle) {
            seen.push(obstacle);
        }
    }
    match seen.is_empty() {
        true => Ok(Payload { policy_type: contract.policy_type.clone(), content, assignments }),
        false => Err(Unmapped { obstacles: seen }),
    }
}

#[cfg(test)]
mod tests;
