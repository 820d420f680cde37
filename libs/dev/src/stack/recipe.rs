//! How each process is started: its arguments and its environment.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Certificates, Database, EmulatedTenant, Front, Process, Recipe};
use crate::issuer::{Issuer, IssuerConfig, PersonaClaims, SigningKey};
use crate::persona::Persona;

/// Terms that tests shorten, so that nothing has to be waited for long.
#[derive(Debug, Clone, Default)]
pub struct Timing {
    /// How long a lease lasts without being renewed.
    pub lease_ttl: Option<Duration>,
    /// How often expired leases are looked for.
    pub rescue_interval: Option<Duration>,
    /// How long a target is watched after a write of unknown outcome.
    pub provider_settle: Option<Duration>,
    /// Longest time of one request to the provider.
    pub provider_timeout: Option<Duration>,
    /// How long a run waits first when the provider was away.
    pub provider_postpone: Option<Duration>,
}

impl Timing {
    /// For tests.
    pub fn short() -> Self {
        Self {
            lease_ttl: Some(Duration::from_secs(3)),
            rescue_interval: Some(Duration::from_millis(200)),
            provider_settle: Some(Duration::from_secs(1)),
            provider_timeout: Some(Duration::from_secs(5)),
            provider_postpone: Some(Duration::from_millis(100)),
        }
    }
}

/// What tokens are for.
const AUDIENCE: &str = "tenantatlas";

/// The services' names: at the issuer, and for the roles they have in the database.
const SERVICES: [(&str, &str); 3] = [
    ("compare-service", "tenantatlas_compare"),
    ("promotion-service", "tenantatlas_promotion"),
    ("operation-run-service", "tenantatlas_operation"),
];

/// How often traces and metrics are exported.
const EXPORT_EVERY_MS: u32 = 200;

/// The names of our services.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().map(|(service, _)| service)
}

/// The local issuer with our services registered; its key stays in the state folder.
pub(crate) async fn issuer(state: &Path) -> Result<Issuer> {
    let key = key_file(state);
    std::fs::create_dir_all(state)?;
    let mut config = IssuerConfig::new("127.0.0.1:0".parse()?).key_file(key);
    for (service, _) in SERVICES {
        config = config.service(service, &secret_of(service));
    }
    Issuer::start(config).await
}

pub(crate) fn key_file(state: &Path) -> std::path::PathBuf {
    state.join("issuer-keys.json")
}

/// Secrets of the local issuer guard nothing but this machine's own services; they are the same at every start so that a
/// service can be started by hand beside the others.
pub(crate) fn secret_of(service: &str) -> String {
    format!("{service}-local-development")
}

/// A persona's token.
pub(super) fn token(issuer: &Issuer, persona: Persona, ttl: Duration) -> Result<String> {
    issuer.mint(&claims(persona), ttl)
}

/// A persona's token by the key that the issuer keeps in the state folder.
pub(crate) fn token_by_key(issuer: &str, state: &Path, persona: Persona, ttl: Duration) -> Result<String> {
    SigningKey::read(&key_file(state))?.mint(issuer, AUDIENCE, &claims(persona), ttl)
}

fn claims(persona: Persona) -> PersonaClaims {
    PersonaClaims { sub: persona.subject(), name: persona.display_name().to_owned() }
}

/// Where a service is: `http://address`, or `https://address`.
pub(super) fn uri(process: &Process, tls: bool, fronts: &BTreeMap<String, Front>) -> Result<String> {
    let own = process.address("grpc")?;
    let address = fronts.get(process.name()).map_or(own, Front::address);
    Ok(format!("{}://{address}", if tls { "https" } else { "http" }))
}

/// The provider's stand-in, with its tenants.
pub(super) fn emulator(tenants: &[EmulatedTenant]) -> Result<Recipe> {
    let mut args = vec!["--listen".to_owned(), free_address()?];
    for tenant in tenants {
        let folder = tenant.folder.as_ref().map_or_else(String::new, |folder| format!("={}", folder.display()));
        args.extend(["--tenant".to_owned(), format!("{}{folder}", tenant.external_id)]);
        args.extend(["--client".to_owned(), format!("{}={}:{}", tenant.external_id, tenant.client_id, tenant.secret)]);
    }
    Ok(Recipe {
        name: "graph-emulator".into(),
        binary: "graph-emulator".into(),
        args,
        env: BTreeMap::new(),
        image: None,
    })
}

/// What the recipes of our services have in common.
pub(super) struct Shared<'s> {
    pub(super) issuer: &'s Issuer,
    pub(super) database: &'s Database,
    pub(super) timing: &'s Timing,
    pub(super) certificates: Option<&'s Certificates>,
    pub(super) image: Option<&'s Path>,
    pub(super) otlp_endpoint: Option<&'s str>,
}

