//! Putting the service together: database, use cases, servers, background tasks.

use std::sync::Arc;
use std::time::Duration;

use pb::audit::audit_service_server::AuditServiceServer;
use pb::operation::operation_run_service_server::OperationRunServiceServer;
use pb::operation::operation_run_worker_service_server::OperationRunWorkerServiceServer;
use server::{AccessReader, Chassis, Services, StartError};
use tokio::time::Instant;

use crate::bell::Bell;
use crate::config::Args;
use crate::grpc::{AuditApi, OperationRunApi, WorkerApi};
use crate::{Runs, rescue_operation_runs};

/// This service's registered name.
pub const NAME: &str = "operation-run-service";
/// How long a start waits for the schema it needs.
const SCHEMA_WAIT: Duration = Duration::from_secs(60);

/// Serves until the process is told to stop.
pub async fn serve(args: &Args) -> Result<(), StartError> {
    let chassis = Chassis::start(&args.server, NAME, pb::FILE_DESCRIPTOR_SET)?;
    bind(&chassis, args).await?.run().await
}

/// Everything but serving: connected, listening, background tasks started.
pub async fn bind(chassis: &Chassis, args: &Args) -> Result<server::Bound, StartError> {
    let settings = args.validate()?;
    let database = pg::Settings::new(&args.database_url, NAME).max_connections(args.database_connections);
    let db = pg::Db::connect(&database).await.map_err(|error| StartError::service("cannot connect to PostgreSQL", error))?;
    pg::wait_for_schema(db.pool(), pg::newest_schema(), Instant::now() + SCHEMA_WAIT)
        .await
        .map_err(|error| StartError::service("the database is not ready", error))?;

    let runs = Runs {
        access: AccessReader::new(db.pool().clone()),
        work: Arc::new(Bell::new()),
        drain: chassis.drain_token(),
        settings,
        db,
    };
    if args.worker {
        chassis.spawn(rescue_operation_runs::run(runs.clone()));
    }
    let limits = chassis.limits();
    let (request, response) = (limits.max_request_bytes, limits.max_response_bytes);
    let services = Services::new()
        .add(
            OperationRunServiceServer::new(OperationRunApi(runs.clone()))
                .max_decoding_message_size(request)
                .max_encoding_message_size(response),
        )
        .add(
            OperationRunWorkerServiceServer::new(WorkerApi(runs.clone()))
                .max_decoding_message_size(request)
                .max_encoding_message_size(response),
        )
        .add(
            AuditServiceServer::new(AuditApi(runs))
                .max_decoding_message_size(request)
                .max_encoding_message_size(response),
        );
    chassis.bind(services).await
}
