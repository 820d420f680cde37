//! What is done to the processes. The seed decides all of it beforehand, so that the same blows fall in the same order again;
//! where they hit is up to the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::recorder::history::Phase;
use tokio::process::Command;
use tokio::time::{Instant, sleep, sleep_until};

use crate::ground::{Ground, REPLICAS};

/// Our services, by number; the provider's stand-in comes after them.
const SERVICES: usize = 3 * REPLICAS;

/// One blow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Blow {
    /// SIGKILL of a service, and a new start.
    Kill(usize),
    /// SIGSTOP of a process, longer than a lease or shorter, then SIGCONT.
    Stop(usize, Duration),
    /// Every connection to a service is cut, whoever has it.
    Cut(usize),
    /// What a service answers is lost for a while, then its connections are cut: done, and nobody was told.
    Swallow(usize, Duration),
    /// The services' connections to the database are ended by it.
    CutDatabase,
    /// One process of the database that works for a service is stopped, in the middle of whatever it does.
    StopBackend(Duration),
    /// SIGKILL of one such process: the server starts anew with all of them.
    KillBackend,
    /// SIGKILL of the database server, and a new start after a while.
    KillDatabase(Duration),
    /// The provider loses answers, breaks off calls or is slow, for the next so many calls.
    Provider(u8, u32),
}

/// When which blow falls.
pub(crate) fn plan(seed: u64, time: Duration) -> Vec<(Duration, Blow)> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut plan = Vec::new();
    let mut at = Duration::from_secs(5);
    while at < time {
        // No service is killed in the last quarter: they grow old enough to show whether they grow.
        let may_kill = at < time.mul_f64(0.75);
        plan.push((at, one(&mut chance, may_kill)));
        at += Duration::from_millis(chance.random_range(1_500..6_500));
    }
    plan
}

fn one(chance: &mut StdRng, may_kill: bool) -> Blow {
    let ms = |chance: &mut StdRng, from: u64, to: u64| Duration::from_millis(chance.random_range(from..to));
    match chance.random_range(0..100) {
        0..32 if may_kill => Blow::Kill(chance.random_range(0..SERVICES)),
        0..54 => Blow::Stop(chance.random_range(0..=SERVICES), ms(chance, 300, 8_000)),
        54..66 => Blow::Cut(chance.random_range(0..SERVICES)),
        66..72 => Blow::Swallow(chance.random_range(0..SERVICES), ms(chance, 100, 2_000)),
        72..81 => Blow::CutDatabase,
        81..86 => Blow::StopBackend(ms(chance, 300, 7_000)),
        86..88 => Blow::KillBackend,
        88..91 => Blow::KillDatabase(ms(chance, 0, 3_000)),
        _ => Blow::Provider(chance.random_range(0..4), chance.random_range(2..8)),
    }
}

