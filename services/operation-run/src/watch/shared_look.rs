//! One look at the database for everybody who wants to know the same at the same time. Ten thousand streams of one person must
//! not ask ten thousand times: the pool could not keep up, no answer would come in time, and all of them would have to end.

use std::time::Duration;

use server::Failure;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Result;

/// What was seen last, and a queue of those who wait for it to be seen anew.
#[derive(Debug)]
pub struct SharedLook<T>(Mutex<Option<Look<T>>>);

#[derive(Debug)]
enum Look<T> {
    /// What was seen, as of when it was asked for.
    Seen { asked_at: Instant, value: T },
    /// Nothing could be seen.
    Failed { at: Instant },
}

impl<T> Default for SharedLook<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> SharedLook<T> {
    /// What was seen by a look that was at most `age` old when this was called, or that began later. One of all who wait looks;
    /// when it goes away in the middle the next one does.
    ///
    /// # Errors
    /// That of the look, to whoever looked; UNAVAILABLE to all who had asked by then, without another look.
    pub async fn share<F>(&self, age: Duration, look: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let called_at = Instant::now();
        let mut last = self.0.lock().await;
        match &*last {
            Some(Look::Seen { asked_at, value }) if called_at.saturating_duration_since(*asked_at) < age => {
                return Ok(value.clone());
            }
            Some(Look::Failed { at }) if *at >= called_at => return Err(Failure::unavailable("the database").into()),
            _ => {}
        }
        let asked_at = Instant::now();
        let seen = look().await;
        *last = Some(match &seen {
            Ok(value) => Look::Seen { asked_at, value: value.clone() },
            Err(_) => Look::Failed { at: Instant::now() },
        });
        seen
    }

    /// Takes in what somebody has seen by a look of its own, unless a later one is known or under way.
    pub fn learn(&self, asked_at: Instant, value: T) {
        let Ok(mut last) = self.0.try_lock() else { return };
        if !matches!(&*last, Some(Look::Seen { asked_at: later, .. }) if *later > asked_at) {
            *last = Some(Look::Seen { asked_at, value });
        }
    }

    /// Whether what was seen last is at most this old.
    pub fn is_within(&self, age: Duration) -> bool {
        let last = self.0.try_lock();
        last.is_ok_and(|last| matches!(&*last, Some(Look::Seen { asked_at, .. }) if asked_at.elapsed() < age))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    const AGE: Duration = Duration::from_secs(1);
    /// How long a look takes.
    const LOOK: Duration = Duration::from_millis(300);

    /// Everybody of so many asks at once; returns how many were told, and how often somebody looked.
    async fn crowd(shared: &SharedLook<u32>, many: usize, fails: bool) -> (usize, u32) {
        let looks = Cell::new(0);
        let ask = || {
            shared.share(AGE, || async {
                looks.set(looks.get() + 1);
                sleep(LOOK).await;
                if fails { Err(Failure::unavailable("the database").into()) } else { Ok(looks.get()) }
            })
        };
        let answers = join_all((0..many).map(|_| ask())).await;
        (answers.iter().filter(|answer| answer.is_ok()).count(), looks.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_looks_once_a_second() {
        let shared = SharedLook::default();
        assert_eq!(crowd(&shared, 10_000, false).await, (10_000, 1));
        assert_eq!(crowd(&shared, 10_000, false).await, (10_000, 0), "it is still recent");
        assert!(shared.is_within(AGE));
        advance(AGE).await;
        assert!(!shared.is_within(AGE));
        assert_eq!(crowd(&shared, 10_000, false).await, (10_000, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_everybodys_who_waited_for_it_and_nobody_elses() {
        let shared = SharedLook::default();
        assert_eq!(crowd(&shared, 10_000, true).await, (0, 1));
        advance(Duration::from_millis(1)).await;
        assert_eq!(crowd(&shared, 10, false).await, (10, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_in_the_middle_leaves_the_look_to_the_next() {
        let shared = SharedLook::default();
        let slow = shared.share(AGE, || async {
            sleep(LOOK * 10).await;
            Ok(1)
        });
        assert!(tokio::time::timeout(LOOK, slow).await.is_err());
        assert_eq!(crowd(&shared, 3, false).await, (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_saw_alone_is_known_to_all() {
        let shared = SharedLook::default();
        shared.learn(Instant::now(), 7);
        let told = shared.share(AGE, || async { panic!("nobody has to look") }).await;
        assert!(matches!(told, Ok(7)), "{told:?}");
    }
}
