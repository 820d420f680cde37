//! What the emulator can be told as a process.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use crate::{Emulator, Identity, Limits, TenantSpec};

/// A stand-in for Microsoft Graph over HTTP, for development and tests.
#[derive(Debug, Parser)]
#[command(name = "graph-emulator", version)]
pub struct Arguments {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8470")]
    pub listen: SocketAddr,
    /// Folder that keeps every committed write; without it everything is gone at the end.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A tenant: its id, and optionally a folder of exports to load into it while it is empty.
    #[arg(long = "tenant", value_name = "ID[=DIR]")]
    tenants: Vec<String>,
    /// Display name of a tenant.
    #[arg(long = "name", value_name = "ID=NAME")]
    names: Vec<String>,
    /// Application registered in one tenant, or in every tenant given here.
    #[arg(long = "client", value_name = "[TENANT=]ID:SECRET")]
    clients: Vec<String>,
    /// A fixed bearer token for a tenant, for clients that bring their own.
    #[arg(long = "open", value_name = "TENANT=TOKEN")]
    open: Vec<String>,
    /// Throttle as Microsoft documents it.
    #[arg(long)]
    throttle: bool,
    /// Encrypt every text value of OMA-URI profiles, as the real service does.
    #[arg(long)]
    encrypt_oma_strings: bool,
    /// Life of access tokens in seconds.
    #[arg(long, default_value_t = 3599)]
    token_lifetime_s: u32,
    /// PEM certificate chain: serve HTTPS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM private key.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

fn pair<'a>(text: &'a str, separator: char, what: &str) -> Result<(&'a str, &'a str)> {
    text.split_once(separator)
        .with_context(|| format!("{what} {text:?} must be written as two parts with '{separator}' between them"))
}

impl Arguments {
    /// The emulator that they describe.
    pub fn emulator(&self) -> Result<Emulator> {
        let mut specs: Vec<TenantSpec> = Vec::new();
        let mut emulator =
            Emulator::builder().token_lifetime_s(self.token_lifetime_s).encrypt_oma_strings(self.encrypt_oma_strings);
        for tenant in &self.tenants {
            let (id, folder) =
                tenant.split_once('=').map_or((tenant.as_str(), None), |(id, folder)| (id, Some(folder)));
            specs.push(TenantSpec::new(id, id));
            if let Some(folder) = folder {
                emulator = emulator.load(id, folder);
            }
        }
        for (arguments, what) in [(&self.names, "--name"), (&self.open, "--open")] {
            for argument in arguments {
                let (id, value) = pair(argument, '=', what)?;
                let Some(spec) = specs.iter_mut().find(|spec| spec.id == id) else {
                    bail!("{what}: there is no --tenant {id}")
                };
                if what == "--name" {
                    value.clone_into(&mut spec.name);
                } else {
                    spec.open_tokens.push(value.to_owned());
                }
            }
        }
        for client in &self.clients {
            let (tenant, client) =
                client.split_once('=').map_or((None, client.as_str()), |(id, rest)| (Some(id), rest));
            let (id, secret) = pair(client, ':', "--client")?;
            if let Some(tenant) = tenant.filter(|tenant| specs.iter().all(|spec| spec.id != *tenant)) {
                bail!("--client: there is no --tenant {tenant}");
            }
            let meant = |spec: &TenantSpec| tenant.is_none_or(|tenant| spec.id == tenant);
            specs = specs.into_iter().map(|spec| if meant(&spec) { spec.client(id, secret) } else { spec }).collect();
        }
        if let Some(folder) = &self.data {
            emulator = emulator.data(folder);
        }
        if self.throttle {
            emulator = emulator.limits(Limits::default());
        }
        if let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) {
            emulator = emulator.tls(Identity::read(certificates, key)?);
        }
        Ok(specs.into_iter().fold(emulator, Emulator::tenant))
    }
}
