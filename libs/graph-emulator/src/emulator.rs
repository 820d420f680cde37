//! The library's face: build an emulator and start it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::control::{Control, TenantSpec};
use crate::engine::{Engine, State};
use crate::load::Report;
use crate::server;
use crate::throttle::Limits;
use crate::tls::Identity;

/// An emulator to be started.
#[derive(Debug, Default)]
pub struct Emulator {
    tenants: Vec<TenantSpec>,
    folders: Vec<(String, PathBuf)>,
    data: Option<PathBuf>,
    limits: Option<Limits>,
    token_lifetime_s: Option<u32>,
    encrypt_oma_strings: bool,
    identity: Option<Identity>,
}

impl Emulator {
    /// An emulator without tenants, in memory only, without limits and faults.
    pub fn builder() -> Self {
        Self::default()
    }

    /// Adds a tenant; one that the data folder already holds keeps its objects and gets the clients said here.
    pub fn tenant(mut self, tenant: TenantSpec) -> Self {
        self.tenants.push(tenant);
        self
    }

    /// Loads a folder of exports into a tenant, unless the tenant already has objects from an earlier run.
    pub fn load(mut self, tenant: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.folders.push((tenant.into(), folder.into()));
        self
    }

    /// Keeps every committed write in this folder and starts from what it holds.
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// Throttles as Microsoft documents it.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Life of an access token in seconds.
    pub fn token_lifetime_s(mut self, seconds: u32) -> Self {
        self.token_lifetime_s = Some(seconds);
        self
    }

    /// Encrypts every text value of a custom OMA-URI profile, as the real service does. Without it only settings that say
    /// `isEncrypted` are secrets.
    pub fn encrypt_oma_strings(mut self, yes: bool) -> Self {
        self.encrypt_oma_strings = yes;
        self
    }

    /// Serves HTTPS instead of HTTP: some client libraries send credentials over nothing else.
    pub fn tls(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Loads, binds and serves. Port 0 picks a free one.
    pub async fn start(self, listen: SocketAddr) -> io::Result<Running> {
        let mut state = State::default();
        state.limits = self.limits;
        state.world.encrypt_oma_strings = self.encrypt_oma_strings;
        if let Some(seconds) = self.token_lifetime_s {
            state.tokens.lifetime_s = seconds;
        }
        if let Some(folder) = &self.data {
            state = state.durable(folder)?;
        }
        let control = Control { engine: Arc::new(Engine::new(state)) };
        for tenant in self.tenants {
            control.add_tenant(tenant)?;
        }
        let mut reports = Vec::new();
        for (tenant, folder) in self.folders {
            if control.is_empty(&tenant) {
                let report = control.load_folder(&tenant, &folder)?;
                reports.push((tenant, report));
            }
        }
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(server::run(listener, control.clone(), self.identity, stopping));
        tracing::info!(%address, "listening");
        Ok(Running { base_url: format!("{scheme}://{address}"), address, reports, control, stop, task })
    }
}

/// A serving emulator. Dropping it stops it at once; [`Running::stop`] lets open requests end.
#[derive(Debug)]
pub struct Running {
    /// `scheme://address`, without a trailing slash and without a version.
    pub base_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What became of the folders given to [`Emulator::load`], by tenant.
    pub reports: Vec<(String, Report)>,
    control: Control,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl std::ops::Deref for Running {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Running {
    /// Address of a tenant's token endpoint.
    pub fn token_url(&self, tenant: &str) -> String {
        format!("{}/{tenant}/oauth2/v2.0/token", self.base_url)
    }

    /// A handle that outlives this one.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Accepts nothing new, lets open requests end (at most a few seconds), and returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // An error means that the task panicked, and then it has stopped as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
