//! Finding an installed PostgreSQL.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest major version that has all we use (`xid8`, multiranges are not needed; row-level security as written).
pub(super) const OLDEST_MAJOR: u32 = 14;

/// A folder with the server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

impl Installation {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// The newest usable installation. `ATLAS_PG_BIN` names a folder and is then the only one looked at.
pub(super) fn find() -> Option<Installation> {
    let folders = match env::var_os("ATLAS_PG_BIN") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => usual_places(),
    };
    newest(folders.iter().filter_map(|bin| examine(bin)))
}

/// A data directory belongs to one major version.
pub(super) fn find_major(major: u32) -> Option<Installation> {
    usual_places().iter().filter_map(|bin| examine(bin)).find(|found| found.major == major)
}

fn newest(found: impl Iterator<Item = Installation>) -> Option<Installation> {
    found.filter(|installation| installation.major >= OLDEST_MAJOR).max_by_key(|installation| installation.major)
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (parent, inner) in [
        ("/usr/lib/postgresql", "bin"),                          // Debian, Ubuntu
        ("/usr", "bin"),                                         // Red Hat: /usr/pgsql-16/bin
        ("/usr/libexec", ""),                                    // Alpine: /usr/libexec/postgresql16
        ("/opt/homebrew/opt", "bin"),                            // Homebrew on Apple silicon
        ("/usr/local/opt", "bin"),                               // Homebrew on Intel
        ("/Applications/Postgres.app/Contents/Versions", "bin"), // Postgres.app
        ("/usr/local/pgsql", "bin"),                             // built from source
    ] {
        places.push(Path::new(parent).join(inner));
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let versioned = name.starts_with("postgres") || name.starts_with("pgsql-") || name.parse::<f32>().is_ok();
            if versioned {
                places.push(entry.path().join(inner));
            }
        }
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output() {
        places.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    places.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    places
}

fn examine(bin: &Path) -> Option<Installation> {
    if !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    Some(Installation { bin: bin.to_owned(), major })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `postgres (PostgreSQL) 19beta1`
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("postgres (PostgreSQL) 14"), Some(14));
        assert_eq!(major_of("mysqld  Ver 8"), None);
    }

    #[test]
    fn the_newest_usable_one_is_taken() {
        let at = |major| Installation { bin: PathBuf::from(format!("/{major}")), major };
        assert_eq!(newest([at(13), at(16), at(14)].into_iter()), Some(at(16)));
        assert_eq!(newest([at(12), at(13)].into_iter()), None);
    }
}
