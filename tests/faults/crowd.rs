//! Fault 5: many ask for the same at the same time, and a replica dies among them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use futures::future::join_all;
use pb::inventory::SyncInventoryRequest;
use pb::operation::StartOutcome;
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::recorder::looker::is_indeterminate;
use system_tests::rows;
use system_tests::story::Story;
use tokio::time::{Instant, sleep};

use crate::ground::LIMIT;

const CROWD: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn fault_05_a_crowd_that_loses_a_replica_makes_one_run() -> Result<()> {
    let plan = Plan { compare_replicas: 2, operation_run_replicas: 2, ..Plan::test().await? };
    let mut story = Story::begin(&Script::own(), plan).await?;
    let target = story.scene.target.clone();
    // The run is still under way when the last of them asks.
    let slow = FaultRule::new(FaultAction::Latency { latency_ms: 1_500 }).tenant(&target.external_tenant_id);
    story.provider.fault(&slow).await?;
    let token = story.scene.stack.token(Persona::Manager)?;
    let sessions = (0..2)
        .map(|replica| Session::new(&story.scene.stack.endpoints_at(replica, 0, replica)?, &token))
        .collect::<Result<Vec<_>>>()?;
    let asking = (0..CROWD).map(|number| {
        let sessions = sessions.clone();
        let request = SyncInventoryRequest {
            request_id: job::request_id(),
            workspace_id: story.scene.workspace_id.clone(),
            tenant_id: target.tenant_id.clone(),
            policy_types: Vec::new(),
        };
        tokio::spawn(async move {
            let limit = Instant::now() + LIMIT;
            for attempt in number.. {
                match sessions[attempt % 2].inventory().sync_inventory(request.clone()).await {
                    Ok(answer) => return Ok(answer.into_inner()),
                    Err(status) if is_indeterminate(&status) && Instant::now() < limit => {
                        sleep(Duration::from_millis(20)).await;
                    }
                    Err(status) => return Err(status),
                }
            }
            unreachable!("attempts do not end")
        })
    });
    let asking: Vec<_> = asking.collect();
    // In the middle of it.
    let limit = Instant::now() + LIMIT;
    while rows::count_runs(&story.rows, "inventory.sync").await? == 0 {
        ensure!(Instant::now() < limit, "nobody has asked");
        sleep(Duration::from_millis(1)).await;
    }
    story.scene.stack.compare[0].kill().await?;

    let (mut runs, mut queued) = (BTreeSet::new(), 0);
    for answer in join_all(asking).await {
        let answer = answer??;
        queued += usize::from(answer.outcome() == StartOutcome::Queued);
        ensure!(matches!(answer.outcome(), StartOutcome::Queued | StartOutcome::Deduped), "{answer:?}");
        runs.insert(answer.run.context("the run")?.run_id);
    }
    assert_eq!((runs.len(), queued), (1, 1), "all of them are told of one run, one of them that it is new");
    assert_eq!(rows::count_runs(&story.rows, "inventory.sync").await?, 1);
    story.provider.heal().await?;
    let run_id = runs.first().context("one")?;
    job::wait_for_end(&story.manager, run_id).await?;
    crate::proof::single_owner(&story.rows).await
}
