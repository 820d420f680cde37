//! Requests with placeholders, and what they stand for: things of the demo's workspace, things of another workspace, and
//! nothing at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dev::client::Session;
use dev::issuer::PersonaClaims;
use dev::job;
use dev::persona::Persona;
use dev::scene::Scene;
use pb::backup::{
    ArchiveBackupScheduleRequest, BackupPlan, CatchUpPolicy, CreateBackupScheduleRequest, OverlapPolicy,
    RunBackupNowRequest,
};
use pb::compare::{CompareSelection, CompareState};
use pb::inventory::{ListInventoryItemsRequest, ListPolicyVersionsRequest, SyncInventoryRequest};
use pb::operation::OperationRun;
use prost_reflect::MethodDescriptor;
use serde_json::json;
use system_tests::wire::{self, Answer, Directory};

const TOKEN_TTL: Duration = Duration::from_secs(900);
/// Given with every call, so that answers cannot differ by the ids that the services would make.
const SAME_FOR_ALL: [(&str, &str); 2] = [
    ("x-request-id", "0198c0de-0000-7000-8000-000000000000"),
    ("traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00"),
];
/// What every tenant has, and what every policy of the demo may refer to.
const OBJECT_TYPE: &str = "roleScopeTag";

/// Whose things a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// All of the demo's workspace.
    Existing,
    /// The demo's workspace and tenants; below them what does not exist.
    InventedDetail,
    /// The demo's workspace and tenants; below them what belongs to another workspace.
    ForeignDetail,
    /// The demo's workspace, and nothing else that exists.
    InventedThing,
    /// The demo's workspace, with another workspace's things.
    ForeignThing,
    /// A workspace that does not exist, with the demo's things.
    InventedWorkspace,
    /// Another workspace with its own things.
    ForeignWorkspace,
}

impl Place {
    pub(super) const ALL: [Place; 7] = [
        Place::Existing,
        Place::InventedDetail,
        Place::ForeignDetail,
        Place::InventedThing,
        Place::ForeignThing,
        Place::InventedWorkspace,
        Place::ForeignWorkspace,
    ];
}

/// Who calls, by name: nobody, the personas, and our own services.
pub(super) struct Callers;

impl Callers {
    pub(super) const NAMES: [&str; 10] = [
        "nobody",
        "outsider",
        "unentitled",
        "readonly",
        "operator",
        "manager",
        "owner",
        "service",
        "service for manager",
        "service for outsider",
    ];
}

/// Values of the placeholders.
type Names = BTreeMap<&'static str, String>;

pub(super) struct World {
    /// Kept for its processes.
    scene: Scene,
    servers: Arc<Directory>,
    methods: BTreeMap<String, MethodDescriptor>,
    /// `Bearer ...` by persona or service.
    tokens: BTreeMap<String, String>,
    own: Names,
    foreign: Names,
    invented: Names,
}

impl World {
    pub(super) async fn set() -> Result<Self> {
        let scene = system_tests::scene().await?;
        let servers = Directory::of(&scene.stack.endpoints()?)?;
        let owner = scene.stack.session(Persona::Owner)?;
        let tenants = [scene.source.tenant_id.clone(), scene.target.tenant_id.clone()];
        let own = names(&owner, &scene.workspace_id, tenants).await?;
        job::entitle(&owner, &scene.workspace_id, &own["onboarded"]).await?;

        // Another workspace, about the same provider's tenants, of somebody none of the personas has anything to do with.
        let stranger = PersonaClaims { sub: "stranger@elsewhere.example".into(), name: "Stella Stranger".into() };
        let token = scene.stack.issuer.mint(&stranger, TOKEN_TTL)?;
        let stranger = Session::new(&scene.stack.endpoints()?, &token)?;
        let request = pb::workspace::CreateWorkspaceRequest { request_id: job::request_id(), name: "Elsewhere".into() };
        let workspace = stranger.workspaces().create_workspace(request).await?.into_inner().workspace;
        let workspace = workspace.context("a created workspace is returned")?.workspace_id;
        let mut tenants = Vec::new();
        for (emulated, name) in scene.stack.tenants().iter().zip(["Their source", "Their target"]) {
            tenants.push(register(&stranger, &workspace, name, &scene.stack.provider(emulated)?).await?);
        }
        let tenants = tenants.try_into().ok().context("the demo has two tenants")?;
        let mut foreign = names(&stranger, &workspace, tenants).await?;
        // Identities of subjects are the same in every workspace: there is nothing foreign about them.
        foreign.insert("subject", own["subject"].clone());

        let invent = |name: &&'static str| (*name, uuid::Uuid::now_v7().to_string());
        let invented = own.keys().map(invent).collect();
        let mut tokens = BTreeMap::new();
        for persona in Persona::ALL {
            tokens.insert(persona.key().to_owned(), format!("Bearer {}", scene.stack.token(persona)?));
        }
        for service in ["compare-service", "promotion-service"] {
            let token = scene.stack.issuer.mint_service(service, TOKEN_TTL)?;
            tokens.insert(service.to_owned(), format!("Bearer {token}"));
        }
        Ok(Self { scene, servers, methods: wire::methods(), tokens, own, foreign, invented })
    }

