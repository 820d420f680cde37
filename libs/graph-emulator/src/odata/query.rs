//! Query options, with the leniency that clients in the wild rely on: `??$expand`, `expand=` without a dollar, `+` for a space.

use super::path::percent::{decode, encode};

/// The options of one request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) select: Vec<String>,
    pub(crate) expand: Vec<Expand>,
    pub(crate) filter: Option<String>,
    pub(crate) orderby: Option<String>,
    pub(crate) top: Option<String>,
    pub(crate) skip: Option<String>,
    pub(crate) count: bool,
    pub(crate) search: Option<String>,
    pub(crate) skiptoken: Option<String>,
}

/// One item of `$expand`, with the expands nested in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expand {
    pub(crate) name: String,
    pub(crate) select: Vec<String>,
    pub(crate) expand: Vec<Expand>,
}

impl Options {
    /// Reads a raw query string. Unknown options are ignored, as Graph ignores custom ones.
    pub(crate) fn parse(query: &str) -> Self {
        let mut options = Options::default();
        for pair in query.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name, true), decode(value, true));
            match name.trim_start_matches(['?', '$']).to_ascii_lowercase().as_str() {
                "select" => options.select = names(&value),
                "expand" => options.expand = expands(&value),
                "filter" => options.filter = Some(value),
                "orderby" => options.orderby = Some(value),
                "top" => options.top = Some(value),
                "skip" => options.skip = Some(value),
                "count" => options.count = value.eq_ignore_ascii_case("true"),
                "search" => options.search = Some(value),
                "skiptoken" => options.skiptoken = Some(value),
                _ => {}
            }
        }
        options
    }

    /// The expand of this name, if asked for.
    pub(crate) fn expands(&self, name: &str) -> Option<&Expand> {
        self.expand.iter().find(|expand| expand.name.eq_ignore_ascii_case(name))
    }
}

/// The query of the next page: everything as asked, with another `$skiptoken`.
pub(crate) fn next(query: &str, token: &str) -> String {
    let kept = query.trim_start_matches('?').split('&').filter(|pair| {
        let name = decode(pair.split('=').next().unwrap_or(""), true);
        let name = name.trim_start_matches(['?', '$']).to_ascii_lowercase();
        !pair.is_empty() && name != "skiptoken" && name != "skip"
    });
    kept.map(str::to_owned).chain([format!("$skiptoken={}", encode(token))]).collect::<Vec<_>>().join("&")
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn expands(list: &str) -> Vec<Expand> {
    split_outside(list, ',')
        .into_iter()
        .filter(|item| !item.trim().is_empty())
        .map(|item| {
            let item = item.trim();
            let (name, inner) = match item.split_once('(') {
                Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
                None => (item, ""),
            };
            let mut expand = Expand { name: name.trim().to_owned(), select: Vec::new(), expand: Vec::new() };
            for option in split_outside(inner, ';') {
                let (key, value) = option.split_once('=').unwrap_or((option, ""));
                match key.trim().trim_start_matches('$').to_ascii_lowercase().as_str() {
                    "select" => expand.select = names(value),
                    "expand" => expand.expand = expands(value),
                    _ => {}
                }
            }
            expand
        })
        .collect()
}

/// Splits at separators that are not inside parentheses.
fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if letter == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_forms() {
        let options = Options::parse("??%24expand=assignments&top=5&$select=id,+displayName&$count=true");
        assert_eq!(options.expand[0].name, "assignments");
        assert_eq!(options.top.as_deref(), Some("5"));
        assert_eq!(options.select, ["id", "displayName"]);
        assert!(options.count);
    }

    #[test]
    fn nested_expands() {
        let options = Options::parse("$expand=a($select=x,y;$expand=b($expand=c)),d");
        assert_eq!(options.expand.len(), 2);
        assert_eq!(options.expand[0].select, ["x", "y"]);
        assert_eq!(options.expand[0].expand[0].expand[0].name, "c");
    }

    #[test]
    fn the_next_page_keeps_what_was_asked() {
        assert_eq!(next("$select=id&$skiptoken=old&$top=5", "a=1"), "$select=id&$top=5&$skiptoken=a%3D1");
    }
}
