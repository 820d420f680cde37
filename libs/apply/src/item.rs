//! One item: gather, decide, act, verify, as often as it takes to know its outcome.
//!
//! The decision is `domain::plan::step`'s. What is written is recorded as an intent first, so that whoever claims the run
//! after a crash knows that the target may have been changed, and finds out by reading.

use std::time::{Duration, Instant};

use domain::contract::Contract;
use domain::id::{ExternalId, Hash};
use domain::observe::observe;
use domain::payload::{Obstacle, Payload, Unmapped, target_payload};
use domain::plan::{
    Absence, Action, Decision, Found, Intent, PlanItem, SettleRule, StepReason, TargetNow, Verification, step, verify,
    wanted_hash,
};
use domain::reference::NameTable;
use domain::run::ItemEffect;
use graph::{CapturedObject, GraphError, Kind, Outcome, Receipt};
use serde_json::Value;

use crate::Ground;
use crate::applying::Applying;
use crate::effort::Effort;
use crate::report::Done;
use crate::trouble::{Trouble, is_passing_provider};

/// Between two looks at a target that may lag behind.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// An item on its way.
pub(crate) struct Item<'a, 'r, G> {
    pub(crate) applying: &'a Applying<'r, G>,
    pub(crate) ordinal: i32,
    pub(crate) plan: PlanItem,
    pub(crate) intent: Option<Intent>,
    /// The id of an object that this attempt created, as far as it got: from then on there is nothing to search for.
    pub(crate) created: Option<ExternalId>,
}

/// The target as one look found it.
struct Look {
    now: TargetNow,
    /// The objects behind it.
    objects: Vec<(ExternalId, Value)>,
}

impl<G: Ground> Item<'_, '_, G> {
    /// Brings the item to its outcome.
    pub(crate) async fn work(&mut self) -> Result<Done, Trouble> {
        let contract = self.applying.contract(&self.plan.policy_type)?;
        let payload = self.payload(contract).await?;
        let settle = self.applying.settle_rule(contract);
        let (mut looks, mut since) = (0, Instant::now());
        let (mut effort, mut doubt) = (Effort::default(), None);
        loop {
            looks += 1;
            let absence =
                Absence { reads: looks, since_attempt: since.elapsed().try_into().unwrap_or(time::Duration::MAX) };
            let Some(look) = self.look(contract, absence.is_settled(&settle)).await? else {
                self.applying.pause(LOOK_AGAIN_AFTER).await?;
                continue;
            };
            let decision = step(&self.plan, self.intent.as_ref(), &look.now);
            tracing::debug!(ordinal = self.ordinal, ?decision, "decided");
            let written = match decision {
                Decision::Succeed { effect, external_id } => return Ok(Done::succeeded(effect, external_id, None)),
                Decision::Skip(reason) => return Ok(Done::skipped(reason.code(), self.explain(reason))),
                Decision::Fail(reason) => return Ok(Done::failed(reason.code(), self.explain(reason))),
                Decision::ReadAgain => {
                    self.applying.pause(LOOK_AGAIN_AFTER).await?;
                    continue;
                }
                Decision::Create if self.created.is_some() => {
                    let message =
                        "the provider created the object and does not show it; sync the target and compare again";
                    return Ok(Done::failed("VERIFICATION_FAILED", message));
                }
                Decision::Create | Decision::Update { .. } if !effort.allows_another(&look.now) => {
                    return Ok(given_up(doubt));
                }
                Decision::Create => self.create(contract, &payload).await?,
                Decision::Update { external_id, effect } => {
                    self.update(contract, &payload, &look, external_id, effect).await?
                }
            };
            match written {
                Written::Applied { receipt, effect } => {
                    if let Some(done) = self.settle(contract, &settle, receipt, effect).await? {
                        return Ok(done);
                    }
                }
                Written::Refused(done) => return Ok(done),
                // Only reading tells, and reading may lag: the clock of absence starts now.
                Written::Unknown { error, external_id } => {
                    self.created = self.created.take().or(external_id);
                    doubt = Some(error);
                }
            }
            (looks, since) = (0, Instant::now());
        }
    }

