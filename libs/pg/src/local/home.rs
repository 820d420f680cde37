//! The directory of a cluster: its files, who may use it now, and initdb.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::installation::{self, Installation};
use super::place::{Place, Start};
use super::run_as::{self, RunAs};
use super::{Error, SUPERUSER, install};

/// Above this the log of a kept cluster starts afresh.
const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// The directory that holds everything of a cluster.
pub(super) struct Home {
    pub(super) path: PathBuf,
}

impl Home {
    /// Makes the directory unless it is there. A kept one comes with a lock that keeps other processes from starting a
    /// server in it at the same time.
    pub(super) fn open(place: &Place) -> Result<(Self, Option<File>), Error> {
        match place {
            Place::Temporary => {
                let directory = tempfile::Builder::new()
                    .prefix("tenantatlas-pg-")
                    .tempdir()
                    .map_err(Error::file(std::env::temp_dir()))?;
                // The guardian removes it: we may be killed before we could.
                Ok((Self { path: directory.keep() }, None))
            }
            Place::Kept(directory) => {
                fs::create_dir_all(directory).map_err(Error::file(directory))?;
                let path = std::path::absolute(directory).map_err(Error::file(directory))?;
                let name = path.join("start.lock");
                let lock = File::create(&name).map_err(Error::file(&name))?;
                lock.lock().map_err(Error::file(&name))?;
                Ok((Self { path }, Some(lock)))
            }
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The last lines of the log.
    pub(super) fn log_end(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The operating system's id of the server that runs (or ran, and crashed) on this data directory.
    pub(super) fn running_id(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
    }

    /// The port of a server that runs (or ran, and crashed) on this data directory.
    pub(super) fn running_port(&self) -> Option<u16> {
        // postmaster.pid: pid, data directory, start time, port, socket directory, listen address, ...
        fs::read_to_string(self.data().join("postmaster.pid")).ok()?.lines().nth(3)?.trim().parse().ok()
    }

    /// Waits until the lock file of a server that is going down is gone; a crashed one's stays and is not waited for
    /// longer than `limit`.
    pub(super) async fn wait_for_former_server(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.data().join("postmaster.pid").exists() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs initdb where there is no cluster yet. `forced` is how a new one is run, instead of the way found to work.
    pub(super) fn prepare(&self, temporary: bool, forced: Option<RunAs>) -> Result<Prepared, Error> {
        if fs::metadata(self.log()).is_ok_and(|log| log.len() > LOG_LIMIT_BYTES) {
            fs::remove_file(self.log()).map_err(Error::file(self.log()))?;
        }
        let version_file = self.data().join("PG_VERSION");
        if version_file.is_file() {
            let text = fs::read_to_string(&version_file).map_err(Error::file(&version_file))?;
            return self.reopen(text.trim());
        }
        let run_as = match forced {
            Some(forced) => forced,
            None => run_as::decide(None)?,
        };
        let prepared = Prepared { installation: install::find_or_install()?, run_as };
        prepared.run_as.own(&self.path)?;
        self.initdb(&prepared, temporary)?;
        Ok(prepared)
    }

    fn reopen(&self, version: &str) -> Result<Prepared, Error> {
        let installation = version.parse().ok().and_then(installation::find_major);
        let installation = installation.ok_or_else(|| Error::NotInstalled {
            instruction: format!(
                "{} was made by PostgreSQL {version}: install that version, or remove the directory to start afresh.",
                self.data().display()
            ),
        })?;
        Ok(Prepared { installation, run_as: run_as::decide(Some(&self.data()))? })
    }

    fn initdb(&self, prepared: &Prepared, temporary: bool) -> Result<(), Error> {
        let program = prepared.installation.program("initdb");
        let mut command = prepared.run_as.command(&program);
        command.arg("-D").arg(self.data()).args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C"]);
        command.arg(if temporary { "--no-sync" } else { "--data-checksums" });
        let output = command
            .current_dir("/")
            .output()
            .map_err(|error| Error::Command { command: program.display().to_string(), output: error.to_string() })?;
        if output.status.success() {
            return Ok(());
        }
        // A half-made directory would be taken for a cluster the next time.
        let _ = fs::remove_dir_all(if temporary { self.path.clone() } else { self.data() });
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(Error::Command { command: program.display().to_string(), output: said })
    }
}

/// The log of a server, written after what an earlier one wrote.
pub(super) fn open_log(log: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).append(true).open(log).map_err(Error::file(log))
}

/// What is needed to start the server on a data directory that exists.
pub(super) struct Prepared {
    pub(super) installation: Installation,
    pub(super) run_as: RunAs,
}

impl Prepared {
    /// How the server is started on `port`.
    pub(super) fn command_line(&self, home: &Home, start: &Start, port: u16) -> Vec<OsString> {
        let mut argv = self.run_as.argv(&self.installation.program("postgres"));
        argv.extend(["-D".into(), home.data().into(), "-p".into(), port.to_string().into()]);
        let on_off = |value: bool| if value { "on" } else { "off" };
        // A socket's path is limited to about 100 bytes; longer homes do without one.
        let socket_fits = home.path.as_os_str().len() < 80;
        let settings = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", if socket_fits { home.path.display().to_string() } else { String::new() }),
            ("max_connections", start.max_connections.to_string()),
            ("max_prepared_transactions", "0".to_owned()),
            ("shared_buffers", "128MB".to_owned()),
            ("fsync", on_off(start.durable).to_owned()),
            ("synchronous_commit", on_off(start.durable).to_owned()),
            ("full_page_writes", on_off(start.durable).to_owned()),
            ("jit", "off".to_owned()),
            ("logging_collector", "off".to_owned()),
            ("log_destination", "stderr".to_owned()),
        ];
        for (name, value) in settings {
            argv.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        argv
    }
}
