//! Onboarding: the record of setting a tenant up, by one editor after the other.

use pb::tenant::advance_onboarding_request::Step;
use pb::tenant::start_onboarding_request::Subject;
use pb::tenant::{
    AdvanceOnboardingRequest, CancelOnboardingRequest, CompleteOnboardingRequest, GetOnboardingRequest,
    GetTenantRequest, ListOnboardingsRequest, Onboarding, OnboardingCheckpoint, OnboardingState, ProviderRoute,
    ResumeOnboardingRequest, StartOnboardingRequest, StartOnboardingResponse, Tenant, TenantIdentity, TenantLifecycle,
    UpdateTenantRequest,
};
use pb::workspace::Role;
use tonic::{Code, Status};

use crate::world::{Caller, World, bytes, fresh, refusal};

/// A tenant that is set up, as one of its editors sees it.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) onboarding: Onboarding,
}

pub(crate) fn identity(name: &str) -> TenantIdentity {
    TenantIdentity { name: name.into(), external_tenant_id: fresh(), ..Default::default() }
}

/// A route that may be said for a tenant, and leads nowhere.
pub(crate) fn route(external_tenant_id: &str) -> ProviderRoute {
    let variable = external_tenant_id.replace('-', "_").to_uppercase();
    ProviderRoute {
        base_url: "https://graph.microsoft.com".into(),
        authority_url: "https://login.microsoftonline.com".into(),
        client_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001".into(),
        credential_reference: format!("env:TENANTATLAS_PROVIDER_SECRET_{variable}"),
    }
}

pub(crate) async fn start(
    who: &Caller<'_>,
    workspace_id: &str,
    subject: Subject,
) -> Result<StartOnboardingResponse, Status> {
    let request =
        StartOnboardingRequest { request_id: fresh(), workspace_id: workspace_id.into(), subject: Some(subject) };
    who.tenants().start_onboarding(request).await.map(tonic::Response::into_inner)
}

impl Setup {
    pub(crate) async fn of_new(who: &Caller<'_>, workspace_id: &str, identity: TenantIdentity) -> Self {
        let started = start(who, workspace_id, Subject::NewTenant(identity)).await.unwrap();
        Self { onboarding: started.onboarding.unwrap() }
    }

    pub(crate) fn step(&self, step: Step) -> AdvanceOnboardingRequest {
        AdvanceOnboardingRequest {
            request_id: fresh(),
            workspace_id: self.onboarding.workspace_id.clone(),
            onboarding_id: self.onboarding.onboarding_id.clone(),
            version: self.onboarding.version,
            step: Some(step),
        }
    }

    pub(crate) async fn advance(&mut self, who: &Caller<'_>, step: Step) -> Result<Onboarding, Status> {
        let answer = who.tenants().advance_onboarding(self.step(step)).await?.into_inner();
        self.onboarding = answer.onboarding.unwrap();
        Ok(self.onboarding.clone())
    }

    pub(crate) fn completion(&self) -> CompleteOnboardingRequest {
        CompleteOnboardingRequest {
            request_id: fresh(),
            workspace_id: self.onboarding.workspace_id.clone(),
            onboarding_id: self.onboarding.onboarding_id.clone(),
            version: self.onboarding.version,
        }
    }

    pub(crate) fn cancellation(&self) -> CancelOnboardingRequest {
        CancelOnboardingRequest {
            request_id: fresh(),
            workspace_id: self.onboarding.workspace_id.clone(),
            onboarding_id: self.onboarding.onboarding_id.clone(),
            version: self.onboarding.version,
        }
    }

    pub(crate) fn resumption(&self) -> ResumeOnboardingRequest {
        ResumeOnboardingRequest {
            request_id: fresh(),
            workspace_id: self.onboarding.workspace_id.clone(),
            onboarding_id: self.onboarding.onboarding_id.clone(),
        }
    }

    pub(crate) async fn seen_by(&self, who: &Caller<'_>) -> Result<Onboarding, Status> {
        let request = GetOnboardingRequest {
            workspace_id: self.onboarding.workspace_id.clone(),
            onboarding_id: self.onboarding.onboarding_id.clone(),
        };
        Ok(who.tenants().get_onboarding(request).await?.into_inner().onboarding.unwrap())
    }

    pub(crate) async fn tenant(&self, who: &Caller<'_>) -> Tenant {
        let request = GetTenantRequest {
            workspace_id: self.onboarding.workspace_id.clone(),
            tenant_id: self.onboarding.tenant_id.clone(),
        };
        who.tenants().get_tenant(request).await.unwrap().into_inner().tenant.unwrap()
    }

