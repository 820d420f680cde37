//! The database of a stack: a private cluster, a fresh database of the tests' server, or one that is given.

use std::path::Path;

use anyhow::{Context, Result, bail};
use pg::local;

/// Where the services' roles find their schemas.
pub enum Database {
    /// Somebody else's server, by an owner's URL (`DATABASE_URL`).
    Given(local::Given),
    /// A cluster of our own; it goes with us.
    Private {
        /// The cluster.
        cluster: local::Cluster,
        /// Its database.
        name: String,
    },
    /// A fresh database on the server that the tests share.
    Test(local::Database),
}

/// Name of the database in a private cluster.
const NAME: &str = "tenantatlas";

impl Database {
    /// `DATABASE_URL` where it is set, else a cluster of our own that goes with us; migrated.
    pub async fn given_or_private() -> Result<Self> {
        Self::given_or(&local::Start::temporary()).await
    }

    /// `DATABASE_URL` where it is set, else a cluster whose data stay in `folder` from one start to the next; migrated.
    pub async fn given_or_kept(folder: &Path) -> Result<Self> {
        Self::given_or(&local::Start::kept(folder)).await
    }

    /// A cluster of our own whose data stay in `folder`; migrated.
    pub async fn kept(folder: &Path) -> Result<Self> {
        Self::in_cluster(local::Cluster::start(&local::Start::kept(folder)).await?).await
    }

    /// The cluster, when it is our own.
    pub fn cluster(&mut self) -> Result<&mut local::Cluster> {
        match self {
            Database::Private { cluster, .. } => Ok(cluster),
            Database::Given(_) | Database::Test(_) => bail!("this database server is not ours alone"),
        }
    }

    async fn given_or(start: &local::Start) -> Result<Self> {
        if let Ok(url) = std::env::var("DATABASE_URL") {
            return Ok(Self::Given(local::Given::open(&url).await.context("DATABASE_URL cannot be used")?));
        }
        Self::in_cluster(local::Cluster::start(start).await?).await
    }

    /// A fresh, migrated database for one test.
    pub async fn for_test() -> Result<Self> {
        Ok(Self::Test(local::database().await?))
    }

    async fn in_cluster(cluster: local::Cluster) -> Result<Self> {
        let url = cluster.create_database(NAME).await?;
        pg::migrate(&url).await?;
        Ok(Self::Private { cluster, name: NAME.to_owned() })
    }

    /// URL for one of the services' roles.
    pub fn url_for(&self, role: &str) -> String {
        match self {
            Database::Given(given) => given.url_for(role),
            Database::Private { cluster, name } => cluster.url_for(role, name),
            Database::Test(database) => database.url_for(role),
        }
    }

    /// URL of the owner, for tests that look at rows.
    pub fn owner_url(&self) -> String {
        match self {
            Database::Given(given) => given.url(),
            Database::Private { cluster, name } => {
                let mut url = cluster.url();
                if let Some(at) = url.rfind('/') {
                    url.truncate(at + 1);
                    url.push_str(name);
                }
                url
            }
            Database::Test(database) => database.url(),
        }
    }

    /// Stops a private cluster; leaves the others alone.
    pub async fn close(self) -> Result<()> {
        match self {
            Database::Private { cluster, .. } => Ok(cluster.stop().await?),
            Database::Given(_) | Database::Test(_) => Ok(()),
        }
    }
}
