//! One run in work: its items in waves, what it creates on the way, and how it ends.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use domain::contract::{Contract, Registry};
use domain::id::{ExternalId, Hash, PolicyType};
use domain::plan::{Action, Intent, PlanItem, SettleRule, waves};
use domain::reference::NameTable;
use futures::{StreamExt, stream};
use graph::GraphError;
use pb::operation::{ClaimedItem, ItemState};
use server::structure::from_struct;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use worker::{Ending, RunSession, WorkError};

use crate::ground::{Ground, Refusal};
use crate::item::Item;
use crate::report::Done;
use crate::trouble::Trouble;

/// Attempts after which a provider that is still away fails the items it was needed for.
const MOST_ATTEMPTS: i32 = 6;

/// What a run is applied with.
#[derive(Debug)]
pub struct Means<'r, G> {
    /// What is its run type's own.
    pub ground: G,
    /// The known types.
    pub registry: &'r Registry,
    /// The target's provider.
    pub client: graph::Client,
    /// The names that the content's references go by.
    pub content_names: NameTable,
    /// The names of the target's objects. Grows by what the run creates, so that later items can refer to it.
    pub target_names: NameTable,
    /// Whether assignments are applied along.
    pub include_assignments: bool,
    /// How fast, and how patiently.
    pub pace: Pace,
    /// Cancelled when this process is going down.
    pub drain: CancellationToken,
}

/// How fast a run is worked on, and how patiently.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Items worked on at once, at least one.
    pub items_at_once: usize,
    /// Overrides how long the target is watched before an object that was not found after a write of unknown outcome is
    /// believed to be absent.
    pub settle: Option<Duration>,
    /// Before a run that the provider was away for is taken up again; doubled with every attempt.
    pub postpone: Duration,
}

/// Brings every open item of a claimed run to its outcome, unless the run is to stop.
///
/// # Errors
/// What concerns the run as a whole; [`ending`] says what it means. An item's own trouble is its outcome.
pub async fn apply<G: Ground>(
    session: &RunSession,
    claimed: &[ClaimedItem],
    means: Means<'_, G>,
) -> Result<(), Trouble> {
    let plans = claimed.iter().map(read_plan).collect::<Result<Vec<_>, _>>()?;
    let closed = OnceLock::new();
    if let Err(refusal) = means.ground.recheck().await? {
        if !claimed.iter().any(is_in_flight) {
            return Err((&refusal).into());
        }
        // What an earlier attempt began is finished, and nothing else.
        let _first = closed.set(refusal);
    }
    let target_names = RwLock::new(Arc::new(means.target_names.clone()));
    let applying = Applying { session: session.clone(), means, target_names, closed };
    applying.remember_created(claimed, &plans);
    for wave in waves(&plans) {
        let mut open = Vec::new();
        for position in wave.filter(|position| is_open(&claimed[*position])) {
            let ordinal = claimed[position].item.as_ref().map_or(0, |item| item.ordinal);
            let span = session.item_span(ordinal, plans[position].policy_type.as_str());
            open.push(applying.bring_to_outcome(&claimed[position], &plans[position]).instrument(span));
        }
        // Whatever one of them meets, the others are brought to their outcomes: none is left in the middle of a write.
        let at_once = applying.means.pace.items_at_once.max(1);
        let ended: Vec<_> = stream::iter(open).buffer_unordered(at_once).collect().await;
        ended.into_iter().collect::<Result<(), _>>()?;
    }
    applying.closed.get().map_or(Ok(()), |refusal| Err(refusal.into()))
}

/// What the end of [`apply`], or of what came before it, means for the run.
///
/// # Errors
/// See [`WorkError`].
pub fn ending(session: &RunSession, pace: Pace, ended: Result<(), Trouble>) -> Result<Ending, WorkError> {
    match ended {
        Ok(()) => Ok(Ending::Done),
        Err(Trouble::Blocked { reason, message }) => {
            Ok(Ending::Blocked { reason: reason.into(), message: message.into() })
        }
        Err(Trouble::Item { reason, message }) => Ok(Ending::Blocked { reason: reason.into_owned(), message }),
        Err(Trouble::Provider(error)) => Ok(postponed(session, pace, &error)),
        Err(Trouble::Run(error)) => Err(error),
    }
}

/// The provider is away: later, and later each time.
fn postponed(session: &RunSession, pace: Pace, error: &GraphError) -> Ending {
    let doublings = u32::try_from(session.run().attempt.clamp(1, MOST_ATTEMPTS) - 1).unwrap_or(0);
    let delay = pace.postpone * 2_u32.pow(doublings);
    Ending::Postponed { delay: delay.max(error.retry_after.unwrap_or_default()), reason: error.reason_code.to_owned() }
}

fn cancelled_in_flight() -> Done {
    let message = "the run was cancelled while this item was being written; it may be applied in part: sync the tenant and look at it again";
    Done::failed("RUN_CANCELLED", message)
}

fn is_open(item: &ClaimedItem) -> bool {
    item.item.as_ref().is_some_and(|item| item.state() == ItemState::Pending)
}

fn is_in_flight(item: &ClaimedItem) -> bool {
    is_open(item) && item.intent.is_some()
}

