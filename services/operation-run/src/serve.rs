//! Putting the service together: database, use cases, servers, background tasks.

use std::sync::Arc;

use pb::audit::audit_service_server::AuditServiceServer;
use pb::control::operational_control_service_server::OperationalControlServiceServer;
use pb::notification::notification_service_server::NotificationServiceServer;
use pb::operation::operation_run_service_server::OperationRunServiceServer;
use pb::operation::operation_run_worker_service_server::OperationRunWorkerServiceServer;
use server::{AccessReader, Chassis, Services, StartError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bell::Bell;
use crate::config::Args;
use crate::grpc::{AuditApi, ControlApi, NotificationApi, OperationRunApi, WorkerApi};
use crate::watch::access::WatchAccess;
use crate::watch::{Feed, tail};
use crate::{Runs, rescue_operation_runs, retain_run_events, retain_runs, seal_audit_entries, time_out_operation_runs};

/// This service's registered name.
pub const NAME: &str = "operation-run-service";
/// A start brings all items of its run along, with their plans: 5000 with about 13 KB each.
const MOST_START_BYTES: usize = 64 << 20;
/// How many watches that have fallen behind read from the database at the same time.
const CATCH_UPS: usize = 4;

/// Serves until the process is told to stop.
pub async fn serve(args: &Args) -> Result<(), StartError> {
    let chassis = Chassis::start(&args.server, NAME, pb::FILE_DESCRIPTOR_SET)?;
    bind(&chassis, args).await?.run().await
}

/// Everything but serving: connected, listening, background tasks started.
pub async fn bind(chassis: &Chassis, args: &Args) -> Result<server::Bound, StartError> {
    let settings = args.validate()?;
    let database = args.database.settings(NAME).max_connections(args.database_connections);
    let db =
        pg::Db::connect(&database).await.map_err(|error| StartError::service("cannot connect to PostgreSQL", error))?;
    pg::wait_for_schema(db.pool(), Instant::now() + args.schema_wait)
        .await
        .map_err(|error| StartError::service("the database is not ready", error))?;

    // The tail's connection is its own: a busy pool must not hold up every watch.
    let tail_settings = args.database.settings(format!("{NAME} tail")).max_connections(1);
    let tail_db = pg::Db::connect(&tail_settings)
        .await
        .map_err(|error| StartError::service("cannot connect to PostgreSQL", error))?;
    let access = AccessReader::new(db.pool().clone());
    let runs = Runs {
        watch_access: Arc::new(WatchAccess::new(access.clone())),
        access,
        feed: Arc::new(Feed::new(settings.ring_events)),
        catch_up: Arc::new(Semaphore::new(CATCH_UPS)),
        work: Arc::new(Bell::new()),
        claims_heard: Arc::default(),
        drain: chassis.drain_token(),
        settings,
        db,
    };
    chassis.spawn(tail::run(runs.clone(), tail_db, chassis.readiness().clone()));
    if args.worker {
        chassis.spawn(rescue_operation_runs::run(runs.clone()));
        chassis.spawn(time_out_operation_runs::run(runs.clone()));
        chassis.spawn(retain_run_events::run(runs.clone()));
        chassis.spawn(retain_runs::run(runs.clone()));
        chassis.spawn(seal_audit_entries::run(runs.clone()));
    }
    let limits = chassis.limits();
    let (request, response) = (limits.max_request_bytes, limits.max_response_bytes);
    let services = Services::new()
        .add(
            OperationRunServiceServer::new(OperationRunApi(runs.clone()))
                .max_decoding_message_size(request.max(MOST_START_BYTES))
                .max_encoding_message_size(response),
        )
        .add(
            OperationRunWorkerServiceServer::new(WorkerApi(runs.clone()))
                .max_decoding_message_size(request)
                .max_encoding_message_size(response),
        )
        .add(
            OperationalControlServiceServer::new(ControlApi(runs.clone()))
                .max_decoding_message_size(request)
                .max_encoding_message_size(response),
        )
        .add(
            NotificationServiceServer::new(NotificationApi(runs.clone()))
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
