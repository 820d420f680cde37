//! User story 3 (context and safety boundaries) and the edge cases in which nothing may begin: whatever is refused here
//! leaves no run, no audit entry of one, and no write at the provider.

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use pb::compare::{
    CompareSelection, DiffSubjectRequest, ExportCompareRequest, GeneratePromotionPreflightRequest,
    GeneratePromotionPreflightResponse, PreviewCompareRequest, Readiness,
};
use pb::promotion::{ExecutePromotionRequest, PromotionConfirmation};
use pb::workspace::{RemoveTenantRoleRequest, Role, SetTenantRoleRequest, SetWorkspaceMemberRequest};
use serde_json::json;
use system_tests::rows;
use system_tests::story::{Story, subjects_of};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::assert_refused;

#[tokio::test]
async fn what_may_not_begin_leaves_nothing_behind() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let selection = story.selection();
    let preflight = story.preflight(&selection).await?;

    edge_source_and_target_are_the_same_tenant(&story, &preflight).await?;
    edge_the_confirmation_does_not_repeat_the_preflight(&story, &selection, &preflight).await?;
    edge_the_selection_changed_after_the_preflight(&story, &selection, &preflight).await?;
    edge_nothing_of_the_selection_is_ready(&story, &preflight).await?;
    us3_2_who_may_look_may_not_execute(&story, &selection, &preflight).await?;
    us3_3_a_tenant_becomes_inaccessible_after_the_preflight(&story, &selection, &preflight).await?;
    us3_1_selection_and_preflight_are_preserved_through_refusals(&story, &selection, &preflight).await?;
    us2_3_a_closed_gate_of_the_target_blocks_everything(&story, &selection, &preflight).await?;
    us3_3_the_evidence_changes_after_the_preflight(&story, &selection, &preflight).await?;

    assert_eq!(rows::count_runs(&story.rows, "promotion.execute").await?, 0);
    let audited = story.audit("operation_run.queued").await?;
    assert!(audited.iter().all(|entry| json_of(entry.detail.as_ref())["type"] == "inventory.sync"), "{audited:?}");
    for tenant in [&story.scene.source, &story.scene.target] {
        let written = story.provider.log(&tenant.external_tenant_id).await?;
        assert!(written.is_empty(), "{} was written to: {written:?}", tenant.name);
    }
    Ok(())
}

fn json_of(object: Option<&prost_types::Struct>) -> serde_json::Value {
    object.map(system_tests::json::of_struct).unwrap_or_default()
}

async fn edge_source_and_target_are_the_same_tenant(
    story: &Story,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let own = CompareSelection { target_tenant_id: story.scene.source.tenant_id.clone(), ..story.selection() };
    let selection = || Some(own.clone());
    let mut compare = story.manager.compare();
    let refused = |status: Result<(), Status>| assert_refused(status, Code::InvalidArgument, "SAME_TENANT");

    let preview = PreviewCompareRequest { selection: selection(), ..Default::default() };
    refused(compare.preview_compare(preview).await.map(drop));
    let diff = DiffSubjectRequest { selection: selection(), subject_key: "any".into() };
    refused(compare.diff_subject(diff).await.map(drop));
    let export = ExportCompareRequest { selection: selection(), ..Default::default() };
    refused(compare.export_compare(export).await.map(drop));
    let again = GeneratePromotionPreflightRequest { selection: selection(), ..Default::default() };
    refused(compare.generate_promotion_preflight(again).await.map(drop));
    refused(job::execute(&story.manager, &own, preflight).await.map(drop));
    Ok(())
}

async fn edge_the_confirmation_does_not_repeat_the_preflight(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let right = job::confirmation(selection, preflight);
    let wrong = [
        ("source", PromotionConfirmation { source_tenant_id: selection.target_tenant_id.clone(), ..right.clone() }),
        ("target", PromotionConfirmation { target_tenant_id: selection.source_tenant_id.clone(), ..right.clone() }),
        ("ready", PromotionConfirmation { ready_count: Some(right.ready_count() + 1), ..right.clone() }),
        ("excluded", PromotionConfirmation { excluded_count: Some(right.excluded_count() - 1), ..right.clone() }),
    ];
    for (field, confirmation) in wrong {
        let answer = story.manager.promotion().execute_promotion(request(selection, preflight, confirmation)).await;
        let status = assert_refused(answer, Code::FailedPrecondition, "CONFIRMATION_MISMATCH");
        let details = status.get_details_error_info().context("a refusal has details")?;
        assert!(details.metadata["fields"].starts_with(field), "{field}: {details:?}");
    }
    // Nothing confirmed at all is no request.
    let nothing = PromotionConfirmation { ready_count: None, ..right };
    let answer = story.manager.promotion().execute_promotion(request(selection, preflight, nothing)).await;
    assert_refused(answer, Code::InvalidArgument, "FIELD_INVALID");
    Ok(())
}

