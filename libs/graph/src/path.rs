//! Addresses under Graph: a template that is data (`/deviceManagement/intents/{id}/categories/{category}/settings`) and the
//! values put into it. The template is what traces and metrics see; ids never become labels.

use std::fmt::Write as _;

use crate::pacing::Family;

/// A relative Graph address with its version, encoded, and the template it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    template: String,
    path: String,
    query: String,
    family: Family,
}

impl Path {
    /// `template` (starting with `/`, without version) under `version` (`beta`, `v1.0`). It may already carry a query,
    /// written as people read it (`$filter=isBuiltIn eq false`).
    #[must_use]
    pub fn new(version: &str, template: &str) -> Self {
        Self::with(version, template, &[])
    }

    /// As [`Path::new`], each `{name}` replaced by its encoded value.
    #[must_use]
    pub fn with(version: &str, template: &str, values: &[(&str, &str)]) -> Self {
        let (bare, query) = split(template);
        Self {
            template: bare.to_owned(),
            path: format!("/{version}{}", fill(bare, values)),
            query: encode_query(&fill(query, values)),
            family: Family::of(bare),
        }
    }

    /// The address `template` (no leading slash) below this one; this one's query is not inherited.
    #[must_use]
    pub fn below(&self, template: &str, values: &[(&str, &str)]) -> Self {
        let (bare, query) = split(template);
        Self {
            template: format!("{}/{bare}", self.template),
            path: format!("{}/{}", self.path, fill(bare, values)),
            query: encode_query(&fill(query, values)),
            family: self.family,
        }
    }

    /// The same address with this query, written as people read it; empty for none.
    #[must_use]
    pub fn with_query(mut self, query: &str) -> Self {
        self.query = encode_query(query);
        self
    }

    /// Adds a query option; the value is encoded here.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let separator = if self.query.is_empty() { "" } else { "&" };
        // Writing to a String cannot fail.
        let _ = write!(self.query, "{separator}{name}={}", encode(value));
        self
    }

    /// The template, without query: safe for traces.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The encoded address with its version, as `under` and batches take it.
    #[must_use]
    pub fn encoded(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The encoded address without its version, as `$batch` wants it.
    pub(crate) fn unversioned(&self) -> String {
        let encoded = self.encoded();
        encoded[1..].find('/').map_or_else(String::new, |slash| encoded[slash + 1..].to_owned())
    }

    /// The version segment.
    pub(crate) fn version(&self) -> &str {
        self.path[1..].split('/').next().unwrap_or_default()
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// The same address counted against another family's limits: a batch is paced as what is in it.
    pub(crate) fn counted_as(mut self, family: Family) -> Self {
        self.family = family;
        self
    }
}

/// Quotes a value for an OData literal: single quotes are doubled. (A peer's group look-up breaks on apostrophes.)
#[must_use]
pub fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn split(template: &str) -> (&str, &str) {
    template.split_once('?').unwrap_or((template, ""))
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |filled, (name, value)| filled.replace(&format!("{{{name}}}"), &encode(value)))
}

/// Percent-encoding of a query as people write it: separators and what is already encoded stay.
fn encode_query(query: &str) -> String {
    let mut out = String::with_capacity(query.len());
    for byte in query.bytes() {
        if byte.is_ascii_graphic()
            && !matches!(byte, b'"' | b'<' | b'>' | b'#' | b'+' | b'{' | b'}' | b'|' | b'\\' | b'^' | b'`')
        {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Percent-encoding of one value: everything but unreserved characters and what OData reads bare inside a value.
fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b'$'
            | b'('
            | b')'
            | b','
            | b'\''
            | b'='
            | b':' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_templates_stay_free_of_them() {
        let path = Path::with(
            "beta",
            "/deviceManagement/intents/{id}/categories/{category}/settings?$top=5",
            &[("id", "a/b?c"), ("category", "1")],
        )
        .query("$filter", &format!("name eq {}", literal("O'Brien & söhne#")));
        assert_eq!(path.template(), "/deviceManagement/intents/{id}/categories/{category}/settings");
        assert_eq!(
            path.encoded(),
            "/beta/deviceManagement/intents/a%2Fb%3Fc/categories/1/settings?$top=5&$filter=name%20eq%20'O''Brien%20%26%20s%C3%B6hne%23'"
        );
        assert!(path.unversioned().starts_with("/deviceManagement/intents/"));
        assert_eq!((path.version(), path.family()), ("beta", Family::Intune));
        let below = path.below("{x}/y?$filter=a eq 'b'", &[("x", "1 2")]);
        assert_eq!(
            below.encoded(),
            "/beta/deviceManagement/intents/a%2Fb%3Fc/categories/1/settings/1%202/y?$filter=a%20eq%20'b'"
        );
        assert_eq!(below.template(), "/deviceManagement/intents/{id}/categories/{category}/settings/{x}/y");
    }
}
