//! The whole space of roles and capabilities, and the order of refusals.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;

fn tenant(n: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(n))
}

fn facts(workspace_role: Role, tenants: &[(u128, Role)]) -> ActorFacts {
    ActorFacts {
        subject: "somebody".to_owned(),
        workspace_role,
        tenant_roles: tenants.iter().map(|(n, role)| (tenant(*n), *role)).collect(),
    }
}

/// Written out by hand, so that a change of the registry shows.
const WORKSPACE_TABLE: [(Role, &[&str]); 4] = [
    (Role::Readonly, &["workspace_baselines.view"]),
    (Role::Operator, &["workspace_baselines.view"]),
    (
        Role::Manager,
        &[
            "workspace_baselines.view",
            "workspace_baselines.manage",
            "tenant_onboarding.manage",
            "audit.view",
            "operational_control.manage",
        ],
    ),
    (
        Role::Owner,
        &[
            "workspace_baselines.view",
            "workspace_baselines.manage",
            "tenant_onboarding.manage",
            "audit.view",
            "operational_control.manage",
            "workspace_members.manage",
        ],
    ),
];

const OPERATOR_ON_TENANT: &[&str] =
    &["tenant.view", "tenant_inventory.sync", "tenant_backup.run", "directory_groups.sync", "directory_roles.sync"];
const MANAGER_ON_TENANT: &[&str] =
    &["tenant.manage", "tenant_backup.manage", "tenant_restore.execute", "provider_connection.manage"];

fn tenant_table(role: Role) -> BTreeSet<&'static str> {
    match role {
        Role::Readonly => BTreeSet::from(["tenant.view"]),
        Role::Operator => OPERATOR_ON_TENANT.iter().copied().collect(),
        Role::Manager => OPERATOR_ON_TENANT.iter().chain(MANAGER_ON_TENANT).copied().collect(),
        Role::Owner => {
            OPERATOR_ON_TENANT.iter().chain(MANAGER_ON_TENANT).chain(&["tenant.lifecycle"]).copied().collect()
        }
    }
}

#[test]
fn the_registry_is_as_written_down() {
    for (role, expected) in WORKSPACE_TABLE {
        let granted: BTreeSet<_> = workspace_capabilities(role).map(Capability::as_str).collect();
        assert_eq!(granted, expected.iter().copied().collect(), "workspace {role}");
    }
    for role in Role::ALL {
        let granted: BTreeSet<_> = tenant_capabilities(role).map(Capability::as_str).collect();
        assert_eq!(granted, tenant_table(role), "tenant {role}");
    }
}

#[test]
fn names_are_closed_and_read_back() {
    for capability in Capability::ALL {
        assert_eq!(capability.as_str().parse(), Ok(capability));
        assert_eq!(serde_json::to_value(capability).unwrap(), capability.as_str());
    }
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    assert_eq!("tenant.everything".parse::<Capability>(), Err(UnknownName::new("capability", "tenant.everything")));
    assert!("Owner".parse::<Role>().is_err(), "names are case-sensitive");
}

#[test]
fn every_role_pair_and_every_need_answers_by_the_table() {
    for workspace_role in Role::ALL {
        for tenant_role in Role::ALL {
            let actor = facts(workspace_role, &[(1, tenant_role)]);
            for capability in Capability::ALL {
                let in_workspace = workspace_capabilities(workspace_role).any(|c| c == capability);
                let on_tenant = tenant_table(tenant_role).contains(capability.as_str());
                let missing = Err(Denial::CapabilityMissing(capability));
                let expect = |granted: bool| if granted { Ok(()) } else { missing };
                assert_eq!(authorize(Some(&actor), &[], &[Need::InWorkspace(capability)]), expect(in_workspace));
                assert_eq!(
                    authorize(Some(&actor), &[], &[Need::OnTenant(tenant(1), capability)]),
                    expect(on_tenant),
                    "{workspace_role}/{tenant_role}/{capability}"
                );
            }
        }
    }
}

#[test]
fn an_outsider_sees_nothing_whatever_is_asked() {
    for capability in Capability::ALL {
        assert_eq!(authorize(None, &[], &[Need::InWorkspace(capability)]), Err(Denial::Hidden));
        assert_eq!(authorize(None, &[tenant(1)], &[Need::OnTenant(tenant(1), capability)]), Err(Denial::Hidden));
    }
    assert_eq!(authorize(None, &[], &[]), Err(Denial::Hidden));
}

#[test]
fn a_workspace_role_alone_entitles_to_no_tenant() {
    for role in Role::ALL {
        let actor = facts(role, &[]);
        assert_eq!(authorize(Some(&actor), &[tenant(1)], &[]), Err(Denial::Hidden));
        let need = Need::OnTenant(tenant(1), Capability::TenantView);
        assert_eq!(authorize(Some(&actor), &[], &[need]), Err(Denial::Hidden));
    }
}

#[test]
fn entitlement_to_every_tenant_comes_before_any_capability() {
    let actor = facts(Role::Readonly, &[(1, Role::Owner)]);
    let lacking_in_workspace = Need::InWorkspace(Capability::WorkspaceBaselinesManage);
    let unknown_tenant = Need::OnTenant(tenant(2), Capability::TenantView);
    assert_eq!(authorize(Some(&actor), &[], &[lacking_in_workspace, unknown_tenant]), Err(Denial::Hidden));
    assert_eq!(authorize(Some(&actor), &[tenant(2)], &[lacking_in_workspace]), Err(Denial::Hidden));
    assert_eq!(
        authorize(Some(&actor), &[tenant(1)], &[lacking_in_workspace]),
        Err(Denial::CapabilityMissing(Capability::WorkspaceBaselinesManage))
    );
}

#[test]
fn the_first_missing_capability_is_the_one_reported() {
    let actor = facts(Role::Readonly, &[(1, Role::Readonly)]);
    let needs = [
        Need::InWorkspace(Capability::WorkspaceBaselinesView),
        Need::OnTenant(tenant(1), Capability::TenantManage),
        Need::InWorkspace(Capability::WorkspaceBaselinesManage),
    ];
    assert_eq!(authorize(Some(&actor), &[], &needs), Err(Denial::CapabilityMissing(Capability::TenantManage)));
    let reversed: Vec<_> = needs.into_iter().rev().collect();
    assert_eq!(
        authorize(Some(&actor), &[], &reversed),
        Err(Denial::CapabilityMissing(Capability::WorkspaceBaselinesManage))
    );
}

#[test]
fn a_greater_role_never_loses_anything() {
    for (lesser, greater) in Role::ALL.into_iter().zip(Role::ALL.into_iter().skip(1)) {
        for capability in Capability::ALL {
            assert!(!capability.granted_by(lesser) || capability.granted_by(greater), "{capability}");
        }
    }
}
