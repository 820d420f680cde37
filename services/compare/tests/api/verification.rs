//! `provider_connection.verify`, from the request to what rests on it, against the provider's stand-in.

use compare_service::store;
use compare_service::store::provider_connection::Concluded;
use domain::tenant::verification::{Verdict, VerificationState};
use graph_emulator::{Emulator, FaultAction, FaultRule, Running, TenantSpec};
use pb::compare::{CompareSelection, GeneratePromotionPreflightRequest, Readiness};
use pb::operation::{ItemState, OperationRun};
use pb::tenant::advance_onboarding_request::Step;
use pb::tenant::{
    ArchiveTenantRequest, GetProviderConnectionRequest, OnboardingCheckpoint, OnboardingState, ProviderConnection,
    ProviderConnectionState, ProviderRoute, RestoreTenantRequest, SetProviderConnectionRequest, TenantLifecycle,
    VerifyProviderConnectionRequest,
};
use tonic::{Code, Status};

use crate::onboarding::{Setup, identity};
use crate::synced::{SECRET, Synced, of, script};
use crate::world::{World, fresh, refusal};

const SCRIPT: &str = "deviceManagementScript";
const SCRIPTS: &str = "/deviceManagement/deviceManagementScripts";

fn verification(workspace_id: &str, tenant_id: &str) -> VerifyProviderConnectionRequest {
    VerifyProviderConnectionRequest {
        request_id: fresh(),
        workspace_id: workspace_id.into(),
        tenant_id: tenant_id.into(),
    }
}

async fn verify(world: &World, request: VerifyProviderConnectionRequest) -> Result<OperationRun, Status> {
    let answer = world.user("ada").tenants().verify_provider_connection(request).await?.into_inner();
    Ok(answer.run.unwrap())
}

async fn connection(world: &World, workspace_id: &str, tenant_id: &str) -> ProviderConnection {
    let request = GetProviderConnectionRequest { workspace_id: workspace_id.into(), tenant_id: tenant_id.into() };
    let answer = world.user("ada").tenants().get_provider_connection(request).await.unwrap();
    answer.into_inner().provider_connection.unwrap()
}

fn forbidden(path: &str) -> FaultRule {
    FaultRule::new(FaultAction::Forbidden { message: None }).path(path)
}

/// The provider is away, and asked to be asked again at once, so that nobody waits.
fn unavailable() -> FaultRule {
    let retry_after = Some("0".into());
    FaultRule::new(FaultAction::Status { status: 503, code: None, message: None, retry_after })
}

