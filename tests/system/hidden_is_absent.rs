//! What an actor may not see answers exactly as what does not exist: status, message, details, headers and trailers, byte
//! for byte. The access matrix compares all answers with one another; here each hidden thing stands beside an invented one.

use anyhow::Result;
use tonic::Code;

use crate::world::{Place, World};

/// What is asked for, of a thing that exists and of one that does not.
struct Question {
    /// What is hidden.
    what: &'static str,
    method: &'static str,
    request: &'static str,
    /// Who does not see the things of the demo's workspace.
    callers: &'static [&'static str],
}

/// Member of nothing; and member of the workspace without a role on any tenant.
const BOTH: &[&str] = &["outsider", "unentitled"];
const OUTSIDER: &[&str] = &["outsider"];

const QUESTIONS: &[Question] = &[
    Question {
        what: "a run",
        method: "tenantatlas.operation.v1.OperationRunService/GetOperationRun",
        request: r#"{"run_id": "$run"}"#,
        callers: BOTH,
    },
    Question {
        what: "a promotion",
        method: "tenantatlas.operation.v1.OperationRunService/GetOperationRun",
        request: r#"{"run_id": "$promotion"}"#,
        callers: BOTH,
    },
    Question {
        what: "a run's items",
        method: "tenantatlas.operation.v1.OperationRunService/ListOperationRunItems",
        request: r#"{"run_id": "$promotion"}"#,
        callers: BOTH,
    },
    Question {
        what: "a run to be cancelled",
        method: "tenantatlas.operation.v1.OperationRunService/CancelOperationRun",
        request: r#"{"request_id": "$new", "run_id": "$run"}"#,
        callers: BOTH,
    },
    Question {
        what: "a run's stream",
        method: "tenantatlas.operation.v1.OperationRunService/WatchOperationRuns",
        request: r#"{"run_id": "$promotion"}"#,
        callers: BOTH,
    },
    Question {
        what: "a promotion's stream",
        method: "tenantatlas.promotion.v1.PromotionService/WatchPromotionRuns",
        request: r#"{"run_id": "$promotion"}"#,
        callers: BOTH,
    },
    Question {
        what: "a workspace",
        method: "tenantatlas.workspace.v1.WorkspaceService/GetWorkspace",
        request: r#"{"workspace_id": "$workspace"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a workspace's runs",
        method: "tenantatlas.operation.v1.OperationRunService/ListOperationRuns",
        request: r#"{"workspace_id": "$workspace"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a workspace's audit trail",
        method: "tenantatlas.audit.v1.AuditService/ListAuditEvents",
        request: r#"{"workspace_id": "$workspace"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a workspace's tenants",
        method: "tenantatlas.tenant.v1.TenantService/ListTenants",
        request: r#"{"workspace_id": "$workspace"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a search for tenants",
        method: "tenantatlas.tenant.v1.TenantService/SearchTenants",
        request: r#"{"workspace_id": "$workspace", "query": "contoso"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a selected tenant",
        method: "tenantatlas.tenant.v1.TenantService/GetSelectedTenant",
        request: r#"{"workspace_id": "$workspace"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a selected tenant to be cleared",
        method: "tenantatlas.tenant.v1.TenantService/ClearSelectedTenant",
        request: r#"{"request_id": "$new", "workspace_id": "$workspace"}"#,
        callers: OUTSIDER,
    },
    Question {
        what: "a tenant to be selected",
        method: "tenantatlas.tenant.v1.TenantService/SelectTenant",
        request: r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source"}"#,
        callers: BOTH,
    },
    Question {
        what: "a tenant",
        method: "tenantatlas.tenant.v1.TenantService/GetTenant",
        request: r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        callers: BOTH,
    },
    Question {
        what: "what a tenant is good for",
        method: "tenantatlas.tenant.v1.TenantService/EvaluateOperability",
        request: r#"{"workspace_id": "$workspace", "tenant_id": "$source", "lane": "OPERABILITY_LANE_TENANT_BOUND",
            "question": "OPERABILITY_QUESTION_RESTORE"}"#,
        callers: BOTH,
    },
    Question {
        what: "what tenants are good for",
        method: "tenantatlas.tenant.v1.TenantService/BatchEvaluateOperability",
        request: r#"{"workspace_id": "$workspace", "checks": [{"tenant_id": "$source",
            "lane": "OPERABILITY_LANE_TENANT_BOUND", "question": "OPERABILITY_QUESTION_RESTORE"}]}"#,
        callers: BOTH,
    },
    Question {
        what: "a tenant's actions",
        method: "tenantatlas.tenant.v1.TenantService/ListTenantActions",
        request: r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        callers: BOTH,
    },
    Question {
        what: "a tenant to be renamed",
        method: "tenantatlas.tenant.v1.TenantService/UpdateTenant",
        request: r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "version": 1, "name": "X"}"#,
        callers: BOTH,
    },
    Question {
        what: "a tenant's inventory",
        method: "tenantatlas.inventory.v1.InventoryService/ListInventoryItems",
        request: r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        callers: BOTH,
    },
    Question {
        what: "a policy's versions",
        method: "tenantatlas.inventory.v1.InventoryService/ListPolicyVersions",
        request: r#"{"workspace_id": "$workspace", "tenant_id": "$source", "policy_type": "roleScopeTag", "external_id": "$object"}"#,
        callers: BOTH,
    },
    Question {
        what: "a compare",
        method: "tenantatlas.compare.v1.CompareService/PreviewCompare",
        request: r#"{"selection": $selection}"#,
        callers: BOTH,
    },
    Question {
        what: "a promotion to be executed",
        method: "tenantatlas.promotion.v1.PromotionService/ExecutePromotion",
        request: r#"{"request_id": "$new", "selection": $selection, "preflight_fingerprint": "any",
            "confirmation": {"source_tenant_id": "$source", "target_tenant_id": "$target", "ready_count": 1, "excluded_count": 0}}"#,
        callers: BOTH,
    },
];