    /// Ends the provider's stand-in at once.
    pub(super) async fn stop_provider(&mut self) -> Result<()> {
        self.scene.stack.emulator.kill().await
    }

    /// A request, with things of this place for `$workspace`, `$source`, `$target`; below them `$run` and `$promotion` (runs
    /// that have ended), `$onboarding` (one of `$onboarded`, cancelled), `$object` (a scope tag) with a `$version` and its `$content`,
    /// `$subject`, a backup `$schedule` with a `$set`, an `$ended` schedule; and `$selection`.
    pub(super) fn request(&self, template: &str, place: Place) -> String {
        let (own, foreign, invented) = (&self.own, &self.foreign, &self.invented);
        let (workspace, tenants, details) = match place {
            Place::Existing => (own, own, own),
            Place::InventedDetail => (own, own, invented),
            Place::ForeignDetail => (own, own, foreign),
            Place::InventedThing => (own, invented, invented),
            Place::ForeignThing => (own, foreign, foreign),
            Place::InventedWorkspace => (invented, own, own),
            Place::ForeignWorkspace => (foreign, foreign, foreign),
        };
        let mut request = template.replace("$selection", SELECTION);
        for name in own.keys() {
            let names = match *name {
                "workspace" => workspace,
                "source" | "target" => tenants,
                _ => details,
            };
            request = request.replace(&format!("${name}"), &names[name]);
        }
        let content = json!({"id": details["object"], "displayName": "Matrix"}).to_string();
        let request = request.replace("$content", &STANDARD.encode(content));
        request.replace("$provider_url", &self.provider_url()).replace("$credential", &self.target_credential())
    }

    /// The one credential reference that the operator's rules allow for a target: both workspaces have the same two tenants.
    fn target_credential(&self) -> String {
        let target = self.scene.stack.tenants().get(1);
        target
            .and_then(|target| self.scene.stack.provider(target).ok())
            .map_or_else(String::new, |p| p.credential_reference)
    }

    fn provider_url(&self) -> String {
        self.scene.stack.emulator_url().unwrap_or_default()
    }

    /// The request with fresh ids for each `$new`.
    pub(super) fn fresh(&self, request: &str) -> String {
        let mut parts = request.split("$new");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| all + &uuid::Uuid::now_v7().to_string() + part)
    }

    /// Calls a method as one of [`Callers::NAMES`].
    pub(super) async fn call(&self, method: &str, request: &str, caller: &str) -> Result<Answer> {
        let descriptor = self.methods.get(method).with_context(|| format!("there is no {method}"))?;
        let message = wire::request(descriptor, &serde_json::from_str(request)?)?;
        let (user, service) = self.tokens(method, caller);
        let mut headers = SAME_FOR_ALL.to_vec();
        headers.extend(user.map(|token| ("authorization", token)));
        headers.extend(service.map(|token| ("x-tenantatlas-service", token)));
        self.servers.server_of(method).call(method, &message, &headers).await
    }

    /// What stands in `authorization` and in `x-tenantatlas-service`.
    fn tokens(&self, method: &str, caller: &str) -> (Option<&str>, Option<&str>) {
        let token = |name: &str| self.tokens.get(name).map(String::as_str);
        // The service that the method is meant for.
        let service =
            token(if method.ends_with("/DerivePromotionPlan") { "promotion-service" } else { "compare-service" });
        match caller {
            "service" => (service, None),
            "service for manager" => (token("manager"), service),
            "service for outsider" => (token("outsider"), service),
            // Nobody has none.
            user => (token(user), None),
        }
    }
}

