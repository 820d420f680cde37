//! The contracts this build knows, read once. A contract that is not valid is a defect of the build: the test of this module
//! finds it, and a process that starts all the same says which one and why.

use std::sync::LazyLock;

use domain::contract::{Contract, ContractError, Registry};

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

/// Reads and validates all contracts.
///
/// # Errors
/// The first contract that is not valid.
pub fn check_registry() -> Result<Registry, ContractError> {
    let contracts: Result<Vec<Contract>, _> = CONTRACTS.iter().map(|(_, text)| Contract::from_toml(text)).collect();
    Registry::new(contracts?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::contract::{Kind, Promotion};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_contract_is_valid_and_named_like_its_file() {
        for (name, text) in CONTRACTS {
            let contract = Contract::from_toml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(contract.policy_type.as_str(), *name);
        }
        assert_eq!(check_registry().expect("valid").len(), CONTRACTS.len());
    }

    #[test]
    fn every_file_is_named_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contracts");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("readable")
            .map(|entry| entry.expect("readable").path().file_stem().expect("named").to_string_lossy().into_owned())
            .collect();
        let named: BTreeSet<String> = CONTRACTS.iter().map(|(name, _)| (*name).to_owned()).collect();
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
