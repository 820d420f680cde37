//! What must hold for a contract to be used.

use super::{Contract, Kind, Promotion, WriteStyle};

/// Why a contract, or a set of them, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// Not TOML, a key nobody knows, or a value of the wrong sort; with line and column.
    #[error("{0}")]
    Toml(String),
    /// A rule does not hold.
    #[error("{policy_type}: {why}")]
    Rule {
        /// The contract's type.
        policy_type: String,
        /// What is wrong.
        why: String,
    },
    /// Two contracts have the same key.
    #[error("{0}: there are two contracts of this type")]
    Twice(String),
}

impl Contract {
    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn validate(&self) -> Result<(), ContractError> {
        match self.first_fault() {
            None => Ok(()),
            Some(why) => Err(ContractError::Rule { policy_type: self.policy_type.0.clone(), why }),
        }
    }

    fn first_fault(&self) -> Option<String> {
        let key = &self.policy_type.0;
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some("policy_type must be ASCII letters, digits and _".into());
        }
        if self.label.trim().is_empty() || self.name_field.is_empty() {
            return Some("label and name_field must not be empty".into());
        }
        if let Some(path) = self.bad_path() {
            return Some(format!(
                "`{path}` must be a path below the API version, without slashes at its ends or a query"
            ));
        }
        if self.promotion == Promotion::Promotable && self.write.is_none() {
            return Some("a promotable type needs [write]".into());
        }
        if self.kind == Kind::Reference && self.promotion == Promotion::Promotable && self.write.is_none() {
            return Some("a promotable foundation needs [write]".into());
        }
        if let Some(rule) = self.unordered.iter().find(|rule| rule.path.as_str().ends_with("[]")) {
            return Some(format!("unordered `{}`: name the array, without []", rule.path));
        }
        if let Some(link) = self.links.iter().find(|link| !link.bind.contains("{id}")) {
            return Some(format!("link `{}`: bind needs {{id}}", link.path));
        }
        if let Some(child) = self.children.iter().find(|child| child.field.is_empty() || child.path.is_empty()) {
            return Some(format!("child `{}` needs path and field", child.path));
        }
        self.write_fault()
    }

    fn write_fault(&self) -> Option<String> {
        let write = self.write.as_ref()?;
        let codes = [&write.create.success, &write.update.success]
            .into_iter()
            .chain(write.follow_up.as_ref().map(|follow_up| &follow_up.success))
            .chain(self.assignments.as_ref().map(|assignments| &assignments.success));
        for codes in codes {
            if codes.is_empty() || codes.iter().any(|code| !(200..300).contains(code)) {
                return Some("success codes must be a non-empty list of 2xx codes".into());
            }
        }
        match (write.style, &write.follow_up) {
            (WriteStyle::Whole, Some(_)) => Some("style whole has no follow_up".into()),
            (WriteStyle::Whole, None) | (_, Some(_)) => None,
            (_, None) => Some("this write style needs [write.follow_up]".into()),
        }
    }

    fn bad_path(&self) -> Option<&str> {
        [Some(self.list.path.as_str()), self.write.as_ref().and_then(|write| write.path.as_deref())]
            .into_iter()
            .flatten()
            .find(|path| path.is_empty() || path.starts_with('/') || path.ends_with('/') || path.contains(['?', ' ']))
    }
}
