//! The provider does what it is asked and nobody hears of it; or does not, and nobody hears of that.

use anyhow::Result;
use pb::operation::ItemState;
use system_tests::provider::{FaultAction, FaultRule};

use crate::ground::{Ground, Replicas, chance, tell};
use crate::proof;

#[tokio::test]
async fn every_reply_to_a_write_is_lost_after_its_commit() -> Result<()> {
    let ground = Ground::prepare(Replicas::SINGLE).await?;
    let lose = FaultAction::TimeoutAfterCommit { hold_ms: 0 };
    ground.provider().fault(&FaultRule::new(lose).tenant(ground.target()).method("WRITE")).await?;

    let run = ground.execute().await?;
    let ended = ground.end_of(&run.run_id).await?;
    let log = ground.provider().log(ground.target()).await?;
    assert!(log.iter().all(|write| write.cut), "no reply was heard: {log:?}");
    tell(&format!("{} writes, no reply, {} claims", log.len(), ended.attempt));
    proof::everything_is_there_once(&ground, &ended).await
}

#[tokio::test]
async fn any_connection_breaks_before_or_after_the_commit() -> Result<()> {
    let mut chance = chance("lost_replies")?;
    let ground = Ground::prepare(Replicas::SINGLE).await?;
    let faults = [
        (FaultAction::TimeoutAfterCommit { hold_ms: 20 }, "WRITE", 0.3),
        (FaultAction::CutBeforeCommit { hold_ms: 20 }, "WRITE", 0.15),
        (FaultAction::CutBeforeCommit { hold_ms: 0 }, "GET", 0.05),
    ];
    for (action, method, share) in faults {
        let rule = FaultRule::new(action).tenant(ground.target()).method(method);
        ground.provider().fault(&rule.chance(share, rand::Rng::random(&mut chance))).await?;
    }
    let run = ground.execute().await?;
    let ended = ground.end_of(&run.run_id).await?;
    ground.provider().heal().await?;

    let items = proof::items_agree(&ground, &ended).await?;
    proof::history_is_whole(&ground, &ended).await?;
    let held = proof::names(&ground.provider().objects(ground.target()).await?);
    let mut given_up = 0;
    for item in &items {
        match item.state() {
            // Which the run made, so it must be there.
            ItemState::Succeeded => assert!(held.keys().any(|(_, name)| *name == item.label), "{item:?}"),
            // Broken off again and again: said so, and not there twice either.
            _ => {
                assert_eq!(item.reason, "PROVIDER_OUTCOME_UNKNOWN", "{item:?}");
                given_up += 1;
            }
        }
    }
    tell(&format!("{} of {} items given up", given_up, items.len()));
    assert!(given_up <= items.len() / 20, "what can be found out by looking is no reason to give up");
    Ok(())
}