/// What an item is to become, as it was planned.
fn read_plan(item: &ClaimedItem) -> Result<PlanItem, Trouble> {
    let plan = item.plan.as_ref().map(from_struct).unwrap_or_default();
    serde_json::from_value(plan)
        .map_err(|error| Trouble::blocked("RUN_CONTEXT_INVALID", format!("an item's plan cannot be read: {error}")))
}

/// A run in work.
pub(crate) struct Applying<'r, G> {
    pub(crate) session: RunSession,
    pub(crate) means: Means<'r, G>,
    /// [`Means::target_names`], and what was created since.
    target_names: RwLock<Arc<NameTable>>,
    /// Why nothing more is begun, once a tenant was found to be no longer good for it.
    closed: OnceLock<Refusal>,
}

impl<'r, G: Ground> Applying<'r, G> {
    /// One item, unless it was not begun and the run is to stop. Its own trouble is its outcome; what concerns the run is
    /// passed on.
    async fn bring_to_outcome(&self, claimed: &ClaimedItem, plan: &PlanItem) -> Result<(), Trouble> {
        let intent = claimed.intent.as_ref().and_then(|intent| Hash::from_slice(&intent.desired_hash));
        let intent = intent.map(|desired_hash| Intent { desired_hash });
        if intent.is_none() && (self.session.should_stop() || self.closed.get().is_some()) {
            return Ok(());
        }
        let ordinal = claimed.item.as_ref().map_or(0, |item| item.ordinal);
        let mut item = Item { applying: self, ordinal, plan: plan.clone(), intent, created: None };
        let worked = item.work().await;
        let in_flight = item.intent.is_some();
        let done = match worked {
            Ok(done) => done,
            Err(Trouble::Item { reason, message }) => Done::failed(reason, message),
            // It may have been written; it is not as wanted or cannot be looked at, and the run may write no more.
            Err(Trouble::Run(WorkError::Stopped)) if in_flight => cancelled_in_flight(),
            Err(Trouble::Provider(_)) if in_flight && self.session.cancelled() => cancelled_in_flight(),
            Err(Trouble::Run(WorkError::Stopped)) => return Ok(()),
            Err(Trouble::Provider(error)) if self.session.run().attempt >= MOST_ATTEMPTS => {
                Done::failed(error.reason_code, error.message)
            }
            Err(trouble) => return Err(trouble),
        };
        if let Some(external_id) = done.external_id() {
            self.remember(plan, external_id);
        }
        let outcome = done.to_outcome(ordinal).map_err(|failure| WorkError::Failed(failure.to_string()))?;
        Ok(self.session.report(outcome).await?)
    }

    pub(crate) fn contract(&self, policy_type: &PolicyType) -> Result<&'r Contract, Trouble> {
        self.means.registry.get(policy_type.as_str()).ok_or_else(|| {
            Trouble::item("POLICY_TYPE_NOT_PROMOTABLE", format!("{policy_type} is not known to this worker"))
        })
    }

    pub(crate) fn settle_rule(&self, contract: &Contract) -> SettleRule {
        let rule = SettleRule::of(contract.family);
        match self.means.pace.settle.and_then(|window| window.try_into().ok()) {
            Some(window) => SettleRule { window, ..rule },
            None => rule,
        }
    }

    pub(crate) async fn intend(&self, ordinal: i32, action: Action, desired: Hash) -> Result<(), Trouble> {
        Ok(self.session.intend(ordinal, action.as_str(), desired.as_bytes()).await?)
    }

    /// Right before an item is begun: what changed since the run was started stops what is not begun, and only that.
    ///
    /// # Errors
    /// [`WorkError::Stopped`] when nothing may be begun any more; the run ends with the reason that is kept.
    pub(crate) async fn ensure_open(&self) -> Result<(), Trouble> {
        match self.means.ground.recheck().await? {
            Ok(()) => Ok(()),
            Err(refusal) => {
                let _first = self.closed.set(refusal);
                Err(WorkError::Stopped.into())
            }
        }
    }

    /// Waits between two looks, unless the lease is lost meanwhile. A process that is going down does not wait out a target
    /// that lags: what is in flight is looked at again by whoever claims the run next.
    pub(crate) async fn pause(&self, how_long: Duration) -> Result<(), Trouble> {
        tokio::select! {
            () = self.session.lost() => return Err(WorkError::Lost.into()),
            () = tokio::time::sleep(how_long) => {}
        }
        if self.means.drain.is_cancelled() {
            return Err(WorkError::Away("this process is going down".to_owned()).into());
        }
        Ok(())
    }

    pub(crate) fn target_names(&self) -> Arc<NameTable> {
        Arc::clone(&self.target_names.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new object has a name that later items refer to. What was there before keeps the one it was planned with.
    fn remember(&self, plan: &PlanItem, external_id: &ExternalId) {
        if plan.action() == Action::Update {
            return;
        }
        let mut names = self.target_names.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut names).insert_subject(
            plan.policy_type.clone(),
            external_id.as_str(),
            &plan.subject_key,
            &plan.label,
        );
    }

    /// What earlier attempts of this run brought into the target.
    fn remember_created(&self, claimed: &[ClaimedItem], plans: &[PlanItem]) {
        for (item, plan) in claimed.iter().zip(plans) {
            let receipt = item.receipt.as_ref().map(from_struct).unwrap_or_default();
            if let Some(external_id) = receipt["external_id"].as_str() {
                self.remember(plan, &ExternalId::new(external_id));
            }
        }
    }
}