    /// Says of the connection in use what a verification would.
    pub(crate) async fn pretend_verified(&self, world: &World) {
        let done = sqlx::query("UPDATE tenant.provider_connection SET state = 'verified' WHERE tenant_id::text = $1 AND state <> 'disabled'")
            .bind(&self.onboarding.tenant_id)
            .execute(world.superuser().await.pool())
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1);
    }
}

fn reached(onboarding: &Onboarding) -> usize {
    onboarding.checkpoints.iter().filter(|progress| progress.reached()).count()
}

#[tokio::test]
async fn a_tenant_is_identified_connected_verified_and_taken_into_service() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let request = StartOnboardingRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        subject: Some(Subject::NewTenant(TenantIdentity {
            domain: "contoso.onmicrosoft.com".into(),
            aliases: vec!["Clinics".into(), "CC".into(), "Clinics".into()],
            ..identity("Contoso")
        })),
    };
    let start = |request: StartOnboardingRequest| {
        let mut client = ada.tenants();
        async move { client.start_onboarding(request).await.map(tonic::Response::into_inner) }
    };
    let started = start(request.clone()).await.unwrap();
    let tenant = started.tenant.clone().unwrap();
    assert_eq!((tenant.lifecycle(), tenant.provider_connected()), (TenantLifecycle::Onboarding, false));
    let mut setup = Setup { onboarding: started.onboarding.clone().unwrap() };
    let first = &setup.onboarding;
    assert_eq!((first.state(), first.version, reached(first)), (OnboardingState::InProgress, 1, 1));
    assert_eq!(first.next_checkpoint(), OnboardingCheckpoint::ConnectProvider);
    assert_eq!((first.editor_subject.as_str(), first.editor_name.as_str()), ("ada", "ada by name"));
    // The same request again, also when things have moved on since.
    assert_eq!(start(request.clone()).await.unwrap(), started);

    let before = setup.completion();
    let status = ada.tenants().complete_onboarding(before).await.unwrap_err();
    assert_eq!(refusal::<()>(Err(status.clone())), (Code::FailedPrecondition, "ONBOARDING_INCOMPLETE".into()));
    assert!(status.message().contains("Connect the provider"), "{status:?}");

    let external = &tenant.external_tenant_id;
    let step = setup.step(Step::ConnectProvider(route(external)));
    let connected = ada.tenants().advance_onboarding(step.clone()).await.unwrap().into_inner();
    assert_eq!(ada.tenants().advance_onboarding(step).await.unwrap().into_inner(), connected);
    setup.onboarding = connected.onboarding.unwrap();
    assert_eq!((setup.onboarding.version, reached(&setup.onboarding)), (2, 2));
    assert_eq!(setup.onboarding.next_checkpoint(), OnboardingCheckpoint::Verify);
    let status = ada.tenants().complete_onboarding(setup.completion()).await.unwrap_err();
    assert!(status.message().contains("Verify the provider connection"), "{status:?}");

    setup.pretend_verified(&world).await;
    assert_eq!(setup.seen_by(&ada).await.unwrap().next_checkpoint(), OnboardingCheckpoint::Complete);
    let completion = setup.completion();
    let done = ada.tenants().complete_onboarding(completion.clone()).await.unwrap().into_inner();
    assert_eq!(ada.tenants().complete_onboarding(completion).await.unwrap().into_inner(), done);
    let (ended, active) = (done.onboarding.unwrap(), done.tenant.unwrap());
    assert_eq!((ended.state(), reached(&ended), ended.end_time.is_some()), (OnboardingState::Completed, 4, true));
    assert_eq!(ended.next_checkpoint(), OnboardingCheckpoint::Unspecified);
    assert_eq!(active.lifecycle(), TenantLifecycle::Active);
    assert_eq!(start(request).await.unwrap(), started);
    // It is over.
    let refused = refusal(ada.tenants().resume_onboarding(setup.resumption()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ONBOARDING_NOT_RESUMABLE".into()));
    let again = super::onboarding::start(&ada, &workspace_id, Subject::TenantId(active.tenant_id)).await;
    assert_eq!(refusal(again), (Code::FailedPrecondition, "LIFECYCLE_MISMATCH".into()));
    // The trail was told of each change once, however often it was asked for.
    let told = world.runs.delivered_of("tenant.onboarding_completed", 1).await;
    assert_eq!((told[0].actor_subject.as_str(), &told[0].tenant_id), ("ada", &ended.tenant_id));
    let mut actions: Vec<_> = world.runs.delivered().into_iter().map(|event| event.action).collect();
    actions.sort_unstable();
    let changes = ["advanced", "completed", "started"].map(|change| format!("tenant.onboarding_{change}"));
    let others = ["provider_connection.set", "tenant.registered", "workspace.created"].map(str::to_owned);
    let mut expected: Vec<String> = changes.into_iter().chain(others).collect();
    expected.sort_unstable();
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn cancelled_it_goes_back_to_being_a_draft_and_can_be_started_again() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut setup = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    let external = setup.tenant(&ada).await.external_tenant_id;
    setup.advance(&ada, Step::ConnectProvider(route(&external))).await.unwrap();
    let cancellation = setup.cancellation();
    let done = ada.tenants().cancel_onboarding(cancellation.clone()).await.unwrap().into_inner();
    assert_eq!(ada.tenants().cancel_onboarding(cancellation).await.unwrap().into_inner(), done);
    let tenant = done.tenant.unwrap();
    assert_eq!(done.onboarding.unwrap().state(), OnboardingState::Cancelled);
    assert_eq!((tenant.lifecycle(), tenant.provider_connected()), (TenantLifecycle::Draft, true));

    let draft = Subject::TenantId(tenant.tenant_id.clone());
    let again = start(&ada, &workspace_id, draft.clone()).await.unwrap();
    let second = Setup { onboarding: again.onboarding.unwrap() };
    assert_ne!(second.onboarding.onboarding_id, setup.onboarding.onboarding_id);
    assert_eq!((again.tenant.unwrap().lifecycle(), reached(&second.onboarding)), (TenantLifecycle::Onboarding, 2));
    assert_eq!(refusal(start(&ada, &workspace_id, draft).await).1, "LIFECYCLE_MISMATCH");
    // The one that was cancelled stays so, though its tenant is in another one.
    let refused = refusal(ada.tenants().resume_onboarding(setup.resumption()).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ONBOARDING_NOT_RESUMABLE".into()));
    let list = |states: Vec<OnboardingState>, page_token: String| ListOnboardingsRequest {
        workspace_id: workspace_id.clone(),
        states: states.into_iter().map(Into::into).collect(),
        page_size: 1,
        page_token,
        ..Default::default()
    };
    let page = |request| {
        let mut client = ada.tenants();
        async move { client.list_onboardings(request).await.unwrap().into_inner() }
    };
    let newest = page(list(vec![], String::new())).await;
    assert_eq!(newest.onboardings, std::slice::from_ref(&second.onboarding));
    let oldest = page(list(vec![], newest.next_page_token)).await;
    assert_eq!((oldest.onboardings[0].state(), oldest.next_page_token), (OnboardingState::Cancelled, String::new()));
    let cancelled = page(list(vec![OnboardingState::Cancelled], String::new())).await;
    assert_eq!((cancelled.onboardings, cancelled.next_page_token), (oldest.onboardings, String::new()));
}

/// What an onboarding shows is the tenant's: a step prepared from another name is refused, by whom it was changed is told.
#[tokio::test]
async fn a_tenant_renamed_meanwhile_is_a_change_of_its_onboarding() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut setup = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    assert!(setup.onboarding.checkpoints.iter().all(|progress| progress.reached.is_some()), "a no is said, too");
    let tenant = setup.tenant(&ada).await;
    let rename = UpdateTenantRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        version: tenant.version,
        name: "Contoso Clinics".into(),
        domain: String::new(),
        aliases: vec![],
    };
    ada.tenants().update_tenant(rename.clone()).await.unwrap();
    let prepared = setup.step(Step::IdentifyTenant(identity("Contoso again")));
    let refused = refusal(ada.tenants().advance_onboarding(prepared).await);
    assert_eq!(refused, (Code::Aborted, "ONBOARDING_CHANGED".into()));
    let now = setup.seen_by(&ada).await.unwrap();
    assert_eq!((now.version, now.editor_subject.as_str()), (setup.onboarding.version + 1, "ada"));
    setup.onboarding = now;
    setup.advance(&ada, Step::IdentifyTenant(identity("Contoso again"))).await.unwrap();
    // Repeated, the rename is one change still.
    ada.tenants().update_tenant(rename).await.unwrap();
    assert_eq!(setup.seen_by(&ada).await.unwrap().version, setup.onboarding.version);
}

