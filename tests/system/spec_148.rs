//! Central tenant operability: what only all the services together can show. The rest of its stories stand beside the decision
//! (`libs/domain/src/operability/tests.rs`) and beside the service that offers it (`services/compare/tests/api`).

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::inventory::SyncInventoryRequest;
use pb::operation::{GetOperationRunRequest, OperationRun};
use pb::tenant::{ClearSelectedTenantRequest, SelectTenantRequest};
use system_tests::story::Story;
use tonic::Code;

#[tokio::test]
async fn canonical_viewer_legitimacy_does_not_depend_on_selected_tenant_context() -> Result<()> {
    let story = Story::begin(&Script::own(), Plan::test().await?).await?;
    let run = synced(&story).await?;
    let (source, target) = (&story.scene.source.tenant_id, &story.scene.target.tenant_id);

    // Nothing selected, the run's own tenant, another one, nothing again.
    for selected in [None, Some(source), Some(target), None] {
        match selected {
            Some(tenant_id) => select(&story, tenant_id).await?,
            None => clear(&story).await?,
        }
        assert_eq!(seen(&story.manager, &run.run_id).await?, run, "with {selected:?} selected");
    }

    // Nor does a selection open anything, not even one that never went through the service.
    let unentitled = story.scene.stack.session(Persona::Unentitled)?;
    for forged in [None, Some(source), Some(target)] {
        if let Some(tenant_id) = forged {
            forge(&story, Persona::Unentitled, tenant_id).await?;
        }
        let hidden = seen(&unentitled, &run.run_id).await;
        let hidden = hidden.expect_err("it is hidden").downcast::<tonic::Status>()?;
        assert_eq!((hidden.code(), hidden.message()), (Code::NotFound, "not found"), "with {forged:?} forged");
    }
    Ok(())
}

/// A run on the source tenant that has ended.
async fn synced(story: &Story) -> Result<OperationRun> {
    let request = SyncInventoryRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: story.scene.source.tenant_id.clone(),
        policy_types: vec!["roleScopeTag".into()],
    };
    let run = story.manager.inventory().sync_inventory(request).await?.into_inner().run.context("a sync starts")?;
    job::wait_for_end(&story.manager, &run.run_id).await
}

async fn seen(session: &Session, run_id: &str) -> Result<OperationRun> {
    let request = GetOperationRunRequest { run_id: run_id.to_owned() };
    session.runs().get_operation_run(request).await?.into_inner().run.context("a run that is found is told")
}

async fn select(story: &Story, tenant_id: &str) -> Result<()> {
    let request = SelectTenantRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: tenant_id.to_owned(),
    };
    story.manager.tenants().select_tenant(request).await?;
    Ok(())
}

async fn clear(story: &Story) -> Result<()> {
    let (request_id, workspace_id) = (job::request_id(), story.scene.workspace_id.clone());
    story.manager.tenants().clear_selected_tenant(ClearSelectedTenantRequest { request_id, workspace_id }).await?;
    Ok(())
}

async fn forge(story: &Story, persona: Persona, tenant_id: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO access.selected_tenant (workspace_id, subject, tenant_id) VALUES ($1::uuid, $2, $3::uuid)
         ON CONFLICT ON CONSTRAINT selected_tenant_pkey DO UPDATE SET tenant_id = excluded.tenant_id",
    )
    .bind(&story.scene.workspace_id)
    .bind(persona.subject())
    .bind(tenant_id)
    .execute(&story.rows)
    .await?;
    Ok(())
}
