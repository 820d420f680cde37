//! The contracts this build knows, read once. A contract that is not valid is a defect of the build: the test of this module
//! finds it, and a process that starts all the same says which one and why.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use domain::contract::{Contract, ContractError, Promotion, Registry};
use domain::id::PolicyType;

macro_rules! contracts {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../contracts/", $name, ".toml")))),*]
    };
}

/// Name and text of every contract. A new file in `contracts/` is named here.
const CONTRACTS: &[(&str, &str)] = contracts![
    "assignmentFilter",
    "authenticationStrengthPolicy",
    "compliancePolicyV2",
    "conditionalAccessPolicy",
    "customOmaUri",
    "deviceCategory",
    "deviceCompliancePolicy",
    "deviceComplianceScript",
    "deviceConfiguration",
    "deviceCustomAttributeShellScript",
    "deviceHealthScript",
    "deviceManagementScript",
    "deviceShellScript",
    "endpointSecurityIntent",
    "endpointSecurityPolicy",
    "group",
    "groupPolicyConfiguration",
    "namedLocation",
    "notificationMessageTemplate",
    "reusablePolicySetting",
    "roleScopeTag",
    "securityBaselinePolicy",
    "settingsCatalogPolicy",
    "windowsDriverUpdateProfile",
    "windowsFeatureUpdateProfile",
    "windowsQualityUpdatePolicy",
    "windowsQualityUpdateProfile",
    "windowsUpdateRing",
];

/// Name and text of the contracts that an inventory sync passes over: the directory's syncs read them into its own caches.
const DIRECTORY_CONTRACTS: &[(&str, &str)] = contracts!["directoryRoleDefinition", "intuneRoleDefinition"];

/// The contracts of this build.
///
/// # Panics
/// On first use, when a contract is not valid; services call [`check_registry`] before they serve.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        check_registry().unwrap_or_else(|error| panic!("the contracts of this build are not valid: {error}"))
    });
    &REGISTRY
}

/// The contracts of what only the directory's own syncs read.
///
/// # Panics
/// On first use, when a contract is not valid; services call [`check_registry`] before they serve.
pub fn directory_registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        read(DIRECTORY_CONTRACTS).unwrap_or_else(|error| panic!("the contracts of this build are not valid: {error}"))
    });
    &REGISTRY
}

/// Reads and validates all contracts, and gives those of the inventory.
///
/// # Errors
/// The first contract that is not valid.
pub fn check_registry() -> Result<Registry, ContractError> {
    read(DIRECTORY_CONTRACTS)?;
    read(CONTRACTS)
}

fn read(contracts: &[(&str, &str)]) -> Result<Registry, ContractError> {
    let contracts: Result<Vec<Contract>, _> = contracts.iter().map(|(_, text)| Contract::from_toml(text)).collect();
    Registry::new(contracts?)
}

/// Why a type cannot be made promotable.
#[derive(Debug, thiserror::Error)]
pub enum PromotingError {
    /// Nobody knows the type.
    #[error("{0} is not a known policy type")]
    Unknown(PolicyType),
    /// Its objects are never written, in any installation.
    #[error("{0} cannot be promoted in any installation")]
    Never(PolicyType),
    /// Its contract does not say how it is written.
    #[error(transparent)]
    Invalid(#[from] ContractError),
}

/// The contracts, with these preview-only types promotable. The operator's choice, to be given to compare-service, which judges by
/// it, and to promotion-service, which writes by it.
///
/// # Errors
/// See [`PromotingError`]; empty names are passed over.
pub fn promoting(contracts: &Registry, types: &[String]) -> Result<Registry, PromotingError> {
    let wanted: BTreeSet<PolicyType> =
        types.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(PolicyType::from).collect();
    for policy_type in &wanted {
        match contracts.get(policy_type.as_str()) {
            None => return Err(PromotingError::Unknown(policy_type.clone())),
            Some(contract) if contract.promotion == Promotion::Never => {
                return Err(PromotingError::Never(policy_type.clone()));
            }
            Some(_) => {}
        }
    }
    let promoted = |contract: &Contract| {
        let mut contract = contract.clone();
        if wanted.contains(&contract.policy_type) {
            contract.promotion = Promotion::Promotable;
        }
        contract
    };
    Ok(Registry::new(contracts.iter().map(promoted))?)
}

#[cfg(test)]
mod tests {
    use domain::contract::Kind;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_preview_only_type_can_be_made_promotable_and_others_cannot_be_invented() {
        let class = |registry: &Registry, key| registry.get(key).map(|contract| contract.promotion);
        let contracts = registry();
        let types = |name: &str| vec![format!(" {name} "), String::new()];
        assert_eq!(class(contracts, "conditionalAccessPolicy"), Some(Promotion::PreviewOnly));
        let promoted = promoting(contracts, &types("conditionalAccessPolicy")).unwrap();
        assert_eq!(class(&promoted, "conditionalAccessPolicy"), Some(Promotion::Promotable));
        assert_eq!(promoted.len(), contracts.len());
        // What it promotes it can write: the write seam goes by the contract it is given.
        assert!(promoted.get("conditionalAccessPolicy").is_some_and(|contract| contract.write.is_some()));
        assert!(matches!(promoting(contracts, &types("nonsense")), Err(PromotingError::Unknown(_))));
        assert!(matches!(promoting(contracts, &types("group")), Err(PromotingError::Never(_))));
    }

