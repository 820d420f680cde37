//! What is read is read from the database: with the provider away, everything that lists, gets, searches and watches answers as
//! before; and an operation that was under way ends, and says why.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::operation::{ItemState, OperationRunOutcome, OperationRunStatus};
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::story::Story;
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::access_matrix::table::ROWS;
use crate::world::{Callers, Place, World};

/// What the methods that only read are called.
const READS: [&str; 13] = [
    "List",
    "Get",
    "Search",
    "Watch",
    "Lookup",
    "Evaluate",
    "BatchEvaluate",
    "Preview",
    "Explain",
    "Export",
    "Verify",
    "Diff",
    "Generate",
];
/// A worker's check of a connection reads the provider, on purpose; it is a run.
const RUNS: [&str; 1] = ["VerifyProviderConnection"];

fn only_reads(method: &str) -> bool {
    let name = method.rsplit('/').next().unwrap_or_default();
    READS.iter().any(|verb| name.starts_with(verb)) && !RUNS.contains(&name)
}

#[tokio::test]
async fn every_list_get_search_and_watch_works_while_the_emulator_is_stopped() -> Result<()> {
    let mut world = World::set().await?;
    world.stop_provider().await?;
    let owner = Callers::NAMES.iter().position(|name| *name == "owner").context("there is an owner")?;
    let (mut asked, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in ROWS.iter().filter(|row| only_reads(row.method)) {
        let letters: Vec<char> = row.expected(Place::Existing).split_whitespace().flat_map(str::chars).collect();
        // What is for services alone is no page that anybody looks at.
        if letters[owner] != 'o' {
            continue;
        }
        let request = world.fresh(&world.request(row.request, Place::Existing));
        let answer = world.call(row.method, &request, "owner").await?;
        asked.insert(row.method);
        if answer.status().code() != Code::Ok {
            wrong.push(format!("{} {request}: {:?}", row.method, answer.status()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked.len() > 30, "only {} methods were asked: {asked:#?}", asked.len());
    for verb in ["List", "Get", "Search", "Watch"] {
        let some = asked.iter().any(|method| method.rsplit('/').next().is_some_and(|name| name.starts_with(verb)));
        assert!(some, "{verb} was never asked");
    }
    Ok(())
}

#[tokio::test]
async fn an_operation_under_way_ends_with_a_stable_reason_when_the_provider_goes_away() -> Result<()> {
    let mut story = Story::begin(&Script::own(), Plan::test().await?).await?;
    // Slow enough to be met in the middle.
    let slow = FaultRule::new(FaultAction::Latency { latency_ms: 500 });
    story.provider.fault(&slow).await?;
    let run = job::start_sync(&story.manager, &story.scene.workspace_id, &story.scene.source.tenant_id).await?;
    let limit = Instant::now() + Duration::from_secs(60);
    while job::get_run(&story.manager, &run.run_id).await?.status() != OperationRunStatus::Running {
        assert!(Instant::now() < limit, "nobody takes it up");
        sleep(Duration::from_millis(20)).await;
    }
    story.scene.stack.emulator.kill().await?;

    let ended = job::wait_for_end(&story.manager, &run.run_id).await?;
    assert!(
        matches!(ended.outcome(), OperationRunOutcome::Failed | OperationRunOutcome::PartiallySucceeded),
        "{ended:?}"
    );
    assert!(!ended.failure_summary.is_empty(), "{ended:?}");
    for line in &ended.failure_summary {
        assert!(line.code.starts_with("PROVIDER_") && !line.message.is_empty(), "{line:?}");
    }
    // Every item says what became of it, and the run can be looked at by whoever may.
    let items = job::items(&story.manager, &run.run_id).await?;
    assert!(items.iter().all(|item| item.state() != ItemState::Pending), "{items:?}");
    let seen = job::get_run(&story.scene.stack.session(Persona::Owner)?, &run.run_id).await?;
    assert_eq!(seen, ended);
    Ok(())
}
