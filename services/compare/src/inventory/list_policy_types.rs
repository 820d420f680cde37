//! Lists the policy types this installation knows.

use domain::contract::{Contract, Kind, Promotion};

use crate::state::State;

/// What can be done with a policy type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotionClass {
    /// Can be promoted.
    Promotable,
    /// Is compared, but not promoted.
    PreviewOnly,
    /// Is read to give names to references.
    ReferenceOnly,
}

/// A policy type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownType {
    /// Its key.
    pub policy_type: String,
    /// Its name for people.
    pub label: String,
    /// What can be done with it.
    pub class: PromotionClass,
}

/// Every known type, in the order in which they are promoted. The same for everybody with a valid token.
pub fn list_policy_types(state: &State) -> Vec<KnownType> {
    let known = |contract: &Contract| KnownType {
        policy_type: contract.policy_type.0.clone(),
        label: contract.label.clone(),
        class: class(contract),
    };
    state.registry.iter().map(known).collect()
}

fn class(contract: &Contract) -> PromotionClass {
    match (contract.kind, contract.promotion) {
        (Kind::Reference, _) => PromotionClass::ReferenceOnly,
        (Kind::Policy, Promotion::Promotable) => PromotionClass::Promotable,
        (Kind::Policy, Promotion::PreviewOnly | Promotion::Never) => PromotionClass::PreviewOnly,
    }
}
