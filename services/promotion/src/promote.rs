//! The worker of `promotion.execute`. It keeps nothing of its own: what it knows of earlier attempts stands in the run.

mod effort;
mod item;
mod material;
mod operable;
mod patience;
mod report;
mod trouble;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use domain::contract::Contract;
use domain::id::{ExternalId, Hash, PolicyType};
use domain::plan::{Action, Intent, PlanItem, SettleRule, waves};
use domain::reference::NameTable;
use domain::run::RunType;
use futures::{StreamExt, stream};
use graph::GraphError;
use pb::operation::{ClaimedItem, ItemState};
use server::structure::from_struct;
use server::{Chassis, StartError};
use worker::{Ending, Handler, RunSession, WorkError};

use crate::app::{self, App};
use crate::brief::Brief;
use crate::config::Config;
use item::Item;
use operable::Refusal;
use report::Done;
use trouble::Trouble;

/// Starts to work on promotion runs, until the chassis drains.
pub(crate) fn start(chassis: &Chassis, app: &App, config: &Config) -> Result<(), StartError> {
    let handler = Promote {
        app: app.clone(),
        provider: app::provider(config),
        items_at_once: config.worker_items.max(1),
        settle: config.provider_settle,
        postpone: config.provider_postpone,
    };
    worker::start(chassis, &app.operation_runs, config.worker_runs, vec![Box::new(handler)])
}

/// Attempts after which a provider that is still away fails the items it was needed for.
const MOST_ATTEMPTS: i32 = 6;

struct Promote {
    app: App,
    provider: graph::Provider,
    items_at_once: usize,
    settle: Option<Duration>,
    /// Before a run that the provider was away for is taken up again; doubled with every attempt.
    postpone: Duration,
}

#[tonic::async_trait]
impl Handler for Promote {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        let brief = session
            .run()
            .context
            .as_ref()
            .map(from_struct)
            .and_then(|mut context| serde_json::from_value::<Brief>(context["selection"].take()).ok());
        let Some(brief) = brief else {
            return Ok(Ending::Blocked {
                reason: "RUN_CONTEXT_INVALID".into(),
                message: "the run's selection cannot be read".into(),
            });
        };
        match self.promote(session, brief).await {
            Ok(()) => Ok(Ending::Done),
            Err(Trouble::Blocked { reason, message }) => {
                Ok(Ending::Blocked { reason: reason.into(), message: message.into() })
            }
            Err(Trouble::Item { reason, message }) => Ok(Ending::Blocked { reason: reason.into_owned(), message }),
            Err(Trouble::Provider(error)) => Ok(self.postponed(session, &error)),
            Err(Trouble::Run(error)) => Err(error),
        }
    }
}

