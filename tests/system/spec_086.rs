//! Operation runs are the only execution truth: the rules of specification 086, over gRPC with the real processes. What only reads
//! the database is told in `provider_down`; strict races stand beside the service (`services/operation-run/tests/api`).

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::inventory::SyncInventoryRequest;
use pb::operation::operation_run_service_client::OperationRunServiceClient;
use pb::operation::{
    HistoricalRun, ImportOperationRunsRequest, ListOperationRunsRequest, OperationRun, OperationRunOutcome,
    OperationRunStatus, StartOperationRunRequest, StartOperationRunResponse, StartOutcome,
};
use pb::tenant::VerifyProviderConnectionRequest;
use prost_types::Timestamp;
use system_tests::story::Story;
use system_tests::wire;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

async fn story() -> Result<Story> {
    Story::begin(&Script::own(), Plan::test().await?).await
}

fn sync_of(story: &Story) -> SyncInventoryRequest {
    SyncInventoryRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: story.scene.source.tenant_id.clone(),
        policy_types: vec!["roleScopeTag".into()],
    }
}

async fn verified(story: &Story) -> Result<OperationRun> {
    let request = VerifyProviderConnectionRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: story.scene.source.tenant_id.clone(),
    };
    let run = story.owner.tenants().verify_provider_connection(request).await?.into_inner().run;
    run.context("a check starts")
}

async fn all_runs(story: &Story) -> Result<Vec<OperationRun>> {
    let request = ListOperationRunsRequest { workspace_id: story.scene.workspace_id.clone(), ..Default::default() };
    Ok(story.owner.runs().list_operation_runs(request).await?.into_inner().runs)
}

fn status(answer: Result<OperationRun>) -> Result<Status> {
    answer.expect_err("it is refused").downcast::<Status>()
}

#[tokio::test]
async fn every_start_surface_creates_the_run_at_dispatch_and_answers_with_its_link() -> Result<()> {
    let story = story().await?;
    let sync = story.manager.inventory().sync_inventory(sync_of(&story)).await?.into_inner().run.context("a run")?;
    for run in [sync, verified(&story).await?] {
        assert_eq!(run.link, format!("/admin/operations/{}", run.run_id));
        // It is there for everybody at once, whatever the workers are at.
        let seen = job::get_run(&story.owner, &run.run_id).await?;
        assert_eq!((seen.run_id.as_str(), seen.create_time), (run.run_id.as_str(), run.create_time));
        let queued = story.audit("operation_run.queued").await?;
        assert!(queued.iter().any(|entry| entry.run_id == run.run_id), "{} was told at its start", run.r#type);
        let ended = job::wait_for_end(&story.owner, &run.run_id).await?;
        assert!(ended.attempt >= 1 && ended.start_time.is_some());
    }
    Ok(())
}

#[tokio::test]
async fn workers_receive_runs_and_never_create_them() -> Result<()> {
    let methods = wire::methods();
    let of_workers: Vec<&str> = methods
        .keys()
        .filter_map(|method| method.strip_prefix("tenantatlas.operation.v1.OperationRunWorkerService/"))
        .collect();
    assert!(of_workers.contains(&"ClaimOperationRuns"), "{of_workers:?}");
    for method in of_workers {
        assert!(!["Start", "Create", "Import"].iter().any(|verb| method.starts_with(verb)), "{method}");
    }
    // The services' workers have been asking for work since they began; nothing was started, so there is nothing.
    let story = story().await?;
    assert_eq!(all_runs(&story).await?, []);
    Ok(())
}

#[tokio::test]
async fn whoever_may_start_a_run_may_see_it_and_the_others_are_told_404_or_403() -> Result<()> {
    let story = story().await?;
    let run = story.manager.inventory().sync_inventory(sync_of(&story)).await?.into_inner().run.context("a run")?;
    let see = async |persona: Persona| -> Result<OperationRun> {
        job::get_run(&story.scene.stack.session(persona)?, &run.run_id).await
    };
    for persona in [Persona::Operator, Persona::Manager, Persona::Owner] {
        assert_eq!(see(persona).await?.run_id, run.run_id);
    }
    let unable = status(see(Persona::Readonly).await)?;
    assert_eq!((unable.code(), system_tests::reason(&unable).as_str()), (Code::PermissionDenied, "CAPABILITY_MISSING"));
    for persona in [Persona::Unentitled, Persona::Outsider] {
        let hidden = status(see(persona).await)?;
        assert_eq!((hidden.code(), hidden.message()), (Code::NotFound, "not found"));
    }
    // Reports of checks are for whoever may see the tenant, starting one is not.
    let check = verified(&story).await?;
    let readonly = story.scene.stack.session(Persona::Readonly)?;
    assert_eq!(job::get_run(&readonly, &check.run_id).await?.run_id, check.run_id);
    let request = VerifyProviderConnectionRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        tenant_id: story.scene.source.tenant_id.clone(),
    };
    let refused = readonly.tenants().verify_provider_connection(request).await.expect_err("it may not");
    assert_eq!(refused.code(), Code::PermissionDenied);
    Ok(())
}