#[tokio::test]
async fn another_tenant_of_the_provider_puts_the_connection_aside() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut setup = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    let external = setup.tenant(&ada).await.external_tenant_id;
    setup.advance(&ada, Step::ConnectProvider(route(&external))).await.unwrap();
    setup.pretend_verified(&world).await;

    // Another name is the same tenant still.
    let renamed = TenantIdentity { external_tenant_id: external.to_uppercase(), ..identity("Contoso Clinics") };
    let after = setup.advance(&ada, Step::IdentifyTenant(renamed)).await.unwrap();
    assert_eq!(
        (after.next_checkpoint(), setup.tenant(&ada).await.name),
        (OnboardingCheckpoint::Complete, "Contoso Clinics".into())
    );
    let other = identity("Fabrikam");
    let after = setup.advance(&ada, Step::IdentifyTenant(other.clone())).await.unwrap();
    assert_eq!(after.next_checkpoint(), OnboardingCheckpoint::ConnectProvider);
    let tenant = setup.tenant(&ada).await;
    assert_eq!(
        (tenant.external_tenant_id.clone(), tenant.provider_connected()),
        (other.external_tenant_id.clone(), false)
    );
    // The credential is that of the tenant before.
    let stale = ada.tenants().advance_onboarding(setup.step(Step::ConnectProvider(route(&external)))).await;
    assert_eq!(refusal(stale).0, Code::InvalidArgument);

    // One that the workspace has already.
    let taken = Setup::of_new(&ada, &workspace_id, identity("Northwind")).await.tenant(&ada).await;
    let theirs = TenantIdentity { external_tenant_id: taken.external_tenant_id.clone(), ..identity("Northwind") };
    let refused = refusal(setup.advance(&ada, Step::IdentifyTenant(theirs.clone())).await);
    assert_eq!(refused, (Code::AlreadyExists, "TENANT_ALREADY_REGISTERED".into()));
    let refused = refusal(start(&ada, &workspace_id, Subject::NewTenant(theirs)).await);
    assert_eq!(refused, (Code::AlreadyExists, "TENANT_ALREADY_REGISTERED".into()));
    assert_eq!(setup.tenant(&ada).await.external_tenant_id, other.external_tenant_id);
}