    #[test]
    fn every_contract_is_valid_and_named_like_its_file() {
        for (name, text) in CONTRACTS.iter().chain(DIRECTORY_CONTRACTS) {
            let contract = Contract::from_toml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(contract.policy_type.as_str(), *name);
        }
        assert_eq!(check_registry().expect("valid").len(), CONTRACTS.len());
        assert_eq!(directory_registry().len(), DIRECTORY_CONTRACTS.len());
    }

    #[test]
    fn every_file_is_named_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contracts");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("readable")
            .map(|entry| entry.expect("readable").path().file_stem().expect("named").to_string_lossy().into_owned())
            .collect();
        let named: BTreeSet<String> =
            CONTRACTS.iter().chain(DIRECTORY_CONTRACTS).map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(files, named);
    }

    #[test]
    fn foundations_come_before_what_refers_to_them() {
        for contract in registry().iter() {
            for rule in &contract.references {
                if let Some(foundation) = registry().get(rule.kind.as_str()) {
                    assert!(foundation.order < contract.order, "{} refers to {}", contract.policy_type, rule.kind);
                }
            }
        }
    }

    #[test]
    fn reference_types_are_never_promoted_and_every_promotable_type_can_be_written() {
        for contract in registry().iter() {
            match contract.kind {
                Kind::Reference => assert_eq!(contract.promotion, Promotion::Never, "{}", contract.policy_type),
                Kind::Policy => assert!(
                    contract.promotion != Promotion::Promotable || contract.write.is_some(),
                    "{}",
                    contract.policy_type
                ),
            }
        }
    }

    #[test]
    fn objects_of_shared_collections_belong_to_one_type() {
        let policy = |family: &str| json!({"name": "x", "templateReference": {"templateFamily": family}});
        let typed = |name: &str| json!({"@odata.type": format!("#microsoft.graph.{name}")});
        for (collection, object, want) in [
            ("deviceManagement/configurationPolicies", policy("none"), Some("settingsCatalogPolicy")),
            (
                "deviceManagement/configurationPolicies",
                policy("endpointSecurityFirewall"),
                Some("endpointSecurityPolicy"),
            ),
            ("deviceManagement/configurationPolicies", policy("baseline"), Some("securityBaselinePolicy")),
            ("deviceManagement/configurationPolicies", policy("enrollmentConfiguration"), None),
            (
                "deviceManagement/deviceConfigurations",
                typed("windows10GeneralConfiguration"),
                Some("deviceConfiguration"),
            ),
            ("deviceManagement/deviceConfigurations", typed("windows10CustomConfiguration"), Some("customOmaUri")),
            (
                "deviceManagement/deviceConfigurations",
                typed("windowsUpdateForBusinessConfiguration"),
                Some("windowsUpdateRing"),
            ),
            ("deviceManagement/deviceConfigurations", typed("unsupportedDeviceConfiguration"), None),
        ] {
            let found = registry().classify(collection, &object).map(|contract| contract.policy_type.as_str());
            assert_eq!(found, want, "{object}");
        }
    }
}
