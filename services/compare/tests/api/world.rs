//! One running compare-service with everything around it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use compare_service::config::Args;
use compare_service::serve;
use compare_service::state::State;
use pb::backup::backup_service_client::BackupServiceClient;
use pb::compare::compare_service_client::CompareServiceClient;
use pb::directory::directory_service_client::DirectoryServiceClient;
use pb::inventory::inventory_service_client::InventoryServiceClient;
use pb::restore::restore_service_client::RestoreServiceClient;
use pb::tenant::tenant_service_client::TenantServiceClient;
use pb::workspace::workspace_service_client::WorkspaceServiceClient;
use server::{Chassis, StartError};
use tokio::task::JoinHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::fake_runs::FakeRuns;
use crate::issuer::{Issuer, IssuerConfig, PersonaClaims};

/// A transport that says who calls.
pub(crate) type Transport = InterceptedService<Channel, Identity>;

/// Who calls: a user's token, a service's token, or both.
#[derive(Clone, Default)]
pub(crate) struct Identity {
    authorization: Option<MetadataValue<Ascii>>,
    service: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.authorization {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(token) = &self.service {
            request.metadata_mut().insert("x-tenantatlas-service", token.clone());
        }
        Ok(request)
    }
}

pub(crate) struct World {
    pub(crate) database: pg::local::Database,
    pub(crate) runs: FakeRuns,
    /// Files with the secrets of tenants, each named by the provider's id of the tenant.
    pub(crate) secrets: tempfile::TempDir,
    issuer: Issuer,
    channel: Channel,
    chassis: Chassis,
    _serving: JoinHandle<Result<(), StartError>>,
    /// The options it was started with.
    args: Vec<String>,
}

/// Another process of the same service over the same database.
pub(crate) struct Replica {
    chassis: Chassis,
    _serving: JoinHandle<Result<(), StartError>>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.chassis.shutdown();
    }
}

const TOKEN_TTL: Duration = Duration::from_secs(300);

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more options of the process.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let database = pg::local::database().await.expect("a database");
        let config = IssuerConfig::new("127.0.0.1:0".parse().unwrap()).service("compare-service", "secret");
        let issuer = Issuer::start(config).await.expect("an issuer");
        let runs = FakeRuns::start().await;
        let database_url = database.url_for("tenantatlas_compare");
        let endpoint = runs.endpoint();
        let secrets = tempfile::tempdir().expect("a folder");
        let secret_folder = format!("--provider-secret-folder={}", secrets.path().display());
        let args = [
            "compare-service",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
            "--drain-grace=0s",
            "--client-id=compare-service",
            "--client-secret=secret",
            "--database-connections=5",
            "--log=warn",
            "--provider-allow-loopback",
            &secret_folder,
            "--oidc-issuer",
            issuer.url(),
            "--database-url",
            &database_url,
            "--operation-run-endpoint",
            &endpoint,
        ];
        let args: Vec<String> = args.iter().chain(more).map(|arg| (*arg).to_owned()).collect();
        let (chassis, address, serving) = replica(&args).await;
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { database, runs, secrets, issuer, channel, chassis, _serving: serving, args }
    }

    /// Starts another process of the service beside the first.
    pub(crate) async fn replica(&self) -> Replica {
        let (chassis, _, serving) = replica(&self.args).await;
        Replica { chassis, _serving: serving }
    }

    /// Ends the first process; what it began in the background is left to others.
    pub(crate) fn stop(&self) {
        self.chassis.shutdown();
    }

    /// Nobody.
    pub(crate) fn nobody(&self) -> Caller<'_> {
        Caller { world: self, identity: Identity::default() }
    }

    /// A user by subject.
    pub(crate) fn user(&self, subject: &str) -> Caller<'_> {
        let claims = PersonaClaims { sub: subject.to_owned(), name: format!("{subject} by name") };
        let token = bearer(&self.issuer.mint(&claims, TOKEN_TTL).unwrap());
        Caller { world: self, identity: Identity { authorization: Some(token), service: None } }
    }

    /// A service by itself.
    pub(crate) fn service(&self, name: &str) -> Caller<'_> {
        let token = bearer(&self.issuer.mint_service(name, TOKEN_TTL).unwrap());
        Caller { world: self, identity: Identity { authorization: Some(token), service: None } }
    }

    /// A service on behalf of a user.
    pub(crate) fn service_for(&self, name: &str, subject: &str) -> Caller<'_> {
        let mut caller = self.user(subject);
        caller.identity.service = Some(bearer(&self.issuer.mint_service(name, TOKEN_TTL).unwrap()));
        caller
    }

    /// What another replica works with, by itself.
    pub(crate) async fn another_state(&self) -> State {
        serve::state(&Args::try_parse_from(&self.args).expect("the options parse"), &self.chassis)
            .await
            .expect("the database is there")
    }

    /// The database as this service sees it.
    pub(crate) async fn db(&self) -> pg::Db {
        self.database.connect("tenantatlas_compare").await.unwrap()
    }

    /// The database as nobody but a test sees it.
    pub(crate) async fn superuser(&self) -> pg::Db {
        self.database.connect_superuser().await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.chassis.shutdown();
    }
}

