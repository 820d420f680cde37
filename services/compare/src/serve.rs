//! Putting the service together: settings, database, chassis, servers, worker.

use std::sync::Arc;

use apply::Pace;
use clap::Parser as _;
use graph::{Provider, Settings};
use server::{AccessReader, Bound, Chassis, StartError};
use tokio::time::Instant;

use crate::answered::forget;
use crate::audit;
use crate::backup;
use crate::backup::schedule_backups;
use crate::client::{Audit, OperationRuns};
use crate::config::Args;
use crate::grpc::Api;
use crate::handlers::handlers;
use crate::state::State;

/// Reads the options of the process and serves until told to stop.
pub async fn run() -> Result<(), StartError> {
    bind(&Args::parse()).await?.run().await
}

/// Everything up to listening; [`Bound::run`] serves.
pub async fn bind(args: &Args) -> Result<Bound, StartError> {
    let chassis = Chassis::start(&args.server, "compare-service", pb::FILE_DESCRIPTOR_SET)?;
    start(args, &chassis).await
}

/// The same on a chassis that the caller can shut down.
pub async fn start(args: &Args, chassis: &Chassis) -> Result<Bound, StartError> {
    let state = state(args, chassis).await?;
    chassis.spawn(forget::run(state.db.clone(), chassis.drain_token()));
    chassis.spawn(backup::forget::run(state.db.clone(), chassis.drain_token()));
    chassis.spawn(audit::deliver::run(state.clone(), chassis.drain_token()));
    if args.scheduler {
        chassis.spawn(schedule_backups::run(state.clone(), chassis.drain_token()));
    }
    if args.worker {
        let settings = Settings { timeout: args.provider_timeout, ..Settings::default() };
        let provider = Provider::new(settings, args.provider.clone());
        let pace =
            Pace { items_at_once: args.worker_items, settle: args.provider_settle, postpone: args.provider_postpone };
        let handlers = handlers(&state, &provider, pace, &chassis.drain_token());
        worker::start(chassis, state.operation_runs.upstream(), args.worker_runs, handlers)?;
    }
    chassis.bind(Api::new(state).services(chassis.limits())).await
}

/// What use cases work with, once the database is there.
pub async fn state(args: &Args, chassis: &Chassis) -> Result<State, StartError> {
    let config = args.validate()?;
    let db = pg::Db::connect(&config.database)
        .await
        .map_err(|error| StartError::service("cannot connect to the database", error))?;
    pg::wait_for_schema(db.pool(), Instant::now() + args.schema_wait)
        .await
        .map_err(|error| StartError::service("the schema is not ready", error))?;
    let operation_run = chassis.upstream("--operation-run-endpoint", &args.operation_run_endpoint)?;
    Ok(State {
        access: AccessReader::new(db.pool().clone()),
        registry: Arc::new(config.registry),
        operation_runs: OperationRuns::new(operation_run.clone()),
        audit: Audit::new(operation_run),
        audit_bell: audit::bell::Bell::default(),
        stale_after: config.stale_after,
        provider_rules: Arc::new(args.provider.clone()),
        db,
    })
}