    /// The captured content, made safe for the target.
    async fn payload(&self, contract: &Contract) -> Result<Payload, Trouble> {
        let means = &self.applying.means;
        let raw = means.ground.content(&self.plan).await?;
        if self.hash(contract, &raw, &means.content_names)?.1 != self.plan.desired_hash {
            return Err(means.ground.content_changed());
        }
        let target_names = self.applying.target_names();
        target_payload(contract, &raw, &means.content_names, &target_names, means.include_assignments)
            .map_err(|unmapped| unmapped_trouble(&unmapped))
    }

    fn explain(&self, reason: StepReason) -> String {
        self.applying.means.ground.explain(reason)
    }

    /// Reads everything in the target that this item is about. `None` when it could not be read whole and may be later: right
    /// after a write its parts can lag behind.
    async fn look(&self, contract: &Contract, settled: bool) -> Result<Option<Look>, Trouble> {
        let client = &self.applying.means.client;
        let expected = match &self.plan.expected_target {
            Some(expected) => graph::read_one(client, contract, expected.external_id.as_str()).await?,
            None => None,
        };
        let matches = match (&expected, &self.created) {
            // The object to be updated is there: whether others share its name changes nothing.
            (Some(_), _) => Vec::new(),
            (None, Some(created)) => graph::read_one(client, contract, created.as_str()).await?.into_iter().collect(),
            (None, None) => graph::find_by_key(client, contract, &self.plan.subject_key).await?,
        };
        let mut objects = Vec::new();
        let mut found = Vec::new();
        for captured in expected.iter().chain(&matches) {
            let Some((external_id, hash)) = self.seen(contract, captured)? else {
                if self.intent.is_some() && !settled {
                    return Ok(None);
                }
                return Err(incomplete(captured));
            };
            objects.push((external_id.clone(), captured.raw.clone()));
            found.push(Found { external_id, hash });
        }
        let expected = expected.and_then(|_| found.first().cloned());
        Ok(Some(Look { now: TargetNow { expected, matches: found, absence_settled: settled }, objects }))
    }

    /// What an object of the target means now; `None` when it was not read whole.
    fn seen(&self, contract: &Contract, captured: &CapturedObject) -> Result<Option<(ExternalId, Hash)>, Trouble> {
        if !captured.complete {
            return Ok(None);
        }
        self.hash(contract, &captured.raw, &self.applying.target_names()).map(Some)
    }

    fn hash(&self, contract: &Contract, raw: &Value, names: &NameTable) -> Result<(ExternalId, Hash), Trouble> {
        let observation =
            observe(contract, raw, names).map_err(|error| Trouble::item("CONTENT_INVALID", error.to_string()))?;
        let assignments = self.applying.means.include_assignments.then_some(observation.assignments_hash);
        Ok((observation.external_id, wanted_hash(observation.normal_hash, assignments)))
    }

    async fn intend(&mut self, action: Action) -> Result<(), Trouble> {
        if self.intent.is_none() {
            self.applying.ensure_open().await?;
        }
        self.applying.intend(self.ordinal, action, self.plan.desired_hash).await?;
        self.intent = Some(Intent { desired_hash: self.plan.desired_hash });
        Ok(())
    }

    async fn create(&mut self, contract: &Contract, payload: &Payload) -> Result<Written, Trouble> {
        self.intend(Action::Create).await?;
        self.applying.session.ensure_held()?;
        let outcome = graph::create(&self.applying.means.client, contract, payload).await;
        Written::of(outcome, ItemEffect::Created)
    }

