//! What is at the other end of the output: a person's terminal, or a program.

use std::env;
use std::io::IsTerminal as _;

/// Facts about the three streams, read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Somebody can be asked: the question is seen, and an answer can be typed.
    pub(crate) can_ask: bool,
    /// Results are read by a person.
    pub(crate) stdout_is_terminal: bool,
    /// A bar can be drawn.
    pub(crate) can_draw: bool,
    /// Columns of the terminal that results go to; `None` where nothing has to fit.
    pub(crate) width: Option<u16>,
    /// Whether results may be coloured.
    pub(crate) colour: bool,
    /// Whether messages may be coloured.
    pub(crate) stderr_colour: bool,
}

impl Screen {
    /// As it is now.
    pub(crate) fn look() -> Self {
        let stdout = std::io::stdout().is_terminal();
        let stderr = std::io::stderr().is_terminal();
        let plain = is_plain(env::var_os("NO_COLOR").as_deref(), env::var_os("TERM").as_deref());
        let width =
            || console::Term::stdout().size_checked().map(|(_, columns)| columns).filter(|columns| *columns > 0);
        Self {
            can_ask: std::io::stdin().is_terminal() && stderr,
            stdout_is_terminal: stdout,
            can_draw: stdout && stderr,
            width: if stdout { width() } else { None },
            colour: stdout && !plain,
            stderr_colour: stderr && !plain,
        }
    }
}

/// Whether nobody wants colour: `NO_COLOR` with any text but none, or a terminal that says it has none.
fn is_plain(no_color: Option<&std::ffi::OsStr>, term: Option<&std::ffi::OsStr>) -> bool {
    no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|term| term == "dumb")
}

/// Colours that mean something; the words always say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
    Bold,
}

/// The text in a colour, where colours may be.
pub(crate) fn painted(text: &str, colour: Colour, allowed: bool) -> String {
    let code = match colour {
        Colour::Red => "31",
        Colour::Green => "32",
        Colour::Yellow => "33",
        Colour::Bold => "1",
    };
    if allowed { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_left_out_when_somebody_says_so() {
        let plain =
            |no_color: Option<&str>, term: Option<&str>| is_plain(no_color.map(AsRef::as_ref), term.map(AsRef::as_ref));
        assert!(plain(Some("1"), Some("xterm")) && plain(None, Some("dumb")));
        assert!(!plain(None, Some("xterm")) && !plain(Some(""), None) && !plain(None, None));
        assert_eq!(painted("x", Colour::Red, false), "x");
        assert_eq!(painted("x", Colour::Red, true), "\u{1b}[31mx\u{1b}[0m");
    }
}