impl Promote {
    async fn promote(&self, session: &RunSession, brief: Brief) -> Result<(), Trouble> {
        let app = &self.app;
        let claimed = session.items().await?;
        let closed = OnceLock::new();
        if let Err(refusal) = operable::recheck(app, &brief).await? {
            if !claimed.iter().any(is_in_flight) {
                return Err((&refusal).into());
            }
            // What an earlier attempt began is finished, and nothing else.
            let _first = closed.set(refusal);
        }
        let client = material::connect(app, &self.provider, brief.workspace_id, brief.target_tenant_id).await?;
        let source_names = material::names(app, brief.workspace_id, brief.source_tenant_id).await?;
        let target_names = material::names(app, brief.workspace_id, brief.target_tenant_id).await?;
        let promotion = Promotion {
            app: app.clone(),
            session: session.clone(),
            brief,
            client,
            source_names,
            target_names: RwLock::new(Arc::new(target_names)),
            settle: self.settle,
            closed,
        };
        let plans = claimed.iter().map(read_plan).collect::<Result<Vec<_>, _>>()?;
        promotion.remember_created(&claimed, &plans);
        for wave in waves(&plans) {
            let mut open = Vec::new();
            for position in wave.filter(|position| is_open(&claimed[*position])) {
                open.push(promotion.bring_to_outcome(&claimed[position], &plans[position]));
            }
            // Whatever one of them meets, the others are brought to their outcomes: none is left in the middle of a write.
            let ended: Vec<_> = stream::iter(open).buffer_unordered(self.items_at_once).collect().await;
            ended.into_iter().collect::<Result<(), _>>()?;
        }
        promotion.closed.get().map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// The provider is away: later, and later each time.
    fn postponed(&self, session: &RunSession, error: &GraphError) -> Ending {
        let doublings = u32::try_from(session.run().attempt.clamp(1, MOST_ATTEMPTS) - 1).unwrap_or(0);
        let delay = self.postpone * 2_u32.pow(doublings);
        Ending::Postponed {
            delay: delay.max(error.retry_after.unwrap_or_default()),
            reason: error.reason_code.to_owned(),
        }
    }
}

fn cancelled_in_flight() -> Done {
    let message =
        "the run was cancelled while this item was being written; it may be applied in part: compare the subject again";
    Done::failed("RUN_CANCELLED", message)
}

fn is_open(item: &ClaimedItem) -> bool {
    item.item.as_ref().is_some_and(|item| item.state() == ItemState::Pending)
}

fn is_in_flight(item: &ClaimedItem) -> bool {
    is_open(item) && item.intent.is_some()
}

fn read_plan(item: &ClaimedItem) -> Result<PlanItem, Trouble> {
    let plan = item.plan.as_ref().map(from_struct).unwrap_or_default();
    serde_json::from_value(plan)
        .map_err(|error| Trouble::blocked("RUN_CONTEXT_INVALID", format!("an item's plan cannot be read: {error}")))
}

/// One promotion run in work.
struct Promotion {
    app: App,
    session: RunSession,
    brief: Brief,
    client: graph::Client,
    source_names: NameTable,
    /// Grows by what this run creates, so that later items can refer to it.
    target_names: RwLock<Arc<NameTable>>,
    settle: Option<Duration>,
    /// Why nothing more is begun, once a tenant was found to be no longer good for it.
    closed: OnceLock<Refusal>,
}

impl Promotion {
    /// One item, unless it was not begun and the run is to stop. Its own trouble is its outcome; what concerns the run is
    /// passed on.
    async fn bring_to_outcome(&self, claimed: &ClaimedItem, plan: &PlanItem) -> Result<(), Trouble> {
        let intent = claimed.intent.as_ref().and_then(|intent| Hash::from_slice(&intent.desired_hash));
        let intent = intent.map(|desired_hash| Intent { desired_hash });
        if intent.is_none() && (self.session.should_stop() || self.closed.get().is_some()) {
            return Ok(());
        }
        let ordinal = claimed.item.as_ref().map_or(0, |item| item.ordinal);
        let mut item = Item { promotion: self, ordinal, plan: plan.clone(), intent, created: None };
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

    fn contract(&self, policy_type: &PolicyType) -> Result<&'static Contract, Trouble> {
        self.app.registry.get(policy_type.as_str()).ok_or_else(|| {
            Trouble::item("POLICY_TYPE_NOT_PROMOTABLE", format!("{policy_type} is not known to this worker"))
        })
    }

    fn run_id(&self) -> String {
        self.session.run().run_id.clone()
    }

    fn settle_rule(&self, contract: &Contract) -> SettleRule {
        let rule = SettleRule::of(contract.family);
        match self.settle.and_then(|window| window.try_into().ok()) {
            Some(window) => SettleRule { window, ..rule },
            None => rule,
        }
    }

    /// Right before an item is begun: an archive stops what is not begun, and only that.
    ///
    /// # Errors
    /// [`WorkError::Stopped`] when nothing may be begun any more; the run ends with the reason that is kept.
    async fn ensure_open(&self) -> Result<(), Trouble> {
        match operable::recheck(&self.app, &self.brief).await? {
            Ok(()) => Ok(()),
            Err(refusal) => {
                let _first = self.closed.set(refusal);
                Err(WorkError::Stopped.into())
            }
        }
    }

    async fn intend(&self, ordinal: i32, action: Action, desired: Hash) -> Result<(), Trouble> {
        Ok(self.session.intend(ordinal, action.as_str(), desired.as_bytes()).await?)
    }

    /// Waits between two looks, unless the lease is lost meanwhile. A process that is going down does not wait out a target
    /// that lags: what is in flight is looked at again by whoever claims the run next.
    async fn pause(&self, how_long: Duration) -> Result<(), Trouble> {
        tokio::select! {
            () = self.session.lost() => return Err(WorkError::Lost.into()),
            () = tokio::time::sleep(how_long) => {}
        }
        if self.app.drain.is_cancelled() {
            return Err(WorkError::Away("this process is going down".to_owned()).into());
        }
        Ok(())
    }

    fn target_names(&self) -> Arc<NameTable> {
        Arc::clone(&self.target_names.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, plan: &PlanItem, external_id: &ExternalId) {
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
