//! The library's face: build an emulator, start it, and steer it while it runs.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ambient;
use crate::approval;
use crate::engine::{Engine, LogEntry, State};
use crate::faults::FaultRule;
use crate::journal::Line;
use crate::load::{self, Became, LoadedFile, Report};
use crate::outcome::Change;
use crate::server;
use crate::throttle::Limits;
use crate::tls::Identity;
use crate::world::{Client, Object, Tenant};

/// A tenant to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSpec {
    /// Tenant id, a GUID in real life.
    pub id: String,
    /// Display name.
    #[serde(default)]
    pub name: String,
    /// Application registrations.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// Bearer tokens that are always good: for clients that bring a fixed one.
    #[serde(default)]
    pub open_tokens: Vec<String>,
}

impl TenantSpec {
    /// A tenant that nobody can call yet.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), clients: Vec::new(), open_tokens: Vec::new() }
    }

    /// Registers an application with every permission.
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.clients.push(Client { id: id.into(), secret: secret.into(), permissions: None });
        self
    }

    /// Registers an application with these app roles only.
    pub fn client_with(mut self, id: impl Into<String>, secret: impl Into<String>, roles: &[&str]) -> Self {
        let permissions = Some(roles.iter().map(|role| (*role).to_owned()).collect());
        self.clients.push(Client { id: id.into(), secret: secret.into(), permissions });
        self
    }

    /// Accepts a fixed bearer token.
    pub fn open_token(mut self, token: impl Into<String>) -> Self {
        self.open_tokens.push(token.into());
        self
    }
}

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

/// Steers an emulator; the admin endpoints do the same over HTTP.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) engine: Arc<Engine>,
}

/// What the admin says of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantSummary {
    /// Tenant id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Application ids that may ask for tokens.
    pub clients: Vec<String>,
    /// Number of stored objects, the built-in scope tag included.
    pub objects: usize,
}

fn unknown_tenant(tenant: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no tenant {tenant}"))
}

impl Control {
    /// Adds a tenant, or gives a known one another name and other clients.
    pub fn add_tenant(&self, spec: TenantSpec) -> io::Result<()> {
        let mut state = self.engine.state();
        let TenantSpec { id, name, clients, open_tokens } = spec;
        let line = Line::Tenant { id: id.clone(), name, clients, open_tokens };
        state.record(&id, &line)?;
        let fresh = state.world.tenant(&id).is_none();
        let Line::Tenant { name, clients, open_tokens, .. } = line else { return Ok(()) };
        let held = state.world.tenants.entry(id.to_lowercase()).or_default();
        (held.name, held.clients, held.open_tokens) = (name, clients, open_tokens);
        if fresh {
            state.commit(&id, vec![Change::Put { object: Tenant::default_scope_tag(0) }], None)?;
        }
        Ok(())
    }

    /// All tenants.
    pub fn tenants(&self) -> Vec<TenantSummary> {
        let state = self.engine.state();
        let summary = |(id, tenant): (&String, &Tenant)| TenantSummary {
            id: id.clone(),
            name: tenant.name.clone(),
            clients: tenant.clients.iter().map(|client| client.id.clone()).collect(),
            objects: tenant.everything().len(),
        };
        state.world.tenants.iter().map(summary).collect()
    }

    fn is_empty(&self, tenant: &str) -> bool {
        self.engine.state().world.tenant(tenant).is_none_or(Tenant::is_empty)
    }

    /// Loads every export below a folder into a tenant. The report says what each file became.
    pub fn load_folder(&self, tenant: &str, folder: &Path) -> io::Result<Report> {
        let mut report = Report::default();
        for path in load::files(folder)? {
            let shown = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            let hint = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            match load::documents(&path) {
                Err(why) => report.files.push(LoadedFile { path: shown, became: Became::Unreadable { why } }),
                Ok(documents) => {
                    for document in documents {
                        let became = self.load_document(tenant, &document, hint.as_deref())?;
                        report.files.push(LoadedFile { path: shown.clone(), became });
                    }
                }
            }
        }
        Ok(report)
    }

    /// Loads one exported document, past all rules for writes. `folder` may hint at what it is.
    pub fn load_document(&self, tenant: &str, document: &Value, folder: Option<&str>) -> io::Result<Became> {
        let mut state = self.engine.state();
        let held = state.world.tenant(tenant).ok_or_else(|| unknown_tenant(tenant))?;
        let (became, change) = load::place(held, document, folder);
        state.commit(tenant, change.into_iter().collect(), None)?;
        Ok(became)
    }

    /// Everything a tenant stores; `None` = no such tenant.
    pub fn objects(&self, tenant: &str) -> Option<Vec<Object>> {
        let state = self.engine.state();
        Some(state.world.tenant(tenant)?.everything().iter().map(|object| Object::clone(object)).collect())
    }

    /// Adds a fault rule and answers its id.
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        self.engine.state().faults.add(rule)
    }

    /// The rules not yet spent.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.engine.state().faults.list()
    }

    /// Removes one rule, or all; answers how many.
    pub fn remove_faults(&self, id: Option<u64>) -> usize {
        self.engine.state().faults.remove(id)
    }

    /// The writes received so far, oldest first.
    pub fn log(&self) -> Vec<LogEntry> {
        self.engine.state().log.clone()
    }

    /// Forgets the writes received so far.
    pub fn clear_log(&self) {
        self.engine.state().log.clear();
    }

    /// Turns throttling on or off.
    pub fn set_limits(&self, limits: Option<Limits>) {
        self.engine.state().limits = limits;
    }

    /// Lets a template be listed as retired: no new policies from it.
    pub fn retire_template(&self, template: &str) {
        self.engine.state().world.catalogue.retire(template);
    }

    /// Gives the human's verdict (`approved`, `rejected`, `cancelled`, `expired`) on an approval request, by its code or id.
    /// Answers false when there is no such request.
    pub fn decide_approval(&self, tenant: &str, code: &str, verdict: &str) -> io::Result<bool> {
        let mut state = self.engine.state();
        let held = state.world.tenant(tenant).ok_or_else(|| unknown_tenant(tenant))?;
        let Some(request) = approval::find(held, code) else { return Ok(false) };
        let object = approval::with_status(&request, verdict, ambient::now());
        state.commit(tenant, vec![Change::Put { object }], None)?;
        Ok(true)
    }
}
