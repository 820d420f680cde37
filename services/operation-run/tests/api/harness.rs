//! A world for one test: a fresh database, an issuer, one or more replicas of the service, people with roles.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use clap::Parser as _;
use operation_run_service::config::Args;
use operation_run_service::serve;
use pb::audit::audit_service_client::AuditServiceClient;
use pb::control::operational_control_service_client::OperationalControlServiceClient;
use pb::notification::notification_service_client::NotificationServiceClient;
use pb::operation::operation_run_service_client::OperationRunServiceClient;
use pb::operation::operation_run_worker_service_client::OperationRunWorkerServiceClient;
use pb::operation::{
    ClaimOperationRunsRequest, ClaimedRun, GetOperationRunRequest, ItemOutcome, ItemState, Lease, NewRunItem,
    OperationRun, ReportItemOutcomesRequest, StartOperationRunRequest, StartOperationRunResponse, StartOutcome,
};
use server::Chassis;
use server::failure::reason_of;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::issuer::{Issuer, IssuerConfig, PersonaClaims};

/// Longest time any test waits for something that should come at once.
pub const SOON: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Auth(Headers);

type Headers = Vec<(&'static str, MetadataValue<Ascii>)>;

impl Interceptor for Auth {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.0 {
            request.metadata_mut().insert(*name, value.clone());
        }
        Ok(request)
    }
}

pub type Runs = OperationRunServiceClient<InterceptedService<Channel, Auth>>;
pub type Workers = OperationRunWorkerServiceClient<InterceptedService<Channel, Auth>>;
pub type Controls = OperationalControlServiceClient<InterceptedService<Channel, Auth>>;
pub type Notifications = NotificationServiceClient<InterceptedService<Channel, Auth>>;
pub type Audit = AuditServiceClient<InterceptedService<Channel, Auth>>;

pub const PROMOTION: &str = "promotion.execute";
pub const SYNC: &str = "inventory.sync";

/// Everything one test needs. Two workspaces; in the first, two tenants.
pub struct World {
    pub database: pg::local::Database,
    pub superuser: pg::Db,
    pub issuer: Issuer,
    pub workspace: Uuid,
    pub source: Uuid,
    pub target: Uuid,
    replicas: Vec<Replica>,
    /// Signing takes its time.
    tokens: Mutex<HashMap<(bool, String), String>>,
}

/// One process's worth of the service.
pub struct Replica {
    pub chassis: Chassis,
    pub channel: Channel,
    pub endpoint: String,
}

impl World {
    /// One replica with short terms.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// One replica with these further options.
    pub async fn with(options: &[&str]) -> Self {
        let database = pg::local::database().await.unwrap();
        let superuser = database.connect_superuser().await.unwrap();
        let issuer = Issuer::start(
            IssuerConfig::new("127.0.0.1:0".parse().unwrap())
                .service("promotion-service", "p")
                .service("compare-service", "c")
                .service("operator", "o"),
        )
        .await
        .unwrap();
        let mut world = Self {
            workspace: Uuid::now_v7(),
            source: Uuid::now_v7(),
            target: Uuid::now_v7(),
            replicas: Vec::new(),
            tokens: Mutex::default(),
            database,
            superuser,
            issuer,
        };
        world.furnish().await;
        world.add_replica(options).await;
        world
    }

    async fn furnish(&self) {
        self.execute("INSERT INTO access.workspace (id, name) VALUES ($1, 'Contoso MSP')", &[self.workspace]).await;
        for (tenant, name) in [(self.source, "Source"), (self.target, "Target")] {
            self.add_tenant(self.workspace, tenant, name).await;
        }
        // ada: everything. rob: may look. una: entitled to the target only. New members see nothing by themselves.
        self.add_member("ada", "owner", &[(self.source, "owner"), (self.target, "owner")]).await;
        self.add_member("rob", "readonly", &[(self.source, "readonly"), (self.target, "readonly")]).await;
        self.add_member("una", "owner", &[(self.target, "owner")]).await;
    }

