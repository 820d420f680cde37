//! Finding a tenant by what somebody remembers of it: a name, an alias, a domain, an id, or a part of one.

use serde::{Deserialize, Serialize};

use crate::id::TenantId;
use crate::identity::folded_name;

/// What is searched for, without regard to case and to stray spaces. Every character stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched(String);

/// How well a tenant fits, from the best: whoever types a whole id or name gets that tenant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is called exactly that.
    Whole,
    /// Something it is called by begins with that.
    Beginning,
    /// Something it is called by has that in it.
    Part,
}

/// All that a tenant is called by.
#[derive(Debug, Clone, Copy)]
pub struct Called<'a> {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: &'a str,
    /// Other names it is known by.
    pub aliases: &'a [String],
    /// Primary domain; may be empty.
    pub domain: &'a str,
    /// The provider's id of it.
    pub external_tenant_id: &'a str,
}

impl Searched {
    /// What somebody typed; `None` when that is nothing but space.
    pub fn read(typed: &str) -> Option<Self> {
        Some(folded_name(typed)).filter(|folded| !folded.is_empty()).map(Self)
    }

    /// How well a tenant fits; `None` when it does not.
    pub fn fit(&self, called: &Called<'_>) -> Option<Fit> {
        let id = called.tenant_id.to_string();
        let words = [&id, called.name, called.domain, called.external_tenant_id].into_iter();
        let words = words.chain(called.aliases.iter().map(String::as_str));
        words.filter_map(|word| self.fit_of(&folded_name(word))).min()
    }

    fn fit_of(&self, word: &str) -> Option<Fit> {
        match word.find(&self.0)? {
            0 if word.len() == self.0.len() => Some(Fit::Whole),
            0 => Some(Fit::Beginning),
            _ => Some(Fit::Part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";

    fn fit(typed: &str) -> Option<Fit> {
        let aliases = ["Kunde 17".to_owned(), r"50%_off\".to_owned()];
        let called = Called {
            tenant_id: ID.parse().unwrap(),
            name: "Müller  Straßenbau",
            aliases: &aliases,
            domain: "mueller.onmicrosoft.com",
            external_tenant_id: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        };
        Searched::read(typed).expect("something is typed").fit(&called)
    }

    #[test]
    fn a_tenant_is_found_by_anything_it_is_called_by() {
        for (typed, expected) in [
            (ID, Fit::Whole),
            ("3F2504E0-4F89-41D3-9A0C-0305E82C3301", Fit::Whole),
            (" MÜLLER STRASSENBAU ", Fit::Whole),
            ("kunde 17", Fit::Whole),
            ("müller s", Fit::Beginning),
            ("MUELLER.", Fit::Beginning),
            ("3f2504", Fit::Beginning),
            ("onmicrosoft", Fit::Part),
            ("straße", Fit::Part),
            ("7a3e", Fit::Part),
        ] {
            assert_eq!(fit(typed), Some(expected), "{typed}");
        }
        assert_eq!(fit("contoso"), None);
    }

    #[test]
    fn every_character_stands_for_itself() {
        assert_eq!(fit(r"50%_off\"), Some(Fit::Whole));
        for pattern in ["%", "_", r"\"] {
            assert_eq!(fit(pattern), Some(Fit::Part), "{pattern} is in an alias");
        }
        for pattern in ["%%", "m%r", "k_nde", ".*", "m?ller"] {
            assert_eq!(fit(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn nothing_but_space_searches_for_nothing() {
        assert_eq!(Searched::read(" \t "), None);
    }
}
