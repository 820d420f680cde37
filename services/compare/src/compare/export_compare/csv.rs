//! An export as comma-separated values: RFC 4180, lines end in CR LF, every line has the same fields.

use domain::compare::ComparedSubject;

use super::json_lines::state_name;

pub(super) fn header() -> String {
    "subject_key,policy_type,display_name,platform,state,source_count,target_count\r\n".to_owned()
}

pub(super) fn line(subject: &ComparedSubject<'_>) -> String {
    let fields = [
        field(subject.subject_key.as_str()),
        field(subject.policy_type.as_str()),
        field(subject.display_name),
        field(subject.platform.unwrap_or_default()),
        field(&state_name(subject.state)),
        subject.source.len().to_string(),
        subject.target.len().to_string(),
    ];
    format!("{}\r\n", fields.join(","))
}

/// A field, quoted when it holds a separator; quotes inside are doubled.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_quoted_where_needed() {
        for (text, written) in
            [("a b", "a b"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("a\nb", "\"a\nb\"")]
        {
            assert_eq!(field(text), written);
        }
    }
}
