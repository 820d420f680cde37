//! One spelling for durations, instants and times of day.

/// An ISO 8601 duration in its one form: `PT60M` → `PT1H`, `P0D` → `PT0S`, `P1W` → `P7D`. `None` when the text is none.
///
/// Years and months have no fixed length and stay apart from days; days are 24 hours, as .NET's `TimeSpan` (which Graph
/// uses) has them.
pub(crate) fn canonical_duration(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let rest = rest.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let [years, months, weeks, days] = amounts(date, ['Y', 'M', 'W', 'D'])?;
    let [hours, minutes, seconds] = amounts(time, ['H', 'M', 'S'])?;
    let months = years.whole()?.checked_mul(12)?.checked_add(months.whole()?)?;
    let days = weeks.whole()?.checked_mul(7)?.checked_add(days.whole()?)?;
    let whole = [(days, 86_400), (hours.whole()?, 3600), (minutes.whole()?, 60), (seconds.units, 1)];
    let total = whole.iter().try_fold(0u64, |sum, (count, unit)| sum.checked_add(count.checked_mul(*unit)?))?;
    Some(written(sign, months, total, &seconds.fraction))
}

fn written(sign: &str, months: u64, total: u64, fraction: &str) -> String {
    let mut text = String::from(sign);
    text.push('P');
    let part = |text: &mut String, count: u64, unit: char| {
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    };
    part(&mut text, months / 12, 'Y');
    part(&mut text, months % 12, 'M');
    part(&mut text, total / 86_400, 'D');
    let (hours, minutes, seconds) = (total % 86_400 / 3600, total % 3600 / 60, total % 60);
    if hours + minutes + seconds > 0 || !fraction.is_empty() {
        text.push('T');
        part(&mut text, hours, 'H');
        part(&mut text, minutes, 'M');
        if !fraction.is_empty() {
            text.push_str(&format!("{seconds}.{fraction}S"));
        } else {
            part(&mut text, seconds, 'S');
        }
    }
    if months == 0 && total == 0 && fraction.is_empty() { "PT0S".to_owned() } else { text }
}

#[derive(Default, Clone)]
struct Amount {
    units: u64,
    /// Digits after the point, without trailing zeros.
    fraction: String,
}

impl Amount {
    fn whole(&self) -> Option<u64> {
        self.fraction.is_empty().then_some(self.units)
    }
}

/// Reads `<number><designator>` pairs, designators in the given order, each at most once.
fn amounts<const N: usize>(mut text: &str, designators: [char; N]) -> Option<[Amount; N]> {
    let mut found = std::array::from_fn(|_| Amount::default());
    let mut next = 0;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let designator = text[end..].chars().next()?;
        let position = designators.iter().position(|d| *d == designator).filter(|position| *position >= next)?;
        let (units, fraction) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
        found[position] = Amount { units: units.parse().ok()?, fraction: fraction.trim_end_matches('0').to_owned() };
        next = position + 1;
        text = &text[end + 1..];
    }
    Some(found)
}

/// An instant or a time of day without trailing zeros of its fraction: `08:00:00.0000000` → `08:00:00`,
/// `2024-10-13T18:23:12.4430000Z` → `2024-10-13T18:23:12.443Z`. Other text stays.
pub(super) fn canonical_time(text: &str) -> String {
    let Some((head, tail)) = text.split_once('.') else {
        return zulu(text).into_owned();
    };
    let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    let fraction = tail[..digits].trim_end_matches('0');
    if !head.contains(':') || digits == 0 {
        return text.to_owned();
    }
    let point = if fraction.is_empty() { "" } else { "." };
    zulu(&format!("{head}{point}{fraction}{}", &tail[digits..])).into_owned()
}

fn zulu(text: &str) -> std::borrow::Cow<'_, str> {
    match text.strip_suffix("+00:00") {
        Some(instant) if instant.contains('T') => format!("{instant}Z").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_durations_have_one_spelling() {
        for (text, canonical) in [
            ("PT60M", Some("PT1H")),
            ("PT1H", Some("PT1H")),
            ("P0D", Some("PT0S")),
            ("PT0S", Some("PT0S")),
            ("P1W", Some("P7D")),
            ("PT24H", Some("P1D")),
            ("P1DT2H3M4.500S", Some("P1DT2H3M4.5S")),
            ("PT0.25S", Some("PT0.25S")),
            ("P14M", Some("P1Y2M")),
            ("-PT90S", Some("-PT1M30S")),
            ("P", None),
            ("PT", None),
            ("1H", None),
            ("P1", None),
            ("PT1M1H", None),
            ("PT1.5H", None),
            ("PT99999999999999999999S", None),
            ("Payload", None),
        ] {
            assert_eq!(canonical_duration(text).as_deref(), canonical, "{text}");
            if let Some(canonical) = canonical {
                assert_eq!(canonical_duration(canonical).as_deref(), Some(canonical), "idempotent {text}");
            }
        }
    }

    #[test]
    fn fractions_of_times_lose_their_zeros() {
        for (text, canonical) in [
            ("08:00:00.0000000", "08:00:00"),
            ("2024-10-13T18:23:12.4430000Z", "2024-10-13T18:23:12.443Z"),
            ("2024-10-13T18:23:12+00:00", "2024-10-13T18:23:12Z"),
            ("2024-10-13T18:23:12.0+00:00", "2024-10-13T18:23:12Z"),
            ("10.0.22631", "10.0.22631"),
            ("08:00:00", "08:00:00"),
        ] {
            assert_eq!(canonical_time(text), canonical);
        }
    }
}
