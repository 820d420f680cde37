//! `cargo dev demo`: the main job as a person would do it, from compare to the end of the run, and the proof that it held. Then what
//! keeps a tenant safe afterwards: a backup that its schedule started, a run that was stopped, a restore.

mod aftercare;
mod portal;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use pb::compare::{
    CompareSelection, CompareState, GeneratePromotionPreflightResponse, PreflightSubject, PreviewCompareResponse,
    Readiness,
};
use pb::operation::{ItemState, OperationRun, OperationRunOutcome, StartOutcome};
use tonic_types::StatusExt;

use crate::client::Session;
use crate::job;
use crate::persona::Persona;
use crate::scene::{self, Scene};

/// What the demo compares with what.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DemoArgs {
    /// Folder of exported policies that becomes the source tenant, instead of the demo's own.
    #[arg(long, requires = "target")]
    pub source: Option<PathBuf>,
    /// Folder of exported policies that becomes the target tenant, instead of the demo's own.
    #[arg(long, requires = "source")]
    pub target: Option<PathBuf>,
}

/// Runs the demo to its end and stops everything.
pub async fn run(args: &DemoArgs) -> Result<()> {
    let scene = Scene::open(&scene::Script::of_demo(args.source.clone(), args.target.clone())).await?;
    let result = play(&scene).await;
    scene.close().await?;
    result
}

async fn play(scene: &Scene) -> Result<()> {
    let manager = scene.stack.session(Persona::Manager)?;
    let (source, target) = (&scene.source, &scene.target);
    println!("\nSource tenant  {}\nTarget tenant  {}", source.name, target.name);

    heading("Inventory sync");
    for tenant in [source, target] {
        let run = job::sync(&manager, &scene.workspace_id, &tenant.tenant_id).await?;
        println!("  {:<24} {}  {}", tenant.name, outcome_words(&run), run.link);
    }

    let selection = scene.selection();
    heading("Compare preview");
    let before = job::preview(&manager, &selection).await?;
    show_preview(&before);

    heading("Promotion preflight");
    let preflight = job::preflight(&manager, &selection).await?;
    show_preflight(&preflight);

    heading("Execute promotion");
    let counts = preflight.counts.unwrap_or_default();
    println!(
        "  Confirmed: promote {} ready subjects from {} to {}, leave out {}. Only {} is changed.",
        counts.ready(),
        source.name,
        target.name,
        counts.excluded(),
        target.name
    );
    let started = job::execute(&manager, &selection, &preflight).await?;
    ensure!(started.outcome() == StartOutcome::Queued, "the promotion was not queued: {started:?}");
    let run = started.run.context("a queued run is returned")?;
    println!("  Open operation: {}", run.link);
    let run = follow(&manager, &run.run_id).await?;
    show_end(&manager, &run).await?;

    heading("Sync the target and compare again");
    job::sync(&manager, &scene.workspace_id, &target.tenant_id).await?;
    let after = job::preview(&manager, &selection).await?;
    show_preview(&after);
    prove_promoted(&manager, &preflight, &after, &run).await?;

    heading("Execute again");
    prove_nothing_ready(&manager, &selection).await?;

    aftercare::play(scene, &manager).await
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn show_preview(preview: &PreviewCompareResponse) {
    let counts = preview.counts.unwrap_or_default();
    println!(
        "  {} governed subjects: {} identical, {} different, {} missing in target, {} only in target, {} ambiguous, {} not comparable",
        counts.total(),
        counts.identical(),
        counts.different(),
        counts.missing_in_target(),
        counts.only_in_target(),
        counts.ambiguous(),
        counts.not_comparable()
    );
}

fn show_preflight(preflight: &GeneratePromotionPreflightResponse) {
    let counts = preflight.counts.unwrap_or_default();
    println!(
        "  {} ready ({} to create, {} to update), {} blocked, {} manual mapping required; {} unchanged, {} only in target",
        counts.ready(),
        counts.ready_create(),
        counts.ready_update(),
        counts.blocked(),
        counts.manual_mapping_required(),
        counts.unchanged(),
        counts.only_in_target()
    );
    println!("  fingerprint {}", preflight.fingerprint);
    for subject in preflight.subjects.iter().filter(|subject| subject.readiness() != Readiness::Ready) {
        let class = match subject.readiness() {
            Readiness::ManualMappingRequired => "manual mapping",
            _ => "blocked",
        };
        println!("  - {class}: {} ({})", subject.display_name, subject.policy_type);
        for reason in &subject.reasons {
            println!("      {}: {}", reason.reason, reason.message);
        }
    }
}

async fn follow(session: &Session, run_id: &str) -> Result<OperationRun> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("  [{bar:26}] {pos}/{len} {msg}")?.progress_chars("=> "));
    let drawn = !bar.is_hidden();
    let mut shown = 0;
    let run = job::follow(session, run_id, |run| {
        let counts = run.summary_counts.unwrap_or_default();
        bar.set_length(u64::try_from(counts.total()).unwrap_or(0));
        bar.set_position(u64::try_from(counts.processed()).unwrap_or(0));
        let message =
            format!("{} succeeded, {} failed, {} skipped", counts.succeeded(), counts.failed(), counts.skipped());
        // Where no terminal draws the bar, every tenth state says the same in a line of its own.
        if !drawn && (counts.processed() >= shown + 10 || counts.processed() == counts.total()) {
            shown = counts.processed();
            println!("  {}/{} {message}", counts.processed(), counts.total());
        }
        bar.set_message(message);
    })
    .await?;
    bar.finish();
    if drawn {
        // A finished bar leaves the cursor at its end.
        println!();
    }
    Ok(run)
}

