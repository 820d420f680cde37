//! One item of a promotion: gather, decide, act, verify, as often as it takes to know its outcome.
//!
//! The decision is `domain::plan::step`'s. What is written is recorded as an intent first, so that whoever claims the run
//! after a crash knows that the target may have been changed, and finds out by reading.

use std::time::{Duration, Instant};

use domain::contract::Contract;
use domain::id::{ExternalId, Hash};
use domain::observe::observe;
use domain::payload::{Obstacle, Payload, Unmapped, target_payload};
use domain::plan::{
    Absence, Action, Decision, Found, Intent, PlanItem, SettleRule, TargetNow, Verification, step, verify, wanted_hash,
};
use domain::reference::NameTable;
use domain::run::ItemEffect;
use graph::{CapturedObject, GraphError, Kind, Outcome, Receipt};
use pb::inventory::{CapturePreImageRequest, GetPolicyVersionContentRequest};
use serde_json::Value;
use tonic::Code;

use super::Promotion;
use super::effort::Effort;
use super::patience::patiently;
use super::report::Done;
use super::trouble::{Trouble, is_passing_provider};

/// Between two looks at a target that may lag behind.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// An item on its way.
pub(super) struct Item<'p> {
    pub(super) promotion: &'p Promotion,
    pub(super) ordinal: i32,
    pub(super) plan: PlanItem,
    pub(super) intent: Option<Intent>,
    /// The id of an object that this attempt created, as far as it got: from then on there is nothing to search for.
    pub(super) created: Option<ExternalId>,
}

/// The target as one look found it.
struct Look {
    now: TargetNow,
    /// The objects behind it.
    objects: Vec<(ExternalId, Value)>,
}

