//! Steers an emulator while it runs: tenants, faults, limits, what was written.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ambient;
use crate::approval;
use crate::engine::{Engine, LogEntry};
use crate::faults::FaultRule;
use crate::journal::Line;
use crate::load::{self, Became, LoadedFile, Report};
use crate::object::Object;
use crate::outcome::Change;
use crate::throttle::Limits;
use crate::world::{Client, Tenant};

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

    pub(crate) fn is_empty(&self, tenant: &str) -> bool {
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
