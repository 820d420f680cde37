//! Lists of tenants by lane, and finding one by what it is called.

use domain::tenant::Lifecycle;
use pb::tenant::{
    ListTenantsRequest, OperabilityLane, RegisterTenantRequest, SearchTenantsRequest, SearchTenantsResponse, Tenant,
};
use pb::workspace::Role;
use tonic::Code;

use crate::lifecycles::{new_tenant_in, one_of_each};
use crate::world::{Caller, World, fresh, refusal};

fn names(tenants: &[Tenant]) -> Vec<&str> {
    tenants.iter().map(|tenant| tenant.name.as_str()).collect()
}

async fn listed(caller: &Caller<'_>, workspace_id: &str, lane: OperabilityLane) -> Vec<Tenant> {
    let request = ListTenantsRequest { workspace_id: workspace_id.to_owned(), lane: lane.into(), ..Default::default() };
    caller.tenants().list_tenants(request).await.unwrap().into_inner().tenants
}

async fn page(caller: &Caller<'_>, workspace_id: &str, query: &str, token: &str) -> SearchTenantsResponse {
    let request = SearchTenantsRequest {
        workspace_id: workspace_id.to_owned(),
        query: query.to_owned(),
        page_size: 2,
        page_token: token.to_owned(),
    };
    caller.tenants().search_tenants(request).await.unwrap().into_inner()
}

/// The names of all that is found, page after page.
async fn found(caller: &Caller<'_>, workspace_id: &str, query: &str) -> Vec<String> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let page = page(caller, workspace_id, query, &token).await;
        assert!(page.tenants.len() <= 2);
        all.extend(page.tenants.into_iter().map(|tenant| tenant.name));
        token = page.next_page_token;
        if token.is_empty() {
            return all;
        }
    }
}

#[tokio::test]
async fn each_lane_lists_what_belongs_in_it_for_whoever_asks() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let tenants = one_of_each(&world, &workspace_id, "ada").await;
    ada.let_in(&workspace_id, "bob", Role::Operator).await;
    for (_, tenant_id) in &tenants {
        ada.entitle(&workspace_id, tenant_id, "bob", Role::Operator).await;
    }
    ada.let_in(&workspace_id, "eve", Role::Owner).await;
    let all = ["The active one", "The archived one", "The draft one", "The onboarding one"];
    for (lane, expected) in [
        (OperabilityLane::Unspecified, &all[..]),
        (OperabilityLane::Administrative, &all),
        (OperabilityLane::TenantBound, &all),
        (OperabilityLane::CanonicalRecord, &all),
        (OperabilityLane::ActiveSelector, &["The active one"]),
        (OperabilityLane::RememberedContext, &["The active one"]),
        (OperabilityLane::OnboardingWorkflow, &["The onboarding one"]),
    ] {
        assert_eq!(names(&listed(&ada, &workspace_id, lane).await), expected, "{lane:?}");
        // The lane of onboarding is for those who may carry one through; the others have nothing to do there.
        let bobs = if lane == OperabilityLane::OnboardingWorkflow { &[] } else { expected };
        assert_eq!(names(&listed(&world.user("bob"), &workspace_id, lane).await), bobs, "{lane:?}");
        // A workspace role entitles to no tenant.
        assert!(listed(&world.user("eve"), &workspace_id, lane).await.is_empty(), "{lane:?}");
    }
    let unknown = ListTenantsRequest { workspace_id: workspace_id.clone(), lane: 7, ..Default::default() };
    assert_eq!(refusal(ada.tenants().list_tenants(unknown).await).0, Code::InvalidArgument);
    // A token of one lane is none of another.
    let one = ListTenantsRequest { workspace_id, page_size: 1, ..Default::default() };
    let token = ada.tenants().list_tenants(one.clone()).await.unwrap().into_inner().next_page_token;
    let other = ListTenantsRequest { page_token: token, lane: OperabilityLane::TenantBound.into(), ..one };
    assert_eq!(refusal(ada.tenants().list_tenants(other).await), (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));
}

