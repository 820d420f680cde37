//! What everything plays on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::paths;
use dev::persona::Persona;
use dev::stack::{Database, EmulatedTenant, Plan, Process, Stack, Timing};
use pb::backup::{BackupPlan, CatchUpPolicy, CreateBackupScheduleRequest, OverlapPolicy};
use pg::local::Cluster;
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use system_tests::provider::StandIn;
use system_tests::recorder::Violation;
use system_tests::recorder::history::{History, Phase};
use system_tests::recorder::queue::Acknowledged;
use tokio_util::sync::CancellationToken;

/// How many replicas of each service.
pub(crate) const REPLICAS: usize = 2;
/// How many tenants are promoted into.
const TARGETS: usize = 3;
/// How many policies the source has.
pub(crate) const POLICIES: usize = 12;

/// A tenant of a workspace.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) workspace_id: String,
    pub(crate) tenant_id: String,
    pub(crate) external_id: String,
    pub(crate) schedule_id: String,
}

/// What callers, subscribers and judges share.
pub(crate) struct Field {
    /// As the manager, through each replica of everything.
    pub(crate) sessions: Vec<Session>,
    pub(crate) workspaces: [String; 2],
    pub(crate) source: Tenant,
    pub(crate) targets: Vec<Tenant>,
    /// In the other workspace.
    pub(crate) elsewhere: Tenant,
    pub(crate) provider: StandIn,
    pub(crate) rows: PgPool,
    pub(crate) history: History,
    pub(crate) acknowledged: Mutex<Vec<Acknowledged>>,
    /// Runs that somebody was told of and that nobody watches yet.
    pub(crate) news: tokio::sync::broadcast::Sender<(String, String)>,
    pub(crate) violations: Mutex<Vec<String>>,
    /// Callers stop.
    pub(crate) stop: CancellationToken,
}

impl Field {
    /// Writes down what must not be.
    pub(crate) fn violation(&self, who: &str, violation: &Violation) {
        println!("VIOLATION {who}: {violation}");
        self.history.note(who, Phase::Note, "violation", "", violation.to_string());
        self.violations.lock().expect("nobody panics").push(format!("{who}: {violation}"));
    }
}

/// All of it.
pub(crate) struct Ground {
    pub(crate) stack: Stack,
    pub(crate) field: Arc<Field>,
    pub(crate) state: PathBuf,
}

impl Ground {
    /// Starts everything and puts everybody in place.
    pub(crate) async fn prepare() -> Result<Self> {
        let state = paths::state().join("soak").join(uuid::Uuid::now_v7().to_string());
        std::fs::create_dir_all(&state)?;
        println!("soak: history and logs in {}", state.display());
        let tenants: Vec<_> = (0..TARGETS + 2).map(|_| EmulatedTenant::empty()).collect();
        let plan = Plan {
            state: state.clone(),
            database: Database::kept(&state.join("postgres")).await?,
            tenants: tenants.clone(),
            compare_replicas: REPLICAS,
            promotion_replicas: REPLICAS,
            operation_run_replicas: REPLICAS,
            timing: Timing {
                lease_ttl: Some(Duration::from_secs(4)),
                rescue_interval: Some(Duration::from_millis(500)),
                ..Timing::short()
            },
            tls: false,
            otlp_endpoint: None,
            fronts: true,
            image: None,
        };
        let stack = Stack::start(plan).await?;
        let field = furnish(&stack, &tenants, &state).await?;
        Ok(Self { stack, field: Arc::new(field), state })
    }

    /// Every process of ours.
    pub(crate) fn processes(&mut self) -> Vec<&mut Process> {
        let stack = &mut self.stack;
        let services = stack.compare.iter_mut().chain(&mut stack.promotion).chain(&mut stack.operation_run);
        services.chain([&mut stack.emulator]).collect()
    }

    /// The database server.
    pub(crate) fn cluster(&mut self) -> Result<&mut Cluster> {
        self.stack.database.cluster()
    }

