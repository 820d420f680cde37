//! All contracts together, and which of them an object belongs to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Contract, ContractError};
use crate::id::PolicyType;

/// A validated set of contracts. What is not in it is unknown: nothing is called, nothing is written.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    by_type: BTreeMap<PolicyType, Contract>,
    in_order: Vec<PolicyType>,
}

impl Registry {
    /// A registry of these contracts.
    ///
    /// # Errors
    /// A contract that is not valid, or two of one type.
    pub fn new(contracts: impl IntoIterator<Item = Contract>) -> Result<Self, ContractError> {
        let mut by_type = BTreeMap::new();
        for contract in contracts {
            contract.validate()?;
            if let Some(twice) = by_type.insert(contract.policy_type.clone(), contract) {
                return Err(ContractError::Twice(twice.policy_type.0));
            }
        }
        let mut in_order: Vec<PolicyType> = by_type.keys().cloned().collect();
        in_order.sort_by_key(|policy_type| by_type[policy_type].order);
        Ok(Self { by_type, in_order })
    }

    /// The contract of a type; `None` for a type nobody knows.
    pub fn get(&self, policy_type: &str) -> Option<&Contract> {
        self.by_type.get(policy_type)
    }

    /// All contracts, foundations first (by order, then by key).
    pub fn iter(&self) -> impl Iterator<Item = &Contract> {
        self.in_order.iter().map(|policy_type| &self.by_type[policy_type])
    }

    /// Which type an object listed from `collection` is. Among contracts of that collection whose tests hold, the one
    /// with the most tests of what is present wins, so that a contract without tests takes what is left. `None` when
    /// none applies or two apply equally: unknown is safe, a guess is not.
    pub fn classify(&self, collection: &str, object: &Value) -> Option<&Contract> {
        let weight = |contract: &Contract| contract.belongs.iter().filter(|test| test.is_positive()).count();
        let collection = collection.trim_matches('/');
        let applying: Vec<&Contract> =
            self.iter().filter(|contract| contract.list.path == collection && contract.owns(object)).collect();
        let best = applying.iter().map(|contract| weight(contract)).max()?;
        let mut winners = applying.into_iter().filter(|contract| weight(contract) == best);
        match (winners.next(), winners.next()) {
            (Some(contract), None) => Some(contract),
            _ => None,
        }
    }

    /// How many contracts there are.
    pub fn len(&self) -> usize {
        self.by_type.len()
    }

    /// True when there is no contract at all.
    pub fn is_empty(&self) -> bool {
        self.by_type.is_empty()
    }
}
