//! Multi Admin Approval: writes to a protected area wait for a second administrator, for up to three days. Preflight asks
//! beforehand which types are protected, so that a run does not find out item by item.

use std::collections::BTreeSet;

use domain::id::PolicyType;
use serde_json::Value;

use crate::client::Client;
use crate::error::{GraphError, Kind};
use crate::path::Path;

/// Which types an area of `operationApprovalPolicies` (its `policyType`) protects. Endpoint security policies are written
/// through the settings catalog's API, so an approval on either holds them back.
const AREAS: &[(&str, &[&str])] = &[
    (
        "script",
        &[
            "deviceManagementScript",
            "deviceShellScript",
            "deviceHealthScript",
            "deviceComplianceScript",
            "deviceCustomAttributeShellScript",
        ],
    ),
    ("compliancePolicy", &["deviceCompliancePolicy", "compliancePolicyV2", "notificationMessageTemplate"]),
    (
        "configurationPolicy",
        &[
            "settingsCatalogPolicy",
            "endpointSecurityPolicy",
            "securityBaselinePolicy",
            "deviceConfiguration",
            "windowsUpdateRing",
            "customOmaUri",
            "groupPolicyConfiguration",
            "reusablePolicySetting",
            "windowsFeatureUpdateProfile",
            "windowsQualityUpdateProfile",
            "windowsQualityUpdatePolicy",
            "windowsDriverUpdateProfile",
        ],
    ),
    ("endpointSecurityPolicy", &["endpointSecurityPolicy", "securityBaselinePolicy", "endpointSecurityIntent"]),
    ("filter", &["assignmentFilter"]),
    ("role", &["roleScopeTag"]),
];

/// The policy types whose writes need an approval in this tenant. None where the feature is not there.
///
/// # Errors
/// When the tenant's approval policies cannot be read; [`Kind::Forbidden`] when this connection may not.
pub async fn approval_required(client: &Client) -> Result<BTreeSet<PolicyType>, GraphError> {
    let policies = match client.list(&Path::new("beta", "/deviceManagement/operationApprovalPolicies")).await {
        Ok(policies) => policies,
        // Older services do not know the segment and say so in one of two ways.
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::Invalid) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    Ok(policies
        .iter()
        .filter_map(|policy| policy.get("policyType").and_then(Value::as_str))
        .flat_map(protected_by)
        .collect())
}

fn protected_by(area: &str) -> impl Iterator<Item = PolicyType> + use<> {
    let types = AREAS.iter().find(|(known, _)| known.eq_ignore_ascii_case(area)).map_or(&[][..], |(_, types)| types);
    types.iter().map(|policy_type| PolicyType::from(*policy_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::registry;

    #[test]
    fn areas_name_known_types_only() {
        for (area, types) in AREAS {
            for policy_type in *types {
                assert!(registry().get(policy_type).is_some(), "{area}: {policy_type}");
            }
        }
        assert_eq!(protected_by("SCRIPT").count(), 5);
        assert_eq!(protected_by("deviceWipe").count(), 0);
    }

    #[test]
    fn every_promotable_intune_type_is_in_an_area_or_known_to_be_free() {
        use domain::contract::{Family, Promotion};
        let free = ["deviceCategory"];
        for contract in registry().iter() {
            let covered = AREAS.iter().any(|(_, types)| types.contains(&contract.policy_type.as_str()));
            let expected = contract.promotion == Promotion::Promotable && contract.family == Family::Intune;
            assert!(!expected || covered || free.contains(&contract.policy_type.as_str()), "{}", contract.policy_type);
        }
    }
}
