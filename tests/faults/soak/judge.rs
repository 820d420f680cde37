//! The recorder's checkers: events while they come, everything else when everything has come to rest.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use system_tests::recorder::Violation;
use system_tests::recorder::history::Phase;
use system_tests::recorder::owner::Owners;
use system_tests::recorder::queue::{self, Balance, Effects};
use system_tests::recorder::rows;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::ground::{Field, Ground};
use crate::lookers::Lookers;

/// Everything ends within this when nothing goes wrong any more.
const REST: Duration = Duration::from_secs(300);
/// And everybody has been told of it within this.
const TOLD: Duration = Duration::from_secs(60);
const BATCH: i64 = 2_000;

/// Judges events while they come.
pub(crate) struct Judging {
    owners: Arc<Mutex<Owners>>,
    task: JoinHandle<()>,
}

impl Judging {
    pub(crate) fn begin(field: &Arc<Field>) -> Self {
        let owners = Arc::new(Mutex::new(Owners::default()));
        let (field, shared) = (Arc::clone(field), Arc::clone(&owners));
        let task = tokio::spawn(async move {
            loop {
                if !catch_up(&field, &shared).await {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        Self { owners, task }
    }
}

/// Judges what is new; `false` when one was bad. A database that is away is asked again later.
async fn catch_up(field: &Field, owners: &Mutex<Owners>) -> bool {
    loop {
        let after = owners.lock().expect("nobody panics").position();
        let Ok(events) = rows::events_after(&field.rows, after, BATCH).await else { return true };
        let last = events.is_empty();
        for event in events {
            if let Err(violation) = owners.lock().expect("nobody panics").take(event) {
                field.violation("events", &violation);
                return false;
            }
        }
        if last {
            return true;
        }
    }
}

/// Waits until every run has ended, or it is clear that some do not.
pub(crate) async fn rest(field: &Field) {
    let limit = Instant::now() + REST;
    while Instant::now() < limit {
        let active = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM operation.run WHERE status <> 'completed'");
        if matches!(active.fetch_one(&field.rows).await, Ok(0)) {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// What is found in the end.
pub(crate) struct Verdict {
    balance: Balance,
    acknowledged: usize,
    outcomes: Vec<(String, String, i64)>,
    slots: (i64, i64, i64),
    counts: (usize, usize, usize),
    watched: (usize, usize, usize, usize),
    effects: (usize, usize),
}

/// Judges everything once nothing happens any more.
pub(crate) async fn verdict(ground: &Ground, judging: Judging, lookers: Lookers) -> Result<Verdict> {
    let field = &ground.field;
    judging.task.abort();
    catch_up(field, &judging.owners).await;
    let watched = judge_watches(field, &lookers).await?;
    let acknowledged = field.acknowledged.lock().expect("nobody panics").clone();
    let balance = queue::balance(&acknowledged, &rows::runs(&field.rows).await?);
    let outcomes = sqlx::query_as("SELECT type, outcome, count(*) FROM operation.run GROUP BY 1, 2 ORDER BY 1, 2")
        .fetch_all(&field.rows)
        .await?;
    // A time of a schedule is one slot, a slot one run; none stays due for long.
    let slots = sqlx::query_as(
        "SELECT count(*), count(*) - count(DISTINCT (schedule_id, fire_at)) + count(run_id) - count(DISTINCT run_id),
             count(*) FILTER (WHERE state = 'due' AND fire_at < now() - interval '2 minutes')
         FROM inventory.backup_slot",
    )
    .fetch_one(&field.rows)
    .await?;
    let counts = judging.owners.lock().expect("nobody panics").counts();
    let effects = judge_effects(field).await?;
    Ok(Verdict { balance, acknowledged: acknowledged.len(), outcomes, slots, counts, watched, effects })
}

/// Whether everybody was told of everything; they may need a moment.
async fn judge_watches(field: &Field, lookers: &Lookers) -> Result<(usize, usize, usize, usize)> {
    let truth = rows::states(&field.rows).await?;
    let limit = Instant::now() + TOLD;
    let of_runs = lookers.runs.lock().expect("nobody panics").clone();
    let (mut events, mut messages, mut cuts) = (0, 0, 0);
    for (name, subscription) in lookers.workspaces.iter().chain(&of_runs) {
        loop {
            let judged = subscription.lock().expect("nobody panics").clone();
            let answer = if judged.has_begun() { judged.against(&truth) } else { Ok(()) };
            match answer {
                Ok(()) if judged.has_begun() || Instant::now() > limit => {
                    let (of_one, told, cut) = judged.counts();
                    (events, messages, cuts) = (events + of_one, messages + told, cuts + cut);
                    break;
                }
                Err(violation) if Instant::now() > limit => {
                    field.violation(name, &violation);
                    break;
                }
                _ => sleep(Duration::from_millis(250)).await,
            }
        }
    }
    Ok((lookers.workspaces.len() + of_runs.len(), events, messages, cuts))
}

/// The writes that the provider committed, by its own log, against the items that were to make them.
async fn judge_effects(field: &Field) -> Result<(usize, usize)> {
    let (mut committed, mut intended) = (0, 0);
    for target in &field.targets {
        let names: BTreeMap<String, String> = field
            .provider
            .objects(&target.external_id)
            .await?
            .into_iter()
            .map(|held| (held.id.clone(), held.name().to_owned()))
            .collect();
        let mut objects: BTreeMap<String, Effects> = BTreeMap::new();
        for write in field.provider.committed(&target.external_id).await? {
            let object = write.object.as_deref().context("a committed write has its object")?;
            let name = names.get(object).cloned().unwrap_or_else(|| format!("vanished {object}"));
            objects.entry(name).or_default().committed += 1;
            committed += 1;
        }
        let items: Vec<(String, i64)> = sqlx::query_as(
            "SELECT i.label, count(*) FROM operation.run_item i JOIN operation.run r ON r.id = i.run_id
             WHERE r.tenant_id = $1::uuid AND r.mutates_tenant AND i.intent_at IS NOT NULL GROUP BY 1",
        )
        .bind(&target.tenant_id)
        .fetch_all(&field.rows)
        .await?;
        for (name, number) in items {
            let number = usize::try_from(number)?;
            objects.entry(name).or_default().intended += number;
            intended += number;
        }
        if let Err(violation) = queue::effects(objects.iter().map(|(name, effects)| (name.as_str(), *effects))) {
            field.violation(&format!("tenant {}", target.tenant_id), &violation);
        }
        let mut twice: BTreeMap<&String, usize> = BTreeMap::new();
        names.values().for_each(|name| *twice.entry(name).or_default() += 1);
        for (name, _) in twice.into_iter().filter(|(_, times)| *times > 1) {
            let violation = Violation::new("an object is there once", name);
            field.violation(&format!("tenant {}", target.tenant_id), &violation);
        }
    }
    Ok((committed, intended))
}

impl Verdict {
    /// Prints it; whether everything is as it must be.
    pub(crate) fn show(&self, field: &Field, ground: &Ground) -> Result<bool> {
        println!("\nruns");
        for (run_type, outcome, number) in &self.outcomes {
            println!("  {run_type:<30} {outcome:<22} {number:>6}");
        }
        let (runs, claims, events) = self.counts;
        let (watches, told, messages, cuts) = self.watched;
        println!("\njudged");
        println!("  runs {runs}, starts acknowledged {}, claims {claims}, events {events}", self.acknowledged);
        println!(
            "  calls {}, answers lost {}, refused {}",
            field.history.count(Phase::Invoke),
            field.history.count(Phase::Info),
            field.history.count(Phase::Fail)
        );
        println!(
            "  rescues {}, leases lost {}",
            said(ground, "a worker fell silent")?,
            said(ground, "the lease of a run was lost")?
        );
        println!("  watches {watches}, messages {messages}, events told {told}, taken up again {cuts}");
        let (slots, doubled_slots, late) = self.slots;
        println!(
            "  slots of schedules {slots}; provider: {} writes committed for {} intended",
            self.effects.0, self.effects.1
        );
        // What the services say of themselves and must never say.
        for never in ["panicked", "do not follow one another", "an event cannot be read"] {
            let times = said(ground, never)?;
            if times > 0 {
                field.violation("logs", &Violation::new("this is never said", format!("{never:?}, {times} times")));
            }
        }
        let violations = field.violations.lock().expect("nobody panics").clone();
        let Balance { lost, doubled, stuck } = &self.balance;
        let doubled_slots = usize::try_from(doubled_slots)?;
        let stuck_slots = usize::try_from(late)?;
        println!(
            "\nlost {}, doubled {}, stuck {}, violations {}",
            lost.len(),
            doubled.len() + doubled_slots,
            stuck.len() + stuck_slots,
            violations.len()
        );
        for what in lost.iter().chain(doubled).chain(stuck).take(20) {
            println!("  {what}");
            for id in what.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(|part| part.len() == 36) {
                for entry in field.history.about(id).iter().take(20) {
                    println!("    {}", serde_json::to_string(entry)?);
                }
            }
        }
        for violation in &violations {
            println!("  {violation}");
        }
        let good = lost.is_empty() && doubled.is_empty() && stuck.is_empty() && violations.is_empty();
        Ok(good && doubled_slots == 0 && stuck_slots == 0 && runs > 0)
    }
}

/// How often the services' logs say something.
fn said(ground: &Ground, text: &str) -> Result<usize> {
    let mut times = 0;
    for entry in fs::read_dir(ground.state.join("logs"))? {
        let path = entry?.path();
        times += fs::read_to_string(&path).with_context(|| path.display().to_string())?.matches(text).count();
    }
    Ok(times)
}
