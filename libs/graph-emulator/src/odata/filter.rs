//! `$filter`: the part of the OData grammar that clients use on policies and groups. Anything else is an error, never "all".

use serde_json::Value;

use super::path::unquote;

/// A parsed filter.
#[derive(Debug, PartialEq)]
pub(crate) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare(String, Operator, Value),
    In(String, Vec<Value>),
    IsOf(String),
    Text(TextTest, String, String),
}

/// Comparison operators.
#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// String functions.
#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl Filter {
    /// Parses a filter; the error is the text for the client.
    pub(crate) fn parse(text: &str) -> Result<Filter, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0 };
        let filter = parser.or()?;
        match parser.peek() {
            None => Ok(filter),
            Some(token) => Err(format!("Invalid filter clause: syntax error at '{token}'")),
        }
    }

    /// Whether an object passes. `is_of` is asked with a type name without the leading `#`.
    pub(crate) fn admits(&self, object: &Value) -> bool {
        match self {
            Filter::And(left, right) => left.admits(object) && right.admits(object),
            Filter::Or(left, right) => left.admits(object) || right.admits(object),
            Filter::Not(inner) => !inner.admits(object),
            Filter::Compare(path, operator, value) => compare(at(object, path), *operator, value),
            Filter::In(path, values) => values.iter().any(|value| compare(at(object, path), Operator::Eq, value)),
            Filter::IsOf(name) => object
                .get("@odata.type")
                .and_then(Value::as_str)
                .is_some_and(|found| found.trim_start_matches('#').eq_ignore_ascii_case(name)),
            Filter::Text(test, path, wanted) => {
                let found = at(object, path).as_str().unwrap_or_default().to_lowercase();
                let wanted = wanted.to_lowercase();
                match test {
                    TextTest::StartsWith => found.starts_with(&wanted),
                    TextTest::EndsWith => found.ends_with(&wanted),
                    TextTest::Contains => found.contains(&wanted),
                }
            }
        }
    }

    /// The property paths the filter looks at.
    pub(crate) fn paths(&self) -> Vec<&str> {
        match self {
            Filter::And(left, right) | Filter::Or(left, right) => [left.paths(), right.paths()].concat(),
            Filter::Not(inner) => inner.paths(),
            Filter::Compare(path, ..) | Filter::In(path, _) | Filter::Text(_, path, _) => vec![path],
            Filter::IsOf(_) => Vec::new(),
        }
    }
}

fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(object, |value, key| value.get(key).unwrap_or(&Value::Null))
}

/// Strings compare without regard to case, as Graph does for names.
fn compare(found: &Value, operator: Operator, wanted: &Value) -> bool {
    use std::cmp::Ordering;
    let order = match (found, wanted) {
        (Value::String(found), Value::String(wanted)) => Some(found.to_lowercase().cmp(&wanted.to_lowercase())),
        (Value::Number(found), Value::Number(wanted)) => {
            found.as_f64().zip(wanted.as_f64()).and_then(|(found, wanted)| found.partial_cmp(&wanted))
        }
        _ => (found == wanted).then_some(Ordering::Equal),
    };
    match operator {
        Operator::Eq => order == Some(Ordering::Equal),
        Operator::Ne => order != Some(Ordering::Equal),
        Operator::Gt => order == Some(Ordering::Greater),
        Operator::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Lt => order == Some(Ordering::Less),
        Operator::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
    }
}

