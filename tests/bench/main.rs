//! Figures of a release build, each beside the physical limit measured in the same run: `cargo dev bench [compare] [runs]`.
//!
//! `FIGURES.md` beside this file keeps what was measured, when, and on which machine.

#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]
#![allow(clippy::print_stdout, reason = "figures are printed")]

mod compare;
mod figure;
mod fill;
mod runs;
mod watch;

use anyhow::{Result, bail};
use dev::paths;
use dev::scene::{Scene, Script};
use dev::stack::{Database, Plan, Timing};
use pg::local::{Cluster, Start};

/// Every benchmark.
const ALL: [&str; 2] = ["compare", "runs"];

#[tokio::main]
async fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = if asked.is_empty() { ALL.to_vec() } else { asked.iter().map(String::as_str).collect() };
    if let Some(unknown) = names.iter().find(|name| !ALL.contains(name)) {
        bail!("there is no benchmark {unknown}; there are {ALL:?}");
    }
    for name in names {
        println!("\ncargo dev bench {name}");
        match name {
            "compare" => compare::bench().await?,
            _ => runs::bench().await?,
        }
    }
    Ok(())
}

/// The demo's two tenants on a PostgreSQL of our own whose commits wait for the disk.
async fn scene() -> Result<Scene> {
    const NAME: &str = "tenantatlas";
    let cluster = Cluster::start(&Start { durable: true, ..Start::temporary() }).await?;
    pg::migrate(&cluster.create_database(NAME).await?).await?;
    let plan = Plan {
        state: paths::state().join("bench"),
        database: Database::Private { cluster, name: NAME.to_owned() },
        tenants: Vec::new(),
        compare_replicas: 1,
        promotion_replicas: 1,
        operation_run_replicas: 1,
        timing: Timing::default(),
        tls: false,
        fronts: false,
        image: None,
        otlp_endpoint: None,
    };
    Scene::set(&Script::own(), plan).await
}
