//! A cluster of our own: made by initdb, started, stopped, removed or kept.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use super::guardian::Guardian;
use super::installation::{self, Installation};
use super::run_as::{self, RunAs};
use super::{Error, SUPERUSER, install};

/// How long a server may take to accept connections (crash recovery of a kept cluster included).
pub const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// A port that was free a moment ago may be taken now; another is tried.
const PORT_ATTEMPTS: u32 = 3;

/// Where a cluster lives.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a temporary directory, removed with the cluster. Not synced to disk: it need not survive a power cut.
    Temporary,
    /// In this directory, kept and opened again the next time. Synced to disk.
    Kept(PathBuf),
}

/// How to start a cluster.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where it lives.
    pub place: Place,
    /// The server's limit of connections.
    pub max_connections: u32,
    /// Whether a commit waits for the disk. A temporary cluster does not, unless a test is about crashes.
    pub durable: bool,
}

impl Start {
    /// A temporary cluster for tests.
    pub fn temporary() -> Self {
        Self { place: Place::Temporary, max_connections: 300, durable: false }
    }

    /// A cluster kept in this directory.
    pub fn kept(directory: impl Into<PathBuf>) -> Self {
        Self { place: Place::Kept(directory.into()), max_connections: 300, durable: true }
    }
}

/// A running server of our own. Dropping it stops the server, and removes it if temporary.
#[derive(Debug)]
pub struct Cluster {
    /// `None`: another process runs this kept cluster, we only use it.
    guardian: Option<Guardian>,
    home: PathBuf,
    port: u16,
}

/// The files of a cluster below its home.
struct Layout {
    home: PathBuf,
}

impl Layout {
    fn data(&self) -> PathBuf {
        self.home.join("data")
    }
    fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }
}

impl Cluster {
    /// Starts a cluster, making it first if there is none. A kept cluster that another process is running is shared.
    /// Installs PostgreSQL where none is found and that is allowed.
    pub async fn start(start: &Start) -> Result<Self, Error> {
        let temporary = matches!(start.place, Place::Temporary);
        let layout = Layout { home: home(&start.place)? };
        if let Some(port) = running_port(&layout.data()) {
            if wait_until_ready(port, None, Duration::from_secs(2)).await.is_ok() {
                return Ok(Self { guardian: None, home: layout.home, port });
            }
        }
        let (layout, prepared) = blocking(move || {
            let prepared = prepare(&layout, temporary)?;
            Ok((layout, prepared))
        })
        .await?;
        let mut attempt = 1;
        loop {
            let port = free_port().map_err(Error::file("127.0.0.1:0"))?;
            let mut guardian = Guardian::start(
                prepared.run_as,
                prepared.command_line(&layout, start, port),
                if temporary { "QUIT" } else { "INT" },
                temporary.then_some(layout.home.as_path()),
                &layout.log(),
            )?;
            match wait_until_ready(port, Some(&mut guardian), START_TIMEOUT).await {
                Ok(()) => return Ok(Self { guardian: Some(guardian), home: layout.home, port }),
                Err(_) if attempt < PORT_ATTEMPTS && log_end(&layout.log()).contains("Address already in use") => {
                    attempt += 1;
                }
                Err(reason) => {
                    let reason = format!("{reason}\n{}", log_end(&layout.log()));
                    return Err(Error::NotStarted { data_dir: layout.data(), reason });
                }
            }
        }
    }

    /// Stops the server after its clients' current statements were cancelled (a fast shutdown), and removes it if
    /// temporary. A cluster that another process runs is left running.
    pub async fn stop(mut self) -> Result<(), Error> {
        let Some(mut guardian) = self.guardian.take() else { return Ok(()) };
        let home = self.home.clone();
        blocking(move || match guardian.stop(STOP_TIMEOUT) {
            true => Ok(()),
            false => Err(Error::NotStarted { data_dir: home, reason: "it does not stop".into() }),
        })
        .await
    }