/// What was done, how often to whom.
#[derive(Debug, Default)]
pub(crate) struct Struck(BTreeMap<(&'static str, String), usize>);

impl Struck {
    fn count(&mut self, what: &'static str, whom: &str) {
        *self.0.entry((what, whom.to_owned())).or_default() += 1;
    }

    /// One line a kind.
    pub(crate) fn show(&self) {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((what, whom), times) in &self.0 {
            lines.entry(what).or_default().push(format!("{whom} {times}"));
        }
        for (what, whom) in lines {
            println!("  {what:<30} {}", whom.join(", "));
        }
    }
}

/// What goes on again, and when.
enum Asleep {
    Process(usize),
    Backend(i32),
    Front(String),
}

/// Carries the plan out.
pub(crate) async fn strike(ground: &mut Ground, plan: &[(Duration, Blow)], ends: Instant) -> Result<Struck> {
    let began = Instant::now();
    let mut struck = Struck::default();
    let mut asleep: Vec<(Instant, Asleep)> = Vec::new();
    let mut down: Vec<usize> = Vec::new();
    for (at, blow) in plan {
        while Instant::now() < began + *at {
            let tick = Instant::now() + Duration::from_millis(200);
            sleep_until(tick.min(began + *at)).await;
            wake(ground, &mut asleep, Instant::now()).await?;
            raise(ground, &mut down).await?;
        }
        if Instant::now() > ends {
            break;
        }
        ground.field.history.note("blows", Phase::Note, "blow", "", format!("{blow:?}"));
        fall(ground, blow, &mut asleep, &mut down, &mut struck).await?;
    }
    sleep_until(ends).await;
    while !asleep.is_empty() {
        wake(ground, &mut asleep, ends + Duration::from_secs(3_600)).await?;
    }
    while !down.is_empty() {
        raise(ground, &mut down).await?;
    }
    Ok(struck)
}

async fn fall(
    ground: &mut Ground,
    blow: &Blow,
    asleep: &mut Vec<(Instant, Asleep)>,
    down: &mut Vec<usize>,
    struck: &mut Struck,
) -> Result<()> {
    let later = |time: Duration| Instant::now() + time;
    match *blow {
        Blow::Kill(number) => {
            let mut processes = ground.processes();
            struck.count("killed", processes[number].name());
            if processes[number].id().is_some() {
                processes[number].kill().await?;
            }
            down.push(number);
        }
        Blow::Stop(number, time) => {
            let processes = ground.processes();
            // One that is down already cannot be stopped.
            if processes[number].id().is_some() && processes[number].signal("STOP").await.is_ok() {
                struck.count("stopped", processes[number].name());
                asleep.push((later(time), Asleep::Process(number)));
            }
        }
        Blow::Cut(number) => {
            let name = ground.processes()[number].name().to_owned();
            struck.count("connections cut", &name);
            ground.stack.fronts[&name].cut();
        }
        Blow::Swallow(number, time) => {
            let name = ground.processes()[number].name().to_owned();
            struck.count("answers lost", &name);
            ground.stack.fronts[&name].swallow_replies(true);
            asleep.push((later(time), Asleep::Front(name)));
        }
        Blow::CutDatabase => {
            let ended = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND usename LIKE 'tenantatlas\\_%'";
            // It may be down itself.
            if sqlx::query_scalar::<_, i64>(ended).fetch_one(&ground.field.rows).await.is_ok() {
                struck.count("connections cut", "postgres");
            }
        }
        Blow::StopBackend(time) => {
            if let Some(id) = backend(ground).await
                && signal("STOP", id).await
            {
                struck.count("stopped", "a postgres backend");
                asleep.push((later(time), Asleep::Backend(id)));
            }
        }
        Blow::KillBackend => {
            if let Some(id) = backend(ground).await
                && signal("KILL", id).await
            {
                struck.count("killed", "a postgres backend");
            }
        }
        Blow::KillDatabase(away) => {
            struck.count("killed", "postgres");
            // A stopped process of it would keep the new server from starting.
            wake(ground, asleep, Instant::now() + Duration::from_secs(3_600)).await?;
            ground.cluster()?.kill().await?;
            sleep(away).await;
            ground.cluster()?.restart().await?;
        }
        Blow::Provider(kind, calls) => {
            let action = match kind {
                0 => FaultAction::TimeoutAfterCommit { hold_ms: 50 },
                1 => FaultAction::CutBeforeCommit { hold_ms: 50 },
                2 => FaultAction::Latency { latency_ms: 800 },
                _ => FaultAction::Throttle { retry_after: Some("0.5".into()) },
            };
            let method = if kind == 0 { "WRITE" } else { "GET" };
            let rule = FaultRule::new(action).method(method).times(calls);
            let told = tokio::time::timeout(Duration::from_secs(1), ground.field.provider.fault(&rule)).await;
            if matches!(told, Ok(Ok(_))) {
                struck.count("provider in a mood", "calls");
            }
        }
    }
    Ok(())
}

/// A process of the database that works for one of our services.
async fn backend(ground: &Ground) -> Option<i32> {
    let any = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'tenantatlas\\_%'
        ORDER BY state = 'active' DESC, random() LIMIT 1";
    sqlx::query_scalar(any).fetch_optional(&ground.field.rows).await.ok().flatten()
}

async fn signal(name: &str, id: i32) -> bool {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).output().await;
    sent.is_ok_and(|sent| sent.status.success())
}

async fn wake(ground: &mut Ground, asleep: &mut Vec<(Instant, Asleep)>, now: Instant) -> Result<()> {
    let (due, later): (Vec<_>, Vec<_>) = std::mem::take(asleep).into_iter().partition(|(at, _)| *at <= now);
    *asleep = later;
    for (_, who) in due {
        match who {
            Asleep::Process(number) => {
                let processes = ground.processes();
                // It may have been killed in its sleep.
                if processes[number].id().is_some() {
                    let _ = processes[number].signal("CONT").await;
                }
            }
            Asleep::Backend(id) => drop(signal("CONT", id).await),
            Asleep::Front(name) => {
                let front = &ground.stack.fronts[&name];
                front.cut();
                front.swallow_replies(false);
            }
        }
    }
    Ok(())
}

/// Starts what is down; what cannot start yet (its database is away) is tried again.
async fn raise(ground: &mut Ground, down: &mut Vec<usize>) -> Result<()> {
    down.sort_unstable();
    down.dedup();
    for number in std::mem::take(down) {
        let name = ground.processes()[number].name().to_owned();
        if let Err(error) = ground.processes()[number].restart().await {
            ground.field.history.note("blows", Phase::Note, "restart", "", format!("{name}: {error:#}"));
            down.push(number);
        }
    }
    Ok(())
}

/// Everything is well again: whoever died by itself is found out.
pub(crate) async fn relent(ground: &mut Ground) -> Result<()> {
    ground.field.provider.heal().await?;
    for process in ground.processes() {
        if process.id().is_none() || process.has_ended()? {
            bail!("{} ended by itself", process.name());
        }
    }
    Ok(())
}