async fn show_end(session: &Session, run: &OperationRun) -> Result<()> {
    let counts = run.summary_counts.unwrap_or_default();
    println!("  {}", outcome_words(run));
    println!(
        "  total {}, processed {}, succeeded {} (created {}, updated {}, unchanged {}), failed {}, skipped {}",
        counts.total(),
        counts.processed(),
        counts.succeeded(),
        counts.created(),
        counts.updated(),
        counts.unchanged(),
        counts.failed(),
        counts.skipped()
    );
    for item in job::items(session, &run.run_id).await? {
        if item.state() != ItemState::Succeeded {
            println!("  - {}: {} {}", item.label, item.reason, item.message);
        }
    }
    Ok(())
}

/// Every subject that was promoted is identical now.
async fn prove_promoted(
    session: &Session,
    preflight: &GeneratePromotionPreflightResponse,
    after: &PreviewCompareResponse,
    run: &OperationRun,
) -> Result<()> {
    let states: BTreeMap<_, _> =
        after.subjects.iter().map(|subject| (subject.subject_key.as_str(), subject.state())).collect();
    let ready: Vec<&PreflightSubject> =
        preflight.subjects.iter().filter(|subject| subject.readiness() == Readiness::Ready).collect();
    let items = job::items(session, &run.run_id).await?;
    let mut wrong = Vec::new();
    for subject in &ready {
        let promoted = items.iter().any(|item| item.key == subject.subject_key && item.state() == ItemState::Succeeded);
        if promoted && states.get(subject.subject_key.as_str()) != Some(&CompareState::Identical) {
            wrong.push(subject.display_name.as_str());
        }
    }
    ensure!(wrong.is_empty(), "promoted, but not identical: {wrong:?}");
    ensure!(run.outcome() == OperationRunOutcome::Succeeded, "the promotion did not succeed wholly");
    println!("  Every one of the {} promoted subjects is identical now.", ready.len());
    Ok(())
}

async fn prove_nothing_ready(session: &Session, selection: &CompareSelection) -> Result<()> {
    let preflight = job::preflight(session, selection).await?;
    let Err(status) = job::execute(session, selection, &preflight).await else {
        bail!("a second promotion was started although nothing is ready");
    };
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    ensure!(reason == "NOTHING_READY", "expected NOTHING_READY, got {reason}: {}", status.message());
    println!("  {reason}: {}", status.message());
    Ok(())
}

fn outcome_words(run: &OperationRun) -> String {
    run.outcome().as_str_name().trim_start_matches("OPERATION_RUN_OUTCOME_").replace('_', " ").to_lowercase()
}
