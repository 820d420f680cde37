//! Resource paths as clients really write them: doubled and trailing slashes, `/{id}` and `('{id}')` alike.

use percent::decode;

/// One step of a resource path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// A property, collection, action, type cast or key: which one depends on what precedes it.
    Name(String),
    /// A key in parentheses: it can be nothing else.
    Key(String),
    /// A function call: name and named arguments.
    Call(String, Vec<(String, String)>),
}

impl Segment {
    /// The text of a name or key.
    pub(crate) fn text(&self) -> &str {
        match self {
            Segment::Name(text) | Segment::Key(text) | Segment::Call(text, _) => text,
        }
    }
}

/// Splits a still percent-encoded path. Empty segments vanish.
pub(crate) fn parse(path: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    for raw in split(path) {
        let text = decode(raw, false);
        match text.split_once('(') {
            Some((name, rest)) if rest.ends_with(')') => {
                let inner = &rest[..rest.len() - 1];
                if inner.contains('=') {
                    segments.push(Segment::Call(name.to_owned(), arguments(inner)));
                } else {
                    segments.push(Segment::Name(name.to_owned()));
                    if !inner.is_empty() {
                        segments.push(Segment::Key(unquote(inner)));
                    }
                }
            }
            _ => segments.push(Segment::Name(text)),
        }
    }
    segments
}

/// A slash inside parentheses belongs to an argument (values are not always percent-encoded).
fn split(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

fn arguments(inner: &str) -> Vec<(String, String)> {
    inner
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unquote(value.trim())))
        .collect()
}

/// `'it''s'` is how OData writes `it's`.
pub(crate) fn unquote(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// Percent-decoding, and encoding for what goes into a `nextLink`.
pub(crate) mod percent {
    /// Decodes `%XX`; with `plus`, `+` is a space as in a query string. Bytes that are not UTF-8 become replacement characters.
    pub(crate) fn decode(text: &str, plus: bool) -> String {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let hex = (bytes[at] == b'%')
                .then(|| text.get(at + 1..at + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
                .flatten();
            match (hex, bytes[at]) {
                (Some(byte), _) => {
                    out.push(byte);
                    at += 3;
                }
                (None, b'+') if plus => {
                    out.push(b' ');
                    at += 1;
                }
                (None, byte) => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Encodes a query value.
    pub(crate) fn encode(text: &str) -> String {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    }
}

/// The segments as text, actions without their namespace.
pub(crate) fn names(rest: &[Segment]) -> Vec<&str> {
    rest.iter().map(|segment| segment.text().trim_start_matches("microsoft.graph.")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Segment {
        Segment::Name(text.into())
    }

    #[test]
    fn both_key_forms_and_stray_slashes() {
        assert_eq!(parse("//a/b('c%20d')/e/"), vec![name("a"), name("b"), Segment::Key("c d".into()), name("e")]);
        assert_eq!(parse("/a/42"), vec![name("a"), name("42")]);
    }

    #[test]
    fn functions_keep_their_arguments() {
        let call = Segment::Call("f".into(), vec![("x".into(), "a_b/c".into())]);
        assert_eq!(parse("/a/1//f(x='a_b/c')"), vec![name("a"), name("1"), call]);
    }

    #[test]
    fn a_quote_is_doubled() {
        assert_eq!(unquote("'it''s'"), "it's");
    }
}
