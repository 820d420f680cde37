//! What is promoted means the same afterwards: real exports of other people, and our own demo, promoted into an empty tenant
//! and synced again, compare identical, every one that was ready.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::{EmulatedTenant, Plan};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use graph_emulator::{Emulator, TenantSpec};
use pb::compare::{CompareSelection, CompareState, Readiness};
use pb::operation::{ItemState, OperationRunOutcome};
use system_tests::story::{Story, subjects_of};

/// Files there are in the exports.
const EXPORTED_FILES: usize = 432;
/// Folders promoted side by side.
const AT_ONCE: usize = 2;
/// The stand-in needs longer than usual to read hundreds of files before it listens.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_exported_file_loads() -> Result<()> {
    let Some(exports) = exports("all exports load") else { return Ok(()) };
    let emulator = Emulator::builder().tenant(TenantSpec::new("exports", "Exports")).load("exports", &exports);
    let running = emulator.start("127.0.0.1:0".parse()?).await?;
    let (_, report) = running.reports.first().context("a folder was loaded")?;
    let failures: Vec<_> = report.failures().collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(report.files.len(), EXPORTED_FILES);
    Ok(())
}

#[tokio::test]
async fn our_demo_promoted_into_an_empty_tenant_compares_identical() -> Result<()> {
    let script = Script::of_folders(dev::paths::demo("northwind-model"), None);
    let story = Story::begin(&script, Plan::test().await?).await?;
    let figures = round_trip(&story, &story.selection()).await?;
    // Nothing is in the way in an empty tenant but what is wrong with a policy itself.
    assert!(figures.promoted >= 30, "{figures:?}");
    Ok(())
}

#[tokio::test]
#[allow(clippy::print_stdout)] // the figures, for whoever asks with --nocapture
async fn exported_baselines_promoted_into_an_empty_tenant_compare_identical() -> Result<()> {
    let Some(exports) = exports("exports make the round trip") else { return Ok(()) };
    let mut folders = folders_of(&exports)?;
    let expert = folders.iter().position(|folder| folder.ends_with("Modern Workplace Expert Baseline"));
    let first = folders.remove(expert.context("the exports have this baseline")?);
    let mut plan = Plan::test().await?;
    plan.timing.provider_timeout = Some(PROVIDER_TIMEOUT);
    // The scene has the first pair; the others are tenants beside it.
    let pairs: Vec<_> =
        folders.iter().map(|folder| [EmulatedTenant::loaded(folder), EmulatedTenant::empty()]).collect();
    plan.tenants.extend(pairs.iter().flatten().cloned());
    let story = Story::begin(&Script::of_folders(first, None), plan).await?;

    let mut selections = vec![story.selection()];
    for (folder, pair) in folders.iter().zip(&pairs) {
        selections.push(register(&story, folder, pair).await?);
    }
    let all: Vec<Figures> = stream::iter(&selections)
        .map(|selection| round_trip(&story, selection))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    println!("{all:#?}");
    let promoted: usize = all.iter().map(|figures| figures.promoted).sum();
    assert!(all[0].promoted >= 50, "{all:?}");
    assert!(promoted >= 300, "{all:?}");
    Ok(())
}

fn exports(test: &str) -> Option<PathBuf> {
    let found = dev::paths::exports();
    if found.is_none() {
        system_tests::skipped(
            test,
            "no exports; set ATLAS_EXPORTS_DIR or put them into ../shared/data beside the repository",
        );
    }
    found
}

/// Each collection of exports that would be one tenant.
fn folders_of(exports: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(exports.join("intune-baselines"))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.push(exports.join("conditional-access-baseline"));
    folders.sort();
    Ok(folders)
}

async fn register(story: &Story, folder: &Path, [source, target]: &[EmulatedTenant; 2]) -> Result<CompareSelection> {
    let (stack, workspace_id) = (&story.scene.stack, &story.scene.workspace_id);
    let owner = stack.session(Persona::Owner)?;
    let name = folder.file_name().context("a folder has a name")?.to_string_lossy();
    let register = async |name: &str, tenant: &EmulatedTenant| -> Result<String> {
        Ok(job::register_tenant(&owner, workspace_id, name, &stack.provider(tenant)?).await?.tenant_id)
    };
    Ok(CompareSelection {
        workspace_id: workspace_id.clone(),
        source_tenant_id: register(&name, source).await?,
        target_tenant_id: register(&format!("Copy of {name}"), target).await?,
        ..Default::default()
    })
}

/// What became of the subjects of a source.
#[derive(Debug)]
#[expect(dead_code, reason = "all of it is shown, and not all of it is asked for")]
struct Figures {
    /// Of the source tenant, by its name.
    source: String,
    /// How many made the round trip.
    promoted: usize,
    /// How many were left out, by reason.
    excluded: BTreeMap<String, i32>,
}

/// Syncs, promotes what is ready, syncs again, and compares.
async fn round_trip(story: &Story, selection: &CompareSelection) -> Result<Figures> {
    tokio::try_join!(story.sync(&selection.source_tenant_id), story.sync(&selection.target_tenant_id))?;
    let preflight = story.preflight(selection).await?;
    let ready = subjects_of(&preflight, Readiness::Ready);
    let excluded = preflight.reason_counts.iter().map(|line| (line.reason.clone(), line.count())).collect();
    if ready.is_empty() {
        return Ok(Figures { source: preflight.source_tenant_name, promoted: 0, excluded });
    }
    let run = story.promote(selection).await?;
    for item in job::items(&story.manager, &run.run_id).await? {
        let label = &item.label;
        assert_eq!(
            item.state(),
            ItemState::Succeeded,
            "{label} ({}): {} {}",
            item.policy_type,
            item.reason,
            item.message
        );
    }
    ensure!(run.outcome() == OperationRunOutcome::Succeeded, "{run:?}");
    story.sync(&selection.target_tenant_id).await?;
    let after = job::preview(&story.manager, selection).await?;
    let states: BTreeMap<_, _> =
        after.subjects.iter().map(|subject| (subject.subject_key.as_str(), subject.state())).collect();
    let unlike: Vec<_> = ready.keys().filter(|key| states.get(*key) != Some(&CompareState::Identical)).collect();
    assert!(unlike.is_empty(), "promoted, and not identical: {unlike:#?}");
    Ok(Figures { promoted: ready.len(), source: preflight.source_tenant_name.clone(), excluded })
}
