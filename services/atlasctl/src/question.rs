//! Asking the person in front of the terminal.

use std::io::{BufRead as _, Write as _};

use crate::app;
use crate::failure::Failure;

/// Whether the person says yes, in full or by its letter; anything else is no.
pub(crate) fn yes(question: &str) -> Result<bool, Failure> {
    Ok(is_yes(&answer(&format!("{question} [y/N] "))?))
}

/// What the person types, without the line's end.
pub(crate) fn answer(prompt: &str) -> Result<String, Failure> {
    let mut err = std::io::stderr();
    write!(err, "{prompt}")?;
    err.flush()?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    let length = read.map_err(|error| Failure::new(format!("the answer cannot be read: {error}")))?;
    if length == 0 {
        // The cursor still stands behind the question.
        app::tell("");
    }
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES \r\n"));
        for answer in ["", "\n", "n", "ye", "yes please", "j"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}