    async fn update(
        &mut self,
        contract: &Contract,
        payload: &Payload,
        look: &Look,
        external_id: ExternalId,
        effect: ItemEffect,
    ) -> Result<Written, Trouble> {
        let current = look.objects.iter().find(|(id, _)| *id == external_id).map(|(_, raw)| raw);
        let current =
            current.ok_or_else(|| Trouble::item("INTERNAL", "the object to be updated was not among those read"))?;
        self.applying.means.ground.keep_pre_image(&self.plan, &external_id, current).await?;
        self.intend(Action::Update).await?;
        self.applying.session.ensure_held()?;
        let outcome =
            graph::update(&self.applying.means.client, contract, external_id.as_str(), payload, current).await;
        Written::of(outcome, effect)
    }

    /// Reads back what was accepted until it shows, or until it will not. `None`: look at the whole again.
    async fn settle(
        &self,
        contract: &Contract,
        rule: &SettleRule,
        receipt: Receipt,
        effect: ItemEffect,
    ) -> Result<Option<Done>, Trouble> {
        let (since, mut reads) = (Instant::now(), 0);
        loop {
            reads += 1;
            let read = graph::read_one(&self.applying.means.client, contract, &receipt.external_id).await?;
            let hash =
                read.as_ref().map(|object| self.seen(contract, object)).transpose()?.flatten().map(|(_, hash)| hash);
            let elapsed = since.elapsed().try_into().unwrap_or(time::Duration::MAX);
            let settled = Absence { reads, since_attempt: elapsed }.is_settled(rule);
            match verify(hash, self.plan.desired_hash, settled) {
                Verification::Verified => {
                    let external_id = ExternalId::new(&receipt.external_id);
                    return Ok(Some(Done::succeeded(effect, external_id, Some(receipt))));
                }
                Verification::ReadAgain => self.applying.pause(LOOK_AGAIN_AFTER).await?,
                Verification::Failed(reason) => return Ok(Some(Done::failed(reason.code(), self.explain(reason)))),
            }
        }
    }
}

/// What became of one write.
enum Written {
    Applied { receipt: Receipt, effect: ItemEffect },
    Refused(Done),
    Unknown { error: GraphError, external_id: Option<ExternalId> },
}

impl Written {
    fn of(outcome: Outcome, effect: ItemEffect) -> Result<Self, Trouble> {
        match outcome {
            Outcome::Applied(receipt) => Ok(Self::Applied { receipt, effect }),
            Outcome::NotApplied(error) if is_passing_provider(&error) => Err(Trouble::Provider(error)),
            Outcome::NotApplied(error) => Ok(Self::Refused(Done::failed(error.reason_code, error.message))),
            Outcome::Unknown { error, external_id } => {
                tracing::info!(reason = error.reason_code, "the outcome of a write is not known; reading the target");
                Ok(Self::Unknown { error, external_id: external_id.map(ExternalId::new) })
            }
        }
    }
}

/// What an item fails for when the target stays as it is, whatever is written.
fn given_up(doubt: Option<GraphError>) -> Done {
    match doubt {
        // A later request of a write that takes several was refused, and that is definite.
        Some(error) if error.kind != Kind::UnknownOutcome => Done::failed(error.reason_code, error.message),
        _ => {
            let message = "the provider neither accepts nor refuses this content; try again later";
            Done::failed("PROVIDER_OUTCOME_UNKNOWN", message)
        }
    }
}

fn incomplete(captured: &CapturedObject) -> Trouble {
    let fault = captured.fault.as_ref().map_or_else(String::new, |fault| format!(": {}", fault.message));
    let message = format!("the target's object could not be read whole{fault}");
    Trouble::item("TARGET_READ_INCOMPLETE", message)
}

fn unmapped_trouble(unmapped: &Unmapped) -> Trouble {
    let reason = match unmapped.obstacles.first() {
        Some(Obstacle::Secret { .. }) => "SECRET_VALUE_UNAVAILABLE",
        _ => "UNMAPPED_REFERENCE",
    };
    Trouble::item(reason, unmapped.to_string())
}
