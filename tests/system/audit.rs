//! The audit trail: what is told of preflights and of runs, to whom, and that nothing takes it back.

use std::time::Duration;

use anyhow::{Context, Result};
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::audit::{AuditEvent, ListAuditEventsRequest};
use pb::compare::{CompareSelection, GeneratePromotionPreflightRequest};
use pb::inventory::SyncInventoryRequest;
use pb::operation::OperationRunOutcome;
use serde_json::Value;
use system_tests::story::Story;

/// Few, and enough for two pages: the trail is the subject here.
const TYPES: [&str; 2] = ["assignmentFilter", "roleScopeTag"];
/// How often it is looked whether the trail was told, and how long that may take.
const POLL: Duration = Duration::from_millis(20);
const TOLD_WITHIN: Duration = Duration::from_secs(30);
const GENERATED: &str = "cross_tenant_promotion_preflight.generated";

#[tokio::test]
async fn preflights_and_runs_are_told_in_full_and_for_good() -> Result<()> {
    let story = Story::begin(&Script::own(), Plan::test().await?).await?;
    a_sync_is_audited_at_its_start_and_its_end(&story).await?;
    let selection = CompareSelection { policy_types: TYPES.map(str::to_owned).into(), ..story.selection() };
    a_generated_preflight_is_audited_once(&story, &selection).await?;
    what_is_only_looked_at_is_not_audited(&story, &selection).await?;
    a_promotion_is_audited_with_source_target_selection_and_outcome(&story, &selection).await?;
    who_is_not_entitled_to_a_tenant_reads_nothing_about_it(&story).await?;
    no_entry_can_be_changed_or_removed(&story).await
}

fn detail(entry: &AuditEvent) -> Value {
    entry.detail.as_ref().map(system_tests::json::of_struct).unwrap_or_default()
}

async fn a_sync_is_audited_at_its_start_and_its_end(story: &Story) -> Result<()> {
    for tenant in [&story.scene.source.tenant_id, &story.scene.target.tenant_id] {
        let request = SyncInventoryRequest {
            request_id: job::request_id(),
            workspace_id: story.scene.workspace_id.clone(),
            tenant_id: tenant.clone(),
            policy_types: TYPES.map(str::to_owned).into(),
        };
        let run = story.manager.inventory().sync_inventory(request).await?.into_inner().run;
        let run = job::wait_for_end(&story.manager, &run.context("a sync starts")?.run_id).await?;
        assert_eq!(run.outcome(), OperationRunOutcome::Succeeded);
        for (action, outcome) in [("operation_run.queued", "pending"), ("operation_run.completed", "succeeded")] {
            let entries = story.audit(action).await?;
            let entry = entries.iter().find(|entry| entry.run_id == run.run_id).context("it is audited")?;
            assert_eq!((entry.outcome.as_str(), &entry.tenant_id), (outcome, tenant));
            assert_eq!(detail(entry)["type"], "inventory.sync");
            assert_eq!(entry.actor_subject, Persona::Manager.subject());
        }
    }
    Ok(())
}

async fn a_generated_preflight_is_audited_once(story: &Story, selection: &CompareSelection) -> Result<()> {
    assert!(story.audit(GENERATED).await?.is_empty());
    // Two pages are one preflight.
    let mut request =
        GeneratePromotionPreflightRequest { selection: Some(selection.clone()), page_size: 1, ..Default::default() };
    let first = story.manager.compare().generate_promotion_preflight(request.clone()).await?.into_inner();
    request.page_token.clone_from(&first.next_page_token);
    assert!(!request.page_token.is_empty(), "the demo has enough for two pages");
    story.manager.compare().generate_promotion_preflight(request).await?;

    let entries = story.audit(GENERATED).await?;
    let [entry] = entries.as_slice() else { panic!("one entry, not {entries:?}") };
    assert_eq!((entry.actor_subject.as_str(), entry.actor_name.as_str()), ("manager@demo.example", "Marco Manager"));
    assert_eq!(entry.tenant_id, selection.target_tenant_id);
    assert_eq!(entry.related_tenant_ids.as_slice(), std::slice::from_ref(&selection.source_tenant_id));
    assert!(entry.run_id.is_empty(), "a preflight is no run");
    let (detail, counts) = (detail(entry), first.counts.context("a preflight counts")?);
    assert_eq!(detail["source_tenant_id"], selection.source_tenant_id);
    assert_eq!(detail["target_tenant_id"], selection.target_tenant_id);
    assert_eq!(detail["fingerprint"], first.fingerprint);
    assert_eq!(detail["counts"]["ready"], counts.ready());
    assert_eq!(detail["counts"]["excluded"], counts.excluded());
    assert!(detail["selection"].to_string().contains("roleScopeTag"), "{detail}");
    Ok(())
}