fn request(
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
    confirmation: PromotionConfirmation,
) -> ExecutePromotionRequest {
    ExecutePromotionRequest {
        request_id: job::request_id(),
        selection: Some(selection.clone()),
        preflight_fingerprint: preflight.fingerprint.clone(),
        confirmation: Some(confirmation),
    }
}

async fn edge_the_selection_changed_after_the_preflight(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let changed = [
        CompareSelection { name_contains: "Windows".into(), ..selection.clone() },
        CompareSelection { policy_types: vec!["settingsCatalogPolicy".into()], ..selection.clone() },
        CompareSelection { include_assignments: !selection.include_assignments, ..selection.clone() },
    ];
    for other in changed {
        let answer = job::execute(&story.manager, &other, preflight).await;
        assert_refused(answer, Code::FailedPrecondition, "PREFLIGHT_STALE");
    }
    Ok(())
}

async fn edge_nothing_of_the_selection_is_ready(
    story: &Story,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    for class in [Readiness::Blocked, Readiness::ManualMappingRequired] {
        let subject_keys = subjects_of(preflight, class).into_keys().map(str::to_owned).collect();
        let excluded = CompareSelection { subject_keys, ..story.selection() };
        let preflight = story.preflight(&excluded).await?;
        assert_eq!(preflight.counts.context("a preflight counts")?.ready, Some(0));
        let answer = job::execute(&story.manager, &excluded, &preflight).await;
        assert_refused(answer, Code::FailedPrecondition, "NOTHING_READY");
    }
    Ok(())
}

async fn us3_2_who_may_look_may_not_execute(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let refused = async |session: &Session, capability: &str| -> Result<()> {
        assert_eq!(job::preflight(session, selection).await?.fingerprint, preflight.fingerprint);
        let answer = job::execute(session, selection, preflight).await;
        let status = assert_refused(answer, Code::PermissionDenied, "CAPABILITY_MISSING");
        let details = status.get_details_error_info().context("a refusal has details")?;
        assert_eq!(details.metadata["capability"], capability);
        Ok(())
    };
    for persona in [Persona::Readonly, Persona::Operator] {
        refused(&story.scene.stack.session(persona)?, "workspace_baselines.manage").await?;
    }
    // Managing the workspace is not managing the target, and the other way round.
    let operator = story.scene.stack.session(Persona::Operator)?;
    set_workspace_role(story, Persona::Operator, Role::Manager).await?;
    refused(&operator, "tenant.manage").await?;
    set_workspace_role(story, Persona::Operator, Role::Operator).await?;
    set_tenant_role(story, Persona::Operator, &selection.target_tenant_id, Role::Owner).await?;
    refused(&operator, "workspace_baselines.manage").await?;
    set_tenant_role(story, Persona::Operator, &selection.target_tenant_id, Role::Operator).await
}

async fn us3_3_a_tenant_becomes_inaccessible_after_the_preflight(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    for tenant_id in [&selection.source_tenant_id, &selection.target_tenant_id] {
        let request = RemoveTenantRoleRequest {
            request_id: job::request_id(),
            workspace_id: selection.workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            subject: Persona::Manager.subject(),
        };
        story.owner.workspaces().remove_tenant_role(request).await?;
        let answer = job::execute(&story.manager, selection, preflight).await;
        assert_refused(answer, Code::NotFound, "NOT_FOUND");
        assert_refused(job::preflight(&story.manager, selection).await, Code::NotFound, "NOT_FOUND");
        set_tenant_role(story, Persona::Manager, tenant_id, Role::Manager).await?;
    }
    Ok(())
}

