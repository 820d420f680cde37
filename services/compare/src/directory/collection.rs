//! The cached collections.

use domain::contract::{Contract, Registry};
use domain::directory::RoleScope;
use domain::id::PolicyType;

/// A collection of the provider that is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    /// Groups.
    Groups,
    /// Role definitions of one scope.
    RoleDefinitions(RoleScope),
}

impl Collection {
    /// What `directory_groups.sync` reads.
    pub(crate) const OF_GROUPS: [Collection; 1] = [Collection::Groups];
    /// What `directory_role_definitions.sync` reads.
    pub(crate) const OF_ROLE_DEFINITIONS: [Collection; 2] =
        [Collection::RoleDefinitions(RoleScope::Directory), Collection::RoleDefinitions(RoleScope::Intune)];

    /// Its key, which is also that of its contract.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Groups => PolicyType::GROUP,
            Self::RoleDefinitions(scope) => scope.collection(),
        }
    }

    /// Its name for people.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Groups => "Groups",
            Self::RoleDefinitions(RoleScope::Directory) => "Directory role definitions",
            Self::RoleDefinitions(RoleScope::Intune) => "Intune role definitions",
        }
    }

    /// The collection of this key.
    pub(crate) fn named(key: &str) -> Option<Self> {
        Self::OF_GROUPS.into_iter().chain(Self::OF_ROLE_DEFINITIONS).find(|collection| collection.key() == key)
    }

    /// How it is read; `None` when this release does not know.
    pub(crate) fn contract(self, registry: &Registry) -> Option<&Contract> {
        match self {
            Self::Groups => registry.get(self.key()),
            Self::RoleDefinitions(_) => graph::directory_registry().get(self.key()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collection_is_found_by_its_key_and_has_a_contract() {
        for collection in Collection::OF_GROUPS.into_iter().chain(Collection::OF_ROLE_DEFINITIONS) {
            assert_eq!(Collection::named(collection.key()), Some(collection));
            assert!(collection.contract(graph::registry()).is_some(), "{}", collection.key());
        }
        assert_eq!(Collection::named("settingsCatalogPolicy"), None);
    }
}