async fn replica(args: &[String]) -> (Chassis, SocketAddr, JoinHandle<Result<(), StartError>>) {
    let args = Args::try_parse_from(args).expect("the options parse");
    let chassis = Chassis::start(&args.server, "compare-service", pb::FILE_DESCRIPTOR_SET).expect("the chassis starts");
    let bound = serve::start(&args, &chassis).await.expect("the service starts");
    let address = bound.grpc_address();
    (chassis, address, tokio::spawn(bound.run()))
}

fn bearer(token: &str) -> MetadataValue<Ascii> {
    format!("Bearer {token}").parse().unwrap()
}

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct Caller<'w> {
    world: &'w World,
    identity: Identity,
}

impl Caller<'_> {
    fn transport(&self) -> Transport {
        InterceptedService::new(self.world.channel.clone(), self.identity.clone())
    }

    pub(crate) fn workspaces(&self) -> WorkspaceServiceClient<Transport> {
        WorkspaceServiceClient::new(self.transport())
    }

    pub(crate) fn tenants(&self) -> TenantServiceClient<Transport> {
        TenantServiceClient::new(self.transport())
    }

    pub(crate) fn inventory(&self) -> InventoryServiceClient<Transport> {
        InventoryServiceClient::new(self.transport())
    }

    pub(crate) fn restores(&self) -> RestoreServiceClient<Transport> {
        RestoreServiceClient::new(self.transport())
    }

    pub(crate) fn backups(&self) -> BackupServiceClient<Transport> {
        BackupServiceClient::new(self.transport())
    }

    pub(crate) fn directory(&self) -> DirectoryServiceClient<Transport> {
        DirectoryServiceClient::new(self.transport())
    }

    pub(crate) fn compare(&self) -> CompareServiceClient<Transport> {
        CompareServiceClient::new(self.transport()).max_decoding_message_size(64 << 20)
    }

    /// A new workspace of this user.
    pub(crate) async fn new_workspace(&self) -> String {
        let request =
            pb::workspace::CreateWorkspaceRequest { request_id: fresh(), name: "Contoso operations".to_owned() };
        let answer = self.workspaces().create_workspace(request).await.unwrap().into_inner();
        answer.workspace.unwrap().workspace_id
    }

    /// A new tenant of this user.
    pub(crate) async fn new_tenant(&self, workspace_id: &str, name: &str) -> String {
        let request = pb::tenant::RegisterTenantRequest {
            request_id: fresh(),
            workspace_id: workspace_id.to_owned(),
            name: name.to_owned(),
            external_tenant_id: fresh(),
            domain: String::new(),
            aliases: Vec::new(),
        };
        self.tenants().register_tenant(request).await.unwrap().into_inner().tenant.unwrap().tenant_id
    }

    /// Lets somebody into the workspace.
    pub(crate) async fn let_in(&self, workspace_id: &str, subject: &str, role: pb::workspace::Role) {
        let request = pb::workspace::SetWorkspaceMemberRequest {
            request_id: fresh(),
            workspace_id: workspace_id.to_owned(),
            subject: subject.to_owned(),
            role: role.into(),
            display_name: String::new(),
        };
        self.workspaces().set_workspace_member(request).await.unwrap();
    }

    /// Entitles somebody to a tenant.
    pub(crate) async fn entitle(&self, workspace_id: &str, tenant_id: &str, subject: &str, role: pb::workspace::Role) {
        let request = pb::workspace::SetTenantRoleRequest {
            request_id: fresh(),
            workspace_id: workspace_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            subject: subject.to_owned(),
            role: role.into(),
        };
        self.workspaces().set_tenant_role(request).await.unwrap();
    }
}

/// A fresh UUID as text.
pub(crate) fn fresh() -> String {
    Uuid::now_v7().to_string()
}

/// Code and machine-readable reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (tonic::Code, String) {
    let status = answer.expect_err("a refusal");
    (status.code(), server::failure::reason_of(&status).unwrap_or_default())
}

/// The bytes of a refusal, as a client sees them.
pub(crate) fn bytes<T: std::fmt::Debug>(answer: Result<T, Status>) -> (tonic::Code, String, Vec<u8>) {
    let status = answer.expect_err("a refusal");
    (status.code(), status.message().to_owned(), status.details().to_vec())
}
