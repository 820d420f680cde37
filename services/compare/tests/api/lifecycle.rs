//! Archive and Restore: confirmed, told to the trail, once.

use pb::tenant::start_onboarding_request::Subject;
use pb::tenant::{
    ArchiveTenantRequest, EvaluateOperabilityRequest, OperabilityLane, OperabilityQuestion, RestoreTenantRequest,
    SelectTenantRequest, Tenant, TenantLifecycle,
};
use pb::workspace::Role;
use tonic::{Code, Status};

use crate::onboarding::{Setup, identity, start};
use crate::world::{Caller, World, fresh, refusal};

fn archival(workspace_id: &str, tenant_id: &str, confirmation: &str) -> ArchiveTenantRequest {
    ArchiveTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.into(),
        tenant_id: tenant_id.into(),
        confirmation: confirmation.into(),
        reason: "The contract ended".into(),
    }
}

fn restoration(workspace_id: &str, tenant_id: &str, confirmation: &str) -> RestoreTenantRequest {
    RestoreTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.into(),
        tenant_id: tenant_id.into(),
        confirmation: confirmation.into(),
        reason: String::new(),
    }
}

async fn archive(who: &Caller<'_>, request: ArchiveTenantRequest) -> Result<Tenant, Status> {
    Ok(who.tenants().archive_tenant(request).await?.into_inner().tenant.unwrap())
}

async fn restore(who: &Caller<'_>, request: RestoreTenantRequest) -> Result<Tenant, Status> {
    Ok(who.tenants().restore_tenant(request).await?.into_inner().tenant.unwrap())
}

#[tokio::test]
async fn a_tenant_is_archived_and_restored_by_whoever_repeats_its_name() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    let unconfirmed = archive(&ada, archival(&workspace_id, &tenant_id, "")).await;
    assert_eq!(unconfirmed.unwrap_err().code(), Code::InvalidArgument);
    let status = archive(&ada, archival(&workspace_id, &tenant_id, "production")).await.unwrap_err();
    let told = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
    assert_eq!((status.code(), told.reason.as_str()), (Code::FailedPrecondition, "CONFIRMATION_MISMATCH"));
    assert_eq!(told.metadata["fields"], "confirmation");
    let refused = refusal(restore(&ada, restoration(&workspace_id, &tenant_id, "Production")).await);
    assert_eq!(refused, (Code::FailedPrecondition, "NOT_ARCHIVED".into()));

    let request = archival(&workspace_id, &tenant_id, "Production");
    let archived = archive(&ada, request.clone()).await.unwrap();
    assert_eq!(archived.lifecycle(), TenantLifecycle::Archived);
    assert_eq!(archive(&ada, request.clone()).await.unwrap(), archived);
    let reused = ArchiveTenantRequest { reason: "Another one".into(), ..request.clone() };
    assert_eq!(refusal(archive(&ada, reused).await), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));
    // What it is not good for now is told before what was confirmed is looked at.
    let refused = refusal(archive(&ada, archival(&workspace_id, &tenant_id, "Something else")).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ALREADY_ARCHIVED".into()));

    let restored = restore(&ada, restoration(&workspace_id, &tenant_id, "Production")).await.unwrap();
    assert_eq!(restored.lifecycle(), TenantLifecycle::Active);
    // The first answer, though it has been restored since; and it is not archived again.
    assert_eq!(archive(&ada, request).await.unwrap(), archived);
    let told = world.runs.delivered_of("tenant.archived", 1).await;
    world.runs.delivered_of("tenant.restored", 1).await;
    let detail = server::structure::from_struct(told[0].detail.as_ref().unwrap());
    assert_eq!((detail["reason"].as_str(), detail["from"].as_str()), (Some("The contract ended"), Some("active")));
    assert_eq!((told[0].tenant_id.as_str(), told[0].actor_subject.as_str()), (tenant_id.as_str(), "ada"));
    assert_eq!(world.runs.delivered_of("tenant.archived", 1).await.len(), 1);
}

#[tokio::test]
async fn only_an_owner_of_the_tenant_and_only_of_one_in_service() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    let bob = world.user("bob");
    let hidden = refusal(archive(&bob, archival(&workspace_id, &tenant_id, "Production")).await);
    assert_eq!(hidden, refusal(archive(&bob, archival(&workspace_id, &fresh(), "Production")).await));
    assert_eq!(hidden.0, Code::NotFound);
    ada.entitle(&workspace_id, &tenant_id, "bob", Role::Manager).await;
    // The capability is missed before the confirmation is.
    let refused = refusal(archive(&bob, archival(&workspace_id, &tenant_id, "wrong")).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
    let setup = Setup::of_new(&ada, &workspace_id, identity("New")).await;
    let refused = refusal(archive(&ada, archival(&workspace_id, &setup.onboarding.tenant_id, "New")).await);
    assert_eq!(refused, (Code::FailedPrecondition, "LIFECYCLE_MISMATCH".into()));
}

#[tokio::test]
async fn of_two_that_archive_at_once_one_does_and_the_trail_says_so_once() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    for round in 1..=5 {
        let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
        let calls = (0..4).map(|_| archive(&ada, archival(&workspace_id, &tenant_id, "Production")));
        let answers = futures::future::join_all(calls).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (1, 3), "round {round}");
        for answer in refused {
            assert_eq!(refusal(answer), (Code::FailedPrecondition, "ALREADY_ARCHIVED".into()));
        }
        assert_eq!(world.runs.delivered_of("tenant.archived", round).await.len(), round);
    }
}

#[tokio::test]
async fn a_process_that_dies_before_it_told_the_trail_has_told_it_once_in_the_end() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
    world.runs.delivered_of("tenant.registered", 1).await;
    world.runs.set_down(true);
    archive(&ada, archival(&workspace_id, &tenant_id, "Production")).await.unwrap();
    // Gone with the change made and nothing told; another process takes its place.
    world.stop();
    assert!(world.runs.delivered().iter().all(|event| event.action != "tenant.archived"));
    let replica = world.replica().await;
    world.runs.set_down(false);
    let told = world.runs.delivered_of("tenant.archived", 1).await;
    assert_eq!((told.len(), told[0].tenant_id.as_str()), (1, tenant_id.as_str()));
    drop(replica);
}

#[tokio::test]
async fn a_tenant_that_is_set_up_can_be_found_and_neither_selected_nor_promoted() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let started = start(&ada, &workspace_id, Subject::NewTenant(identity("New"))).await.unwrap();
    let tenant_id = started.tenant.unwrap().tenant_id;
    let select =
        SelectTenantRequest { request_id: fresh(), workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
    let refused = refusal(ada.tenants().select_tenant(select).await);
    assert_eq!(refused, (Code::FailedPrecondition, "NOT_SELECTOR_ELIGIBLE".into()));
    let ask = |lane: OperabilityLane, question: OperabilityQuestion| {
        let request = EvaluateOperabilityRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            lane: lane.into(),
            question: question.into(),
        };
        let mut client = ada.tenants();
        async move { client.evaluate_operability(request).await.unwrap().into_inner().outcome.unwrap() }
    };
    use {OperabilityLane as Lane, OperabilityQuestion as Question};
    for question in [Question::PromotionSource, Question::PromotionTarget] {
        assert_eq!(ask(Lane::TenantBound, question).await.reason, "LIFECYCLE_MISMATCH");
    }
    let found = ask(Lane::Administrative, Question::AdministrativeDiscoverability).await;
    assert_eq!(found.allowed, Some(true));
}