impl Shared<'_> {
    /// Where each process is, separated by commas.
    pub(super) fn endpoints(&self, processes: &[Process], fronts: &BTreeMap<String, Front>) -> Result<String> {
        let uris = processes.iter().map(|process| uri(process, self.certificates.is_some(), fronts));
        Ok(uris.collect::<Result<Vec<_>>>()?.join(","))
    }

    pub(super) fn operation_run(&self, replica: usize) -> Result<Recipe> {
        let mut recipe = self.service("operation-run-service", replica)?;
        let timing = self.timing;
        if let Some(ttl) = timing.lease_ttl {
            recipe.env.insert("TENANTATLAS_LEASE_TTL_MS".into(), ttl.as_millis().to_string());
        }
        set_duration(&mut recipe, "TENANTATLAS_RESCUE_INTERVAL", timing.rescue_interval);
        Ok(recipe)
    }

    pub(super) fn compare(&self, replica: usize, runs: &str, tenants: &[EmulatedTenant]) -> Result<Recipe> {
        let mut recipe = self.service("compare-service", replica)?;
        recipe.env.insert("TENANTATLAS_OPERATION_RUN_ENDPOINT".into(), runs.to_owned());
        self.set_writes(&mut recipe);
        add_provider(&mut recipe, tenants);
        Ok(recipe)
    }

    pub(super) fn promotion(
        &self,
        replica: usize,
        compares: &str,
        runs: &str,
        tenants: &[EmulatedTenant],
    ) -> Result<Recipe> {
        let mut recipe = self.service("promotion-service", replica)?;
        recipe.env.insert("TENANTATLAS_COMPARE_ENDPOINT".into(), compares.to_owned());
        recipe.env.insert("TENANTATLAS_OPERATION_RUN_ENDPOINT".into(), runs.to_owned());
        self.set_writes(&mut recipe);
        add_provider(&mut recipe, tenants);
        Ok(recipe)
    }

    /// How patiently a worker writes.
    fn set_writes(&self, recipe: &mut Recipe) {
        set_duration(recipe, "TENANTATLAS_PROVIDER_SETTLE", self.timing.provider_settle);
        set_duration(recipe, "TENANTATLAS_PROVIDER_TIMEOUT", self.timing.provider_timeout);
        set_duration(recipe, "TENANTATLAS_PROVIDER_POSTPONE", self.timing.provider_postpone);
    }

    fn service(&self, service: &str, replica: usize) -> Result<Recipe> {
        let role = SERVICES.iter().find(|(name, _)| *name == service).map(|(_, role)| *role);
        let role = role.with_context(|| format!("{service} is none of our services"))?;
        let env = [
            // Chosen here and not by the process: a restarted one must be found where it was.
            ("TENANTATLAS_LISTEN", free_address()?),
            ("TENANTATLAS_ADMIN_LISTEN", free_address()?),
            ("TENANTATLAS_OIDC_ISSUER", self.issuer.url().to_owned()),
            ("TENANTATLAS_CLIENT_ID", service.to_owned()),
            ("TENANTATLAS_CLIENT_SECRET", secret_of(service)),
            ("TENANTATLAS_DATABASE_URL", self.database.url_for(role)),
            // Nothing balances load in front of a local stack, so nothing has to look away first.
            ("TENANTATLAS_DRAIN_GRACE", "0s".to_owned()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut recipe = Recipe {
            name: format!("{service}-{replica}"),
            binary: service.to_owned(),
            args: Vec::new(),
            env,
            image: self.image.map(Path::to_path_buf),
        };
        if let Some(endpoint) = self.otlp_endpoint {
            recipe.env.insert("TENANTATLAS_OTLP_ENDPOINT".into(), endpoint.to_owned());
            // Whoever looks at a local stack does not wait for batches to fill.
            recipe.env.insert("OTEL_BSP_SCHEDULE_DELAY".into(), EXPORT_EVERY_MS.to_string());
            recipe.env.insert("OTEL_METRIC_EXPORT_INTERVAL".into(), EXPORT_EVERY_MS.to_string());
        }
        if let Some(certificates) = self.certificates {
            certificates.add_to(&mut recipe)?;
        }
        Ok(recipe)
    }
}

/// The provider's stand-in is on this machine, which a real provider never is.
fn add_provider(recipe: &mut Recipe, tenants: &[EmulatedTenant]) {
    recipe.env.insert("TENANTATLAS_PROVIDER_ALLOW_LOOPBACK".into(), "true".into());
    for tenant in tenants {
        recipe.env.insert(tenant.variable(), tenant.secret.clone());
    }
}

fn set_duration(recipe: &mut Recipe, variable: &str, value: Option<Duration>) {
    if let Some(value) = value {
        recipe.env.insert(variable.to_owned(), format!("{}ms", value.as_millis()));
    }
}

/// Ports that the system gives nobody by itself, on any of the usual platforms: a process that is killed must find its own
/// free when it is started again, whatever else has been started meanwhile.
const PORTS: std::ops::Range<u32> = 20_000..32_000;

fn free_address() -> Result<String> {
    // Everybody begins somewhere else, so that stacks side by side do not ask for the same.
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(uuid::Uuid::new_v4().as_fields().0));
    for _ in PORTS {
        let port = PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start);
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of {PORTS:?} is free")
}
