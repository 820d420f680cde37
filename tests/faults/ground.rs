//! The ground on which things go wrong: real processes, a source of a hundred policies, an empty target, both synced, and a
//! preflight that found all of them ready.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dev::job;
use dev::scene::Script;
use dev::stack::{Plan, Timing};
use pb::compare::{CompareSelection, GeneratePromotionPreflightResponse};
use pb::operation::{OperationRun, StartOutcome};
use pb::promotion::ExecutePromotionRequest;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::provider::{FaultAction, FaultRule, StandIn};
use system_tests::story::Story;
use tokio::time::{Instant, timeout};

use crate::policies;

/// No event that a test waits for takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// The stage and what is played on it.
pub(crate) struct Ground {
    /// People, tenants, the provider, the rows.
    pub(crate) story: Story,
    /// Everything of the source, its assignments too.
    pub(crate) selection: CompareSelection,
    /// All of it ready.
    pub(crate) preflight: GeneratePromotionPreflightResponse,
}

/// How many replicas of the services there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replicas {
    /// Of promotion-service.
    pub(crate) promotion: usize,
    /// Of operation-run-service.
    pub(crate) operation_run: usize,
}

impl Replicas {
    /// One of each.
    pub(crate) const SINGLE: Self = Self { promotion: 1, operation_run: 1 };
}

impl Ground {
    /// Prepares everything up to the preflight.
    pub(crate) async fn prepare(replicas: Replicas) -> Result<Self> {
        Self::prepare_on(Plan::test().await?, replicas).await
    }

    /// The same on this plan.
    pub(crate) async fn prepare_on(mut plan: Plan, replicas: Replicas) -> Result<Self> {
        plan.promotion_replicas = replicas.promotion;
        plan.operation_run_replicas = replicas.operation_run;
        // Workers die often here, and each time somebody has to notice.
        plan.timing = Timing {
            lease_ttl: Some(Duration::from_secs(2)),
            rescue_interval: Some(Duration::from_millis(100)),
            ..Timing::short()
        };
        let source: PathBuf = plan.state.join("source");
        policies::write(&source)?;
        let story = Story::begin(&Script::of_folders(source, None), plan).await?.synced().await?;
        let selection = CompareSelection { include_assignments: true, ..story.selection() };
        let preflight = story.preflight(&selection).await?;
        let counts = preflight.counts.context("a preflight counts")?;
        ensure!(
            (counts.ready(), counts.excluded()) == (i32::try_from(policies::NUMBER)?, 0),
            "every policy is ready: {counts:?} {:?}",
            preflight.reason_counts
        );
        Ok(Self { story, selection, preflight })
    }

    /// The request a person who has read the preflight would make.
    pub(crate) fn request(&self) -> ExecutePromotionRequest {
        ExecutePromotionRequest {
            request_id: job::request_id(),
            selection: Some(self.selection.clone()),
            preflight_fingerprint: self.preflight.fingerprint.clone(),
            confirmation: Some(job::confirmation(&self.selection, &self.preflight)),
        }
    }

    /// Starts the promotion of all of them.
    pub(crate) async fn execute(&self) -> Result<OperationRun> {
        let started = job::execute(&self.story.manager, &self.selection, &self.preflight).await?;
        ensure!(started.outcome() == StartOutcome::Queued, "{started:?}");
        started.run.context("a queued run is returned")
    }

    /// The same for some of them only.
    pub(crate) async fn narrow(&self, subject_keys: Vec<String>) -> Result<Narrow> {
        let selection = CompareSelection { subject_keys, ..self.selection.clone() };
        let preflight = self.story.preflight(&selection).await?;
        Ok(Narrow { selection, preflight })
    }

    /// Subjects that are ready by themselves.
    pub(crate) fn alone(&self) -> Vec<String> {
        let alone = self.preflight.subjects.iter().filter(|subject| policies::stands_alone(&subject.display_name));
        alone.map(|subject| subject.subject_key.clone()).collect()
    }

    /// The provider's id of the target.
    pub(crate) fn target(&self) -> &str {
        &self.story.scene.target.external_tenant_id
    }

    /// The provider's stand-in.
    pub(crate) fn provider(&self) -> &StandIn {
        &self.story.provider
    }

    /// Makes every call to the target take so long: there is time for something to happen in between.
    pub(crate) async fn slow_down(&self, latency: Duration) -> Result<()> {
        let latency_ms = u64::try_from(latency.as_millis())?;
        self.provider().fault(&FaultRule::new(FaultAction::Latency { latency_ms }).tenant(self.target())).await?;
        Ok(())
    }

    /// Waits until so many items have their outcome.
    pub(crate) async fn processed(&self, run_id: &str, at_least: i32) -> Result<OperationRun> {
        self.until(run_id, |run| run.summary_counts.unwrap_or_default().processed() >= at_least).await
    }

    /// Waits for a run to be as wanted.
    pub(crate) async fn until(&self, run_id: &str, wanted: impl Fn(&OperationRun) -> bool) -> Result<OperationRun> {
        let ended = Instant::now() + LIMIT;
        loop {
            // A replica that is being killed answers nothing: asked again.
            let last = job::get_run(&self.story.manager, run_id).await;
            match last {
                Ok(run) if wanted(&run) => return Ok(run),
                last if Instant::now() > ended => bail!("waited for {LIMIT:?} in vain; last: {last:?}"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Waits for the end of a run.
    pub(crate) async fn end_of(&self, run_id: &str) -> Result<OperationRun> {
        self.until(run_id, |run| run.status() == pb::operation::OperationRunStatus::Completed).await
    }
}

/// Some subjects, and their preflight.
pub(crate) struct Narrow {
    /// Which.
    pub(crate) selection: CompareSelection,
    /// What is known of them.
    pub(crate) preflight: GeneratePromotionPreflightResponse,
}

/// Waits for something, but not for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    timeout(LIMIT, future).await.with_context(|| format!("{what} did not happen within {LIMIT:?}"))
}

/// Tells what a test has seen: captured, and shown when it fails or is asked for.
#[expect(clippy::print_stdout, reason = "what a test says belongs there")]
pub(crate) fn tell(what: &str) {
    println!("{what}");
}

/// Chance that can be had again: `ATLAS_FAULT_SEED` repeats a run of the tests, as far as the machine does.
pub(crate) fn chance(test: &str) -> Result<StdRng> {
    let seed = match std::env::var("ATLAS_FAULT_SEED") {
        Ok(seed) => seed.parse().context("ATLAS_FAULT_SEED is a number")?,
        Err(_) => rand::rng().random(),
    };
    tell(&format!("{test}: ATLAS_FAULT_SEED={seed}"));
    Ok(StdRng::seed_from_u64(seed))
}
