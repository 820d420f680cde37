//! What every command works with: the session, the form of the output, the workspace.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::json::{self, Named};
use crate::screen::Screen;
use crate::session::Session;
use crate::table::Table;

/// A command's surroundings.
pub(crate) struct App {
    pub(crate) session: Session,
    pub(crate) format: Format,
    pub(crate) screen: Screen,
    /// As it was named; see [`crate::resolve`].
    pub(crate) workspace: Option<String>,
    /// The context in use, for `whoami`.
    pub(crate) context_name: Option<String>,
    pub(crate) context: Context,
    /// Where the token came from, for `whoami`.
    pub(crate) token_source: String,
}

impl App {
    /// A result: the text for people, the whole message as one document, or its parts a line each.
    pub(crate) fn show<W: Named, P: Named>(
        &self,
        whole: &W,
        parts: &[P],
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => print(&text()),
            Format::Json => print_document(&json::of(whole)),
            Format::Jsonl => parts.iter().try_for_each(|part| print_line(&json::of(part))),
        }
    }

    /// A result of one part.
    pub(crate) fn show_one<M: Named>(&self, message: &M, text: impl FnOnce() -> String) -> Result<(), Failure> {
        self.show(message, std::slice::from_ref(message), text)
    }

    /// A table as this screen takes it.
    pub(crate) fn table(&self, table: &Table) -> String {
        table.shown(self.screen.width)
    }
}

/// Text on standard output; its last line is ended.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let ended = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    print_bytes(format!("{text}{ended}").as_bytes())
}

/// Bytes on standard output.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// A document of JSON.
pub(crate) fn print_document(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

/// A line of JSON.
pub(crate) fn print_line(value: &Value) -> Result<(), Failure> {
    print(&value.to_string())
}

/// A line on standard error. Where it is closed, nobody wanted to know.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
