//! Everything that runs, as real processes: PostgreSQL, the provider's stand-in, the three services; and the local issuer
//! inside this one. `cargo dev up` keeps it up, the demo plays in it, the system tests kill parts of it.

mod certificates;
mod database;
mod front;
mod process;
pub(crate) mod recipe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

pub use certificates::Certificates;
pub use database::Database;
pub use front::Front;
pub use process::{Process, Recipe, binary_path};
pub use recipe::Timing;

use crate::client::{Endpoints, Session};
use crate::issuer::Issuer;
use crate::job::Provider;
use crate::paths;
use crate::persona::Persona;

/// How long a persona's token is good for.
const TOKEN_TTL: Duration = Duration::from_secs(8 * 3600);

/// A tenant of the provider's stand-in.
#[derive(Debug, Clone)]
pub struct EmulatedTenant {
    /// The provider's id of the tenant.
    pub external_id: String,
    /// Folder of exports it starts with; empty without one.
    pub folder: Option<PathBuf>,
    /// Application that may use it.
    pub client_id: String,
    /// The application's secret; known to the stand-in and to the workers' environment only.
    secret: String,
}

impl EmulatedTenant {
    /// A tenant with nothing in it.
    pub fn empty() -> Self {
        let fresh = || uuid::Uuid::new_v4().to_string();
        Self { external_id: fresh(), folder: None, client_id: fresh(), secret: fresh() }
    }

    /// A tenant that starts with a folder of exports.
    pub fn loaded(folder: &Path) -> Self {
        Self { folder: Some(folder.to_path_buf()), ..Self::empty() }
    }

    /// The application's secret, for tests that act as that application or look for traces of it.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The variable by which workers find the secret: the one name they read for this tenant.
    fn variable(&self) -> String {
        format!("TENANTATLAS_PROVIDER_SECRET_{}", self.external_id.replace('-', "_").to_uppercase())
    }
}

/// What is to be started.
pub struct Plan {
    /// Where keys and logs go.
    pub state: PathBuf,
    /// The database the services share.
    pub database: Database,
    /// Tenants of the stand-in.
    pub tenants: Vec<EmulatedTenant>,
    /// How many compare-service processes.
    pub compare_replicas: usize,
    /// How many promotion-service processes.
    pub promotion_replicas: usize,
    /// How many operation-run-service processes.
    pub operation_run_replicas: usize,
    /// Terms that tests shorten.
    pub timing: Timing,
    /// Whether the services speak TLS and show one another certificates.
    pub tls: bool,
    /// Whether everybody reaches the services through [`Front`]s, whose connections tests cut.
    pub fronts: bool,
    /// The files of an image, for services that run from it as in a container; needs the rights to make one (root).
    pub image: Option<PathBuf>,
    /// Where traces and metrics are exported to by OTLP; nowhere without one.
    pub otlp_endpoint: Option<String>,
}

impl Plan {
    /// One of each, on a private PostgreSQL (or `DATABASE_URL`), with the usual terms.
    pub async fn demo() -> Result<Self> {
        Ok(Self::on(Database::given_or_private().await?, paths::state()))
    }

    /// One of each, on a private PostgreSQL whose data stay in the state folder (or `DATABASE_URL`).
    pub async fn kept() -> Result<Self> {
        let folder = paths::state().join("postgres");
        Ok(Self::on(Database::given_or_kept(&folder).await?, paths::state()))
    }

    /// One of each, on a fresh database of the tests' server, with terms short enough to wait for.
    pub async fn test() -> Result<Self> {
        let name = format!("test-{}", uuid::Uuid::now_v7());
        let plan = Self::on(Database::for_test().await?, paths::state().join("tests").join(name));
        Ok(Self { timing: Timing::short(), ..plan })
    }

    /// As [`Plan::test`], on a PostgreSQL of its own whose commits wait for the disk, so that it can be killed and started again. Its
    /// files lie in the folder `postgres` of the plan's state.
    pub async fn breakable() -> Result<Self> {
        let state = paths::state().join("tests").join(format!("test-{}", uuid::Uuid::now_v7()));
        let database = Database::kept(&state.join("postgres")).await?;
        Ok(Self { timing: Timing::short(), ..Self::on(database, state) })
    }

    fn on(database: Database, state: PathBuf) -> Self {
        Self {
            state,
            database,
            tenants: Vec::new(),
            compare_replicas: 1,
            promotion_replicas: 1,
            operation_run_replicas: 1,
            timing: Timing::default(),
            tls: false,
            fronts: false,
            image: None,
            otlp_endpoint: None,
        }
    }
}

impl Plan {
    /// Puts a front before each of these, where that is planned.
    async fn stand_before(&self, processes: &[Process], fronts: &mut BTreeMap<String, Front>) -> Result<()> {
        for process in processes.iter().filter(|_| self.fronts) {
            fronts.insert(process.name().to_owned(), Front::before(process.address("grpc")?).await?);
        }
        Ok(())
    }
}

