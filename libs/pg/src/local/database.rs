//! Fresh, migrated databases for tests. The migrations run once, into a template; each test gets a clone of it.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;

use super::{Cluster, Error, Start};
use crate::{Db, Settings, migrate, migration};

/// A server that tests may make databases on: the one of `ATLAS_TEST_DATABASE_URL`, or one of our own.
#[derive(Debug)]
pub struct Server {
    /// The superuser's options of the maintenance database.
    superuser: PgConnectOptions,
    template: OnceCell<String>,
    /// Kept for its life only: it ends with the process.
    _cluster: Option<Cluster>,
}

static SHARED: OnceCell<Server> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);
/// Orders the making of the template among test processes that share a server.
const TEMPLATE_LOCK: i64 = 0x7465_6e61_6e74;

/// The server of this test process. With `ATLAS_TEST_DATABASE_URL` set to a superuser's URL it is that server, otherwise
/// a temporary cluster, started at the first call and gone with the process.
pub async fn shared() -> Result<&'static Server, Error> {
    SHARED
        .get_or_try_init(async || match std::env::var("ATLAS_TEST_DATABASE_URL") {
            Ok(url) if !url.is_empty() => Server::at(&url),
            _ => {
                let cluster = Cluster::start(&Start::temporary()).await?;
                let url = cluster.url();
                Ok(Server { _cluster: Some(cluster), ..Server::at(&url)? })
            }
        })
        .await
}

/// A fresh migrated database on the shared server.
pub async fn database() -> Result<Database, Error> {
    shared().await?.database().await
}

impl Server {
    /// The server at this superuser's URL.
    pub fn at(url: &str) -> Result<Self, Error> {
        Ok(Self { superuser: PgConnectOptions::from_str(url)?, template: OnceCell::new(), _cluster: None })
    }

    /// A fresh database with all migrations applied; gone when dropped.
    pub async fn database(&self) -> Result<Database, Error> {
        let template = self.template.get_or_try_init(|| self.make_template()).await?;
        self.create(Some(template)).await
    }

    /// A fresh database with nothing in it; gone when dropped.
    pub async fn empty_database(&self) -> Result<Database, Error> {
        self.create(None).await
    }

    async fn create(&self, template: Option<&String>) -> Result<Database, Error> {
        #[expect(clippy::disallowed_methods, reason = "processes that share a server must not choose the same name")]
        let name = format!("atlas_{}_{}_{:08x}", std::process::id(), next(), rand::random::<u32>());
        let mut connection = self.superuser.connect().await?;
        let statement = match template {
            Some(template) => format!("CREATE DATABASE {name} TEMPLATE {template}"),
            None => format!("CREATE DATABASE {name}"),
        };
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(Database { superuser: self.superuser.clone(), name })
    }

    /// Makes the template of this set of migrations, unless another process has.
    async fn make_template(&self) -> Result<String, Error> {
        let name = format!("atlas_template_{}", migration::fingerprint());
        let mut connection = self.superuser.connect().await?;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await?;
        // Connections are refused as the last step, so this also tells whether an earlier process finished.
        let finished: Option<bool> = sqlx::query_scalar("SELECT NOT datallowconn FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut connection)
            .await?;
        if finished != Some(true) {
            self.build_template(&mut connection, &name).await?;
        }
        connection.close().await?; // releases the lock
        Ok(name)
    }

    async fn build_template(&self, connection: &mut PgConnection, name: &str) -> Result<(), Error> {
        for statement in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
        migrate(self.superuser.clone().database(name).to_url_lossy().as_str()).await?;
        share_password(&self.superuser, connection).await?;
        let statement = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false");
        sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
        Ok(())
    }
}

/// On a server that asks for passwords, the service roles get the owner's: on a development machine they guard nothing else.
async fn share_password(owner: &PgConnectOptions, connection: &mut PgConnection) -> Result<(), Error> {
    if let Some(password) = owner.to_url_lossy().password() {
        for role in ["tenantatlas_compare", "tenantatlas_promotion", "tenantatlas_operation"] {
            let statement = format!("ALTER ROLE {role} PASSWORD '{}'", password.replace('\'', "''"));
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// A developer's own database on a server of their own, migrated.
#[derive(Debug)]
pub struct Given {
    owner: PgConnectOptions,
}

impl Given {
    /// Migrates the database at its owner's URL and lets the service roles in.
    pub async fn open(url: &str) -> Result<Self, Error> {
        migrate(url).await?;
        let owner = PgConnectOptions::from_str(url)?;
        let mut connection = owner.connect().await?;
        share_password(&owner, &mut connection).await?;
        connection.close().await?;
        Ok(Self { owner })
    }

    /// The owner's URL.
    pub fn url(&self) -> String {
        self.owner.to_url_lossy().to_string()
    }

    /// The URL under a service's role.
    pub fn url_for(&self, role: &str) -> String {
        self.owner.clone().username(role).to_url_lossy().to_string()
    }
}

fn next() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A database of one test.
#[derive(Debug)]
pub struct Database {
    superuser: PgConnectOptions,
    name: String,
}

impl Database {
    /// The superuser's URL: to prepare what no service may.
    pub fn url(&self) -> String {
        self.superuser.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// The URL under a service's role.
    pub fn url_for(&self, role: &str) -> String {
        self.superuser.clone().username(role).database(&self.name).to_url_lossy().to_string()
    }

    /// A pool under a service's role, with the usual limits.
    pub async fn connect(&self, role: &str) -> Result<Db, sqlx::Error> {
        Db::connect(&Settings::new(self.url_for(role), "test")).await
    }

    /// A pool under the superuser, whom neither grants nor row-level security stop.
    pub async fn connect_superuser(&self) -> Result<Db, sqlx::Error> {
        Db::connect(&Settings::new(self.url(), "test-superuser")).await
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let superuser = self.superuser.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // Drop cannot await, and the test's runtime may be ending: a thread with its own. A database that stays behind
        // disturbs nobody, so a failure is only told.
        let dropped = std::thread::spawn(move || -> Result<(), String> {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
            runtime.block_on(async {
                let mut connection = superuser.connect().await.map_err(|e| e.to_string())?;
                sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(|e| e.to_string())?;
                connection.close().await.map_err(|e| e.to_string())
            })
        })
        .join();
        if let Ok(Err(error)) = dropped {
            tracing::debug!(%error, database = self.name, "a test's database was left behind");
        }
    }
}
