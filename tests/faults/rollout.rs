//! Fault 16: replicas are replaced one after the other while everybody watches; streams go on wherever there is one.

use std::time::Duration;

use anyhow::{Result, ensure};
use dev::client::Session;
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use rand::SeedableRng as _;
use system_tests::recorder::looker::{Heard, Looker};
use system_tests::recorder::rows::states;
use system_tests::recorder::watch::Wanted;
use system_tests::story::Story;
use tokio::time::{Instant, sleep};

use crate::ground::{LIMIT, chance, tell};
use crate::proof;

#[tokio::test(flavor = "multi_thread")]
async fn fault_16_watches_live_through_a_rollout_at_any_replica() -> Result<()> {
    let mut chance = chance("rollout")?;
    let plan = Plan { operation_run_replicas: 2, ..Plan::test().await? };
    let mut story = Story::begin(&Script::own(), plan).await?;
    let token = story.scene.stack.token(Persona::Manager)?;
    let replicas = (0..2)
        .map(|replica| Session::new(&story.scene.stack.endpoints_of(0, replica)?, &token))
        .collect::<Result<Vec<_>>>()?;
    let everything = || Wanted { workspace_id: story.scene.workspace_id.clone(), ..Default::default() };
    let places = [vec![0], vec![1], vec![0, 1], vec![0, 1]];
    let lookers: Vec<_> = places
        .into_iter()
        .enumerate()
        .map(|(number, places)| {
            let wanted = Wanted { latest: number == 3, ..everything() };
            let sessions = places.into_iter().map(|place: usize| replicas[place].clone()).collect();
            let looker = Looker::of(sessions, wanted, rand::rngs::StdRng::from_rng(&mut chance));
            looker.begin(|heard| {
                if let Heard::Violation(violation) = heard {
                    tell(&violation.to_string());
                }
            })
        })
        .collect();
    // Somebody works all the time.
    let (manager, workspace_id) = (story.manager.clone(), story.scene.workspace_id.clone());
    let tenants = [story.scene.source.tenant_id.clone(), story.scene.target.tenant_id.clone()];
    let working = tokio::spawn(async move {
        for tenant in tenants.iter().cycle() {
            // A replica that is being replaced answers nothing: the next one is asked for another run.
            let _ = dev::job::start_sync(&manager, &workspace_id, tenant).await;
            sleep(Duration::from_millis(300)).await;
        }
    });
    for round in 0..2 {
        for replica in 0..2 {
            sleep(Duration::from_millis(500)).await;
            story.scene.stack.operation_run[replica].replace().await?;
            tell(&format!("round {round}: replica {replica} replaced"));
        }
    }
    working.abort();

    let limit = Instant::now() + LIMIT;
    loop {
        let active: i64 = sqlx::query_scalar("SELECT count(*) FROM operation.run WHERE status <> 'completed'")
            .fetch_one(&story.rows)
            .await?;
        if active == 0 {
            break;
        }
        ensure!(Instant::now() < limit, "{active} runs do not end");
        sleep(Duration::from_millis(50)).await;
    }
    let truth = states(&story.rows).await?;
    ensure!(truth.len() > 10, "there was something to see: {}", truth.len());
    let mut cuts = 0;
    for looker in &lookers {
        loop {
            let judged = looker.lock().expect("nobody panics").clone();
            match judged.against(&truth) {
                Ok(()) => {
                    cuts += judged.counts().2;
                    break;
                }
                Err(violation) => ensure!(Instant::now() < limit, "{violation}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    ensure!(cuts >= 4, "streams were taken up again: {cuts}");
    proof::single_owner(&story.rows).await
}