#[tokio::test]
async fn while_one_is_active_the_same_start_joins_it_and_afterwards_there_is_another() -> Result<()> {
    let story = story().await?;
    let slow = system_tests::provider::FaultRule::new(system_tests::provider::FaultAction::Latency { latency_ms: 300 });
    story.provider.fault(&slow).await?;
    let first = story.manager.inventory().sync_inventory(sync_of(&story)).await?.into_inner();
    let second = story.owner.inventory().sync_inventory(sync_of(&story)).await?.into_inner();
    assert_eq!((first.outcome(), second.outcome()), (StartOutcome::Queued, StartOutcome::Deduped));
    let run = first.run.context("a run")?;
    assert_eq!(second.run.context("the same run")?.run_id, run.run_id);
    job::wait_for_end(&story.manager, &run.run_id).await?;
    let third = story.manager.inventory().sync_inventory(sync_of(&story)).await?.into_inner();
    assert_eq!(third.outcome(), StartOutcome::Queued);
    assert_ne!(third.run.context("another run")?.run_id, run.run_id);
    Ok(())
}

/// As compare-service by itself, whose scheduler starts what nobody clicks.
async fn scheduled(story: &Story, fire_time: &str) -> Result<StartOperationRunResponse> {
    let token = story.scene.stack.issuer.mint_service("compare-service", std::time::Duration::from_secs(600))?;
    let bearer: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
    let channel = Endpoint::from_shared(story.scene.stack.endpoints()?.operation_run)?.connect().await?;
    let mut runs = OperationRunServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    });
    let request = StartOperationRunRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        r#type: "backup_schedule.scheduled".into(),
        tenant_id: story.scene.source.tenant_id.clone(),
        identity: format!("schedule {fire_time}").into_bytes(),
        ..Default::default()
    };
    Ok(runs.start_operation_run(request).await?.into_inner())
}

#[tokio::test]
async fn a_schedule_and_fire_time_have_one_run_ever() -> Result<()> {
    let story = story().await?;
    let first = scheduled(&story, "2026-01-01T03:00Z").await?;
    assert_eq!(first.outcome(), StartOutcome::Queued);
    let run = first.run.context("a run")?;
    assert_eq!((run.initiator_subject.as_str(), run.initiator_name.as_str()), ("", "System"));
    let again = scheduled(&story, "2026-01-01T03:00Z").await?;
    assert_eq!((again.outcome(), again.run.context("the run")?.run_id), (StartOutcome::Deduped, run.run_id.clone()));
    // Also when it is over, however it ended.
    job::wait_for_end(&story.owner, &run.run_id).await?;
    let late = scheduled(&story, "2026-01-01T03:00Z").await?;
    assert_eq!((late.outcome(), late.run.context("the run")?.run_id), (StartOutcome::Deduped, run.run_id));
    assert_eq!(scheduled(&story, "2026-01-02T03:00Z").await?.outcome(), StartOutcome::Queued);
    Ok(())
}

#[tokio::test]
async fn history_of_the_older_system_is_kept_read_only_beside_the_runs_of_this_one() -> Result<()> {
    let story = story().await?;
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let history = |external_id: &str| HistoricalRun {
        external_id: external_id.into(),
        r#type: "inventory.sync".into(),
        tenant_id: story.scene.source.tenant_id.clone(),
        outcome: OperationRunOutcome::Failed.into(),
        initiator_name: "Somebody of old".into(),
        create_time: at(1_700_000_000),
        complete_time: at(1_700_000_060),
        ..Default::default()
    };
    let import = |runs| ImportOperationRunsRequest {
        request_id: job::request_id(),
        workspace_id: story.scene.workspace_id.clone(),
        runs,
    };
    let bring_in = async |session: &Session, runs| session.runs().import_operation_runs(import(runs)).await;
    let refused = bring_in(&story.manager, vec![history("old-1")]).await.expect_err("for owners alone");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let imported = bring_in(&story.owner, vec![history("old-1")]).await?.into_inner().results.remove(0);
    let imported = imported.run.context("an imported run")?;
    assert!(imported.imported && imported.status() == OperationRunStatus::Completed);
    let again = bring_in(&story.owner, vec![history("old-1")]).await?.into_inner().results.remove(0);
    assert!(again.already_imported);
    // A run of this system comes before it in the list, by its time.
    let sync = story.manager.inventory().sync_inventory(sync_of(&story)).await?.into_inner().run.context("a run")?;
    let listed: Vec<String> = all_runs(&story).await?.into_iter().map(|run| run.run_id).collect();
    assert_eq!(listed, [sync.run_id, imported.run_id.clone()]);
    let cancel = pb::operation::CancelOperationRunRequest {
        request_id: job::request_id(),
        run_id: imported.run_id,
        ..Default::default()
    };
    let refused = story.owner.runs().cancel_operation_run(cancel).await.expect_err("it never changes");
    assert_eq!((refused.code(), system_tests::reason(&refused).as_str()), (Code::FailedPrecondition, "RUN_NOT_ACTIVE"));
    Ok(())
}