/// Cuts the text into words, quoted strings and punctuation.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let letters: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < letters.len() {
        match letters[at] {
            letter if letter.is_whitespace() => at += 1,
            letter @ ('(' | ')' | ',') => {
                out.push(letter.to_string());
                at += 1;
            }
            '\'' => {
                let start = at;
                at += 1;
                loop {
                    match (letters.get(at), letters.get(at + 1)) {
                        (None, _) => return Err("Invalid filter clause: unterminated string literal".into()),
                        (Some('\''), Some('\'')) => at += 2,
                        (Some('\''), _) => break,
                        _ => at += 1,
                    }
                }
                at += 1;
                out.push(letters[start..at].iter().collect());
            }
            _ => {
                let start = at;
                while at < letters.len() && !letters[at].is_whitespace() && !"(),'".contains(letters[at]) {
                    at += 1;
                }
                out.push(letters[start..at].iter().collect());
            }
        }
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self) -> Result<String, String> {
        let token = self.peek().ok_or("Invalid filter clause: expression expected")?.to_owned();
        self.at += 1;
        Ok(token)
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        let found = self.take()?;
        if found == wanted {
            Ok(())
        } else {
            Err(format!("Invalid filter clause: '{wanted}' expected, '{found}' found"))
        }
    }

    fn or(&mut self) -> Result<Filter, String> {
        let mut left = self.and()?;
        while self.peek() == Some("or") {
            self.at += 1;
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, String> {
        let mut left = self.unary()?;
        while self.peek() == Some("and") {
            self.at += 1;
            left = Filter::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Filter, String> {
        let token = self.take()?;
        match token.as_str() {
            "not" => Ok(Filter::Not(Box::new(self.unary()?))),
            // `(a/b) eq null`: parentheses around the property alone.
            "(" if self.tokens.get(self.at + 1).map(String::as_str) == Some(")") => {
                let path = self.take()?;
                self.expect(")")?;
                self.comparison(path)
            }
            "(" => {
                let inner = self.or()?;
                self.expect(")")?;
                Ok(inner)
            }
            "isof" => {
                self.expect("(")?;
                let name = unquote(&self.take()?);
                self.expect(")")?;
                Ok(Filter::IsOf(name))
            }
            "startswith" | "endswith" | "contains" => {
                let test = match token.as_str() {
                    "startswith" => TextTest::StartsWith,
                    "endswith" => TextTest::EndsWith,
                    _ => TextTest::Contains,
                };
                self.expect("(")?;
                let path = self.take()?;
                self.expect(",")?;
                let wanted = unquote(&self.take()?);
                self.expect(")")?;
                self.optional_eq_true()?;
                Ok(Filter::Text(test, path, wanted))
            }
            _ => self.comparison(token),
        }
    }

    /// `startswith(a,'b') eq true` means the same as without the comparison.
    fn optional_eq_true(&mut self) -> Result<(), String> {
        if self.peek() == Some("eq") {
            self.at += 1;
            self.expect("true")?;
        }
        Ok(())
    }

    fn comparison(&mut self, path: String) -> Result<Filter, String> {
        let operator = match self.take()?.as_str() {
            "eq" => Operator::Eq,
            "ne" => Operator::Ne,
            "gt" => Operator::Gt,
            "ge" => Operator::Ge,
            "lt" => Operator::Lt,
            "le" => Operator::Le,
            "in" => {
                self.expect("(")?;
                let mut values = vec![literal(&self.take()?)?];
                while self.peek() == Some(",") {
                    self.at += 1;
                    values.push(literal(&self.take()?)?);
                }
                self.expect(")")?;
                return Ok(Filter::In(path, values));
            }
            other => return Err(format!("Invalid filter clause: unknown operator '{other}'")),
        };
        Ok(Filter::Compare(path, operator, literal(&self.take()?)?))
    }
}

fn literal(token: &str) -> Result<Value, String> {
    if token.starts_with('\'') {
        return Ok(Value::String(unquote(token)));
    }
    match token {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "null" => Ok(Value::Null),
        _ if token.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
            // Dates and GUIDs are written without quotes; both compare as text.
            Ok(serde_json::from_str(token).unwrap_or_else(|_| Value::String(token.to_owned())))
        }
        _ if token.starts_with(|first: char| first.is_ascii_hexdigit()) && token.contains('-') => {
            Ok(Value::String(token.to_owned()))
        }
        _ => Err(format!("Invalid filter clause: literal expected, '{token}' found")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn admits(filter: &str, object: Value) -> bool {
        Filter::parse(filter).unwrap().admits(&object)
    }

    #[test]
    fn names_with_quotes() {
        assert!(admits("displayName eq 'Bob''s'", json!({"displayName": "bob's"})));
        assert!(!admits("displayName eq 'Bob'", json!({"displayName": "bobby"})));
    }

    #[test]
    fn precedence_functions_and_paths() {
        let object = json!({"@odata.type": "#microsoft.graph.x", "a": {"b": "c"}, "n": 3, "f": false});
        assert!(admits("isof('microsoft.graph.x') and a/b eq 'c'", object.clone()));
        assert!(admits("n gt 5 or n le 3 and not f eq true", object.clone()));
        assert!(admits("startswith(a/b,'C') and n in (1, 3)", object.clone()));
        assert!(admits("(x/y) eq null or (a/b) eq 'z'", object.clone()));
        assert!(!admits("missing ne null", object));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bad in ["", "a", "a eq", "a like 'b'", "x/any(y:y eq 1)", "a eq 'b", "a eq 'b' c"] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }
}
