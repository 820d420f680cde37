//! Apple property lists in XML, read into JSON so that white space and key order do not matter.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Number, Value, json};

/// Deeper nesting than any profile has is refused, not followed.
const MAX_DEPTH: usize = 64;

/// The value in a property list; `None` when the text is none (a signed profile, for instance).
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().trim_text(false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) if tag.name().as_ref() == b"plist" => break,
            Event::Eof | Event::Start(_) | Event::Empty(_) => return None,
            _ => {}
        }
    }
    match next(&mut reader, MAX_DEPTH)? {
        Item::Value(value) => Some(value),
        Item::Key(_) | Item::End => None,
    }
}

enum Item {
    Value(Value),
    Key(String),
    End,
}

/// The next value, key, or the end of what is around it.
fn next(reader: &mut Reader<&[u8]>, depth: usize) -> Option<Item> {
    let depth = depth.checked_sub(1)?;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                let name = tag.name().as_ref().to_vec();
                return match name.as_slice() {
                    b"dict" => dict(reader, depth).map(Item::Value),
                    b"array" => array(reader, depth).map(Item::Value),
                    b"key" => content(reader).map(Item::Key),
                    b"true" => content(reader).map(|_| Item::Value(Value::Bool(true))),
                    b"false" => content(reader).map(|_| Item::Value(Value::Bool(false))),
                    other => scalar(other, content(reader)?).map(Item::Value),
                };
            }
            Event::Empty(tag) => {
                return match tag.name().as_ref() {
                    b"true" => Some(Item::Value(Value::Bool(true))),
                    b"false" => Some(Item::Value(Value::Bool(false))),
                    b"dict" => Some(Item::Value(json!({}))),
                    b"array" => Some(Item::Value(json!([]))),
                    b"key" => Some(Item::Key(String::new())),
                    other => scalar(other, String::new()).map(Item::Value),
                };
            }
            Event::End(_) => return Some(Item::End),
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn dict(reader: &mut Reader<&[u8]>, depth: usize) -> Option<Value> {
    let mut fields = Map::new();
    loop {
        match next(reader, depth)? {
            Item::End => return Some(Value::Object(fields)),
            Item::Value(_) => return None,
            Item::Key(key) => match next(reader, depth)? {
                Item::Value(value) => {
                    fields.insert(key, value);
                }
                Item::Key(_) | Item::End => return None,
            },
        }
    }
}

fn array(reader: &mut Reader<&[u8]>, depth: usize) -> Option<Value> {
    let mut elements = Vec::new();
    loop {
        match next(reader, depth)? {
            Item::End => return Some(Value::Array(elements)),
            Item::Value(value) => elements.push(value),
            Item::Key(_) => return None,
        }
    }
}

/// The text up to the end of the element, entities resolved.
fn content(reader: &mut Reader<&[u8]>) -> Option<String> {
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Text(part) => text.push_str(&part.decode().ok()?),
            Event::CData(part) => text.push_str(&part.decode().ok()?),
            Event::GeneralRef(entity) => match entity.resolve_char_ref().ok()? {
                Some(character) => text.push(character),
                None => text.push_str(quick_xml::escape::resolve_predefined_entity(&entity.decode().ok()?)?),
            },
            Event::End(_) => return Some(text),
            Event::Comment(_) => {}
            _ => return None,
        }
    }
}

fn scalar(tag: &[u8], text: String) -> Option<Value> {
    let trimmed = text.trim();
    match tag {
        b"string" => Some(Value::String(text.replace("\r\n", "\n"))),
        b"integer" => trimmed.parse::<i64>().ok().map(Value::from),
        b"real" => trimmed
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(|number| crate::json::canonical_number(&number).into()),
        b"date" => Some(json!({ "date": trimmed })),
        b"data" => Some(json!({ "data": text.split_whitespace().collect::<String>() })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_by_value() {
        let profile = r#"<?xml version="1.0" encoding="UTF-8"?>
            <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
            <plist version="1.0"><dict>
              <key>Name</key><string>A &amp; B &#233;</string>
              <key>On</key><true/> <key>Off</key><false></false>
              <key>N</key><integer> 7 </integer> <key>R</key><real>1.0</real>
              <key>List</key><array><string/><dict/></array>
              <key>Blob</key><data> AQ
                ID </data>
            </dict></plist>"#;
        let expected = json!({"Name": "A & B é", "On": true, "Off": false, "N": 7, "R": 1, "List": ["", {}], "Blob": {"data": "AQID"}});
        assert_eq!(parse(profile), Some(expected.clone()));
        assert_eq!(parse(&profile.replace('\n', "")), Some(expected));
    }

    #[test]
    fn what_is_no_property_list_is_refused() {
        for text in [
            "",
            "<html/>",
            "<plist>",
            "<plist><dict><string>x</string></dict></plist>",
            "plain",
            "<plist><odd>1</odd></plist>",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let deep = format!("<plist>{}{}</plist>", "<array>".repeat(100), "</array>".repeat(100));
        assert_eq!(parse(&deep), None);
    }
}
