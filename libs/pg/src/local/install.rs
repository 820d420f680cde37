//! Asking the platform's package manager for PostgreSQL.

use std::env;
use std::process::{Command, Stdio};

use super::installation::{self, Installation};
use super::{Error, run_as};

/// A package manager and how it installs a server.
#[derive(Debug, PartialEq, Eq)]
struct Manager {
    program: &'static str,
    needs_root: bool,
    /// Commands before the last may fail: an index that cannot be refreshed may still be good enough.
    commands: &'static [&'static [&'static str]],
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        needs_root: true,
        commands: &[&["update", "-q"], &["install", "-q", "-y", "--no-install-recommends", "postgresql"]],
    },
    Manager { program: "dnf", needs_root: true, commands: &[&["install", "-q", "-y", "postgresql-server"]] },
    Manager { program: "apk", needs_root: true, commands: &[&["add", "--no-cache", "postgresql"]] },
    Manager { program: "brew", needs_root: false, commands: &[&["install", "postgresql@17"]] },
];

/// What to do about a missing server.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Install(&'static Manager),
    Instruct(String),
}

/// Finds an installation, or makes one where that is allowed: as root, or with Homebrew, and not with `ATLAS_NO_INSTALL` set.
pub(super) fn find_or_install() -> Result<Installation, Error> {
    if let Some(found) = installation::find() {
        return Ok(found);
    }
    let forbidden = env::var_os("ATLAS_NO_INSTALL").is_some_and(|value| !value.is_empty());
    match decide(is_available, run_as::is_root(), forbidden) {
        Decision::Instruct(instruction) => Err(Error::NotInstalled { instruction }),
        Decision::Install(manager) => {
            tracing::warn!(manager = manager.program, "no PostgreSQL 14 or newer found: installing one");
            install(manager)?;
            installation::find().ok_or_else(|| Error::NotInstalled {
                instruction: format!("{} brought no usable server. {}", manager.program, by_hand()),
            })
        }
    }
}

fn decide(available: impl Fn(&str) -> bool, root: bool, forbidden: bool) -> Decision {
    let manager = MANAGERS.iter().find(|manager| available(manager.program));
    match manager {
        Some(manager) if !forbidden && (root || !manager.needs_root) => Decision::Install(manager),
        Some(manager) => {
            let install = manager.commands.last().copied().unwrap_or_default().join(" ");
            let sudo = if manager.needs_root { "sudo " } else { "" };
            Decision::Instruct(format!("Install it with `{sudo}{} {install}`. {}", manager.program, by_hand()))
        }
        None => Decision::Instruct(format!("Install PostgreSQL 14 or newer. {}", by_hand())),
    }
}

fn by_hand() -> &'static str {
    "Or name the folder of its programs in ATLAS_PG_BIN, or use a running server: DATABASE_URL for `cargo dev`, \
     ATLAS_TEST_DATABASE_URL (of a superuser) for tests."
}

fn is_available(program: &str) -> bool {
    let probe = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

fn install(manager: &Manager) -> Result<(), Error> {
    let last = manager.commands.len() - 1;
    for (position, arguments) in manager.commands.iter().enumerate() {
        let command = format!("{} {}", manager.program, arguments.join(" "));
        let output = Command::new(manager.program)
            .args(*arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Error::Command { command: command.clone(), output: error.to_string() })?;
        if !output.status.success() && position == last {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Command { command, output: said });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(available: &[&str], root: bool, forbidden: bool) -> Decision {
        decide(|program| available.contains(&program), root, forbidden)
    }

    #[test]
    fn installs_only_where_allowed() {
        assert_eq!(decided(&["apt-get"], true, false), Decision::Install(&MANAGERS[0]));
        assert_eq!(decided(&["brew"], false, false), Decision::Install(&MANAGERS[3]));
        for refused in [decided(&["apt-get"], false, false), decided(&["apt-get"], true, true)] {
            let Decision::Instruct(text) = refused else { panic!("{refused:?}") };
            assert!(text.contains("sudo apt-get install") && text.contains("ATLAS_PG_BIN"), "{text}");
        }
        assert!(matches!(decided(&[], true, false), Decision::Instruct(_)));
    }
}