async fn what_is_only_looked_at_is_not_audited(story: &Story, selection: &CompareSelection) -> Result<()> {
    let entries = async || -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM audit.entry").fetch_one(&story.rows).await?)
    };
    let before = entries().await?;
    job::preview(&story.manager, selection).await?;
    story.promotions().await?;
    assert_eq!(entries().await?, before);
    Ok(())
}

async fn a_promotion_is_audited_with_source_target_selection_and_outcome(
    story: &Story,
    selection: &CompareSelection,
) -> Result<()> {
    let run = story.promote(selection).await?;
    assert_eq!(run.outcome(), OperationRunOutcome::Succeeded);
    for (action, outcome) in [("operation_run.queued", "pending"), ("operation_run.completed", "succeeded")] {
        let entries: Vec<_> =
            story.audit(action).await?.into_iter().filter(|entry| entry.run_id == run.run_id).collect();
        let [entry] = entries.as_slice() else { panic!("{action} once, not {entries:?}") };
        let detail = detail(entry);
        assert_eq!(entry.outcome, outcome);
        assert_eq!(detail["source_tenant_id"], selection.source_tenant_id);
        assert_eq!(detail["target_tenant_id"], selection.target_tenant_id);
        assert_eq!(detail["selection"]["policy_types"][0], TYPES[0]);
        if outcome == "succeeded" {
            let counts = run.summary_counts.context("a run has counts")?;
            assert_eq!(detail["counts"]["created"], counts.created());
            assert_eq!(detail["counts"]["total"], counts.total());
        }
    }
    Ok(())
}

/// The operator becomes a manager of the workspace, who may read the trail, and is entitled to the target alone.
async fn who_is_not_entitled_to_a_tenant_reads_nothing_about_it(story: &Story) -> Result<()> {
    let workspace_id = story.scene.workspace_id.clone();
    let subject = Persona::Operator.subject();
    let member = pb::workspace::SetWorkspaceMemberRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.clone(),
        subject: subject.clone(),
        role: pb::workspace::Role::Manager.into(),
        display_name: String::new(),
    };
    story.owner.workspaces().set_workspace_member(member).await?;
    let source = story.scene.source.tenant_id.clone();
    let role = pb::workspace::RemoveTenantRoleRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.clone(),
        tenant_id: source,
        subject,
    };
    story.owner.workspaces().remove_tenant_role(role.clone()).await?;
    // Repeated, it is no second change.
    story.owner.workspaces().remove_tenant_role(role).await?;
    changes_of_access_are_told_once(story).await?;

    let reader = story.scene.stack.session(Persona::Operator)?;
    let request = ListAuditEventsRequest { workspace_id, page_size: 1000, ..Default::default() };
    let seen = reader.audit().list_audit_events(request.clone()).await?.into_inner().events;
    let all = story.manager.audit().list_audit_events(request).await?.into_inner().events;
    let about_source = |entry: &&AuditEvent| {
        entry.tenant_id == story.scene.source.tenant_id
            || entry.related_tenant_ids.contains(&story.scene.source.tenant_id)
    };
    assert!(all.iter().any(|entry| about_source(&entry)));
    assert!(!seen.is_empty() && !seen.iter().any(|entry| about_source(&entry)), "{seen:?}");
    let visible: Vec<_> = all.iter().filter(|entry| !about_source(entry)).collect();
    assert_eq!(seen.iter().collect::<Vec<_>>(), visible);
    Ok(())
}

/// Told after the answer, by the service itself: until then the outbox holds what is owed.
async fn changes_of_access_are_told_once(story: &Story) -> Result<()> {
    let settled = async {
        while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM access.audit_outbox").fetch_one(&story.rows).await? > 0
        {
            tokio::time::sleep(POLL).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(TOLD_WITHIN, settled).await.context("the trail is told in time")??;
    let subject = Persona::Operator.subject();
    let about = |entry: &AuditEvent, role: &str| {
        detail(entry)["subject"] == subject.as_str() && detail(entry)["previous_role"] == role
    };
    for (action, tenant) in
        [("workspace.member_set", ""), ("tenant.role_removed", story.scene.source.tenant_id.as_str())]
    {
        let entries = story.audit(action).await?;
        let told: Vec<_> = entries.iter().filter(|entry| about(entry, "operator")).collect();
        let [entry] = told.as_slice() else { panic!("{action} once, not {entries:?}") };
        assert_eq!(entry.actor_subject, Persona::Owner.subject());
        assert_eq!(entry.tenant_id, tenant);
    }
    Ok(())
}

async fn no_entry_can_be_changed_or_removed(story: &Story) -> Result<()> {
    // Not even by the owner of the table.
    for statement in ["UPDATE audit.entry SET outcome = 'failed'", "DELETE FROM audit.entry", "TRUNCATE audit.entry"] {
        let refused = sqlx::query(statement).execute(&story.rows).await;
        assert!(refused.is_err(), "{statement} went through");
    }
    Ok(())
}
