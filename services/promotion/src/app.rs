//! What every use case is given, and the way from configuration to a serving process.

use domain::contract::Registry;
use pb::compare::compare_service_client::CompareServiceClient;
use pb::inventory::inventory_service_client::InventoryServiceClient;
use pb::operation::operation_run_service_client::OperationRunServiceClient;
use pb::promotion::promotion_service_server::PromotionServiceServer;
use pb::tenant::tenant_service_client::TenantServiceClient;
use server::access::AccessReader;
use server::client::{Outgoing, Upstream};
use server::{Caller, Chassis, Services, StartError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::grpc::Promotions;
use crate::promote;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) access: AccessReader,
    pub(crate) registry: &'static Registry,
    pub(crate) drain: CancellationToken,
    pub(crate) compares: Upstream,
    pub(crate) operation_runs: Upstream,
    /// Bytes of the largest message taken from another service: a plan of many subjects, the content of a policy.
    message_limit: usize,
}

impl App {
    /// CompareService on behalf of a caller.
    pub(crate) fn compare(&self, caller: &Caller) -> CompareServiceClient<Outgoing> {
        CompareServiceClient::new(self.compares.on_behalf_of(caller)).max_decoding_message_size(self.message_limit)
    }

    /// OperationRunService on behalf of a caller.
    pub(crate) fn runs(&self, caller: &Caller) -> OperationRunServiceClient<Outgoing> {
        OperationRunServiceClient::new(self.operation_runs.on_behalf_of(caller))
            .max_decoding_message_size(self.message_limit)
            .max_encoding_message_size(self.message_limit)
    }

    /// InventoryService for the worker.
    pub(crate) fn inventory(&self) -> InventoryServiceClient<Outgoing> {
        InventoryServiceClient::new(self.compares.as_self()).max_decoding_message_size(self.message_limit)
    }

    /// TenantService for the worker.
    pub(crate) fn tenants(&self) -> TenantServiceClient<Outgoing> {
        TenantServiceClient::new(self.compares.as_self())
    }
}

/// Serves until told to stop.
pub async fn run(config: Config) -> Result<(), StartError> {
    let chassis = Chassis::start(&config.server, "promotion-service", pb::FILE_DESCRIPTOR_SET)?;
    config.validate()?;
    let contracts = graph::check_registry()
        .map_err(|error| StartError::service("the contracts of this build are not valid", error))?;
    let registry = graph::promoting(&contracts, &config.promotable_types)
        .map_err(|error| StartError::service("a type cannot be promoted (--promotable-types)", error))?;
    let settings = config.database.settings(chassis.name()).max_connections(config.database_connections);
    let database = pg::Db::connect(&settings)
        .await
        .map_err(|error| StartError::service("cannot connect to the database (--database-url)", error))?;
    // Access facts are read from its views: before they are there, everybody would be a stranger.
    pg::wait_for_schema(database.pool(), Instant::now() + config.schema_wait)
        .await
        .map_err(|error| StartError::service("the schema is not ready", error))?;
    let app = App {
        access: AccessReader::new(database.pool().clone()),
        // Once a process: it is there until the process ends.
        registry: Box::leak(Box::new(registry)),
        drain: chassis.drain_token(),
        compares: chassis.upstream("--compare-endpoint", &config.compare_endpoint)?,
        operation_runs: chassis.upstream("--operation-run-endpoint", &config.operation_run_endpoint)?,
        message_limit: chassis.limits().max_response_bytes,
    };
    if config.worker {
        promote::start(&chassis, &app, &config)?;
    }
    let limits = chassis.limits();
    let promotions = PromotionServiceServer::new(Promotions(app))
        .max_decoding_message_size(limits.max_request_bytes)
        .max_encoding_message_size(limits.max_response_bytes);
    chassis.serve(Services::new().add(promotions)).await
}

/// One provider of Graph clients for the process, so that tenants are paced together.
pub(crate) fn provider(config: &Config) -> graph::Provider {
    let settings = graph::Settings { timeout: config.provider_timeout, ..Default::default() };
    graph::Provider::new(settings, config.provider.clone())
}
