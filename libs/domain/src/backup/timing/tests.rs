//! Both edges of daylight saving, in both hemispheres, and the laws behind them.

use proptest::prelude::*;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use super::*;

fn timing(cron: &str, zone: &str) -> Timing {
    Timing::parse(cron, zone).unwrap_or_else(|why| panic!("{cron} {zone}: {why}"))
}

/// The next times after `from`, in UTC.
fn next(cron: &str, zone: &str, from: OffsetDateTime, count: usize) -> Vec<String> {
    let timing = timing(cron, zone);
    let times = std::iter::successors(timing.next_after(from), |last| timing.next_after(*last));
    times.take(count).map(|time| time.format(&Rfc3339).unwrap()).collect()
}

#[test]
fn what_the_clock_skips_fires_at_the_jump_and_what_it_shows_twice_fires_first() {
    let spring = datetime!(2026-03-28 12:00 UTC);
    let autumn = datetime!(2026-10-24 12:00 UTC);
    type Case = (&'static str, &'static str, OffsetDateTime, &'static [&'static str]);
    let cases: [Case; 9] = [
        // 02:30 does not exist on the 29th: 03:00 summer time is the moment of the jump.
        ("30 2 * * *", "Europe/Berlin", spring, &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        // Two skipped times and the jump itself are one.
        (
            "0,30 2,3 * * *",
            "Europe/Berlin",
            spring,
            &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"],
        ),
        // An hourly one goes on hour by hour.
        (
            "0 * * * *",
            "Europe/Berlin",
            datetime!(2026-03-28 23:30 UTC),
            &["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        ),
        // 02:30 comes twice on the 25th: summer time first.
        ("30 2 * * *", "Europe/Berlin", autumn, &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        (
            "0,30 2 * * *",
            "Europe/Berlin",
            autumn,
            &["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"],
        ),
        // An hourly one names 02:00 once.
        (
            "0 * * * *",
            "Europe/Berlin",
            datetime!(2026-10-24 23:30 UTC),
            &["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        // Asked for in the second showing, the first is over.
        ("30 2 * * *", "Europe/Berlin", datetime!(2026-10-25 01:15 UTC), &["2026-10-26T01:30:00Z"]),
        // A jump of half an hour, in the other hemisphere's spring.
        ("15 2 * * *", "Australia/Lord_Howe", datetime!(2026-10-03 00:00 UTC), &["2026-10-03T15:30:00Z"]),
        ("15 6 * * *", "UTC", spring, &["2026-03-29T06:15:00Z", "2026-03-30T06:15:00Z"]),
    ];
    for (cron, zone, from, want) in cases {
        assert_eq!(next(cron, zone, from, want.len()), want, "{cron} {zone} from {from}");
    }
}

#[test]
fn a_moment_is_not_after_itself_and_fractions_do_not_matter() {
    let timing = timing("0 6 * * *", "UTC");
    let six = datetime!(2026-01-01 06:00 UTC);
    assert_eq!(timing.next_after(six), Some(six + Duration::DAY));
    assert_eq!(timing.next_after(six - Duration::nanoseconds(1)), Some(six));
    assert_eq!(timing.next_after(six + Duration::nanoseconds(1)), Some(six + Duration::DAY));
}

#[test]
fn what_cannot_be_a_schedule_says_why() {
    let long = format!("0 0 {} * *", "1,".repeat(60) + "2");
    let cases = [
        ("", "UTC", TimingError::Cron),
        ("0 0 * *", "UTC", TimingError::Cron),
        ("0 0 0 * * *", "UTC", TimingError::Cron),
        ("61 0 * * *", "UTC", TimingError::Cron),
        (long.as_str(), "UTC", TimingError::Cron),
        ("0 0 31 2 *", "UTC", TimingError::NeverFires),
        ("* * * * *", "UTC", TimingError::TooOften),
        ("*/14 * * * *", "UTC", TimingError::TooOften),
        ("0,10 3 1 1 *", "UTC", TimingError::TooOften),
        ("55,0 0,23 * * *", "UTC", TimingError::TooOften),
        ("0 0 * * *", "Europe/Nowhere", TimingError::Zone),
        ("0 0 * * *", "", TimingError::Zone),
    ];
    for (cron, zone, why) in cases {
        assert_eq!(Timing::parse(cron, zone).err(), Some(why), "{cron:?} {zone:?}");
    }
    for (cron, zone) in
        [("*/15 * * * *", "Asia/Kathmandu"), ("0 0 29 2 *", "UTC"), ("0 22 L * *", "UTC"), ("@daily", "UTC")]
    {
        assert!(Timing::parse(cron, zone).is_ok(), "{cron}");
    }
}

/// Schedules that are busy around the hours in which clocks change.
fn cron() -> impl Strategy<Value = String> {
    let minutes = prop_oneof![Just("0"), Just("30"), Just("0,15,30,45"), Just("*/20"), Just("59")];
    let hours = prop_oneof![Just("*"), Just("2"), Just("0,1,2,3"), Just("*/2"), Just("0-4")];
    let days = prop_oneof![Just("* * *"), Just("* * 0"), Just("1-7,25-31 * *"), Just("* 3,10,11 *")];
    (minutes, hours, days).prop_map(|(minutes, hours, days)| format!("{minutes} {hours} {days}"))
}

fn zone() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("Europe/Berlin"),
        Just("America/New_York"),
        Just("Australia/Lord_Howe"),
        Just("America/Sao_Paulo"),
        Just("Africa/Cairo"),
        Just("Pacific/Apia"),
        Just("UTC"),
    ]
}

/// What the rule says, the long way round: every minute of the wall clock, asked one by one.
fn by_the_rule(cron: &str, zone: &str, from: OffsetDateTime, days: i64) -> Vec<OffsetDateTime> {
    let timing = timing(cron, zone);
    let first = timing.zone.to_datetime(Timestamp::from_second(from.unix_timestamp()).unwrap());
    let minute = first.with().second(0).subsec_nanosecond(0).build().unwrap();
    let until = from + Duration::days(days);
    let mut fired: Vec<OffsetDateTime> = (0..(days + 2) * 24 * 60)
        .map(|minutes| minute.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap())
        .filter(|wall| timing.cron.is_time_matching(wall).unwrap())
        .map(|wall| timing.instant_of(wall).unwrap())
        .filter(|time| *time > from && *time <= until)
        .collect();
    fired.dedup();
    fired
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn times_rise_and_none_is_lost_or_doubled(cron in cron(), zone in zone(), start in 0_i64..60 * 24 * 365 * 20) {
        // From 2008 on: twenty years of changes, a whole skipped day in Apia among them.
        let from = datetime!(2008-01-01 00:00 UTC) + Duration::minutes(start);
        let days = 9;
        let timing = timing(&cron, zone);
        let times = std::iter::successors(timing.next_after(from), |last| timing.next_after(*last));
        let until = from + Duration::days(days);
        let fired: Vec<_> = times.take_while(|time| *time <= until).collect();
        prop_assert!(fired.windows(2).all(|pair| pair[0] < pair[1]), "{fired:?}");
        prop_assert_eq!(fired, by_the_rule(&cron, zone, from, days));
    }

    #[test]
    fn what_is_next_does_not_depend_on_when_it_is_asked(cron in cron(), zone in zone(), day in 0_i64..7_000, within in 0_i64..86_400) {
        let timing = timing(&cron, zone);
        let from = datetime!(2008-01-01 00:00 UTC) + Duration::days(day);
        let next = timing.next_after(from).unwrap();
        let between = (from + Duration::seconds(within)).min(next - Duration::seconds(1)).max(from);
        prop_assert_eq!(timing.next_after(between), Some(next));
    }
}
