//! What encoded fields say: scripts in base64, JSON in strings, property lists.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::plist;
use crate::contract::Encoding;
use crate::id::Hash;

/// The marker for what a field says, or `None` when the field is not written in that encoding and stays as it is.
pub(super) fn decode(encoding: Encoding, field: &str) -> Option<Value> {
    match encoding {
        Encoding::Plain => Some(json!({ "$text": even_lines(field) })),
        Encoding::Json => Some(json!({ "$json": even(serde_json::from_str(field).ok()?) })),
        Encoding::Base64 => Some(text_or_bytes(&bytes(field)?)),
        Encoding::Base64Json => {
            let bytes = bytes(field)?;
            let parsed = text(&bytes).and_then(|text| serde_json::from_str(&text).ok());
            Some(parsed.map_or_else(|| text_or_bytes(&bytes), |value| json!({ "$json": even(value) })))
        }
        Encoding::Base64Plist => {
            let bytes = bytes(field)?;
            let parsed = text(&bytes).and_then(|text| plist::parse(&text));
            Some(parsed.map_or_else(|| text_or_bytes(&bytes), |value| json!({ "$plist": value })))
        }
    }
}

/// Base64 as tools write it: white space and line breaks inside, padding sometimes missing.
fn bytes(field: &str) -> Option<Vec<u8>> {
    let mut compact: String = field.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    while !compact.len().is_multiple_of(4) {
        compact.push('=');
    }
    STANDARD.decode(compact).ok()
}

fn text_or_bytes(bytes: &[u8]) -> Value {
    match text(bytes) {
        Some(text) => json!({ "$text": text }),
        None => json!({ "$bytes": { "sha256": Hash::of(bytes), "size": bytes.len() } }),
    }
}

/// The text in these bytes, by its byte-order mark or as UTF-8, with even line ends. `None` for anything else.
fn text(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok()?,
        all => String::from_utf8(all.to_vec()).ok()?,
    };
    Some(even_lines(&text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<u16>>()).ok()
}

fn even_lines(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n")
}

/// Numbers in their one form, so that JSON in a string compares as JSON does.
fn even(mut value: Value) -> Value {
    match &mut value {
        Value::Number(number) => *number = crate::json::canonical_number(number),
        Value::Array(items) => items.iter_mut().for_each(|item| *item = even(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = even(field.take())),
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn one_script_in_every_disguise() {
        let plain = json!({"$text": "Write-Host 'é'\nexit 0\n"});
        let script = "Write-Host 'é'\r\nexit 0\r\n";
        let mut utf8_bom = vec![0xef, 0xbb, 0xbf];
        utf8_bom.extend(script.bytes());
        let mut utf16le = vec![0xff, 0xfe];
        utf16le.extend(script.encode_utf16().flat_map(u16::to_le_bytes));
        let mut utf16be = vec![0xfe, 0xff];
        utf16be.extend(script.encode_utf16().flat_map(u16::to_be_bytes));
        for bytes in [script.as_bytes(), script.replace("\r\n", "\r").as_bytes(), &utf8_bom, &utf16le, &utf16be] {
            assert_eq!(decode(Encoding::Base64, &encode(bytes)), Some(plain.clone()));
            assert_eq!(
                decode(Encoding::Base64, encode(bytes).trim_end_matches('=')),
                Some(plain.clone()),
                "no padding"
            );
        }
        assert_eq!(decode(Encoding::Plain, script), Some(plain));
    }

    #[test]
    fn what_is_no_text_is_told_by_its_hash_and_what_is_no_base64_stays() {
        let bytes = decode(Encoding::Base64, &encode(&[0, 159, 146, 150])).unwrap();
        assert_eq!(bytes["$bytes"]["size"], 4);
        assert_eq!(decode(Encoding::Base64, "not base64!"), None);
        assert_eq!(decode(Encoding::Json, "{"), None);
    }

    #[test]
    fn json_in_strings_is_compared_as_json() {
        let same = [r#"{"a":1.0,"b":[true]}"#, r#"{ "b": [true], "a": 1 }"#];
        let decoded: Vec<_> = same.iter().map(|text| decode(Encoding::Json, text)).collect();
        assert_eq!(decoded[0], decoded[1]);
        assert_eq!(decode(Encoding::Base64Json, &encode(same[0].as_bytes())), decoded[0]);
    }
}
