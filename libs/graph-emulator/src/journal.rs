//! Durable tenants: one append-only file of JSON lines per tenant. A line is on disk before the reply is sent. A line cut short by
//! a crash was never answered, so it is dropped; any other line that cannot be read is an error, never skipped.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::outcome::Change;
use crate::world::Client;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The tenant itself; a later line replaces an earlier one.
    Tenant { id: String, name: String, clients: Vec<Client>, open_tokens: Vec<String> },
    /// Changes that one request committed together.
    Commit { changes: Vec<Change> },
}

/// What a folder held when it was opened: tenant ids with their lines, in order.
pub(crate) type Held = Vec<(String, Vec<Line>)>;

/// The folder with the files.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    files: HashMap<String, File>,
}

impl Journal {
    /// Opens the folder, making it if needed, and reads what it holds: tenant id and its lines, in order.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Held)> {
        fs::create_dir_all(folder)?;
        let mut held = Vec::new();
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")) {
            let tenant = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            held.push((tenant, read(path)?));
        }
        Ok((Self { folder: folder.to_owned(), files: HashMap::new() }, held))
    }

    /// Appends a line and waits until it is on disk.
    pub(crate) fn append(&mut self, tenant: &str, line: &Line) -> io::Result<()> {
        let file = match self.files.entry(tenant.to_lowercase()) {
            std::collections::hash_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let path = self.folder.join(format!("{}.jsonl", tenant.to_lowercase()));
                free.insert(OpenOptions::new().create(true).append(true).open(path)?)
            }
        };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let before = file.metadata()?.len();
        file.write_all(&text).and_then(|()| file.sync_data()).inspect_err(|_| {
            // What is on disk in part must not stand before the next line. If even this fails, the next start will say so.
            let _ = file.set_len(before);
        })
    }
}

fn read(path: &Path) -> io::Result<Vec<Line>> {
    let bytes = fs::read(path)?;
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if complete < bytes.len() {
        tracing::warn!(path = %path.display(), "the last line was cut short and is dropped");
        OpenOptions::new().write(true).open(path)?.set_len(complete as u64)?;
    }
    let lines = bytes[..complete].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{} line {}: {error}", path.display(), at + 1))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_dropped_and_another_broken_line_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        fs::write(&path, "{\"line\":\"commit\",\"changes\":[]}\n{\"line\":\"com").unwrap();
        let (_, held) = Journal::open(folder.path()).unwrap();
        assert_eq!(held[0].1.len(), 1);
        fs::write(&path, "{\"line\":\"com\n{\"line\":\"commit\",\"changes\":[]}\n").unwrap();
        assert!(Journal::open(folder.path()).unwrap_err().to_string().contains("line 1"));
    }
}