    /// The URL of a database under a role.
    pub fn url_for(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// The superuser's URL of the maintenance database.
    pub fn url(&self) -> String {
        self.url_for(SUPERUSER, "postgres")
    }

    /// Makes an empty database unless there is one of that name, and returns its superuser's URL. `name`: letters,
    /// digits and underscores.
    pub async fn create_database(&self, name: &str) -> Result<String, Error> {
        let mut connection = connect(self.port).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(self.url_for(SUPERUSER, name))
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory that holds everything of this cluster: `data/`, `postgres.log`, the socket.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Whether this process runs the server (and stops it), or only found it running.
    pub fn is_ours(&self) -> bool {
        self.guardian.is_some()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(guardian) = &mut self.guardian {
            guardian.stop(STOP_TIMEOUT);
        }
    }
}

/// What is needed to start the server on a data directory that exists.
struct Prepared {
    installation: Installation,
    run_as: RunAs,
}

impl Prepared {
    fn command_line(&self, layout: &Layout, start: &Start, port: u16) -> Vec<OsString> {
        let mut argv = self.run_as.argv(&self.installation.program("postgres"));
        argv.extend(["-D".into(), layout.data().into(), "-p".into(), port.to_string().into()]);
        let on_off = |value: bool| if value { "on" } else { "off" };
        // A socket's path is limited to about 100 bytes; longer homes do without one.
        let socket_fits = layout.home.as_os_str().len() < 80;
        let settings = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", if socket_fits { layout.home.display().to_string() } else { String::new() }),
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

fn home(place: &Place) -> Result<PathBuf, Error> {
    match place {
        Place::Temporary => {
            let directory = tempfile::Builder::new()
                .prefix("tenantatlas-pg-")
                .tempdir()
                .map_err(Error::file(std::env::temp_dir()))?;
            // The guardian removes it: we may be killed before we could.
            Ok(directory.keep())
        }
        Place::Kept(directory) => {
            std::fs::create_dir_all(directory).map_err(Error::file(directory))?;
            std::path::absolute(directory).map_err(Error::file(directory))
        }
    }
}

/// Runs initdb where there is no cluster yet.
fn prepare(layout: &Layout, temporary: bool) -> Result<Prepared, Error> {
    let data = layout.data();
    let version_file = data.join("PG_VERSION");
    if version_file.is_file() {
        let text = std::fs::read_to_string(&version_file).map_err(Error::file(&version_file))?;
        let major = text.trim().parse().unwrap_or(0);
        let installation = installation::find_major(major).ok_or_else(|| Error::NotInstalled {
            instruction: format!(
                "{} was made by PostgreSQL {major}: install that version, or remove the directory to start afresh.",
                data.display()
            ),
        })?;
        return Ok(Prepared { installation, run_as: run_as::decide(Some(&data))? });
    }
    let prepared = Prepared { installation: install::find_or_install()?, run_as: run_as::decide(None)? };
    prepared.run_as.own(&layout.home)?;
    let program = prepared.installation.program("initdb");
    let mut command = prepared.run_as.command(&program);
    command.arg("-D").arg(&data).args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C"]);
    if temporary {
        command.arg("--no-sync");
    } else {
        command.arg("--data-checksums");
    }
    let output = command
        .current_dir("/")
        .output()
        .map_err(|error| Error::Command { command: program.display().to_string(), output: error.to_string() })?;
    if !output.status.success() {
        // A half-made directory would be taken for a cluster the next time.
        let _ = std::fs::remove_dir_all(&data);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(Error::Command { command: program.display().to_string(), output: said });
    }
    Ok(prepared)
}

/// The port of a server that runs (or ran, and crashed) on this data directory.
fn running_port(data: &Path) -> Option<u16> {
    // postmaster.pid: pid, data directory, start time, port, socket directory, listen address, ...
    std::fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().nth(3)?.trim().parse().ok()
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

async fn connect(port: u16) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(SUPERUSER)
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
        .connect()
        .await
}

async fn wait_until_ready(port: u16, mut guardian: Option<&mut Guardian>, limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    loop {
        let reason = match connect(port).await {
            Ok(connection) => {
                let _ = connection.close().await;
                return Ok(());
            }
            Err(error) => error.to_string(),
        };
        if let Some(status) = guardian.as_mut().and_then(|guardian| guardian.ended()) {
            return Err(format!("the server ended ({status})"));
        }
        if Instant::now() >= deadline {
            return Err(format!("no connection within {limit:?}: {reason}"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn log_end(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