/// A selection, as the table abbreviates it.
const SELECTION: &str =
    r#"{"workspace_id": "$workspace", "source_tenant_id": "$source", "target_tenant_id": "$target"}"#;

async fn register(session: &Session, workspace: &str, name: &str, provider: &job::Provider) -> Result<String> {
    let tenant = session
        .tenants()
        .register_tenant(pb::tenant::RegisterTenantRequest {
            request_id: job::request_id(),
            workspace_id: workspace.to_owned(),
            name: name.to_owned(),
            external_tenant_id: provider.external_tenant_id.clone(),
            domain: String::new(),
            aliases: Vec::new(),
        })
        .await?
        .into_inner()
        .tenant
        .context("a registered tenant is returned")?;
    session
        .tenants()
        .set_provider_connection(pb::tenant::SetProviderConnectionRequest {
            request_id: job::request_id(),
            workspace_id: workspace.to_owned(),
            tenant_id: tenant.tenant_id.clone(),
            base_url: provider.base_url.clone(),
            authority_url: provider.base_url.clone(),
            client_id: provider.client_id.clone(),
            credential_reference: provider.credential_reference.clone(),
        })
        .await?;
    Ok(tenant.tenant_id)
}

/// Fills a workspace with one of everything, and names it.
async fn names(owner: &Session, workspace: &str, tenants: [String; 2]) -> Result<Names> {
    let [source, target] = tenants;
    let synced = sync_some(owner, workspace, &source).await?;
    sync_some(owner, workspace, &target).await?;
    let selection = CompareSelection {
        workspace_id: workspace.to_owned(),
        source_tenant_id: source.clone(),
        target_tenant_id: target.clone(),
        policy_types: vec!["settingsCatalogPolicy".into()],
        ..Default::default()
    };
    let preview = job::preview(owner, &selection).await?;
    let subject = preview.subjects.iter().find(|subject| subject.state() == CompareState::MissingInTarget);
    let subject = subject.context("something is missing in the target")?.subject_key.clone();
    let promotion = promote_one(owner, &selection).await?;
    let items = ListInventoryItemsRequest {
        workspace_id: workspace.to_owned(),
        tenant_id: source.clone(),
        policy_types: vec![OBJECT_TYPE.into()],
        ..Default::default()
    };
    let object = owner
        .inventory()
        .list_inventory_items(items)
        .await?
        .into_inner()
        .items
        .pop()
        .context("every tenant has scope tags")?
        .external_id;
    let versions = ListPolicyVersionsRequest {
        workspace_id: workspace.to_owned(),
        tenant_id: source.clone(),
        policy_type: OBJECT_TYPE.into(),
        external_id: object.clone(),
        ..Default::default()
    };
    let version = owner
        .inventory()
        .list_policy_versions(versions)
        .await?
        .into_inner()
        .versions
        .pop()
        .context("a synced object has a version")?;
    let (onboarding, onboarded) = cancelled_onboarding(owner, workspace).await?;
    let (schedule, set) = back_up(owner, workspace, &source).await?;
    let ended = schedule_of(owner, workspace, &source).await?;
    let archive = ArchiveBackupScheduleRequest {
        workspace_id: workspace.to_owned(),
        tenant_id: source.clone(),
        backup_schedule_id: ended.clone(),
    };
    owner.backups().archive_backup_schedule(archive).await?;
    Ok(Names::from([
        ("schedule", schedule),
        ("set", set),
        ("ended", ended),
        ("workspace", workspace.to_owned()),
        ("source", source),
        ("target", target),
        ("run", synced.run_id),
        ("promotion", promotion.run_id),
        ("onboarding", onboarding),
        ("onboarded", onboarded),
        ("object", object),
        ("version", version.policy_version_id),
        ("subject", subject),
    ]))
}

