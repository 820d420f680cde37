//! When a schedule fires: a cron expression read on the wall clock of a time zone.
//!
//! The rule about daylight saving, the same for every expression: **each time that the expression names on the wall clock fires
//! exactly once**. A time that the clock skips fires at the moment of the jump, and several such times together fire once; a time
//! that the clock shows twice fires when it is shown first.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use time::{Duration, OffsetDateTime};

/// Most characters of a cron expression.
pub const MOST_CRON_CHARS: usize = 100;
/// The shortest time between two backups of a schedule, on the wall clock.
pub const SHORTEST_PAUSE: Duration = Duration::minutes(15);

/// From when on an expression is checked; a leap year, so that "29 2" fires soon.
const CHECKED_FROM: DateTime = DateTime::constant(2024, 1, 1, 0, 0, 0, 0);
/// How many times of an expression are checked: a day at the shortest pause has fewer.
const CHECKED_TIMES: usize = 100;

/// A cron expression and the zone whose wall clock it is read on.
#[derive(Debug, Clone)]
pub struct Timing {
    cron: Cron,
    zone: TimeZone,
}

/// Why there can be no such timing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// The expression cannot be read.
    #[error("is not a cron expression of five fields (minute, hour, day of month, month, day of week)")]
    Cron,
    /// The expression names no time at all.
    #[error("never fires: no date has all of this")]
    NeverFires,
    /// Its times are too close.
    #[error("fires more often than every 15 minutes")]
    TooOften,
    /// Nobody knows the zone.
    #[error("is not a time zone of the IANA database, such as Europe/Berlin")]
    Zone,
}

impl Timing {
    /// Reads an expression of five fields and the name of a zone.
    ///
    /// # Errors
    /// See [`TimingError`]. [`TimingError::Zone`] is about `zone`, the others about `cron`.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, TimingError> {
        // The database of this build, not that of the machine: every replica reads the same clock.
        let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| TimingError::Zone)?;
        let timing = Self { cron: parse_cron(cron)?, zone };
        timing.check()?;
        Ok(timing)
    }

    /// The first time the schedule fires after `time`; `None` at the end of the calendar.
    pub fn next_after(&self, time: OffsetDateTime) -> Option<OffsetDateTime> {
        let second = Timestamp::from_second(time.unix_timestamp()).ok()?;
        let mut wall = self.zone.to_datetime(second);
        loop {
            // After the clock was set back it shows times that have fired already: those are passed over.
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            let instant = self.instant_of(wall)?;
            if instant > time {
                return Some(instant);
            }
        }
    }

    /// When the wall clock shows this for the first time, or jumps over it.
    fn instant_of(&self, wall: DateTime) -> Option<OffsetDateTime> {
        let timestamp = match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok()?,
            // The offset before the clock is set back is that of its first showing.
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok()?,
            // Read with the offset before, a skipped time lies behind the jump by as much as it lies within the gap.
            AmbiguousOffset::Gap { before, .. } => {
                let behind = before.to_timestamp(wall).ok()?;
                self.zone.preceding(behind.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?).next()?.timestamp()
            }
        };
        OffsetDateTime::from_unix_timestamp(timestamp.as_second()).ok()
    }

    fn check(&self) -> Result<(), TimingError> {
        let mut before: Option<DateTime> = None;
        let mut wall = CHECKED_FROM;
        for checked in 0..CHECKED_TIMES {
            match self.cron.find_next_occurrence(&wall, checked == 0) {
                Ok(next) => wall = next,
                Err(_) if checked == 0 => return Err(TimingError::NeverFires),
                Err(_) => break,
            }
            let pause = before.map(|before| wall.duration_since(before).as_secs());
            if pause.is_some_and(|pause| pause < SHORTEST_PAUSE.whole_seconds()) {
                return Err(TimingError::TooOften);
            }
            before = Some(wall);
        }
        Ok(())
    }
}

fn parse_cron(text: &str) -> Result<Cron, TimingError> {
    if text.chars().count() > MOST_CRON_CHARS {
        return Err(TimingError::Cron);
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|_| TimingError::Cron)
}

#[cfg(test)]
mod tests;
