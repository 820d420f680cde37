//! What callers asked, and what they were told.
//!
//! `info` is the answer that matters most: nobody knows whether the call had its effect. Such a call may only be repeated
//! with its request id, and whatever comes of it has to come once.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It was sent.
    Invoke,
    /// It was answered.
    Ok,
    /// It was refused: it had no effect.
    Fail,
    /// The answer was lost: it may have had its effect, or may still have it.
    Info,
    /// Nobody called: a fault was provoked, or somebody who looks on saw something.
    Note,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Since the history began, in milliseconds.
    pub at_ms: u64,
    /// Who.
    pub who: String,
    /// How far it has come.
    pub phase: Phase,
    /// Which call, by its name.
    pub call: String,
    /// By which its repetitions are known; empty where it has none.
    pub request_id: String,
    /// What was said.
    pub told: String,
}

/// Everything that was asked and answered, in the order in which it was.
#[derive(Debug)]
pub struct History {
    began: Instant,
    entries: Mutex<Vec<Entry>>,
    file: Option<Mutex<BufWriter<File>>>,
}

impl Default for History {
    fn default() -> Self {
        Self { began: Instant::now(), entries: Mutex::default(), file: None }
    }
}

impl History {
    /// One that is written to a file as JSON lines while it grows.
    pub fn kept(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        Ok(Self { file: Some(Mutex::new(BufWriter::new(file))), ..Self::default() })
    }

    /// Adds a line.
    pub fn note(&self, who: &str, phase: Phase, call: &str, request_id: &str, told: impl Into<String>) {
        let entry = Entry {
            at_ms: u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX),
            who: who.to_owned(),
            phase,
            call: call.to_owned(),
            request_id: request_id.to_owned(),
            told: told.into(),
        };
        if let Some(file) = &self.file {
            let line = serde_json::to_string(&entry).expect("an entry is JSON");
            let mut file = file.lock().expect("no writer panics");
            // The history in memory is what is judged; a full disk takes the copy only.
            let _ = writeln!(file, "{line}").and_then(|()| file.flush());
        }
        self.entries.lock().expect("no writer panics").push(entry);
    }

    /// Since it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What was said about a request or a run: every line that names it.
    pub fn about(&self, id: &str) -> Vec<Entry> {
        let entries = self.entries.lock().expect("no writer panics");
        entries.iter().filter(|entry| entry.request_id == id || entry.told.contains(id)).cloned().collect()
    }

    /// How many lines of a phase there are.
    pub fn count(&self, phase: Phase) -> usize {
        self.entries.lock().expect("no writer panics").iter().filter(|entry| entry.phase == phase).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_a_run_are_those_that_name_it_or_its_request() {
        let history = History::default();
        history.note("a", Phase::Invoke, "sync", "r1", "");
        history.note("a", Phase::Info, "sync", "r1", "UNAVAILABLE");
        history.note("b", Phase::Ok, "sync", "r2", "QUEUED run-7");
        assert_eq!(history.about("r1").len(), 2);
        assert_eq!(history.about("run-7").len(), 1);
        assert_eq!((history.count(Phase::Info), history.count(Phase::Fail)), (1, 0));
    }
}