#[tokio::test]
async fn the_hidden_and_the_absent_are_told_by_the_same_bytes() -> Result<()> {
    let world = World::set().await?;
    for Question { what, method, request, callers } in QUESTIONS {
        for caller in *callers {
            let ask = async |place: Place| {
                let request = world.fresh(&world.request(request, place));
                Ok::<_, anyhow::Error>(world.call(method, &request, caller).await?.comparable())
            };
            let hidden = ask(Place::Existing).await?;
            let status = hidden.status();
            assert_eq!((status.code(), status.message()), (Code::NotFound, "not found"), "{what} for {caller}");
            assert!(hidden.messages.is_empty(), "{what} for {caller}");
            for place in [Place::InventedThing, Place::InventedWorkspace, Place::ForeignThing, Place::ForeignWorkspace]
            {
                assert_eq!(ask(place).await?, hidden, "{what} for {caller}: {place:?}");
            }
        }
    }
    what_is_reserved_to_services_is_refused_whether_it_exists_or_not(&world).await?;
    // Nor does the owner of a workspace learn what there is in another one.
    for Question { what, method, request, .. } in QUESTIONS {
        let ask = async |place: Place| {
            let request = world.fresh(&world.request(request, place));
            Ok::<_, anyhow::Error>(world.call(method, &request, "owner").await?.comparable())
        };
        let hidden = ask(Place::ForeignWorkspace).await?;
        assert_eq!(hidden.status().code(), Code::NotFound, "{what} for the owner of another workspace");
        let absent = if names_a_workspace_only(request) { Place::InventedWorkspace } else { Place::InventedThing };
        assert_eq!(ask(absent).await?, hidden, "{what} for the owner of another workspace");
    }
    Ok(())
}

async fn what_is_reserved_to_services_is_refused_whether_it_exists_or_not(world: &World) -> Result<()> {
    let method = "tenantatlas.inventory.v1.InventoryService/GetPolicyVersionContent";
    let template = r#"{"workspace_id": "$workspace", "tenant_id": "$source", "policy_version_id": "$version"}"#;
    for caller in ["outsider", "owner"] {
        let refused = world.call(method, &world.request(template, Place::Existing), caller).await?.comparable();
        assert_eq!(refused.status().code(), Code::PermissionDenied);
        for place in Place::ALL {
            let answer = world.call(method, &world.request(template, place), caller).await?.comparable();
            assert_eq!(answer, refused, "{caller}: {place:?}");
        }
    }
    Ok(())
}

/// Whether a request names a workspace and nothing else.
fn names_a_workspace_only(request: &str) -> bool {
    request.matches('$').count() - request.matches("$new").count() == 1 && request.contains("$workspace")
}