    /// Stops everything. What was written stays.
    pub(crate) async fn close(self) -> Result<()> {
        self.field.rows.close().await;
        let data = self.state.join("postgres");
        self.stack.stop().await?;
        std::fs::remove_dir_all(data)?;
        Ok(())
    }
}

async fn furnish(stack: &Stack, tenants: &[EmulatedTenant], state: &std::path::Path) -> Result<Field> {
    let owner = stack.session(Persona::Owner)?;
    let provider = StandIn::of(stack)?;
    let (first, second) = (
        job::create_workspace(&owner, "Contoso Group").await?.workspace_id,
        job::create_workspace(&owner, "Fabrikam Group").await?.workspace_id,
    );
    let mut registered = Vec::new();
    for (number, emulated) in tenants.iter().enumerate() {
        let workspace_id = if number + 1 == tenants.len() { &second } else { &first };
        registered.push(register(stack, &owner, workspace_id, number, emulated).await?);
    }
    let elsewhere = registered.pop().context("there is another workspace")?;
    let source = registered.remove(0);
    for tenant in [&source, &elsewhere] {
        for number in 0..POLICIES {
            provider.put_document(&tenant.external_id, &policy(number, 0)).await?;
        }
    }
    let token = stack.token(Persona::Manager)?;
    let sessions = (0..REPLICAS)
        .map(|replica| Session::new(&stack.endpoints_at(replica, replica, replica)?, &token))
        .collect::<Result<Vec<_>>>()?;
    for tenant in registered.iter().chain([&source, &elsewhere]) {
        job::sync(&sessions[0], &tenant.workspace_id, &tenant.tenant_id).await?;
    }
    Ok(Field {
        sessions,
        workspaces: [first, second],
        source,
        targets: registered,
        elsewhere,
        provider,
        rows: PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect(&stack.database.owner_url())
            .await?,
        history: History::kept(&state.join("history.jsonl"))?,
        acknowledged: Mutex::default(),
        news: tokio::sync::broadcast::channel(1024).0,
        violations: Mutex::default(),
        stop: CancellationToken::new(),
    })
}

async fn register(
    stack: &Stack,
    owner: &Session,
    workspace_id: &str,
    number: usize,
    emulated: &EmulatedTenant,
) -> Result<Tenant> {
    let tenant =
        job::register_tenant(owner, workspace_id, &format!("Tenant {number}"), &stack.provider(emulated)?).await?;
    let plan = BackupPlan {
        name: "Quarterly".into(),
        cron: "*/15 * * * *".into(),
        time_zone: "Europe/Berlin".into(),
        policy_types: vec!["deviceConfiguration".into()],
        catch_up: CatchUpPolicy::All.into(),
        catch_up_most: 10,
        overlap: OverlapPolicy::Allow.into(),
        keep_last: 5,
        ..Default::default()
    };
    let schedule = CreateBackupScheduleRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.to_owned(),
        tenant_id: tenant.tenant_id.clone(),
        plan: Some(plan),
    };
    let schedule = owner.backups().create_backup_schedule(schedule).await?.into_inner();
    Ok(Tenant {
        workspace_id: workspace_id.to_owned(),
        tenant_id: tenant.tenant_id,
        external_id: emulated.external_id.clone(),
        schedule_id: schedule.schedule.context("a created schedule is returned")?.backup_schedule_id,
    })
}

/// A policy of the source, which says something else with every generation.
pub(crate) fn policy(number: usize, generation: u64) -> serde_json::Value {
    json!({
        "@odata.context": "https://graph.microsoft.com/beta/$metadata#deviceManagement/deviceConfigurations/$entity",
        "@odata.type": "#microsoft.graph.windows10GeneralConfiguration",
        "id": format!("0000000c-0000-4000-8000-{number:012x}"), "displayName": format!("Restrictions {number}"),
        "description": format!("generation {generation}"), "version": 1, "roleScopeTagIds": ["0"],
        "cameraBlocked": number.is_multiple_of(2), "passwordMinimumLength": 4 + number,
    })
}
