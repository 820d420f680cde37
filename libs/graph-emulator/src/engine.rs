//! The running emulator behind HTTP: state under one lock, and the order in which a call is faulted, throttled, decided, made
//! durable, applied and logged.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::ambient;
use crate::approval::{self, Gate};
use crate::auth::Tokens;
use crate::call::{Call, Refusal, Reply};
use crate::dispatch;
use crate::faults::{Cut, Effects, FaultBook};
use crate::journal::{Journal, Line};
use crate::odata::path;
use crate::outcome::{Change, Outcome};
use crate::throttle::{Limits, Throttle};
use crate::world::World;

/// One write the emulator received, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Position in the log, from 1.
    pub sequence: u64,
    /// When it was served.
    pub at: String,
    /// Tenant id.
    pub tenant: String,
    /// HTTP method.
    pub method: String,
    /// Path below the version.
    pub path: String,
    /// Status of the reply, also of one that was never delivered.
    pub status: u16,
    /// `client-request-id` of the request.
    pub client_request_id: String,
    /// The write changed the tenant.
    pub committed: bool,
    /// The reply was cut off after the commit.
    pub cut: bool,
    /// Object written, when there was one.
    pub object: Option<String>,
    /// Fault rules that hit the call.
    pub faults: Vec<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) faults: FaultBook,
    pub(crate) tokens: Tokens,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) limits: Option<Limits>,
    throttle: Throttle,
    journal: Option<Journal>,
    /// Entries ever logged: sequences stay unique when the log is cleared.
    logged: u64,
}

/// A served call.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) reply: Reply,
    pub(crate) cut: Option<Cut>,
}

#[derive(Debug, Default)]
pub(crate) struct Engine {
    state: Mutex<State>,
}

impl Engine {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state) }
    }

    /// The state. A panic of another request leaves it usable: every commit is one step.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one call, including the faults that rules prescribe for it.
    pub(crate) async fn serve(&self, mut call: Call) -> Served {
        let effects = self.state().faults.hit(&call);
        if !effects.latency.is_zero() {
            tokio::time::sleep(effects.latency).await;
            call.now = ambient::now();
        }
        self.state().settle(&call, effects)
    }
}

impl State {
    /// A state that keeps a journal, with everything the journal already holds.
    pub(crate) fn durable(mut self, folder: &std::path::Path) -> io::Result<Self> {
        let (journal, held) = Journal::open(folder)?;
        for (tenant, lines) in held {
            for line in lines {
                self.replay(&tenant, line);
            }
        }
        self.journal = Some(journal);
        Ok(self)
    }

    fn replay(&mut self, tenant: &str, line: Line) {
        match line {
            Line::Tenant { id, name, clients, open_tokens } => {
                let held = self.world.tenants.entry(id.to_lowercase()).or_default();
                (held.name, held.clients, held.open_tokens) = (name, clients, open_tokens);
            }
            Line::Commit { changes } => self.apply(tenant, changes, None),
        }
    }

    /// Writes a line ahead of the change it tells of.
    pub(crate) fn record(&mut self, tenant: &str, line: &Line) -> io::Result<()> {
        match &mut self.journal {
            Some(journal) => journal.append(tenant, line),
            None => Ok(()),
        }
    }

    /// Makes changes durable, then true.
    pub(crate) fn commit(
        &mut self,
        tenant: &str,
        mut changes: Vec<Change>,
        stale_until: Option<time::OffsetDateTime>,
    ) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(held) = self.world.tenant_mut(tenant) {
            for change in &mut changes {
                if let Change::Put { object } = change
                    && object.order == 0
                    && object.id != "0"
                {
                    object.order = held.take_order();
                }
            }
        }
        let line = Line::Commit { changes };
        self.record(tenant, &line)?;
        if let Line::Commit { changes } = line {
            self.apply(tenant, changes, stale_until);
        }
        Ok(())
    }

    fn apply(&mut self, tenant: &str, changes: Vec<Change>, stale_until: Option<time::OffsetDateTime>) {
        let World { tenants, catalogue, .. } = &mut self.world;
        let Some(held) = tenants.get_mut(&tenant.to_lowercase()) else { return };
        for change in changes {
            match change {
                Change::Put { object } => {
                    catalogue.learn(tenant, &object);
                    held.put(object, stale_until);
                }
                Change::Remove { kind, id } => held.remove(&kind, &id, stale_until),
            }
        }
    }

    fn settle(&mut self, call: &Call, effects: Effects) -> Served {
        if let Some(tenant) = self.world.tenant_mut(&call.tenant) {
            tenant.settle(call.now);
        }
        if let Some(cut) = effects.cut.filter(|cut| cut.before_commit) {
            self.note(call, &Reply::empty(0), false, &effects);
            return Served { reply: Reply::empty(503), cut: Some(cut) };
        }
        let (reply, committed) = self.answer(call, &effects);
        self.note(call, &reply, committed, &effects);
        Served { reply, cut: effects.cut }
    }

    fn answer(&mut self, call: &Call, effects: &Effects) -> (Reply, bool) {
        if let Some(refusal) = &effects.refusal {
            return (refusal.clone().reply(call), false);
        }
        if let Some(limits) = self.limits
            && let Err(refusal) = self.throttle.admit(&limits, call)
        {
            return (refusal.reply(call), false);
        }
        let Outcome { reply, changes } = match self.decide(call, effects.approval) {
            Ok(outcome) => outcome,
            Err(refusal) => return (refusal.reply(call), false),
        };
        let committed = !changes.is_empty();
        let stale_until = effects.stale.and_then(|stale| Some(call.now + time::Duration::try_from(stale).ok()?));
        match self.commit(&call.tenant, changes, stale_until) {
            Ok(()) => (reply, committed),
            Err(error) => {
                tracing::error!(%error, tenant = call.tenant, "the journal cannot be written");
                (Refusal::new(500, "InternalServerError", "The write could not be stored.").reply(call), false)
            }
        }
    }

    /// A protected write is decided before its approval: what would be refused anyway needs no human.
    fn decide(&self, call: &Call, forced: bool) -> Result<Outcome, Refusal> {
        let mut outcome = dispatch::decide(&self.world, call)?;
        let segments = path::parse(&call.path);
        let kind = dispatch::kind_of(&segments).map(|(kind, _)| kind);
        if let (true, Some(kind), Some(tenant)) = (call.writes(), kind, self.world.tenant(&call.tenant)) {
            match approval::gate(tenant, call, kind, forced)? {
                Gate::Open(changes) => outcome.changes.extend(changes),
                Gate::Held(held) => return Ok(held),
            }
        }
        Ok(outcome)
    }

    fn note(&mut self, call: &Call, reply: &Reply, committed: bool, effects: &Effects) {
        tracing::debug!(method = %call.method, path = call.path, status = reply.status, tenant = call.tenant, "served");
        if !call.writes() {
            return;
        }
        self.logged += 1;
        self.log.push(LogEntry {
            sequence: self.logged,
            at: ambient::stamp(call.now),
            tenant: call.tenant.clone(),
            method: call.method.to_string(),
            path: format!("/{}", call.path.trim_start_matches('/')),
            status: reply.status,
            client_request_id: call.client_request_id.clone(),
            committed,
            cut: effects.cut.is_some(),
            object: reply.object.clone(),
            faults: effects.rules.clone(),
        });
    }
}
