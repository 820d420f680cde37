//! Reading the fields of a request: each parser takes the field's path in the message and says precisely what is wrong
//! with its value (INVALID_ARGUMENT with a BadRequest detail).

use std::collections::BTreeSet;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::failure::Failure;

mod page;

pub use page::{Page, PageToken};

/// A UUID, typed: `fields::id::<WorkspaceId>("workspace_id", &request.workspace_id)`.
pub fn id<T: From<Uuid>>(field: &str, value: &str) -> Result<T, Failure> {
    uuid(field, value).map(T::from)
}

/// A UUID that may be left out (empty).
pub fn optional_id<T: From<Uuid>>(field: &str, value: &str) -> Result<Option<T>, Failure> {
    if value.is_empty() { Ok(None) } else { id(field, value).map(Some) }
}

/// A list of UUIDs; `repeated` paths show the index.
pub fn ids<T: From<Uuid>>(field: &str, values: &[String]) -> Result<Vec<T>, Failure> {
    values.iter().enumerate().map(|(index, value)| id(&format!("{field}[{index}]"), value)).collect()
}

/// A UUID in its hyphenated form. Other spellings are refused, so that one id has one text.
pub fn uuid(field: &str, value: &str) -> Result<Uuid, Failure> {
    if value.is_empty() {
        return Err(Failure::invalid_argument(field, "is required"));
    }
    match Uuid::try_parse(value) {
        Ok(id) if value.len() == 36 && id.is_nil() => Err(Failure::invalid_argument(field, "must not be the nil UUID")),
        Ok(id) if value.len() == 36 => Ok(id),
        _ => Err(Failure::invalid_argument(field, "must be a UUID such as 0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001")),
    }
}

/// A text that must be there, of at most `most` characters and without control characters. Surrounding white space is
/// not part of it.
pub fn text<'a>(field: &str, value: &'a str, most: usize) -> Result<&'a str, Failure> {
    match optional_text(field, value, most)? {
        Some(text) => Ok(text),
        None => Err(Failure::invalid_argument(field, "is required")),
    }
}

/// Like [`text()`], but may be left out (empty or white space).
pub fn optional_text<'a>(field: &str, value: &'a str, most: usize) -> Result<Option<&'a str>, Failure> {
    let value = value.trim();
    if value.chars().count() > most {
        return Err(Failure::invalid_argument(field, format!("must have at most {most} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(Failure::invalid_argument(field, "must not contain control characters"));
    }
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// A list of texts that means a set: at most `most` of them, each as [`text()`] takes it; `repeated` paths show the index.
pub fn texts(field: &str, values: &[String], most: usize, most_chars: usize) -> Result<BTreeSet<String>, Failure> {
    if values.len() > most {
        return Err(Failure::invalid_argument(field, format!("must have at most {most} entries")));
    }
    let one =
        |(index, value): (usize, &String)| text(&format!("{field}[{index}]"), value, most_chars).map(str::to_owned);
    values.iter().enumerate().map(one).collect()
}

/// A message-typed field that must be there.
pub fn required<T>(field: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::invalid_argument(field, "is required"))
}

/// An enum value of this API. `T::try_from(i32)` is what prost generates; zero is UNSPECIFIED and refused.
pub fn choice<T: TryFrom<i32>>(field: &str, value: i32) -> Result<T, Failure> {
    match value {
        0 => Err(Failure::invalid_argument(field, "is required")),
        _ => T::try_from(value).map_err(|_| Failure::invalid_argument(field, format!("{value} is not a known value"))),
    }
}

/// A point in time that may be left out. PostgreSQL keeps microseconds: finer parts are dropped.
pub fn optional_time(field: &str, value: Option<&prost_types::Timestamp>) -> Result<Option<OffsetDateTime>, Failure> {
    let Some(value) = value else { return Ok(None) };
    // The range of google.protobuf.Timestamp itself: years 1 to 9999.
    let in_range =
        (-62_135_596_800..=253_402_300_799).contains(&value.seconds) && (0..1_000_000_000).contains(&value.nanos);
    if !in_range {
        return Err(Failure::invalid_argument(field, "is outside the years 0001 to 9999"));
    }
    let micros = i128::from(value.seconds) * 1_000_000 + i128::from(value.nanos / 1000);
    OffsetDateTime::from_unix_timestamp_nanos(micros * 1000)
        .map(Some)
        .map_err(|_| Failure::invalid_argument(field, "is outside the years 0001 to 9999"))
}

/// A point in time that must be there.
pub fn time(field: &str, value: Option<&prost_types::Timestamp>) -> Result<OffsetDateTime, Failure> {
    required(field, optional_time(field, value)?)
}

/// The other way: a point in time as it is sent.
pub fn to_timestamp(time: OffsetDateTime) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.nanosecond()).expect("a second has fewer nanoseconds than i32 counts");
    prost_types::Timestamp { seconds: time.unix_timestamp(), nanos }
}

/// How many entries a page has: 0 asks for `default`, more than `most` is cut to it, less than 0 is refused (AIP-158).
pub fn page_size(value: i32, default: u32, most: u32) -> Result<u32, Failure> {
    match u32::try_from(value) {
        Ok(0) => Ok(default.min(most)),
        Ok(asked) => Ok(asked.min(most)),
        Err(_) => Err(Failure::invalid_argument("page_size", "must not be negative")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        result.unwrap_err().message().to_owned()
    }

    #[test]
    fn ids_have_one_spelling() {
        let text = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
        assert_eq!(uuid("run_id", text).unwrap().to_string(), text);
        assert_eq!(why(uuid("run_id", "")), "run_id: is required");
        for bad in
            ["7", "0190b0a47c117a3e9d3f5a1de1b3a001", "{0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001}", "x".repeat(36).as_str()]
        {
            assert!(why(uuid("run_id", bad)).starts_with("run_id: must be a UUID"), "{bad}");
        }
        assert!(uuid("run_id", "00000000-0000-0000-0000-000000000000").is_err());
        assert!(why(ids::<Uuid>("tenant_ids", &[text.into(), "7".into()])).starts_with("tenant_ids[1]:"));
        assert_eq!(optional_id::<Uuid>("run_id", "").unwrap(), None);
    }

    #[test]
    fn texts_are_trimmed_and_bounded() {
        assert_eq!(text("name", "  Contoso ", 7).unwrap(), "Contoso");
        assert_eq!(why(text("name", " ", 7)), "name: is required");
        assert_eq!(why(text("name", "Contosos", 7)), "name: must have at most 7 characters");
        assert!(text("name", "a\nb", 7).is_err());
    }

    #[test]
    fn page_sizes_are_coerced() {
        assert_eq!([0, 7, 5000].map(|asked| page_size(asked, 50, 1000).unwrap()), [50, 7, 1000]);
        assert!(page_size(-1, 50, 1000).is_err());
    }

    #[test]
    fn times_keep_microseconds_and_their_range() {
        let sent = prost_types::Timestamp { seconds: 1_700_000_000, nanos: 123_456_789 };
        let time = time("since", Some(&sent)).unwrap();
        assert_eq!(to_timestamp(time), prost_types::Timestamp { nanos: 123_456_000, ..sent });
        let before_1970 = prost_types::Timestamp { seconds: -1, nanos: 999_999_000 };
        assert_eq!(to_timestamp(optional_time("since", Some(&before_1970)).unwrap().unwrap()), before_1970);
        assert!(optional_time("since", Some(&prost_types::Timestamp { seconds: i64::MAX, nanos: 0 })).is_err());
        assert!(optional_time("since", Some(&prost_types::Timestamp { seconds: 0, nanos: -1 })).is_err());
    }
}