/// A backup schedule.
async fn schedule_of(session: &Session, workspace: &str, tenant: &str) -> Result<String> {
    let plan = BackupPlan {
        name: "Matrix".into(),
        cron: "0 3 1 1 *".into(),
        time_zone: "UTC".into(),
        policy_types: vec![OBJECT_TYPE.into()],
        catch_up: CatchUpPolicy::Skip.into(),
        overlap: OverlapPolicy::Skip.into(),
        keep_last: 3_660,
        ..Default::default()
    };
    let request = CreateBackupScheduleRequest {
        request_id: job::request_id(),
        workspace_id: workspace.to_owned(),
        tenant_id: tenant.to_owned(),
        plan: Some(plan),
    };
    let schedule = session.backups().create_backup_schedule(request).await?.into_inner().schedule;
    Ok(schedule.context("a created schedule is returned")?.backup_schedule_id)
}

/// A schedule with a complete backup set.
async fn back_up(session: &Session, workspace: &str, tenant: &str) -> Result<(String, String)> {
    let schedule = schedule_of(session, workspace, tenant).await?;
    let request = RunBackupNowRequest {
        request_id: job::request_id(),
        workspace_id: workspace.to_owned(),
        tenant_id: tenant.to_owned(),
        backup_schedule_id: schedule.clone(),
    };
    let run = session.backups().run_backup_now(request).await?.into_inner().run.context("a backup starts")?;
    job::wait_for_end(session, &run.run_id).await?;
    Ok((schedule, run.run_id))
}

/// Enough to compare and to promote something, and no more: the matrix is about access.
async fn sync_some(session: &Session, workspace: &str, tenant: &str) -> Result<OperationRun> {
    let request = SyncInventoryRequest {
        request_id: job::request_id(),
        workspace_id: workspace.to_owned(),
        tenant_id: tenant.to_owned(),
        policy_types: vec!["settingsCatalogPolicy".into()],
    };
    let run = session.inventory().sync_inventory(request).await?.into_inner().run;
    job::wait_for_end(session, &run.context("a sync starts")?.run_id).await
}

/// A promotion run that has ended, of one subject.
async fn promote_one(session: &Session, selection: &CompareSelection) -> Result<OperationRun> {
    let ready = job::preflight(session, selection).await?;
    let one = ready.subjects.iter().find(|subject| subject.readiness() == pb::compare::Readiness::Ready);
    let one = one.context("something is ready")?.subject_key.clone();
    let selection = CompareSelection { subject_keys: vec![one], ..selection.clone() };
    let preflight = job::preflight(session, &selection).await?;
    let run = job::execute(session, &selection, &preflight).await?.run.context("a promotion starts")?;
    job::wait_for_end(session, &run.run_id).await
}

/// An onboarding that whoever may is told cannot be gone on with, and its tenant.
async fn cancelled_onboarding(session: &Session, workspace: &str) -> Result<(String, String)> {
    use pb::tenant::start_onboarding_request::Subject;
    let identity = pb::tenant::TenantIdentity {
        name: "Given up".into(),
        external_tenant_id: uuid::Uuid::now_v7().to_string(),
        ..Default::default()
    };
    let start = pb::tenant::StartOnboardingRequest {
        request_id: job::request_id(),
        workspace_id: workspace.to_owned(),
        subject: Some(Subject::NewTenant(identity)),
    };
    let started = session.tenants().start_onboarding(start).await?.into_inner().onboarding;
    let started = started.context("a started onboarding is returned")?;
    let cancel = pb::tenant::CancelOnboardingRequest {
        request_id: job::request_id(),
        workspace_id: workspace.to_owned(),
        onboarding_id: started.onboarding_id.clone(),
        version: started.version,
    };
    session.tenants().cancel_onboarding(cancel).await?;
    Ok((started.onboarding_id, started.tenant_id))
}