/// The selection is the caller's, the preflight is derived: refusals change neither.
async fn us3_1_selection_and_preflight_are_preserved_through_refusals(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let now = story.preflight(selection).await?;
    assert_eq!(now.fingerprint, preflight.fingerprint);
    assert_eq!(now.subjects, preflight.subjects);
    Ok(())
}

/// The gates of this release: a target that is not in service, and one whose provider cannot be reached.
async fn us2_3_a_closed_gate_of_the_target_blocks_everything(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let gates = [
        ("TARGET_TENANT_NOT_OPERABLE", SHUT_TENANT, REOPEN_TENANT),
        ("PROVIDER_CONNECTION_MISSING", SHUT_CONNECTION, REOPEN_CONNECTION),
    ];
    for (reason, shut, reopen) in gates {
        behind_the_services(story, shut).await?;
        let answer = job::execute(&story.manager, selection, preflight).await;
        assert_refused(answer, Code::FailedPrecondition, "PREFLIGHT_STALE");
        let closed = story.preflight(selection).await?;
        assert_eq!(closed.counts.context("a preflight counts")?.ready, Some(0));
        for subject in &closed.subjects {
            let reasons: Vec<_> = subject.reasons.iter().map(|reason| reason.reason.as_str()).collect();
            assert!(reasons.contains(&reason), "{}: {reasons:?}", subject.display_name);
        }
        let answer = job::execute(&story.manager, selection, &closed).await;
        assert_refused(answer, Code::FailedPrecondition, "NOTHING_READY");
        behind_the_services(story, reopen).await?;
    }
    Ok(())
}

/// Last of all: what was read of the source is no longer what the preflight rested on.
async fn us3_3_the_evidence_changes_after_the_preflight(
    story: &Story,
    selection: &CompareSelection,
    preflight: &GeneratePromotionPreflightResponse,
) -> Result<()> {
    let source = &story.scene.source.external_tenant_id;
    let held = story.provider.objects(source).await?;
    let script = held.iter().find(|held| held.name() == "macOS - Hostname").context("the demo has this script")?;
    let mut document = script.body.clone();
    document.insert("id".into(), json!(script.id));
    document.insert("displayName".into(), json!("macOS - Host name"));
    let context = "https://graph.microsoft.com/beta/$metadata#deviceManagement/deviceShellScripts/$entity";
    document.insert("@odata.context".into(), json!(context));
    document.insert("@odata.type".into(), json!("#microsoft.graph.deviceShellScript"));
    story.provider.put_document(source, &document.into()).await?;
    story.sync(&story.scene.source.tenant_id).await?;
    let answer = job::execute(&story.manager, selection, preflight).await;
    assert_refused(answer, Code::FailedPrecondition, "PREFLIGHT_STALE");
    assert_ne!(story.preflight(selection).await?.fingerprint, preflight.fingerprint);
    Ok(())
}

async fn set_workspace_role(story: &Story, persona: Persona, role: Role) -> Result<()> {
    let request = SetWorkspaceMemberRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        subject: persona.subject(),
        role: role.into(),
        display_name: String::new(),
    };
    story.owner.workspaces().set_workspace_member(request).await?;
    Ok(())
}

async fn set_tenant_role(story: &Story, persona: Persona, tenant_id: &str, role: Role) -> Result<()> {
    let request = SetTenantRoleRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: tenant_id.to_owned(),
        subject: persona.subject(),
        role: role.into(),
    };
    story.owner.workspaces().set_tenant_role(request).await?;
    Ok(())
}

const SHUT_TENANT: &str = "UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now() WHERE id = $1::uuid";
const REOPEN_TENANT: &str = "UPDATE tenant.tenant SET lifecycle = 'active', archived_at = NULL WHERE id = $1::uuid";
const SHUT_CONNECTION: &str = "UPDATE tenant.provider_connection SET state = 'disabled' WHERE tenant_id = $1::uuid";
const REOPEN_CONNECTION: &str = "UPDATE tenant.provider_connection SET state = 'unverified' WHERE tenant_id = $1::uuid";

/// Changes the target behind the services' back: nothing in the API of this release archives or disconnects a tenant.
async fn behind_the_services(story: &Story, statement: &'static str) -> Result<()> {
    let changed = sqlx::query(statement).bind(&story.scene.target.tenant_id).execute(&story.rows).await?;
    assert_eq!(changed.rows_affected(), 1);
    Ok(())
}