/// A stand-in for a tenant of the provider, and the way to it.
async fn provider_of(world: &World, external_id: &str) -> (Running, ProviderRoute) {
    let client_id = fresh();
    let tenant = TenantSpec::new(external_id, "Contoso").client(&client_id, SECRET);
    let emulator = Emulator::builder().tenant(tenant).start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let secret = world.secrets.path().join(external_id);
    std::fs::write(&secret, SECRET).unwrap();
    let route = ProviderRoute {
        base_url: emulator.base_url.clone(),
        authority_url: emulator.base_url.clone(),
        client_id,
        credential_reference: format!("file:{}", secret.display()),
    };
    (emulator, route)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_of_a_tenant() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let new = identity("Contoso");
    let (_emulator, way) = provider_of(&world, &new.external_tenant_id).await;
    let mut setup = Setup::of_new(&ada, &workspace_id, new).await;
    let tenant_id = setup.onboarding.tenant_id.clone();
    let early = verify(&world, verification(&workspace_id, &tenant_id)).await;
    assert_eq!(refusal(early), (Code::FailedPrecondition, "PROVIDER_CONNECTION_MISSING".into()));
    setup.advance(&ada, Step::ConnectProvider(way)).await.unwrap();

    let request = verification(&workspace_id, &tenant_id);
    let run = verify(&world, request.clone()).await.unwrap();
    assert_eq!(run.r#type, "provider_connection.verify");
    assert_eq!(verify(&world, request).await.unwrap().run_id, run.run_id);
    let (_, items) = world.runs.ended(&run.run_id).await;
    let states: Vec<_> = items.iter().map(|claimed| claimed.item.as_ref().unwrap().state()).collect();
    assert!(states.len() > 20 && states.contains(&ItemState::Succeeded), "{states:?}");
    let verified = connection(&world, &workspace_id, &tenant_id).await;
    assert_eq!((verified.state(), verified.state_reason.as_str()), (ProviderConnectionState::Verified, ""));
    assert!(verified.verify_time.is_some() && verified.denied_policy_types.is_empty(), "{verified:?}");
    // Verifying is no change of the onboarding's record.
    let seen = setup.seen_by(&ada).await.unwrap();
    assert_eq!((seen.version, seen.next_checkpoint()), (2, OnboardingCheckpoint::Complete));
    let done = ada.tenants().complete_onboarding(setup.completion()).await.unwrap().into_inner();
    assert_eq!(done.onboarding.unwrap().state(), OnboardingState::Completed);

    let archive = ArchiveTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        confirmation: "Contoso".into(),
        reason: String::new(),
    };
    let archived = ada.tenants().archive_tenant(archive).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(archived.lifecycle(), TenantLifecycle::Archived);
    let refused = refusal(verify(&world, verification(&workspace_id, &tenant_id)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "LIFECYCLE_MISMATCH".into()));
    let restore = RestoreTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        confirmation: "Contoso".into(),
        reason: String::new(),
    };
    let restored = ada.tenants().restore_tenant(restore).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(restored.lifecycle(), TenantLifecycle::Active);
    assert_eq!(connection(&world, &workspace_id, &tenant_id).await, verified);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_denies_is_remembered_and_not_promoted_into() {
    let world = World::start().await;
    let workspace_id = world.user("ada").new_workspace().await;
    let source = Synced::in_workspace(&world, workspace_id.clone(), "Model").await;
    let target = Synced::in_workspace(&world, workspace_id.clone(), "Customer").await;
    source.put("PowerShell", &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001", "Alpha", "Write-Host 1"));
    source.sync(&[SCRIPT]).await;
    target.sync(&[SCRIPT]).await;
    let judged = async || {
        let selection = CompareSelection {
            workspace_id: workspace_id.clone(),
            source_tenant_id: source.tenant_id.clone(),
            target_tenant_id: target.tenant_id.clone(),
            policy_types: vec![SCRIPT.into()],
            ..Default::default()
        };
        let request = GeneratePromotionPreflightRequest { selection: Some(selection), ..Default::default() };
        let answer = world.user("ada").compare().generate_promotion_preflight(request).await.unwrap().into_inner();
        let subject = &answer.subjects[0];
        (subject.readiness(), subject.reasons.iter().map(|reason| reason.reason.clone()).collect::<Vec<_>>())
    };
    assert_eq!(judged().await, (Readiness::Ready, vec![]));

    let fault = target.emulator.add_fault(forbidden(SCRIPTS));
    let run = verify(&world, verification(&workspace_id, &target.tenant_id)).await.unwrap();
    let (_, items) = target.ended(&run.run_id).await;
    let denied = of(&items, SCRIPT);
    assert_eq!((denied.state(), denied.reason.as_str()), (ItemState::Failed, "PROVIDER_PERMISSION_DENIED"));
    let known = connection(&world, &workspace_id, &target.tenant_id).await;
    assert_eq!((known.state(), known.denied_policy_types), (ProviderConnectionState::Verified, vec![SCRIPT.into()]));
    assert_eq!(judged().await, (Readiness::Blocked, vec!["PROVIDER_PERMISSION_DENIED".into()]));

    // Granted meanwhile: the next verification says so.
    target.emulator.remove_faults(Some(fault));
    let run = verify(&world, verification(&workspace_id, &target.tenant_id)).await.unwrap();
    target.ended(&run.run_id).await;
    assert_eq!(judged().await, (Readiness::Ready, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_work_says_why_and_completes_nothing() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let new = identity("Contoso");
    let (_emulator, way) = provider_of(&world, &new.external_tenant_id).await;
    std::fs::write(world.secrets.path().join(&new.external_tenant_id), "another-secret").unwrap();
    let mut setup = Setup::of_new(&ada, &workspace_id, new).await;
    let tenant_id = setup.onboarding.tenant_id.clone();
    setup.advance(&ada, Step::ConnectProvider(way)).await.unwrap();
    let run = verify(&world, verification(&workspace_id, &tenant_id)).await.unwrap();
    let (_, items) = world.runs.ended(&run.run_id).await;
    assert!(items.iter().all(|claimed| claimed.item.as_ref().unwrap().state() == ItemState::Failed));
    let known = connection(&world, &workspace_id, &tenant_id).await;
    let expected = (ProviderConnectionState::Failed, "PROVIDER_CREDENTIAL_REJECTED");
    assert_eq!((known.state(), known.state_reason.as_str()), expected);
    assert!(known.verify_time.is_none());
    let refused = refusal(ada.tenants().complete_onboarding(setup.completion()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ONBOARDING_INCOMPLETE".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_replaced_meanwhile_says_nothing_of_the_one_in_its_place() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let (workspace_id, tenant_id) = (tenant.workspace_id.clone(), tenant.tenant_id.clone());
    let first = connection(&world, &workspace_id, &tenant_id).await;
    let run = verify(&world, verification(&workspace_id, &tenant_id)).await.unwrap();
    tenant.ended(&run.run_id).await;
    let replace = SetProviderConnectionRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        base_url: first.base_url.clone(),
        authority_url: first.authority_url.clone(),
        client_id: "another-application".into(),
        credential_reference: first.credential_reference.clone(),
    };
    world.user("ada").tenants().set_provider_connection(replace).await.unwrap();
    // Replaced before its worker looked: the worker tries nothing.
    world.runs.again(&run.run_id);
    let (ended, items) = tenant.ended(&run.run_id).await;
    assert_eq!(ended.failure_summary[0].code, "PROVIDER_CONNECTION_REPLACED");
    assert!(items.iter().all(|item| item.state() == ItemState::Pending));
    // Replaced right before its worker wrote: nothing is written.
    let verdict = verdict(VerificationState::Verified, &[SCRIPT]);
    let (workspace, id) = (workspace_id.parse().unwrap(), tenant_id.parse().unwrap());
    let mut tx = world.db().await.workspace(workspace_id.parse().unwrap()).await.unwrap();
    let tried = first.provider_connection_id.parse().unwrap();
    let began = store::clock(&mut *tx).await.unwrap();
    let done = store::provider_connection::conclude(&mut tx, workspace, id, tried, began, &verdict).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(done, Concluded::Replaced);
    let present = connection(&world, &workspace_id, &tenant_id).await;
    assert_ne!(present.provider_connection_id, first.provider_connection_id);
    assert_eq!((present.state(), present.denied_policy_types), (ProviderConnectionState::Unverified, vec![]));
    // A verification of the new one is another run.
    let next = verify(&world, verification(&workspace_id, &tenant_id)).await.unwrap();
    let identities: Vec<_> = world.runs.starts().into_iter().map(|start| start.identity).collect();
    assert!(next.run_id != run.run_id && identities[0] != identities[1]);
}

fn verdict(state: VerificationState, denied: &[&str]) -> Verdict {
    let denied_types = denied.iter().map(|one| (*one).into()).collect();
    Verdict { state, reason: None, denied_types, unknown_types: [].into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_leaves_what_was_known_of_a_connection() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let (workspace_id, tenant_id) = (tenant.workspace_id.clone(), tenant.tenant_id.clone());
    let denies = tenant.emulator.add_fault(forbidden(SCRIPTS));
    let run = verify(&world, verification(&workspace_id, &tenant_id)).await.unwrap();
    tenant.ended(&run.run_id).await;
    let known = connection(&world, &workspace_id, &tenant_id).await;
    assert_eq!(
        (known.state(), known.denied_policy_types.as_slice()),
        (ProviderConnectionState::Verified, [SCRIPT.into()].as_slice())
    );

    // Whatever could prove something is away: the run is given back, and in the end says what it could not find out.
    tenant.emulator.remove_faults(Some(denies));
    // Its pace allows one call a second, so it is not left to be asked again and again.
    let denies = tenant.emulator.add_fault(forbidden("/identity"));
    let outage = tenant.emulator.add_fault(unavailable());
    let run = verify(&world, verification(&workspace_id, &tenant_id)).await.unwrap();
    let (_, items) = tenant.ended(&run.run_id).await;
    let (refused, unknown): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.state() == ItemState::Failed);
    assert!(refused.iter().all(|item| item.reason == "PROVIDER_PERMISSION_DENIED") && !refused.is_empty());
    assert!(unknown.len() > 20);
    for item in unknown {
        assert_eq!((item.state(), item.reason.as_str()), (ItemState::Skipped, "PROVIDER_UNAVAILABLE"), "{item:?}");
    }
    assert_eq!(world.runs.released(), ["PROVIDER_UNAVAILABLE", "PROVIDER_UNAVAILABLE"]);
    assert_eq!(connection(&world, &workspace_id, &tenant_id).await, known, "nothing was proved");

    // Only what was denied before is away: the rest verifies, and the denial stays known.
    tenant.emulator.remove_faults(Some(outage));
    tenant.emulator.remove_faults(Some(denies));
    tenant.emulator.add_fault(unavailable().path(SCRIPTS));
    let run = verify(&world, verification(&workspace_id, &tenant_id)).await.unwrap();
    tenant.ended(&run.run_id).await;
    let after = connection(&world, &workspace_id, &tenant_id).await;
    assert_eq!((after.state(), &after.denied_policy_types), (known.state(), &known.denied_policy_types));
    assert!(after.verify_time != known.verify_time, "it was verified again");
}

/// Whoever names another workspace's tenant and its secret gets as far as with a secret that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_of_the_workspace_that_first_proved_it() {
    let world = World::start().await;
    let ada = world.user("ada");
    let (holder, stranger) = (ada.new_workspace().await, ada.new_workspace().await);
    let new = identity("Contoso");
    let (_emulator, way) = provider_of(&world, &new.external_tenant_id).await;
    let tried = async |workspace_id: &str| {
        // Registering says nothing to anybody: both may.
        let mut setup = Setup::of_new(&ada, workspace_id, new.clone()).await;
        setup.advance(&ada, Step::ConnectProvider(way.clone())).await.unwrap();
        let tenant_id = setup.onboarding.tenant_id.clone();
        let run = verify(&world, verification(workspace_id, &tenant_id)).await.unwrap();
        let (_, items) = world.runs.ended(&run.run_id).await;
        let known = connection(&world, workspace_id, &tenant_id).await;
        (tenant_id, known, items[0].item.clone().unwrap())
    };
    let (tenant_id, held, _) = tried(&holder).await;
    assert_eq!(held.state(), ProviderConnectionState::Verified);
    let (_, refused, item) = tried(&stranger).await;
    let expected = (ProviderConnectionState::Failed, "CREDENTIAL_UNAVAILABLE");
    assert_eq!((refused.state(), refused.state_reason.as_str()), expected);
    let absent = format!("the credential at {} cannot be read", way.credential_reference);
    assert_eq!((item.state(), item.message), (ItemState::Failed, absent), "as if there were none");

    // The holder is not disturbed.
    let again = verify(&world, verification(&holder, &tenant_id)).await.unwrap();
    world.runs.ended(&again.run_id).await;
    assert_eq!(connection(&world, &holder, &tenant_id).await.state(), ProviderConnectionState::Verified);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_verifications_the_one_that_began_later_stands() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let (workspace, id) = (tenant.workspace_id.parse().unwrap(), tenant.tenant_id.parse().unwrap());
    let tried =
        connection(&world, &tenant.workspace_id, &tenant.tenant_id).await.provider_connection_id.parse().unwrap();
    let db = world.db().await;
    let first = store::clock(db.pool()).await.unwrap();
    let second = store::clock(db.pool()).await.unwrap();
    let conclude = async |began, verdict: &Verdict| {
        let mut tx = db.workspace(tenant.workspace_id.parse().unwrap()).await.unwrap();
        let done = store::provider_connection::conclude(&mut tx, workspace, id, tried, began, verdict).await.unwrap();
        tx.commit().await.unwrap();
        done
    };
    let verified = verdict(VerificationState::Verified, &[]);
    assert_eq!(conclude(second, &verified).await, Concluded::Written);
    // A worker that slept through it comes back with what it found before.
    let failed = Verdict {
        reason: Some("PROVIDER_CREDENTIAL_REJECTED".into()),
        ..verdict(VerificationState::Failed, &[SCRIPT])
    };
    assert_eq!(conclude(first, &failed).await, Concluded::Overtaken);
    let known = connection(&world, &tenant.workspace_id, &tenant.tenant_id).await;
    assert_eq!((known.state(), known.denied_policy_types.len()), (ProviderConnectionState::Verified, 0));
    // Written again by the same attempt, after an answer that was lost: the same.
    assert_eq!(conclude(second, &verified).await, Concluded::Written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_died_is_followed_by_one_that_comes_to_the_same() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.emulator.add_fault(forbidden(SCRIPTS));
    let run = verify(&world, verification(&tenant.workspace_id, &tenant.tenant_id)).await.unwrap();
    tenant.ended(&run.run_id).await;
    let before = connection(&world, &tenant.workspace_id, &tenant.tenant_id).await;
    world.runs.again(&run.run_id);
    tenant.ended(&run.run_id).await;
    let after = connection(&world, &tenant.workspace_id, &tenant.tenant_id).await;
    assert_eq!((after.state(), &after.denied_policy_types), (before.state(), &before.denied_policy_types));
    assert_eq!(after.denied_policy_types, [SCRIPT]);
}
