//! A test of a field's value, the only condition that contracts know.

use serde::Deserialize;
use serde_json::Value;

use crate::json::{Path, is_folded};

/// A condition on the values at a path.
///
/// In TOML: a `path` and exactly one of `equals`, `one_of`, `none_of`, `prefix`, `suffix`, `present`. The positive tests
/// hold when any value at the path passes; `none_of` and `present = false` hold when no value contradicts them, so they
/// hold for an absent field.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct FieldTest {
    /// Where to look.
    pub path: Path,
    /// What to look for.
    pub test: Test,
}

/// What a value is tested for. Text is compared exactly: the casing of Graph's enums is significant.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The value is one of these.
    OneOf(Vec<Value>),
    /// No value is one of these.
    NoneOf(Vec<Value>),
    /// The text begins like this.
    Prefix(String),
    /// The text ends like this.
    Suffix(String),
    /// There is a value that is not null, `""`, `[]` or `{}`; or, for `false`, there is none.
    Present(bool),
}

impl FieldTest {
    /// Whether the condition holds in `object`.
    pub fn holds(&self, object: &Value) -> bool {
        let values = self.path.values(object);
        match &self.test {
            Test::OneOf(wanted) => values.iter().any(|value| wanted.contains(value)),
            Test::NoneOf(unwanted) => !values.iter().any(|value| unwanted.contains(value)),
            Test::Prefix(prefix) => values.iter().any(|value| value.as_str().is_some_and(|t| t.starts_with(prefix))),
            Test::Suffix(suffix) => values.iter().any(|value| value.as_str().is_some_and(|t| t.ends_with(suffix))),
            Test::Present(present) => values.iter().any(|value| !is_folded(value)) == *present,
        }
    }

    /// True for tests that select by what is there, not by what is absent; they decide between contracts that share a
    /// collection.
    pub(crate) fn is_positive(&self) -> bool {
        !matches!(self.test, Test::NoneOf(_) | Test::Present(false))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: Path,
    equals: Option<Value>,
    one_of: Option<Vec<Value>>,
    none_of: Option<Vec<Value>>,
    prefix: Option<String>,
    suffix: Option<String>,
    present: Option<bool>,
}

impl TryFrom<Written> for FieldTest {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut tests = [
            written.equals.map(|value| Test::OneOf(vec![value])),
            written.one_of.map(Test::OneOf),
            written.none_of.map(Test::NoneOf),
            written.prefix.map(Test::Prefix),
            written.suffix.map(Test::Suffix),
            written.present.map(Test::Present),
        ]
        .into_iter()
        .flatten();
        match (tests.next(), tests.next()) {
            (Some(test), None) => Ok(Self { path: written.path, test }),
            _ => Err(format!(
                "the test of `{}` needs exactly one of equals, one_of, none_of, prefix, suffix, present",
                written.path
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn test(toml: &str) -> FieldTest {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn tests_hold_as_written() {
        let object =
            json!({"a": "endpointSecurityFirewall", "n": 0, "flag": true, "empty": "", "list": [{"x": 1}, {"x": 2}]});
        for (toml, holds) in [
            ("path = 'a'\nprefix = 'endpointSecurity'", true),
            ("path = 'a'\nsuffix = 'Firewall'", true),
            ("path = 'a'\nequals = 'endpointsecurityfirewall'", false),
            ("path = 'n'\nequals = 0", true),
            ("path = 'flag'\nequals = true", true),
            ("path = 'list[].x'\none_of = [2, 3]", true),
            ("path = 'list[].x'\nnone_of = [2, 3]", false),
            ("path = 'gone'\nnone_of = ['x']", true),
            ("path = 'gone'\npresent = false", true),
            ("path = 'empty'\npresent = true", false),
            ("path = 'n'\npresent = true", true),
        ] {
            assert_eq!(test(toml).holds(&object), holds, "{toml}");
        }
    }

    #[test]
    fn a_test_needs_exactly_one_condition() {
        assert!(toml::from_str::<FieldTest>("path = 'a'").is_err());
        assert!(toml::from_str::<FieldTest>("path = 'a'\nequals = 1\npresent = true").is_err());
        assert!(toml::from_str::<FieldTest>("path = 'a'\nequal = 1").is_err());
    }
}
