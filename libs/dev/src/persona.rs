//! The people of the demo and of the tests: one for each role, and one who belongs to nothing.

use std::fmt;
use std::str::FromStr;

use pb::workspace::Role;

/// A person the local issuer gives tokens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Persona {
    /// Owns the workspace and its tenants.
    Owner,
    /// Manages baselines and targets; the one who promotes in the demo.
    Manager,
    /// Runs syncs; may look at a preflight, may not execute it.
    Operator,
    /// Looks.
    Readonly,
    /// Member of the workspace, entitled to no tenant.
    Unentitled,
    /// Valid token, member of nothing.
    Outsider,
}

impl Persona {
    /// Every persona, most powerful first.
    pub const ALL: [Persona; 6] = [
        Persona::Owner,
        Persona::Manager,
        Persona::Operator,
        Persona::Readonly,
        Persona::Unentitled,
        Persona::Outsider,
    ];

    /// The name it is asked for by, and the start of its `sub`.
    pub const fn key(self) -> &'static str {
        match self {
            Persona::Owner => "owner",
            Persona::Manager => "manager",
            Persona::Operator => "operator",
            Persona::Readonly => "readonly",
            Persona::Unentitled => "unentitled",
            Persona::Outsider => "outsider",
        }
    }

    /// The `sub` of its tokens.
    pub fn subject(self) -> String {
        format!("{}@demo.example", self.key())
    }

    /// The name shown to people.
    pub const fn display_name(self) -> &'static str {
        match self {
            Persona::Owner => "Olivia Owner",
            Persona::Manager => "Marco Manager",
            Persona::Operator => "Oscar Operator",
            Persona::Readonly => "Rita Readonly",
            Persona::Unentitled => "Uma Unentitled",
            Persona::Outsider => "Otto Outsider",
        }
    }

    /// Its role in the demo's workspace; none for the outsider.
    pub const fn workspace_role(self) -> Option<Role> {
        match self {
            Persona::Owner => Some(Role::Owner),
            Persona::Manager => Some(Role::Manager),
            Persona::Operator => Some(Role::Operator),
            Persona::Readonly | Persona::Unentitled => Some(Role::Readonly),
            Persona::Outsider => None,
        }
    }

    /// Its role on the demo's tenants.
    pub const fn tenant_role(self) -> Option<Role> {
        match self {
            Persona::Unentitled => None,
            other => other.workspace_role(),
        }
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Persona {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Persona::ALL.into_iter().find(|persona| persona.key() == text).ok_or_else(|| {
            let known: Vec<_> = Persona::ALL.iter().map(|persona| persona.key()).collect();
            format!("no such persona; there are {}", known.join(", "))
        })
    }
}