/// What runs.
pub struct Stack {
    /// The local issuer.
    pub issuer: Issuer,
    /// The provider's stand-in.
    pub emulator: Process,
    /// compare-service, each replica.
    pub compare: Vec<Process>,
    /// promotion-service, each replica.
    pub promotion: Vec<Process>,
    /// operation-run-service, each replica.
    pub operation_run: Vec<Process>,
    /// The database.
    pub database: Database,
    /// The certificates of the services, when they speak TLS.
    pub certificates: Option<Certificates>,
    /// What stands before each replica of the services, by its name; empty unless planned.
    pub fronts: BTreeMap<String, Front>,
    tenants: Vec<EmulatedTenant>,
}

impl Stack {
    /// Starts everything; on an error whatever was started is killed.
    pub async fn start(plan: Plan) -> Result<Self> {
        let logs = plan.state.join("logs");
        // Of an earlier stack; a restarted process of this one goes on in its own.
        if logs.exists() {
            std::fs::remove_dir_all(&logs)?;
        }
        let issuer = recipe::issuer(&plan.state).await?;
        let emulator = Process::start(recipe::emulator(&plan.tenants)?, &logs).await?;
        let certificates = plan.tls.then(|| Certificates::new(&plan.state)).transpose()?;
        let common = recipe::Shared {
            issuer: &issuer,
            database: &plan.database,
            timing: &plan.timing,
            certificates: certificates.as_ref(),
            image: plan.image.as_deref(),
            otlp_endpoint: plan.otlp_endpoint.as_deref(),
        };

        let mut fronts = BTreeMap::new();
        let mut operation_run = Vec::new();
        for replica in 1..=plan.operation_run_replicas {
            operation_run.push(Process::start(common.operation_run(replica)?, &logs).await?);
        }
        plan.stand_before(&operation_run, &mut fronts).await?;
        let runs = common.endpoints(&operation_run, &fronts)?;
        let mut compare = Vec::new();
        for replica in 1..=plan.compare_replicas {
            compare.push(Process::start(common.compare(replica, &runs, &plan.tenants)?, &logs).await?);
        }
        plan.stand_before(&compare, &mut fronts).await?;
        let compares = common.endpoints(&compare, &fronts)?;
        let mut promotion = Vec::new();
        for replica in 1..=plan.promotion_replicas {
            promotion.push(Process::start(common.promotion(replica, &compares, &runs, &plan.tenants)?, &logs).await?);
        }
        plan.stand_before(&promotion, &mut fronts).await?;
        let Plan { database, tenants, .. } = plan;
        Ok(Self { issuer, emulator, compare, promotion, operation_run, database, certificates, fronts, tenants })
    }

    /// Where the services are, by the first replica of each.
    pub fn endpoints(&self) -> Result<Endpoints> {
        self.endpoints_of(0, 0)
    }

    /// Where the services are, by chosen replicas of promotion-service and operation-run-service.
    pub fn endpoints_of(&self, promotion: usize, operation_run: usize) -> Result<Endpoints> {
        self.endpoints_at(0, promotion, operation_run)
    }

    /// Where the services are, by chosen replicas of each.
    pub fn endpoints_at(&self, compare: usize, promotion: usize, operation_run: usize) -> Result<Endpoints> {
        let uri = |process: &Process| recipe::uri(process, self.certificates.is_some(), &self.fronts);
        Ok(Endpoints {
            compare: uri(self.compare.get(compare).context("there are fewer replicas")?)?,
            promotion: uri(self.promotion.get(promotion).context("there are fewer replicas")?)?,
            operation_run: uri(self.operation_run.get(operation_run).context("there are fewer replicas")?)?,
            ca: self.certificates.as_ref().map(Certificates::ca),
        })
    }

    /// A fresh token of a persona.
    pub fn token(&self, persona: Persona) -> Result<String> {
        recipe::token(&self.issuer, persona, TOKEN_TTL)
    }

    /// The services as a persona sees them.
    pub fn session(&self, persona: Persona) -> Result<Session> {
        Session::new(&self.endpoints()?, &self.token(persona)?)
    }

    /// How a tenant of the stand-in is reached, as it is said to TenantService.
    pub fn provider(&self, tenant: &EmulatedTenant) -> Result<Provider> {
        Ok(Provider {
            base_url: self.emulator_url()?,
            external_tenant_id: tenant.external_id.clone(),
            client_id: tenant.client_id.clone(),
            credential_reference: format!("env:{}", tenant.variable()),
        })
    }

    /// Base URL of the provider's stand-in.
    pub fn emulator_url(&self) -> Result<String> {
        Ok(format!("http://{}", self.emulator.address("http")?))
    }

    /// The stand-in's tenants.
    pub fn tenants(&self) -> &[EmulatedTenant] {
        &self.tenants
    }

    /// Asks everything to stop, those first that call others.
    pub async fn stop(self) -> Result<()> {
        for process in self.promotion {
            process.stop().await?;
        }
        for process in self.compare {
            process.stop().await?;
        }
        for process in self.operation_run {
            process.stop().await?;
        }
        self.emulator.stop().await?;
        self.database.close().await
    }
}
