//! Rules that only the sources can show.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}

/// Every Rust source under `folder`, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a folder of the repository can be read") {
            let path = entry.expect("an entry of a folder can be read").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no source: is the rule looking in the right place?");
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

#[test]
fn sql_of_a_service_stands_in_its_store() {
    let mut offenders = Vec::new();
    for (path, text) in sources("services") {
        let in_store = path.components().any(|part| matches!(part.as_os_str().to_str(), Some("store" | "store.rs")));
        if !in_store && !is_test(&path) && text.contains("sqlx::query") {
            offenders.push(shown(&path));
        }
    }
    assert!(offenders.is_empty(), "SQL outside store/: {offenders:?}");
}

/// A list in the order of the database's locale differs from server to server, and a page token of one does not fit the other.
#[test]
fn names_are_folded_alike_on_every_server() {
    let mut offenders = Vec::new();
    for (path, text) in sources("services") {
        // Names of people's choosing; ids are plain letters and digits wherever they come from.
        let folds = |fold: &&str| text.contains(*fold);
        if !is_test(&path) && ["lower(name)", "lower(t.name)", "lower(r.name)"].iter().any(folds) {
            offenders.push(shown(&path));
        }
    }
    assert!(offenders.is_empty(), "folded by the locale; say lower(name COLLATE \"C\"): {offenders:?}");
}

#[test]
fn the_brain_reads_no_clock_and_throws_no_dice() {
    let mut offenders = Vec::new();
    for (path, text) in sources("libs/domain/src") {
        for ambient in ["now_utc", "SystemTime", "Instant::now", "now_v7", "new_v4", "std::env", "std::fs"] {
            if text.contains(ambient) && !is_test(&path) {
                offenders.push(format!("{}: {ambient}", shown(&path)));
            }
        }
    }
    // Reading real exports in a test of the crate is allowed; it says so by its path.
    assert!(offenders.is_empty(), "{offenders:?}");
}

#[test]
fn names_that_say_nothing_are_not_used() {
    let empty = ["common", "util", "utils", "helper", "helpers", "manager", "misc", "types", "models", "data", "info"];
    let mut offenders = Vec::new();
    for folder in ["libs", "services", "tests"] {
        for (path, _) in sources(folder) {
            let named = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if empty.contains(&named) {
                offenders.push(shown(&path));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:?}");
}

#[test]
fn files_have_one_subject() {
    const MOST_LINES: usize = 450;
    let mut offenders = Vec::new();
    for folder in ["libs", "services"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
            if lines > MOST_LINES && !is_test(&path) {
                offenders.push(format!("{} has {lines} lines", shown(&path)));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:?}");
}

#[test]
fn nothing_is_unfinished_by_its_own_word() {
    let mut offenders = Vec::new();
    for folder in ["libs", "services"] {
        for (path, text) in sources(folder) {
            for (number, line) in text.lines().enumerate() {
                if ["todo!(", "unimplemented!(", "FIXME", "XXX", "HACK"].iter().any(|mark| line.contains(mark)) {
                    offenders.push(format!("{}:{}", shown(&path), number + 1));
                }
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:?}");
}
