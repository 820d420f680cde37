//! A cluster of our own: made by initdb, started, stopped, removed or kept.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use super::guardian::Guardian;
use super::home::Home;
use super::place::{Place, Start};
use super::run_as::RunAs;
use super::{Error, SUPERUSER};

/// How long a server may take to accept connections (crash recovery of a kept cluster included).
pub const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// A port that was free a moment ago may be taken now, a former server may still be going down: it is tried again.
const START_ATTEMPTS: u32 = 3;

/// A running server of our own. Dropping it stops the server, and removes it if temporary.
#[derive(Debug)]
pub struct Cluster {
    /// `None`: another process runs this kept cluster, we only use it.
    guardian: Option<Guardian>,
    home: PathBuf,
    port: u16,
    start: Start,
}

impl Cluster {
    /// Starts a cluster, making it first if there is none. A kept cluster that another process is running is shared.
    /// Installs PostgreSQL where none is found and that is allowed.
    pub async fn start(start: &Start) -> Result<Self, Error> {
        Self::start_as(start, None).await
    }

    /// As `start`, with a new cluster run in this way instead of the one found to work.
    async fn start_as(start: &Start, forced: Option<RunAs>) -> Result<Self, Error> {
        let temporary = matches!(start.place, Place::Temporary);
        let place = start.place.clone();
        // Held until the server is up: a second process waits and then finds it running.
        let (home, _lock) = blocking(move || Home::open(&place)).await?;
        if let Some(port) = home.running_port()
            && wait_until_ready(port, None, Duration::from_secs(2)).await.is_ok()
            && serves(port, &home).await
        {
            return Ok(Self { guardian: None, home: home.path, port, start: start.clone() });
        }
        let (home, prepared) = blocking(move || {
            let prepared = home.prepare(temporary, forced)?;
            Ok((home, prepared))
        })
        .await?;
        let mut attempt = 1;
        loop {
            let port = free_port().map_err(Error::file("127.0.0.1:0"))?;
            let mut guardian = Guardian::start(
                prepared.run_as,
                prepared.command_line(&home, start, port),
                if temporary { "QUIT" } else { "INT" },
                temporary.then_some(home.path.as_path()),
                &home.log(),
            )?;
            let Err(reason) = wait_until_ready(port, Some(&mut guardian), START_TIMEOUT).await else {
                return Ok(Self { guardian: Some(guardian), home: home.path, port, start: start.clone() });
            };
            let said = home.log_end();
            let may_pass = said.contains("Address already in use") || said.contains("lock file \"postmaster.pid\"");
            if !may_pass || attempt == START_ATTEMPTS {
                let reason = format!("{reason}\n{said}");
                return Err(Error::NotStarted { data_dir: home.data(), reason });
            }
            attempt += 1;
            home.wait_for_former_server(STOP_TIMEOUT).await;
        }
    }

    /// Stops the server after its clients' current statements were cancelled (a fast shutdown), and removes it if
    /// temporary. A cluster that another process runs is left running.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.shut_down().await
    }

    /// As [`Cluster::stop`], of a cluster that may be started again with [`Cluster::restart`].
    pub async fn shut_down(&mut self) -> Result<(), Error> {
        let Some(mut guardian) = self.guardian.take() else { return Ok(()) };
        let home = self.home.clone();
        blocking(move || match guardian.stop(STOP_TIMEOUT) {
            true => Ok(()),
            false => Err(Error::NotStarted { data_dir: home, reason: "it does not stop".into() }),
        })
        .await
    }

    /// Kills the server as a power cut would (SIGKILL) and waits until it is gone: for tests of faults. The files of a kept
    /// cluster stay for [`Cluster::restart`]; a temporary one goes with its server.
    pub async fn kill(&mut self) -> Result<(), Error> {
        let home = Home { path: self.home.clone() };
        if self.guardian.is_some()
            && let Some(id) = home.running_id()
        {
            let killed = blocking(move || {
                let command = || format!("kill -KILL {id}");
                let done = std::process::Command::new("kill").args(["-KILL", &id.to_string()]).output();
                let done = done.map_err(|error| Error::Command { command: command(), output: error.to_string() })?;
                Ok((done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned()))
            });
            if let (false, output) = killed.await? {
                return Err(Error::Command { command: format!("kill -KILL {id}"), output });
            }
        }
        self.shut_down().await
    }

    /// Starts the server of a kept cluster again, on the port it had, after [`Cluster::kill`] or [`Cluster::shut_down`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        let home = Home { path: self.home.clone() };
        let (home, prepared) = blocking(move || {
            let prepared = home.prepare(false, None)?;
            Ok((home, prepared))
        })
        .await?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let argv = prepared.command_line(&home, &self.start, self.port);
            let mut guardian = Guardian::start(prepared.run_as, argv, "INT", None, &home.log())?;
            let Err(reason) = wait_until_ready(self.port, Some(&mut guardian), START_TIMEOUT).await else {
                self.guardian = Some(guardian);
                return Ok(());
            };
            // Processes of a killed server let go of its memory one by one, and none starts before the last has.
            if Instant::now() >= deadline {
                return Err(Error::NotStarted {
                    data_dir: home.data(),
                    reason: format!("{reason}\n{}", home.log_end()),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
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

/// Whether the server on this port is the one of this directory: after a crash the port may be somebody else's.
async fn serves(port: u16, home: &Home) -> bool {
    let asked = async {
        let mut connection = connect(port).await?;
        let directory: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(directory)
    };
    asked.await.is_ok_and(|directory| Path::new(&directory) == home.data())
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::run_as;

    #[tokio::test]
    #[expect(clippy::print_stderr, reason = "a test says plainly that it was skipped")]
    async fn root_can_run_it_as_another_user_where_namespaces_are_off() -> Result<(), Error> {
        let Some(user) = run_as::another_user() else {
            eprintln!("skipped: this test is not running as root");
            return Ok(());
        };
        let cluster = Cluster::start_as(&Start::temporary(), Some(user)).await?;
        let home = cluster.home().to_owned();
        let mut connection = connect(cluster.port()).await?;
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut connection).await?;
        assert_eq!(one, 1);
        connection.close().await?;
        cluster.stop().await?;
        assert!(!home.exists());
        Ok(())
    }
}
