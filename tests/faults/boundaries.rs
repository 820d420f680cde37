//! Fault 1 at each boundary of an item's life: the worker dies before a change of the run is committed, after it and before it
//! hears so, and on either side of the effect. A gate in the database stops the change exactly there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::job;
use dev::stack::Plan;
use pb::operation::{ItemEffect, ItemState, OperationRunOutcome};
use sqlx::{Connection as _, PgConnection};
use system_tests::provider::{FaultAction, FaultRule};
use tokio::time::{Instant, sleep};

use crate::ground::{Ground, LIMIT, Replicas, tell};
use crate::proof;

/// What the worker is at when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A change of the run, by the gate's name for it, and whether it is committed before the worker dies.
    Change(&'static str, bool),
    /// The write at the provider, and whether it is done before the worker dies.
    Effect(bool),
}

const BOUNDARIES: [At; 10] = [
    At::Change("claim", false),
    At::Change("claim", true),
    At::Change("intent", false),
    At::Change("intent", true),
    At::Effect(false),
    At::Effect(true),
    At::Change("outcome", false),
    At::Change("outcome", true),
    At::Change("finish", false),
    At::Change("finish", true),
];

/// Stops a change of a run where a row of `public.gate` names it, until nobody holds the lock.
const GATE: &str = "
    CREATE TABLE public.gate (at text NOT NULL);
    CREATE FUNCTION public.stop_at(boundary text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF EXISTS (SELECT FROM public.gate WHERE at = boundary) THEN PERFORM pg_catalog.pg_advisory_xact_lock(4711); END IF;
    END $$;
    CREATE FUNCTION public.gate_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF old.status = 'queued' AND new.status = 'running' THEN PERFORM public.stop_at('claim'); END IF;
        IF new.status = 'completed' THEN PERFORM public.stop_at('finish'); END IF;
        RETURN NULL;
    END $$;
    CREATE FUNCTION public.gate_item() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF old.intent_at IS DISTINCT FROM new.intent_at THEN PERFORM public.stop_at('intent'); END IF;
        IF old.state <> new.state THEN PERFORM public.stop_at('outcome'); END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER zz_gate AFTER UPDATE ON operation.run FOR EACH ROW EXECUTE FUNCTION public.gate_run();
    CREATE TRIGGER zz_gate AFTER UPDATE ON operation.run_item FOR EACH ROW EXECUTE FUNCTION public.gate_item();";

#[tokio::test]
#[ignore = "minutes: cargo dev faults"]
async fn fault_01_a_worker_killed_at_each_boundary_does_the_item_once() -> Result<()> {
    let plan = Plan { fronts: true, ..Plan::test().await? };
    let mut ground = Ground::prepare_on(plan, Replicas::SINGLE).await?;
    sqlx::raw_sql(GATE).execute(&ground.story.rows).await?;
    let mut keeper = PgConnection::connect(&ground.story.scene.stack.database.owner_url()).await?;
    let keys = ground.alone();
    for (at, key) in BOUNDARIES.into_iter().zip(keys) {
        let before = ground.provider().committed(ground.target()).await?.len();
        let one = ground.narrow(vec![key]).await?;
        arm(&ground, &mut keeper, at).await?;
        let started = job::execute(&ground.story.manager, &one.selection, &one.preflight).await?;
        let run_id = started.run.context("a run")?.run_id;
        reach(&ground, &mut keeper, at, &run_id, before).await?;
        ground.story.scene.stack.promotion[0].kill().await?;
        disarm(&ground, &mut keeper).await?;
        ground.story.scene.stack.promotion[0].restart().await?;

        let ended = ground.end_of(&run_id).await?;
        ensure!(ended.outcome() == OperationRunOutcome::Succeeded, "{at:?}: {ended:?}");
        let items = proof::items_agree(&ground, &ended).await?;
        ensure!(items[0].state() == ItemState::Succeeded, "{at:?}: {items:?}");
        ensure!(matches!(items[0].effect(), ItemEffect::Created | ItemEffect::Unchanged), "{at:?}: {items:?}");
        proof::history_is_whole(&ground, &ended).await?;
        proof::names(&ground.provider().objects(ground.target()).await?);
        let log = ground.provider().committed(ground.target()).await?;
        let made = log[before..].iter().filter(|write| proof::creates(write)).count();
        ensure!(made == 1, "{at:?}: created {made} times");
        // Nobody held it twice: what was claimed before the worker died was claimed once more at most.
        ensure!(ended.attempt <= 2, "{at:?}: {} claims", ended.attempt);
        tell(&format!("{at:?}: {} claims", ended.attempt));
    }
    Ok(())
}

async fn arm(ground: &Ground, keeper: &mut PgConnection, at: At) -> Result<()> {
    match at {
        At::Change(boundary, _) => {
            sqlx::query("SELECT pg_advisory_lock(4711)").execute(&mut *keeper).await?;
            sqlx::query("INSERT INTO public.gate VALUES ($1)").bind(boundary).execute(&ground.story.rows).await?;
        }
        At::Effect(done) => {
            let hold_ms = 60_000;
            let action = match done {
                true => FaultAction::TimeoutAfterCommit { hold_ms },
                false => FaultAction::CutBeforeCommit { hold_ms },
            };
            let rule = FaultRule::new(action).tenant(ground.target()).method("WRITE").times(1);
            ground.provider().fault(&rule).await?;
        }
    }
    Ok(())
}

/// Waits until the worker is exactly there.
async fn reach(ground: &Ground, keeper: &mut PgConnection, at: At, run_id: &str, before: usize) -> Result<()> {
    match at {
        At::Effect(true) => {
            until(async || Ok(ground.provider().committed(ground.target()).await?.len() > before)).await
        }
        // It has said that it will, and the provider has the call in its hands.
        At::Effect(false) => until(async || intended(ground, run_id).await).await,
        At::Change(_, committed) => {
            until(async || waits(ground).await).await?;
            if committed {
                // Done, and nobody is told.
                let front = &ground.story.scene.stack.fronts["operation-run-service-1"];
                front.swallow_replies(true);
                sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut *keeper).await?;
                until(async || Ok(!waits(ground).await?)).await?;
            }
            Ok(())
        }
    }
}

async fn disarm(ground: &Ground, keeper: &mut PgConnection) -> Result<()> {
    let front = &ground.story.scene.stack.fronts["operation-run-service-1"];
    front.cut();
    front.swallow_replies(false);
    sqlx::query("DELETE FROM public.gate").execute(&ground.story.rows).await?;
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut *keeper).await?;
    ground.provider().heal().await
}

/// Whether somebody stands at the gate.
async fn waits(ground: &Ground) -> Result<bool> {
    let standing = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'tenantatlas_operation' AND wait_event = 'advisory')";
    Ok(sqlx::query_scalar(standing).fetch_one(&ground.story.rows).await?)
}

async fn intended(ground: &Ground, run_id: &str) -> Result<bool> {
    let intended = "SELECT EXISTS (SELECT FROM operation.run_item WHERE run_id = $1::uuid AND intent_at IS NOT NULL)";
    Ok(sqlx::query_scalar(intended).bind(run_id).fetch_one(&ground.story.rows).await?)
}

async fn until(mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    while !holds().await? {
        ensure!(Instant::now() < limit, "it never came to that");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
