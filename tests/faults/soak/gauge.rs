//! Memory of the services and connections to the database, while it goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use system_tests::recorder::Violation;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::ground::{Field, Ground};

const EVERY: Duration = Duration::from_secs(10);
/// Before this a process is still filling its caches and pools.
const GROWN_UP: Duration = Duration::from_secs(60);

/// A life that is long enough to tell whether it grows.
const LONG: Duration = Duration::from_secs(300);
/// Two pools of 16 with what stands beside them, and those of a replica that was killed a moment ago.
const MOST_CONNECTIONS: i64 = 60;

/// Resident memory of one process since it was seen first.
#[derive(Debug, Clone)]
struct Life {
    name: String,
    seen: Instant,
    /// Since its first sight, and KiB.
    samples: Vec<(Duration, u64)>,
}

#[derive(Debug, Default)]
struct Seen {
    lives: BTreeMap<u32, Life>,
    /// By role: most at a time, and the last.
    connections: BTreeMap<String, (i64, i64)>,
}

impl Seen {
    fn take(&mut self, services: Vec<(u32, String)>, connections: Vec<(String, i64)>) {
        for (id, name) in services {
            let Some(memory) = resident(id) else { continue };
            let life = self.lives.entry(id).or_insert_with(|| Life { name, seen: Instant::now(), samples: Vec::new() });
            life.samples.push((life.seen.elapsed(), memory));
        }
        for (role, number) in connections {
            let known = self.connections.entry(role).or_default();
            *known = (known.0.max(number), number);
        }
    }
}

/// Looks every ten seconds.
pub(crate) struct Gauge {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Gauge {
    pub(crate) fn begin(ground: &Ground) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (field, shared) = (Arc::clone(&ground.field), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                let services = children();
                let counted: Result<Vec<(String, i64)>, _> = sqlx::query_as(
                    "SELECT usename::text, count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND usename LIKE 'tenantatlas\\_%' GROUP BY 1",
                )
                .fetch_all(&field.rows)
                .await;
                shared.lock().expect("nobody panics").take(services, counted.unwrap_or_default());
                sleep(EVERY).await;
            }
        });
        Self { seen, task }
    }

    /// Shows the longest life of each service, from when it was grown up, and the connections. What grows without bound is a
    /// violation.
    pub(crate) fn show(self, field: &Field) {
        self.task.abort();
        let seen = self.seen.lock().expect("nobody panics");
        println!("\nmemory (longest life of each service, MiB resident)");
        for (name, life) in longest(&seen.lives) {
            let mib = |kib: u64| kib / 1024;
            let (Some(first), Some(last)) = (grown_up(life), life.samples.last()) else { continue };
            let most = life.samples.iter().map(|(_, kib)| *kib).max().unwrap_or_default();
            println!(
                "  {name:<30} after {:>4} s {:>5}   after {:>4} s {:>5}   most {:>5}",
                first.0.as_secs(),
                mib(first.1),
                last.0.as_secs(),
                mib(last.1),
                mib(most)
            );
            if last.0 > LONG && last.1 > first.1 * 2 {
                field.violation(name, &Violation::new("memory does not grow without bound", format!("{life:?}")));
            }
        }
        println!("\nconnections to PostgreSQL, both replicas (most at a time, last)");
        for (role, (most, last)) in &seen.connections {
            println!("  {role:<30} {most:>5} {last:>5}");
            if *most > MOST_CONNECTIONS {
                let told = format!("{most} at a time");
                field.violation(role, &Violation::new("connections have their limit", told));
            }
        }
    }
}

fn grown_up(life: &Life) -> Option<&(Duration, u64)> {
    life.samples.iter().find(|(age, _)| *age >= GROWN_UP).or(life.samples.first())
}

fn longest(lives: &BTreeMap<u32, Life>) -> BTreeMap<&str, &Life> {
    let mut longest: BTreeMap<&str, &Life> = BTreeMap::new();
    for life in lives.values() {
        let known = longest.entry(&life.name).or_insert(life);
        if life.samples.len() > known.samples.len() {
            *known = life;
        }
    }
    longest
}

/// The services this process has started and that are alive, by id.
fn children() -> Vec<(u32, String)> {
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let child = |id: u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let of =
            |field: &str| status.lines().find_map(|line| line.strip_prefix(field)).map(|rest| rest.trim().to_owned());
        let name = of("Name:")?;
        let ours = ["compare-service", "promotion-servi", "operation-run-s"].iter().any(|known| *known == name);
        (ours && of("PPid:")?.parse::<u32>().ok()? == own).then_some((id, name))
    };
    ids.filter_map(child).collect()
}

/// Resident memory in KiB.
fn resident(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
