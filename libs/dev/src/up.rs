//! `cargo dev up`: everything with the demo's two tenants, until Ctrl-C, with lines to copy.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Endpoints;
use crate::persona::Persona;
use crate::scene::{Scene, Script};
use crate::stack::Plan;
use crate::{job, paths};

/// What is brought up.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct UpArgs {
    /// Folder of exported policies that becomes the source tenant.
    #[arg(long, requires = "target")]
    pub source: Option<PathBuf>,
    /// Folder of exported policies that becomes the target tenant.
    #[arg(long, requires = "source")]
    pub target: Option<PathBuf>,
    /// Keep the private PostgreSQL's data for the next time; each start adds a workspace of its own. Without it they are dropped.
    #[arg(long)]
    pub keep: bool,
}

/// What is up, written where `cargo dev token` and scripts find it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Where the services are.
    pub endpoints: Endpoints,
    /// The demo's workspace.
    pub workspace_id: String,
    /// Its source tenant.
    pub source_tenant_id: String,
    /// Its target tenant.
    pub target_tenant_id: String,
    /// The local issuer.
    pub issuer: String,
}

/// Where it is written.
pub fn running_file() -> PathBuf {
    paths::state().join("up.json")
}

/// Runs until Ctrl-C.
pub async fn run(args: &UpArgs) -> Result<()> {
    let script = Script::of_demo(args.source.clone(), args.target.clone());
    let scene = if args.keep { Scene::set(&script, Plan::kept().await?).await? } else { Scene::open(&script).await? };
    let running = Running {
        endpoints: scene.stack.endpoints()?,
        workspace_id: scene.workspace_id.clone(),
        source_tenant_id: scene.source.tenant_id.clone(),
        target_tenant_id: scene.target.tenant_id.clone(),
        issuer: scene.stack.issuer.url().to_string(),
    };
    std::fs::write(running_file(), serde_json::to_vec_pretty(&running)?)?;
    let operator = scene.stack.session(Persona::Operator)?;
    for tenant in [&scene.source, &scene.target] {
        job::sync(&operator, &scene.workspace_id, &tenant.tenant_id).await?;
    }
    print_tour(&scene, &running)?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    println!("\nStopping ...");
    std::fs::remove_file(running_file())?;
    scene.close().await
}

fn print_tour(scene: &Scene, running: &Running) -> Result<()> {
    let address = |uri: &str| uri.trim_start_matches("http://").to_owned();
    let endpoints = &running.endpoints;
    let (compare, promotion, runs) =
        (address(&endpoints.compare), address(&endpoints.promotion), address(&endpoints.operation_run));
    println!("\nEverything is up. Ctrl-C stops it.\n");
    println!("  compare-service         {compare}");
    println!("  promotion-service       {promotion}");
    println!("  operation-run-service   {runs}");
    println!("  provider's stand-in     {}", scene.stack.emulator_url()?);
    println!("  issuer                  {}", running.issuer);
    println!("  database                {}", scene.stack.database.owner_url());
    println!("\n  personas (cargo dev token NAME):");
    for persona in Persona::ALL {
        println!("    {:<12} {}", persona.key(), persona.display_name());
    }
    let selection = serde_json::json!({
        "workspace_id": running.workspace_id,
        "source_tenant_id": running.source_tenant_id,
        "target_tenant_id": running.target_tenant_id,
    });
    println!("\n  For the tour in the README, paste this into another terminal:\n");
    println!("export COMPARE={compare} PROMOTION={promotion} RUNS={runs}");
    println!("export WORKSPACE={}", running.workspace_id);
    println!("export SOURCE={} TARGET={}", running.source_tenant_id, running.target_tenant_id);
    println!("export SELECTION='{selection}'");
    println!("\n  Or for the command line:\n");
    println!(
        "atlasctl context set demo --compare {} --promotion {} --operation-run {} \\\n  --workspace {} --token-command 'cargo dev token manager'",
        endpoints.compare, endpoints.promotion, endpoints.operation_run, running.workspace_id
    );
    Ok(())
}
