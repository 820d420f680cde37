//! How fast one tenant may be asked. Graph throttles per application and tenant and per family of paths, often without
//! saying when to come back, so requests are spaced before the first refusal, and a budget of simultaneous requests shrinks
//! on every refusal and grows back slowly.
//!
//! The limits are those of one application on one tenant; replicas share them without talking to each other, which the
//! budget absorbs: who is refused, slows down.

mod budget;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use budget::Budget;
pub use budget::BudgetLimits;
use window::Window;

/// The part of Graph whose limits a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `/deviceManagement`, `/deviceAppManagement`.
    Intune,
    /// `/identity/conditionalAccess`: shared by all applications of the tenant, and refused without `Retry-After`.
    ConditionalAccess,
    /// Everything else: groups, roles.
    Directory,
}

impl Family {
    /// The family a path (without version) belongs to.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        if path.starts_with("/devicemanagement") || path.starts_with("/deviceappmanagement") {
            Self::Intune
        } else if path.starts_with("/identity/conditionalaccess") {
            Self::ConditionalAccess
        } else {
            Self::Directory
        }
    }

    /// The name used in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intune => "intune",
            Self::ConditionalAccess => "conditional_access",
            Self::Directory => "directory",
        }
    }
}

/// At most `count` requests in any stretch of `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub count: usize,
    /// The stretch of time.
    pub per: Duration,
}

/// The limits of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyLimits {
    /// Writes (POST, PUT, PATCH, DELETE).
    pub writes: Rate,
    /// All requests, writes included; every item of a batch counts.
    pub all: Rate,
}

/// The limits applied to each tenant. The defaults keep a twentieth below Microsoft's published throttling limits, because
/// what leaves here evenly may arrive bunched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacingLimits {
    /// 100 writes and 1,000 requests in 20 s.
    pub intune: FamilyLimits,
    /// 1 request in 1 s, for all applications together.
    pub conditional_access: FamilyLimits,
    /// 3,000 writes in 150 s; 3,500 resource units in 10 s for the smallest tenants, a page of groups costing up to 3.
    pub directory: FamilyLimits,
    /// Simultaneous requests.
    pub budget: BudgetLimits,
}

impl Default for PacingLimits {
    fn default() -> Self {
        let rate = |count, ms| Rate { count, per: Duration::from_millis(ms) };
        Self {
            intune: FamilyLimits { writes: rate(95, 20_000), all: rate(950, 20_000) },
            conditional_access: FamilyLimits { writes: rate(1, 1_050), all: rate(1, 1_050) },
            directory: FamilyLimits { writes: rate(380, 20_000), all: rate(1_100, 10_000) },
            budget: BudgetLimits::default(),
        }
    }
}

/// The pace of one tenant; cheap to clone, shared by everything that talks to that tenant in this process.
#[derive(Debug, Clone)]
pub(crate) struct Pacer {
    intune: Arc<Lane>,
    conditional_access: Arc<Lane>,
    directory: Arc<Lane>,
}

impl Pacer {
    pub(crate) fn new(limits: &PacingLimits) -> Self {
        let lane = |family: FamilyLimits| Arc::new(Lane::new(family, limits.budget));
        Self {
            intune: lane(limits.intune),
            conditional_access: lane(limits.conditional_access),
            directory: lane(limits.directory),
        }
    }

    fn lane(&self, family: Family) -> &Arc<Lane> {
        match family {
            Family::Intune => &self.intune,
            Family::ConditionalAccess => &self.conditional_access,
            Family::Directory => &self.directory,
        }
    }

    /// Part of an answered request was throttled (an item of a batch).
    pub(crate) fn throttled(&self, family: Family, wait: Option<Duration>) {
        self.lane(family).state().budget.throttled(crate::ambient::now(), wait);
    }

    /// Waits for the turn of one HTTP request that counts as `cost` requests (a batch: its items). The permit is held
    /// until the answer is read.
    pub(crate) async fn turn(&self, family: Family, write: bool, cost: usize) -> Permit {
        let lane = self.lane(family);
        loop {
            // Registered before the look, so that a permit freed in between is not missed.
            let freed = lane.freed.notified();
            match lane.try_turn(crate::ambient::now(), write, cost) {
                Turn::Granted => return Permit { lane: Arc::clone(lane) },
                Turn::NotBefore(at) => tokio::time::sleep_until(at).await,
                Turn::Full => freed.await,
            }
        }
    }
}