#[tokio::test]
async fn whoever_resumes_takes_it_over() {
    let world = World::start().await;
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    let workspace_id = ada.new_workspace().await;
    let mut adas = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    ada.let_in(&workspace_id, "bob", Role::Manager).await;
    assert_eq!(refusal(adas.seen_by(&bob).await).0, Code::NotFound);
    ada.entitle(&workspace_id, &adas.onboarding.tenant_id, "bob", Role::Readonly).await;
    let resumption = adas.resumption();
    let resumed = bob.tenants().resume_onboarding(resumption.clone()).await.unwrap().into_inner();
    assert_eq!(bob.tenants().resume_onboarding(resumption).await.unwrap().into_inner(), resumed);
    let mut bobs = Setup { onboarding: resumed.onboarding.unwrap() };
    assert_eq!((bobs.onboarding.version, bobs.onboarding.editor_subject.as_str()), (2, "bob"));

    // What the first editor prepared is refused, and it says by whom and from where.
    let status = adas.advance(&ada, Step::IdentifyTenant(identity("Ada's"))).await.unwrap_err();
    let told = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
    assert_eq!((status.code(), told.reason.as_str()), (Code::Aborted, "ONBOARDING_CHANGED"));
    assert_eq!((told.metadata["editor_name"].as_str(), told.metadata["version"].as_str()), ("bob by name", "2"));
    for refused in [
        refusal(ada.tenants().complete_onboarding(adas.completion()).await.map(drop)),
        refusal(ada.tenants().cancel_onboarding(adas.cancellation()).await.map(drop)),
    ] {
        let expected = ["ONBOARDING_CHANGED", "ONBOARDING_INCOMPLETE"];
        assert!(expected.contains(&refused.1.as_str()), "{refused:?}");
    }
    bobs.advance(&bob, Step::IdentifyTenant(identity("Bob's"))).await.unwrap();
    assert_eq!(adas.tenant(&ada).await.name, "Bob's");
    // Connecting is more than carrying it through.
    let route = route(&adas.tenant(&ada).await.external_tenant_id);
    let refused = refusal(bobs.advance(&bob, Step::ConnectProvider(route)).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
}

#[tokio::test]
async fn of_two_editors_at_once_one_is_told_that_it_has_changed() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut setup = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    for round in 0..10 {
        let steps = ["First", "Second"].map(|name| {
            let step = setup.step(Step::IdentifyTenant(identity(name)));
            let mut client = ada.tenants();
            async move { client.advance_onboarding(step).await.map(|answer| answer.into_inner().onboarding.unwrap()) }
        });
        let answers = futures::future::join_all(steps).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (1, 1), "round {round}");
        let changed = (Code::Aborted, "ONBOARDING_CHANGED".to_owned());
        assert_eq!(refusal(refused.into_iter().next().unwrap()), changed);
        setup.onboarding = done.into_iter().next().unwrap().unwrap();
    }
    assert_eq!(setup.onboarding.version, 11);
    // The same request many times at once is one change.
    let step = setup.step(Step::IdentifyTenant(identity("Third")));
    let calls = (0..8).map(|_| {
        let (mut client, step) = (ada.tenants(), step.clone());
        async move { client.advance_onboarding(step).await.unwrap().into_inner().onboarding.unwrap() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(setup.seen_by(&ada).await.unwrap().version, 12);
}

#[tokio::test]
async fn a_start_sent_many_times_at_once_is_one_and_two_starts_of_a_draft_are_one() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let request = StartOnboardingRequest {
        request_id: fresh(),
        workspace_id: workspace_id.clone(),
        subject: Some(Subject::NewTenant(identity("Contoso"))),
    };
    let calls = (0..8).map(|_| {
        let (mut client, request) = (ada.tenants(), request.clone());
        async move { client.start_onboarding(request).await.unwrap().into_inner() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let setup = Setup { onboarding: answers[0].onboarding.clone().unwrap() };
    ada.tenants().cancel_onboarding(setup.cancellation()).await.unwrap();
    let starts = (0..4).map(|_| start(&ada, &workspace_id, Subject::TenantId(setup.onboarding.tenant_id.clone())));
    let (started, refused): (Vec<_>, Vec<_>) =
        futures::future::join_all(starts).await.into_iter().partition(Result::is_ok);
    assert_eq!(started.len(), 1);
    for answer in refused {
        assert_eq!(refusal(answer), (Code::FailedPrecondition, "LIFECYCLE_MISMATCH".into()));
    }
}

#[tokio::test]
async fn what_is_hidden_is_absent() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let setup = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    ada.let_in(&workspace_id, "bob", Role::Owner).await;
    let bob = world.user("bob");
    let mut invented = setup.clone();
    invented.onboarding.onboarding_id = fresh();
    assert_eq!(bytes(setup.seen_by(&bob).await), bytes(invented.seen_by(&bob).await));
    let step = |setup: &Setup| setup.step(Step::IdentifyTenant(identity("Mine")));
    let hidden = bytes(bob.tenants().advance_onboarding(step(&setup)).await);
    assert_eq!(hidden, bytes(bob.tenants().advance_onboarding(step(&invented)).await));
    assert_eq!(hidden.0, Code::NotFound);
    let list = ListOnboardingsRequest { workspace_id: workspace_id.clone(), ..Default::default() };
    assert!(bob.tenants().list_onboardings(list.clone()).await.unwrap().into_inner().onboardings.is_empty());
    let named = |tenant_id: String| ListOnboardingsRequest { tenant_id, ..list.clone() };
    let hidden = bytes(bob.tenants().list_onboardings(named(setup.onboarding.tenant_id.clone())).await);
    assert_eq!(hidden, bytes(bob.tenants().list_onboardings(named(fresh())).await));
    // Whoever may see it and not carry it through is told so.
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    ada.entitle(&workspace_id, &setup.onboarding.tenant_id, "bob", Role::Owner).await;
    assert_eq!(setup.seen_by(&bob).await.unwrap(), setup.onboarding);
    let refused = refusal(bob.tenants().cancel_onboarding(setup.cancellation()).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".into()));
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let setup = Setup::of_new(&ada, &workspace_id, identity("Contoso")).await;
    let good = setup.step(Step::IdentifyTenant(identity("Contoso")));
    let aliases = |count: u32| (0..count).map(|n| format!("Alias {n}")).collect();
    let identified = |identity: TenantIdentity| AdvanceOnboardingRequest {
        step: Some(Step::IdentifyTenant(identity)),
        ..good.clone()
    };
    for (request, field) in [
        (AdvanceOnboardingRequest { version: 0, ..good.clone() }, "version"),
        (AdvanceOnboardingRequest { version: -1, ..good.clone() }, "version"),
        (AdvanceOnboardingRequest { step: None, ..good.clone() }, "step"),
        (identified(TenantIdentity { name: "n".repeat(121), ..identity("") }), "identify_tenant.name"),
        (
            identified(TenantIdentity { external_tenant_id: "contoso".into(), ..identity("Contoso") }),
            "identify_tenant.external_tenant_id",
        ),
        (identified(TenantIdentity { aliases: aliases(51), ..identity("Contoso") }), "identify_tenant.aliases"),
    ] {
        let status = ada.tenants().advance_onboarding(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(&format!("{field}:")), "{}", status.message());
    }
    let most = TenantIdentity { name: "n".repeat(120), aliases: aliases(50), ..identity("") };
    ada.tenants().advance_onboarding(identified(most)).await.unwrap();
}
