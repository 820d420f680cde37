//! `cargo dev faults`: real processes under load while everything that can be killed, stopped or cut is, by a seed that gives
//! the same blows again; judged all the time by the recorder, and once more when everything has come to rest.
//!
//! ```text
//! ground    two replicas of each service, PostgreSQL, the provider's stand-in, workspaces, tenants, schedules
//! load      callers: syncs, backups, directory syncs, promotions, cancels, pauses
//! lookers   subscribers of workspaces and runs, on all replicas
//! blows     what is done to the processes, decided beforehand by the seed
//! judge     the recorder's checkers, while it goes on and at the end
//! gauge     memory and connections
//! ```
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]
#![allow(clippy::print_stdout, reason = "figures are printed")]

mod blows;
mod gauge;
mod ground;
mod judge;
mod load;
mod lookers;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use rand::Rng as _;
use tokio::time::Instant;

use crate::ground::Ground;

/// Lets everything go wrong for a while, and judges what becomes of it.
#[derive(Debug, Parser)]
struct Args {
    /// For how long.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// Repeats the blows of an earlier time.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let time = Duration::from_secs(args.minutes * 60);
    println!("soak: {} minutes, --seed {seed}", args.minutes);

    let mut ground = Ground::prepare().await?;
    let field = Arc::clone(&ground.field);
    let ends = Instant::now() + time;
    let judging = judge::Judging::begin(&field);
    let lookers = lookers::Lookers::begin(&field, seed);
    let gauge = gauge::Gauge::begin(&ground);
    let load = load::begin(&field, seed);
    let struck = blows::strike(&mut ground, &blows::plan(seed, time), ends).await?;

    println!("soak: over; everything comes to rest");
    field.stop.cancel();
    for actor in load {
        actor.await??;
    }
    blows::relent(&mut ground).await?;
    judge::rest(&field).await;
    let verdict = judge::verdict(&ground, judging, lookers).await?;
    println!("\nblows");
    struck.show();
    gauge.show(&field);
    let good = verdict.show(&field, &ground)?;
    ground.close().await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
