//! StartOperationRun: makes a run, or finds the one there is.
//!
//! Nothing is looked up first to decide whether there is one: the insert is tried, the unique indexes decide, and what
//! was in the way is read afterwards. What was in the way may be gone again by then; then the insert is tried again.

use domain::id::{Hash, RequestId, RunId, TenantId, WorkspaceId};
use domain::run::{Pause, RunTenants, RunType, identity_hash};
use serde_json::{Map, Value};
use server::caller::User;
use server::{Caller, ambient};
use tracing::{Instrument as _, field};

use crate::Runs;
use crate::error::{Error, Result};
use crate::owner::owned_types;
use crate::run::{Run, SeenRun};
use crate::store;
use crate::store::run::start::{Inserted, NewRun};
use crate::store::run_item::NewItem;
use crate::store::start_answer::{StartAnswer, Started};
use crate::visibility::Visibility;

/// How often the insert is tried before the caller is asked to come back. Each round lost means that somebody else's
/// start or end was committed in between.
const ROUNDS: usize = 10;

/// The subject in a request's hash when nobody stands behind it.
pub(crate) const NOBODY: &str = "";
/// The name of that initiator for people.
const SYSTEM: &str = "System";

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Start {
    pub request: RequestId,
    pub workspace: WorkspaceId,
    pub run_type: RunType,
    pub tenants: RunTenants,
    /// What makes two runs the same beyond workspace, type and tenants.
    pub identity: Vec<u8>,
    pub context: Map<String, Value>,
    pub items: Vec<NewItem>,
    /// Digest of what the user asked for.
    pub request_digest: Vec<u8>,
}

/// What a start came to.
#[derive(Debug, Clone)]
pub enum StartResult {
    /// A new run is queued.
    Queued(SeenRun),
    /// An active run with the same identity exists.
    Deduped(SeenRun),
    /// Another run that changes the same tenant is active; shown if the actor may see it.
    ScopeBusy(Option<SeenRun>),
    /// An operational control has paused the type.
    Blocked(Pause),
}