/// The right to have one request under way. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Permit {
    lane: Arc<Lane>,
}

impl Permit {
    /// The request was answered and not throttled.
    pub(crate) fn answered(&self) {
        self.lane.state().budget.succeeded();
        self.lane.freed.notify_one();
    }

    /// The request was throttled: fewer at a time from now on, and none before `wait` has passed.
    pub(crate) fn throttled(&self, wait: Option<Duration>) {
        self.lane.state().budget.throttled(crate::ambient::now(), wait);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.lane.state().budget.release();
        self.lane.freed.notify_one();
    }
}

enum Turn {
    Granted,
    NotBefore(Instant),
    Full,
}

#[derive(Debug)]
struct Lane {
    state: Mutex<LaneState>,
    freed: Notify,
}

#[derive(Debug)]
struct LaneState {
    writes: Window,
    all: Window,
    budget: Budget,
}

impl Lane {
    fn new(limits: FamilyLimits, budget: BudgetLimits) -> Self {
        let state =
            LaneState { writes: Window::new(limits.writes), all: Window::new(limits.all), budget: Budget::new(budget) };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, LaneState> {
        // Counters only: a panic elsewhere leaves them usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_turn(&self, now: Instant, write: bool, cost: usize) -> Turn {
        let mut state = self.state();
        let held = [
            state.budget.not_before(now),
            state.all.not_before(now, cost),
            if write { state.writes.not_before(now, cost) } else { None },
        ];
        if let Some(at) = held.into_iter().flatten().max() {
            return Turn::NotBefore(at);
        }
        if !state.budget.acquire() {
            return Turn::Full;
        }
        state.all.record(now, cost);
        if write {
            state.writes.record(now, cost);
        }
        Turn::Granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_belong_to_families() {
        for (path, family) in [
            ("/deviceManagement/configurationPolicies", Family::Intune),
            ("/deviceAppManagement/mobileApps", Family::Intune),
            ("/identity/conditionalAccess/policies", Family::ConditionalAccess),
            ("/groups", Family::Directory),
        ] {
            assert_eq!(Family::of(path), family);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn conditional_access_gets_one_request_a_second() {
        let pacer = Pacer::new(&PacingLimits::default());
        let start = Instant::now();
        for _ in 0..5 {
            drop(pacer.turn(Family::ConditionalAccess, true, 1).await);
        }
        assert!(start.elapsed() >= Duration::from_secs(4), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_hundredth_intune_write_waits_and_reads_do_not() {
        let pacer = Pacer::new(&PacingLimits::default());
        let start = Instant::now();
        for _ in 0..95 {
            drop(pacer.turn(Family::Intune, true, 1).await);
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        drop(pacer.turn(Family::Intune, false, 20).await);
        assert!(start.elapsed() < Duration::from_secs(1));
        drop(pacer.turn(Family::Intune, true, 1).await);
        assert!(start.elapsed() >= Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_lane_holds_everybody_back_and_narrows() {
        let pacer = Pacer::new(&PacingLimits::default());
        let first = pacer.turn(Family::Intune, false, 1).await;
        first.throttled(Some(Duration::from_secs(7)));
        drop(first);
        let start = Instant::now();
        drop(pacer.turn(Family::Intune, false, 1).await);
        assert!(start.elapsed() >= Duration::from_secs(7));
        drop(pacer.turn(Family::Directory, false, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_freed_place_wakes_the_next() {
        let limits =
            PacingLimits { budget: BudgetLimits { start: 1, max: 1, grow_after: 1 }, ..PacingLimits::default() };
        let pacer = Pacer::new(&limits);
        let held = pacer.turn(Family::Intune, false, 1).await;
        let other = pacer.clone();
        let waiting = tokio::spawn(async move { drop(other.turn(Family::Intune, false, 1).await) });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("woken").expect("no panic");
    }
}