#[tokio::test]
async fn search_and_administrative_discoverability_do_not_collapse_to_selector_only_semantics() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    one_of_each(&world, &workspace_id, "ada").await;
    let everything = found(&ada, &workspace_id, "THE ").await;
    assert_eq!(everything, ["The active one", "The archived one", "The draft one", "The onboarding one"]);
    assert_eq!(names(&listed(&ada, &workspace_id, OperabilityLane::Administrative).await), everything);
    assert_eq!(names(&listed(&ada, &workspace_id, OperabilityLane::ActiveSelector).await), ["The active one"]);
    // Nor does it show more than the caller is entitled to.
    ada.let_in(&workspace_id, "eve", Role::Owner).await;
    assert!(found(&world.user("eve"), &workspace_id, "the").await.is_empty());
}

#[tokio::test]
async fn a_tenant_is_found_by_any_part_of_what_it_is_called_and_exactly_named_ones_come_first() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    let mut registered = Vec::new();
    for (name, domain) in [
        ("Old Contoso", "old.example"),
        ("Contoso North", "north.example"),
        ("Contoso", "contoso.example"),
        ("Fabrikam", "fabrikam-contoso.example"),
        ("Straße 50%_off", "a.example"),
    ] {
        let request = RegisterTenantRequest {
            request_id: fresh(),
            workspace_id: workspace_id.clone(),
            name: name.into(),
            external_tenant_id: fresh(),
            domain: domain.into(),
            aliases: vec![format!("Known as {name}")],
        };
        registered.push(ada.tenants().register_tenant(request).await.unwrap().into_inner().tenant.unwrap());
    }
    let search = async |query: &str| found(&ada, &workspace_id, query).await;
    assert_eq!(search(" cOnToSo ").await, ["Contoso", "Contoso North", "Fabrikam", "Old Contoso"]);
    assert_eq!(search("STRASSE").await, ["Straße 50%_off"]);
    let fabrikam = &registered[3];
    assert_eq!(search(&fabrikam.tenant_id.to_uppercase()).await, ["Fabrikam"]);
    assert_eq!(search(&fabrikam.external_tenant_id).await, ["Fabrikam"]);
    assert_eq!(search("fabrikam-c").await, ["Fabrikam"]);
    assert_eq!(search("known as fabrikam").await, ["Fabrikam"]);
    // What is special to LIKE stands for itself.
    assert_eq!(search("%_").await, ["Straße 50%_off"]);
    for nothing in ["%%", "c%o", "c_ntoso", r"\", "northwind"] {
        assert!(search(nothing).await.is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn pages_of_a_search_lose_and_repeat_nothing_while_tenants_come_and_change() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    for name in ["Tenant b", "Tenant d", "Tenant f", "Tenant h"] {
        ada.new_tenant(&workspace_id, name).await;
    }
    let first = page(&ada, &workspace_id, "tenant", "").await;
    assert_eq!(names(&first.tenants), ["Tenant b", "Tenant d"]);
    // Before and behind the place where the next page begins.
    for name in ["Tenant a", "Tenant e"] {
        new_tenant_in(&world, &workspace_id, "ada", name, Lifecycle::Archived).await;
    }
    let second = page(&ada, &workspace_id, "tenant", &first.next_page_token).await;
    assert_eq!(names(&second.tenants), ["Tenant e", "Tenant f"]);
    let third = page(&ada, &workspace_id, "tenant", &second.next_page_token).await;
    assert_eq!((names(&third.tenants), third.next_page_token.as_str()), (vec!["Tenant h"], ""));
    // A token belongs to its query.
    let other = SearchTenantsRequest {
        workspace_id,
        query: "other".into(),
        page_token: first.next_page_token,
        ..Default::default()
    };
    assert_eq!(
        refusal(ada.tenants().search_tenants(other).await),
        (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into())
    );
}

#[tokio::test]
async fn a_query_has_1_to_200_characters() {
    let world = World::start().await;
    let ada = world.user("ada");
    let workspace_id = ada.new_workspace().await;
    for (query, code) in [
        ("x".to_owned(), Code::Ok),
        ("ß".repeat(200), Code::Ok),
        (String::new(), Code::InvalidArgument),
        (" ".repeat(3), Code::InvalidArgument),
        ("ß".repeat(201), Code::InvalidArgument),
        ("a\u{0}".to_owned(), Code::InvalidArgument),
    ] {
        let request =
            SearchTenantsRequest { workspace_id: workspace_id.clone(), query: query.clone(), ..Default::default() };
        let answer = ada.tenants().search_tenants(request).await;
        assert_eq!(answer.map_or_else(|status| status.code(), |_| Code::Ok), code, "{query:?}");
    }
}