impl Item<'_> {
    /// Brings the item to its outcome.
    pub(super) async fn work(&mut self) -> Result<Done, Trouble> {
        let contract = self.promotion.contract(&self.plan.policy_type)?;
        let payload = self.payload(contract).await?;
        let settle = self.promotion.settle_rule(contract);
        let (mut looks, mut since) = (0, Instant::now());
        let (mut effort, mut doubt) = (Effort::default(), None);
        loop {
            looks += 1;
            let absence =
                Absence { reads: looks, since_attempt: since.elapsed().try_into().unwrap_or(time::Duration::MAX) };
            let Some(look) = self.look(contract, absence.is_settled(&settle)).await? else {
                self.promotion.pause(LOOK_AGAIN_AFTER).await?;
                continue;
            };
            let decision = step(&self.plan, self.intent.as_ref(), &look.now);
            tracing::debug!(ordinal = self.ordinal, ?decision, "decided");
            let written = match decision {
                Decision::Succeed { effect, external_id } => return Ok(Done::succeeded(effect, external_id, None)),
                Decision::Skip(reason) => return Ok(Done::skipped(reason.code(), reason.to_string())),
                Decision::Fail(reason) => return Ok(Done::failed(reason.code(), reason.to_string())),
                Decision::ReadAgain => {
                    self.promotion.pause(LOOK_AGAIN_AFTER).await?;
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

    /// The source's captured content, made safe for the target.
    async fn payload(&self, contract: &Contract) -> Result<Payload, Trouble> {
        let promotion = self.promotion;
        let request = GetPolicyVersionContentRequest {
            workspace_id: promotion.brief.workspace_id.to_string(),
            tenant_id: promotion.brief.source_tenant_id.to_string(),
            policy_version_id: self.plan.source_version.to_string(),
        };
        let read = || async { promotion.app.inventory().get_policy_version_content(request.clone()).await };
        let content = match patiently(read).await {
            Ok(response) => response.into_inner().content_json,
            Err(status) if status.code() == Code::NotFound => {
                return Err(Trouble::item(
                    "SOURCE_CONTENT_MISSING",
                    "the source's captured content is gone; sync the source tenant",
                ));
            }
            Err(status) => return Err(Trouble::of_item(&status)),
        };
        let raw: Value = serde_json::from_slice(&content)
            .map_err(|_| Trouble::item("CONTENT_INVALID", "the source's captured content is not JSON"))?;
        let source_names = &promotion.source_names;
        if self.hash(contract, &raw, source_names)?.1 != self.plan.desired_hash {
            let message = "an object the source refers to was renamed after the preflight; compare again";
            return Err(Trouble::item("SOURCE_CHANGED", message));
        }
        let target_names = promotion.target_names();
        target_payload(contract, &raw, source_names, &target_names, promotion.brief.include_assignments)
            .map_err(|unmapped| unmapped_trouble(&unmapped))
    }

    /// Reads everything in the target that this item is about. `None` when it could not be read whole and may be later: right
    /// after a write its parts can lag behind.
    async fn look(&self, contract: &Contract, settled: bool) -> Result<Option<Look>, Trouble> {
        let client = &self.promotion.client;
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
        self.hash(contract, &captured.raw, &self.promotion.target_names()).map(Some)
    }

    fn hash(&self, contract: &Contract, raw: &Value, names: &NameTable) -> Result<(ExternalId, Hash), Trouble> {
        let observation =
            observe(contract, raw, names).map_err(|error| Trouble::item("CONTENT_INVALID", error.to_string()))?;
        let assignments = self.promotion.brief.include_assignments.then_some(observation.assignments_hash);
        Ok((observation.external_id, wanted_hash(observation.normal_hash, assignments)))
    }

    async fn intend(&mut self, action: Action) -> Result<(), Trouble> {
        if self.intent.is_none() {
            self.promotion.ensure_open().await?;
        }
        self.promotion.intend(self.ordinal, action, self.plan.desired_hash).await?;
        self.intent = Some(Intent { desired_hash: self.plan.desired_hash });
        Ok(())
    }

    async fn create(&mut self, contract: &Contract, payload: &Payload) -> Result<Written, Trouble> {
        self.intend(Action::Create).await?;
        self.promotion.session.ensure_held()?;
        let outcome = graph::create(&self.promotion.client, contract, payload).await;
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
        self.keep_pre_image(&external_id, current).await?;
        self.intend(Action::Update).await?;
        self.promotion.session.ensure_held()?;
        let outcome = graph::update(&self.promotion.client, contract, external_id.as_str(), payload, current).await;
        Written::of(outcome, effect)
    }

    /// What the target has before we change it, as a version of the target's own.
    async fn keep_pre_image(&self, external_id: &ExternalId, current: &Value) -> Result<(), Trouble> {
        let promotion = self.promotion;
        let request = CapturePreImageRequest {
            workspace_id: promotion.brief.workspace_id.to_string(),
            tenant_id: promotion.brief.target_tenant_id.to_string(),
            policy_type: self.plan.policy_type.to_string(),
            external_id: external_id.to_string(),
            content_json: current.to_string().into_bytes(),
            run_id: promotion.run_id(),
        };
        let keep = || async { promotion.app.inventory().capture_pre_image(request.clone()).await };
        patiently(keep).await.map_err(|status| Trouble::of_item(&status))?;
        Ok(())
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
            let read = graph::read_one(&self.promotion.client, contract, &receipt.external_id).await?;
            let hash =
                read.as_ref().map(|object| self.seen(contract, object)).transpose()?.flatten().map(|(_, hash)| hash);
            let elapsed = since.elapsed().try_into().unwrap_or(time::Duration::MAX);
            let settled = Absence { reads, since_attempt: elapsed }.is_settled(rule);
            match verify(hash, self.plan.desired_hash, settled) {
                Verification::Verified => {
                    let external_id = ExternalId::new(&receipt.external_id);
                    return Ok(Some(Done::succeeded(effect, external_id, Some(receipt))));
                }
                Verification::ReadAgain => self.promotion.pause(LOOK_AGAIN_AFTER).await?,
                Verification::Failed(reason) => return Ok(Some(Done::failed(reason.code(), reason.to_string()))),
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