impl StartResult {
    const fn name(&self) -> &'static str {
        match self {
            Self::Queued(_) => "queued",
            Self::Deduped(_) => "deduped",
            Self::ScopeBusy(_) => "scope_busy",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// Starts a run on behalf of a user, or, for the types that nobody starts by hand, for the service that owns them.
pub async fn start(runs: &Runs, caller: &Caller, start: Start) -> Result<StartResult> {
    owned_types(caller)?.require(start.run_type)?;
    // By the conventions for messaging: what is queued carries the context of this span, and the work on it links to it.
    let span = tracing::info_span!(
        "send",
        otel.name = "send operation_runs",
        otel.kind = "producer",
        messaging.system = "tenantatlas",
        messaging.destination.name = "operation_runs",
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.message.id = field::Empty,
        run_type = start.run_type.as_str(),
        outcome = field::Empty,
    );
    let result = queue(runs, caller, start).instrument(span.clone()).await;
    if let Ok(result) = &result {
        span.record("outcome", result.name());
        if let StartResult::Queued(seen) = result {
            span.record("messaging.message.id", seen.run.id.to_string());
        }
    }
    result
}

async fn queue(runs: &Runs, caller: &Caller, start: Start) -> Result<StartResult> {
    let initiator = Initiator::of(runs, caller, &start).await?;

    let facts = start.run_type.facts();
    let (queue_for, run_for) = runs.settings.deadlines(&facts);
    let new = NewRun {
        id: RunId(ambient::fresh_id()),
        workspace: start.workspace,
        run_type: start.run_type,
        identity: identity_of(&start),
        request: start.request,
        request_hash: request_hash(initiator.subject(), &start.request_digest),
        initiator_subject: initiator.user.as_ref().map(|(user, _)| user.subject.to_string()),
        initiator_name: initiator.name().to_owned(),
        total: (!start.items.is_empty()).then(|| i32::try_from(start.items.len()).unwrap_or(i32::MAX)),
        max_attempts: facts.max_attempts_without_progress,
        lease_ttl: runs.settings.lease_ttl.unwrap_or(facts.lease_ttl.unsigned_abs()),
        queue_for,
        run_for,
        traceparent: server::telemetry::current_traceparent(),
        tenants: start.tenants,
        context: start.context,
    };
    for tried in 0..ROUNDS {
        if let Some(result) = round(runs, &new, &start.items, tried > 0).await? {
            return Ok(match result {
                StartResult::Queued(_) => {
                    // Only a hint: a waiting claim need not wait for its next look.
                    runs.work.ring();
                    result
                }
                StartResult::ScopeBusy(Some(seen)) if !initiator.sees(&seen.run) => StartResult::ScopeBusy(None),
                other => other,
            });
        }
    }
    Err(Error::Contended)
}

/// Who starts a run: a user with what they may see, or nobody, which is the system itself.
struct Initiator {
    user: Option<(User, Visibility)>,
}

impl Initiator {
    /// The user behind the call, authorised; or the system, for a service by itself and a type that is the system's to start.
    async fn of(runs: &Runs, caller: &Caller, start: &Start) -> Result<Self> {
        if caller.user.is_none() && is_started_by_the_system(start.run_type) {
            return Ok(Self { user: None });
        }
        let user = caller.require_user()?;
        let facts = runs.access.facts(&user.subject, start.workspace).await?;
        let tenants: Vec<TenantId> = start.tenants.tenant.iter().chain(&start.tenants.related).copied().collect();
        domain::access::authorize(facts.as_ref(), &tenants, &start.run_type.start_needs(&start.tenants))
            .map_err(server::Failure::from)?;
        Ok(Self { user: Some((user.clone(), Visibility::of(facts))) })
    }

    fn subject(&self) -> &str {
        self.user.as_ref().map_or(NOBODY, |(user, _)| &user.subject)
    }

    fn name(&self) -> &str {
        self.user.as_ref().map_or(SYSTEM, |(user, _)| &user.name)
    }

    fn sees(&self, run: &Run) -> bool {
        self.user.as_ref().is_some_and(|(_, visibility)| visibility.shows(run))
    }
}

/// Whether runs of the type are started by a scheduler: their identity is the time they are meant for.
pub(crate) fn is_started_by_the_system(run_type: RunType) -> bool {
    run_type == RunType::BackupScheduleScheduled
}

/// Tries once; `None` when what was in the way has gone meanwhile, or the request had been answered before.
///
/// `look_first`: for an earlier answer to the same request. Most requests are new, so the first try does without: what it
/// made is rolled back when the answer's primary key says that it was not new.
async fn round(runs: &Runs, new: &NewRun, items: &[NewItem], look_first: bool) -> Result<Option<StartResult>> {
    let mut tx = runs.db.workspace(new.workspace.uuid()).await?;
    if look_first && let Some(result) = answered(&mut tx, new).await? {
        return Ok(Some(result));
    }
    let result = match store::run::start::insert(&mut tx, new).await? {
        Inserted::New(seen) => {
            if !items.is_empty() {
                store::run_item::insert(&mut tx, new.workspace, new.id, items).await?;
            }
            StartResult::Queued(*seen)
        }
        Inserted::InTheWay => match in_the_way(&mut tx, new).await? {
            // What is in the way may be what this very request has made.
            Some(StartResult::ScopeBusy(_)) if !look_first => return Ok(None),
            Some(result) => result,
            None if look_first => {
                // Its connection first: whoever waits for a second one while holding one waits for those who do the same.
                drop(tx);
                return Ok(is_changed_elsewhere(runs, new).await?.then_some(StartResult::ScopeBusy(None)));
            }
            None => return Ok(None),
        },
        Inserted::Spent => return Err(Error::IdentitySpent),
        Inserted::Paused => {
            tx = runs.db.workspace(new.workspace.uuid()).await?;
            match paused(&mut tx, new).await? {
                Some(Paused::Answered(result)) => return Ok(Some(result)),
                Some(Paused::Now(result)) => result,
                None => return Ok(None),
            }
        }
    };
    let (run, started) = match &result {
        StartResult::Queued(seen) => (seen.run.id, Started::Queued),
        StartResult::Deduped(seen) => (seen.run.id, Started::Deduped),
        // Nothing was made and nothing joined: asking again is asking anew.
        StartResult::ScopeBusy(_) | StartResult::Blocked(_) => return Ok(Some(result)),
    };
    let answer = StartAnswer { request_hash: new.request_hash, run, started };
    if !store::start_answer::insert(&mut tx, new.workspace, new.request, answer).await? {
        // The same request was answered in between: that answer stands, and what was done here is rolled back.
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(result))
}

/// What this request was answered before.
async fn answered(tx: &mut pg::Tx, new: &NewRun) -> Result<Option<StartResult>> {
    let Some(answer) = store::start_answer::find(tx, new.workspace, new.request).await? else { return Ok(None) };
    if answer.request_hash != new.request_hash {
        return Err(Error::RequestIdReused);
    }
    let seen = store::run::find(tx, answer.run).await?.ok_or_else(vanished)?;
    Ok(Some(match answer.started {
        Started::Queued => StartResult::Queued(seen),
        Started::Deduped => StartResult::Deduped(seen),
    }))
}

/// What a start of a paused type comes to.
enum Paused {
    /// What the request was answered before the pause.
    Answered(StartResult),
    /// The run that is under way already, or the pause.
    Now(StartResult),
}

/// A pause changes nothing for what is there: an earlier answer stands, and an active run with the same identity is joined.
/// `None`: the pause was lifted meanwhile.
async fn paused(tx: &mut pg::Tx, new: &NewRun) -> Result<Option<Paused>> {
    if let Some(result) = answered(tx, new).await? {
        return Ok(Some(Paused::Answered(result)));
    }
    if let Some(seen) = store::run::start::of_identity(tx, new.workspace, new.run_type, new.identity).await? {
        return Ok(Some(Paused::Now(StartResult::Deduped(seen))));
    }
    let in_force = store::pause::in_force(tx, new.workspace, Some(new.run_type)).await?;
    Ok(in_force.into_iter().next().map(|pause| Paused::Now(StartResult::Blocked(pause))))
}

/// Whether the same tenant of the provider is being changed from another workspace. Asked over all workspaces, and answered like a
/// run that the actor may not see.
async fn is_changed_elsewhere(runs: &Runs, new: &NewRun) -> Result<bool> {
    let tenant = new.tenants.tenant.filter(|_| new.run_type.facts().mutates_target);
    let Some(tenant) = tenant else { return Ok(false) };
    let mut tx = runs.db.system().await?;
    store::run::start::is_changed_elsewhere(&mut tx, new.workspace, tenant).await
}

async fn in_the_way(tx: &mut pg::Tx, new: &NewRun) -> Result<Option<StartResult>> {
    if let Some(seen) = store::run::start::of_identity(tx, new.workspace, new.run_type, new.identity).await? {
        return Ok(Some(StartResult::Deduped(seen)));
    }
    let tenant = new.tenants.tenant.filter(|_| new.run_type.facts().mutates_target);
    let Some(tenant) = tenant else { return Ok(None) };
    let busy = store::run::start::mutation_of(tx, new.workspace, tenant).await?;
    Ok(busy.map(|seen| StartResult::ScopeBusy(Some(seen))))
}

/// The identity of the run: what the caller says, the tenants, and for types that are unique per click the click.
fn identity_of(start: &Start) -> Hash {
    let mut related: Vec<String> = start.tenants.related.iter().map(TenantId::to_string).collect();
    related.sort();
    let mut parts = vec![
        ("tenant", start.tenants.tenant.map(|tenant| tenant.to_string()).unwrap_or_default()),
        ("related", related.join(",")),
        ("identity", hex::encode(&start.identity)),
    ];
    if start.run_type.facts().identity == domain::run::IdentityRule::Unique {
        parts.push(("request", start.request.to_string()));
    }
    identity_hash(start.workspace, start.run_type, parts)
}

/// What a request id stands for: who asked, and what.
pub(crate) fn request_hash(subject: &str, digest: &[u8]) -> Hash {
    Hash::of_parts([subject.as_bytes(), digest])
}

fn vanished() -> Error {
    // A foreign key holds the run as long as its answer: only a defect gets here.
    server::Failure::internal("the run of a start's answer is gone").into()
}