    pub async fn add_tenant(&self, workspace: Uuid, tenant: Uuid, name: &str) {
        sqlx::query(
            "INSERT INTO tenant.tenant (workspace_id, id, name, external_tenant_id, lifecycle) VALUES ($1, $2, $3, $4, 'active')",
        )
        .bind(workspace)
        .bind(tenant)
        .bind(name)
        .bind(tenant.to_string())
        .execute(self.superuser.pool())
        .await
        .unwrap();
    }

    pub async fn add_member(&self, subject: &str, role: &str, tenants: &[(Uuid, &str)]) {
        self.add_member_of(self.workspace, subject, role, tenants).await;
    }

    pub async fn add_member_of(&self, workspace: Uuid, subject: &str, role: &str, tenants: &[(Uuid, &str)]) {
        sqlx::query("INSERT INTO access.member (workspace_id, subject, role) VALUES ($1, $2, $3)")
            .bind(workspace)
            .bind(subject)
            .bind(role)
            .execute(self.superuser.pool())
            .await
            .unwrap();
        for (tenant, role) in tenants {
            sqlx::query(
                "INSERT INTO access.tenant_role (workspace_id, tenant_id, subject, role) VALUES ($1, $2, $3, $4)",
            )
            .bind(workspace)
            .bind(tenant)
            .bind(subject)
            .bind(role)
            .execute(self.superuser.pool())
            .await
            .unwrap();
        }
    }

    /// Runs a statement as the superuser.
    pub async fn execute(&self, sql: &'static str, ids: &[Uuid]) {
        let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
        query.execute(self.superuser.pool()).await.unwrap();
    }

    /// Starts another replica; returns its number.
    pub async fn add_replica(&mut self, options: &[&str]) -> usize {
        let url = self.database.url_for("tenantatlas_operation");
        self.add_replica_at(&url, options).await
    }

    /// Starts another replica that finds its database here; returns its number.
    pub async fn add_replica_at(&mut self, url: &str, options: &[&str]) -> usize {
        let mut arguments = vec![
            "operation-run-service",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
            "--log=error",
            "--drain-grace=1ms",
            "--rescue-interval=50ms",
            "--oidc-leeway=0s",
            "--max-streams-per-caller=2000",
            "--watch-access-interval=200ms",
            "--operators=operator",
            "--seal-interval=50ms",
        ];
        let (issuer, database) = (format!("--oidc-issuer={}", self.issuer.url()), format!("--database-url={url}"));
        arguments.extend([issuer.as_str(), database.as_str()]);
        // An option of the test takes the place of ours.
        let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
        arguments.retain(|ours| options.iter().all(|option| name(option) != name(ours)));
        arguments.extend(options);
        let args = Args::parse_from(arguments);
        let chassis = Chassis::start(&args.server, serve::NAME, pb::FILE_DESCRIPTOR_SET).unwrap();
        let bound = serve::bind(&chassis, &args).await.unwrap();
        let endpoint = format!("http://{}", bound.grpc_address());
        tokio::spawn(bound.run());
        let channel = Endpoint::from_shared(endpoint.clone()).unwrap().connect_lazy();
        self.replicas.push(Replica { chassis, channel, endpoint });
        self.replicas.len() - 1
    }

    pub fn replica(&self, number: usize) -> &Replica {
        &self.replicas[number]
    }

