//! `cargo dev cluster`: what `k8s/overlays/dev` needs beside its manifests. The cluster's parts are those of `cargo dev up`: the same
//! issuer, inside every pod because it serves its own machine only, with the key that this machine keeps; the same stand-in for the
//! provider, with the demo's tenants.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::{Endpoints, Session};
use crate::issuer::{Issuer, IssuerConfig};
use crate::job::{self, Provider};
use crate::paths;
use crate::persona::Persona;
use crate::stack::recipe;

/// Where each pod finds its issuer: on its own loopback.
pub const ISSUER: &str = "http://127.0.0.1:8480";
/// Where pods have the issuer's key.
const KEYS: &str = "/run/secrets/tenantatlas/issuer/keys";
/// The namespace of the manifests.
const NAMESPACE: &str = "tenantatlas";
/// The stand-in, as the workers reach it.
const PROVIDER: &str = "https://graph-emulator:8443";
/// Where workers have the tenants' client secrets.
const PROVIDER_SECRETS: &str = "/run/secrets/tenantatlas/provider";
/// A working day.
const TOKEN_TTL: Duration = Duration::from_secs(8 * 3600);

/// A tenant that the cluster's stand-in has. These are told in `overlays/dev/graph-emulator.yaml` too.
struct StandingTenant {
    name: &'static str,
    external_id: &'static str,
}

const TENANTS: [StandingTenant; 2] = [
    StandingTenant { name: "Northwind Model", external_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001" },
    StandingTenant { name: "Contoso Clinics", external_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002" },
];
/// The application that may use them, and its secret: both guard nothing but our own demo's policies.
const APPLICATION: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a0ff";
const APPLICATION_SECRET: &str = "stand-in-for-development";

/// What is done for a cluster.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Print the Secrets of overlays/dev, for `kubectl apply -f -`: the issuer's key and the services' client secrets.
    Secrets,
    /// Put the demo's workspace, people and tenants in place, through forwarded ports, and print what to try.
    Scene(SceneArgs),
    /// Print a token of the cluster's issuer for a persona.
    Token {
        /// Whose token.
        persona: Persona,
    },
    /// Serve as a pod's issuer, beside the service, until told to stop.
    Issuer,
}

/// Where the services are.
#[derive(Debug, Args)]
pub struct SceneArgs {
    /// compare-service.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    pub compare: String,
    /// promotion-service.
    #[arg(long, default_value = "http://127.0.0.1:50052")]
    pub promotion: String,
    /// operation-run-service.
    #[arg(long, default_value = "http://127.0.0.1:50053")]
    pub operation_run: String,
}

/// Does it.
pub async fn run(command: &ClusterCommand) -> Result<()> {
    match command {
        ClusterCommand::Secrets => println!("{:#}", secrets().await?),
        ClusterCommand::Scene(args) => scene(args).await?,
        ClusterCommand::Token { persona } => println!("{}", token(*persona)?),
        ClusterCommand::Issuer => issuer().await?,
    }
    Ok(())
}

/// A persona's token, by the key that this machine keeps.
fn token(persona: Persona) -> Result<String> {
    recipe::token_by_key(ISSUER, &paths::state(), persona, TOKEN_TTL)
        .context("there is no key yet: `cargo dev cluster secrets` makes one")
}

/// A list of Secrets, as JSON, which kubectl reads as well as YAML.
async fn secrets() -> Result<Value> {
    // An issuer makes its key when it starts.
    drop(recipe::issuer(&paths::state()).await?);
    let keys = std::fs::read_to_string(recipe::key_file(&paths::state()))?;
    let mut items = vec![secret("issuer", [("keys".to_owned(), keys)])];
    for service in recipe::services() {
        let client = ("client-secret".to_owned(), recipe::secret_of(service));
        items.push(secret(&format!("{service}-client"), [client]));
    }
    items
        .push(secret("provider", TENANTS.map(|tenant| (tenant.external_id.to_owned(), APPLICATION_SECRET.to_owned()))));
    Ok(json!({ "apiVersion": "v1", "kind": "List", "items": items }))
}

fn secret(name: &str, values: impl IntoIterator<Item = (String, String)>) -> Value {
    let values: serde_json::Map<_, _> = values.into_iter().map(|(key, value)| (key, value.into())).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "stringData": values,
    })
}

async fn issuer() -> Result<()> {
    let listen = ISSUER.trim_start_matches("http://").parse()?;
    let mut config = IssuerConfig::new(listen).key_file(KEYS);
    for service in recipe::services() {
        config = config.service(service, &recipe::secret_of(service));
    }
    let issuer = Issuer::start(config).await?;
    println!("{}", issuer.url());
    let mut terminated = signal(SignalKind::terminate())?;
    terminated.recv().await;
    Ok(())
}

async fn scene(args: &SceneArgs) -> Result<()> {
    let endpoints = Endpoints {
        compare: args.compare.clone(),
        promotion: args.promotion.clone(),
        operation_run: args.operation_run.clone(),
        ca: None,
    };
    let owner = Session::new(&endpoints, &token(Persona::Owner)?)?;
    let workspace = job::create_workspace(&owner, "Demo").await?;
    for tenant in &TENANTS {
        let provider = Provider {
            base_url: PROVIDER.to_owned(),
            external_tenant_id: tenant.external_id.to_owned(),
            client_id: APPLICATION.to_owned(),
            credential_reference: format!("file:{PROVIDER_SECRETS}/{}", tenant.external_id),
        };
        job::register_tenant(&owner, &workspace.workspace_id, tenant.name, &provider).await?;
    }
    println!("The workspace is {}. With the command line:\n", workspace.workspace_id);
    println!(
        "atlasctl context set cluster --compare {} --promotion {} --operation-run {} \\\n  --workspace {} \
         --token-command 'cargo dev cluster token manager'",
        args.compare, args.promotion, args.operation_run, workspace.workspace_id
    );
    for tenant in &TENANTS {
        println!("atlasctl --context cluster sync {:?} --wait", tenant.name);
    }
    println!("atlasctl --context cluster promote --source {:?} --target {:?} --wait", TENANTS[0].name, TENANTS[1].name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_are_those_that_the_manifests_mount() {
        let list = secrets().await.unwrap();
        let names: Vec<&str> =
            list["items"].as_array().unwrap().iter().filter_map(|secret| secret["metadata"]["name"].as_str()).collect();
        let services = ["compare-service-client", "promotion-service-client", "operation-run-service-client"];
        assert_eq!(names, [&["issuer"][..], &services, &["provider"]].concat());
        // With the key that is printed, tokens are made.
        assert!(list["items"][0]["stringData"]["keys"].as_str().is_some_and(|keys| keys.trim().len() >= 64));
        token(Persona::Manager).unwrap();
    }

    #[test]
    fn the_stand_in_of_the_manifests_has_the_tenants_of_the_scene() {
        let file = paths::repository().join("k8s/overlays/dev/graph-emulator.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        for tenant in &TENANTS {
            assert!(text.contains(&format!("--tenant={}=/demo/", tenant.external_id)), "{}", tenant.name);
            let client = format!("--client={}={APPLICATION}:{APPLICATION_SECRET}", tenant.external_id);
            assert!(text.contains(&client), "{client}");
        }
    }
}
