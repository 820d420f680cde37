//! A person's hands on the services: plain gRPC clients that carry one bearer token, as any platform service would write them.

use anyhow::{Context, Result};
use pb::audit::audit_service_client::AuditServiceClient;
use pb::backup::backup_service_client::BackupServiceClient;
use pb::compare::compare_service_client::CompareServiceClient;
use pb::control::operational_control_service_client::OperationalControlServiceClient;
use pb::directory::directory_service_client::DirectoryServiceClient;
use pb::inventory::inventory_service_client::InventoryServiceClient;
use pb::operation::operation_run_service_client::OperationRunServiceClient;
use pb::operation::operation_run_worker_service_client::OperationRunWorkerServiceClient;
use pb::promotion::promotion_service_client::PromotionServiceClient;
use pb::restore::restore_service_client::RestoreServiceClient;
use pb::tenant::tenant_service_client::TenantServiceClient;
use pb::workspace::workspace_service_client::WorkspaceServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::authority::Issued;

/// Where the services are, as `http://address` or `https://address`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endpoints {
    /// compare-service.
    pub compare: String,
    /// promotion-service.
    pub promotion: String,
    /// operation-run-service.
    pub operation_run: String,
    /// The authority of their certificates, as PEM, where they speak TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

impl Endpoints {
    /// A channel to one of them, with a certificate of our own if there is one; connects when first used.
    fn channel(&self, uri: &str, own: Option<&Issued>) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(uri.to_owned())?.tcp_nodelay(true);
        let Some(ca) = &self.ca else { return Ok(endpoint.connect_lazy()) };
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        let tls = match own {
            Some(own) => tls.identity(Identity::from_pem(&own.chain, &own.key)),
            None => tls,
        };
        Ok(endpoint.tls_config(tls)?.connect_lazy())
    }
}

/// Puts a bearer token on every call; none when it is empty.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A channel that carries a token.
pub type Carrier = InterceptedService<Channel, Bearer>;

/// The services as one caller sees them.
#[derive(Clone)]
pub struct Session {
    compare: Channel,
    promotion: Channel,
    operation_run: Channel,
    bearer: Bearer,
}

/// Room for a page of the largest size.
const MESSAGE_LIMIT: usize = 16 << 20;

impl Session {
    /// Connects when first used; an empty token sends none.
    pub fn new(endpoints: &Endpoints, token: &str) -> Result<Self> {
        Self::connect(endpoints, token, None)
    }

    /// As somebody who shows a certificate: a service.
    pub fn with_certificate(endpoints: &Endpoints, token: &str, own: &Issued) -> Result<Self> {
        Self::connect(endpoints, token, Some(own))
    }

    fn connect(endpoints: &Endpoints, token: &str, own: Option<&Issued>) -> Result<Self> {
        let bearer = match token {
            "" => Bearer(None),
            token => {
                let mut value: MetadataValue<Ascii> =
                    format!("Bearer {token}").parse().context("a token is one line of ASCII")?;
                value.set_sensitive(true);
                Bearer(Some(value))
            }
        };
        Ok(Self {
            compare: endpoints.channel(&endpoints.compare, own)?,
            promotion: endpoints.channel(&endpoints.promotion, own)?,
            operation_run: endpoints.channel(&endpoints.operation_run, own)?,
            bearer,
        })
    }

    /// WorkspaceService.
    pub fn workspaces(&self) -> WorkspaceServiceClient<Carrier> {
        WorkspaceServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
    }

    /// TenantService.
    pub fn tenants(&self) -> TenantServiceClient<Carrier> {
        TenantServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
    }

    /// InventoryService.
    pub fn inventory(&self) -> InventoryServiceClient<Carrier> {
        InventoryServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
    }

    /// DirectoryService.
    pub fn directory(&self) -> DirectoryServiceClient<Carrier> {
        DirectoryServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
    }

    /// RestoreService.
    pub fn restores(&self) -> RestoreServiceClient<Carrier> {
        RestoreServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
    }

    /// BackupService.
    pub fn backups(&self) -> BackupServiceClient<Carrier> {
        BackupServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
    }

    /// CompareService.
    pub fn compare(&self) -> CompareServiceClient<Carrier> {
        CompareServiceClient::with_interceptor(self.compare.clone(), self.bearer.clone())
            .max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// PromotionService.
    pub fn promotion(&self) -> PromotionServiceClient<Carrier> {
        PromotionServiceClient::with_interceptor(self.promotion.clone(), self.bearer.clone())
    }

    /// OperationRunService.
    pub fn runs(&self) -> OperationRunServiceClient<Carrier> {
        OperationRunServiceClient::with_interceptor(self.operation_run.clone(), self.bearer.clone())
            .max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// OperationRunWorkerService.
    pub fn worker(&self) -> OperationRunWorkerServiceClient<Carrier> {
        OperationRunWorkerServiceClient::with_interceptor(self.operation_run.clone(), self.bearer.clone())
    }

    /// OperationalControlService.
    pub fn controls(&self) -> OperationalControlServiceClient<Carrier> {
        OperationalControlServiceClient::with_interceptor(self.operation_run.clone(), self.bearer.clone())
    }

    /// AuditService.
    pub fn audit(&self) -> AuditServiceClient<Carrier> {
        AuditServiceClient::with_interceptor(self.operation_run.clone(), self.bearer.clone())
    }
}