    pub fn user_token(&self, subject: &str) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let mint = || self.user_token_for(subject, Duration::from_secs(600));
        tokens.entry((false, subject.to_owned())).or_insert_with(mint).clone()
    }

    pub fn user_token_for(&self, subject: &str, ttl: Duration) -> String {
        self.issuer.mint(&PersonaClaims { sub: subject.into(), name: format!("Dr. {subject}") }, ttl).unwrap()
    }

    fn service_token(&self, name: &str) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let mint = || self.issuer.mint_service(name, Duration::from_secs(600)).unwrap();
        tokens.entry((true, name.to_owned())).or_insert_with(mint).clone()
    }

    fn authorized(
        &self,
        number: usize,
        user: Option<&str>,
        service: Option<&str>,
    ) -> InterceptedService<Channel, Auth> {
        let bearer = |token: String| format!("Bearer {token}").parse().unwrap();
        let mut headers: Headers = Vec::new();
        match (user, service) {
            (Some(user), service) => {
                headers.push(("authorization", bearer(self.user_token(user))));
                headers.extend(service.map(|name| ("x-tenantatlas-service", bearer(self.service_token(name)))));
            }
            (None, Some(service)) => headers.push(("authorization", bearer(self.service_token(service)))),
            (None, None) => {}
        }
        let auth = Auth(headers);
        InterceptedService::new(self.replicas[number].channel.clone(), auth)
    }

    /// The public side, as this user.
    pub fn runs(&self, subject: &str) -> Runs {
        self.runs_at(0, subject)
    }

    /// The public side of one replica, as this user.
    pub fn runs_at(&self, number: usize, subject: &str) -> Runs {
        OperationRunServiceClient::new(self.authorized(number, Some(subject), None))
    }

    /// The public side, as a service on behalf of this user.
    pub fn runs_through(&self, service: &str, subject: &str) -> Runs {
        self.runs_through_at(0, service, subject)
    }

    /// The public side of one replica, as a service on behalf of this user.
    pub fn runs_through_at(&self, number: usize, service: &str, subject: &str) -> Runs {
        OperationRunServiceClient::new(self.authorized(number, Some(subject), Some(service)))
    }

    /// The public side, as a service by itself.
    pub fn runs_of(&self, service: &str) -> Runs {
        OperationRunServiceClient::new(self.authorized(0, None, Some(service)))
    }

    /// The public side with exactly this token.
    pub fn runs_with_token(&self, number: usize, token: &str) -> Runs {
        let auth = Auth(vec![("authorization", format!("Bearer {token}").parse().unwrap())]);
        OperationRunServiceClient::new(InterceptedService::new(self.replicas[number].channel.clone(), auth))
    }

    /// The workers' side, as this service.
    pub fn workers(&self, service: &str) -> Workers {
        self.workers_at(0, service)
    }

    /// The workers' side of one replica, as this service.
    pub fn workers_at(&self, number: usize, service: &str) -> Workers {
        OperationRunWorkerServiceClient::new(self.authorized(number, None, Some(service)))
    }

    /// Pausing and resuming.
    pub fn controls(&self, user: Option<&str>, service: Option<&str>) -> Controls {
        OperationalControlServiceClient::new(self.authorized(0, user, service))
    }

    /// What this user is told.
    pub fn notifications(&self, subject: &str) -> Notifications {
        NotificationServiceClient::new(self.authorized(0, Some(subject), None))
    }

    /// The audit trail.
    pub fn audit(&self, user: Option<&str>, service: Option<&str>) -> Audit {
        AuditServiceClient::new(self.authorized(0, user, service))
    }

    /// A promotion of `items` items from source to target, not sent yet.
    pub fn promotion(&self, items: usize) -> StartOperationRunRequest {
        StartOperationRunRequest {
            request_id: Uuid::now_v7().to_string(),
            workspace_id: self.workspace.to_string(),
            r#type: PROMOTION.into(),
            tenant_id: self.target.to_string(),
            related_tenant_ids: vec![self.source.to_string()],
            identity: b"selection".to_vec(),
            items: new_items(items),
            ..Default::default()
        }
    }

    /// An inventory sync of this tenant, not sent yet.
    pub fn sync(&self, tenant: Uuid, items: usize) -> StartOperationRunRequest {
        StartOperationRunRequest {
            request_id: Uuid::now_v7().to_string(),
            workspace_id: self.workspace.to_string(),
            r#type: SYNC.into(),
            tenant_id: tenant.to_string(),
            identity: Uuid::now_v7().as_bytes().to_vec(),
            items: new_items(items),
            ..Default::default()
        }
    }

    /// Starts it as ada, through the service that owns the type.
    pub async fn start(&self, request: StartOperationRunRequest) -> StartOperationRunResponse {
        let service = if request.r#type == PROMOTION { "promotion-service" } else { "compare-service" };
        self.runs_through(service, "ada").start_operation_run(request).await.unwrap().into_inner()
    }

    /// A queued promotion of `items` items.
    pub async fn queued_promotion(&self, items: usize) -> OperationRun {
        let started = self.start(self.promotion(items)).await;
        assert_eq!(started.outcome(), StartOutcome::Queued, "{started:?}");
        started.run.unwrap()
    }

    /// A promotion of `items` items in the hands of a worker.
    pub async fn claimed_promotion(&self, items: usize) -> (OperationRun, Lease) {
        let run = self.queued_promotion(items).await;
        let claimed = self.claim(PROMOTION).await.expect("a queued run");
        assert_eq!(claimed.run.as_ref().unwrap().run_id, run.run_id);
        (claimed.run.unwrap(), claimed.lease.unwrap())
    }

    /// Claims one run of the type.
    pub async fn claim(&self, run_type: &str) -> Option<ClaimedRun> {
        let service = if run_type == PROMOTION { "promotion-service" } else { "compare-service" };
        let request = ClaimOperationRunsRequest {
            worker: "test".into(),
            types: vec![run_type.into()],
            max_runs: 1,
            wait: Duration::from_secs(15).try_into().ok(),
        };
        self.workers(service).claim_operation_runs(request).await.unwrap().into_inner().runs.pop()
    }

    /// Reports items as succeeded.
    pub async fn succeed(&self, lease: &Lease, ordinals: impl IntoIterator<Item = i32>) {
        let outcomes = ordinals.into_iter().map(succeeded).collect();
        let request = ReportItemOutcomesRequest { lease: Some(lease.clone()), outcomes };
        self.workers("promotion-service").report_item_outcomes(request).await.unwrap();
    }

    /// The run, as ada sees it.
    pub async fn get(&self, run_id: &str) -> OperationRun {
        let request = GetOperationRunRequest { run_id: run_id.into() };
        self.runs("ada").get_operation_run(request).await.unwrap().into_inner().run.unwrap()
    }

    /// Waits until the run is as wanted.
    pub async fn wait_for(&self, run_id: &str, what: &str, wanted: impl Fn(&OperationRun) -> bool) -> OperationRun {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let run = self.get(run_id).await;
            if wanted(&run) {
                return run;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: never; it is {run:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// An id for one request.
pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// `count` items, the first with key `item-1`.
pub fn new_items(count: usize) -> Vec<NewRunItem> {
    (1..=count)
        .map(|number| NewRunItem {
            key: format!("item-{number}"),
            label: format!("Item {number}"),
            policy_type: "settingsCatalogPolicy".into(),
            plan: None,
        })
        .collect()
}

/// An item that was created.
pub fn succeeded(ordinal: i32) -> ItemOutcome {
    ItemOutcome {
        ordinal,
        state: ItemState::Succeeded.into(),
        effect: pb::operation::ItemEffect::Created.into(),
        ..Default::default()
    }
}

/// An item that failed or was skipped for this reason.
pub fn unsuccessful(ordinal: i32, state: ItemState, reason: &str, message: &str) -> ItemOutcome {
    ItemOutcome { ordinal, state: state.into(), reason: reason.into(), message: message.into(), ..Default::default() }
}

/// Asserts code and reason of a refusal.
#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.expect_err("it was accepted");
    assert_eq!((status.code(), reason_of(&status).as_deref()), (code, Some(reason)), "{status:?}");
}
