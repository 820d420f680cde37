//! The crate against the emulator: a source tenant loaded from documents, a target tenant that starts empty.

mod exports;
mod faults;
mod pace;
mod reading;
mod round_trip;
mod samples;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use domain::contract::Contract;
use domain::id::PolicyType;
use domain::observe::{Observation, observe};
use domain::reference::NameTable;
use graph::{
    BudgetLimits, CapturedObject, Client, Connection, FamilyLimits, PacingLimits, Provider, ProviderRules, Rate,
    RetryPolicy, Settings, registry,
};
use graph_emulator::{Emulator, Running, TenantSpec};
use serde_json::Value;

const SOURCE: &str = "11111111-1111-1111-1111-111111111111";
const TARGET: &str = "22222222-2222-2222-2222-222222222222";

/// A running emulator with the two tenants.
struct World {
    emulator: Running,
    provider: Provider,
    /// Secrets by tenant, as an operator would lay them out.
    secrets: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        Self::of(Emulator::builder()).await
    }

    async fn of(emulator: Emulator) -> Self {
        let spec = |id: &str| TenantSpec::new(id, id).client("app", "s3cret");
        let emulator = emulator.tenant(spec(SOURCE)).tenant(spec(TARGET));
        let emulator = emulator.start(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let secrets = tempfile::tempdir().expect("a folder");
        Self { emulator, provider: Provider::new(fast(), rules(secrets.path())), secrets }
    }

    fn client(&self, tenant: &str) -> Client {
        self.provider.client(&self.connection(tenant)).expect("opens")
    }

    /// The connection of a tenant, whose secret the operator has laid out.
    fn connection(&self, tenant: &str) -> Connection {
        let secret = self.secrets.path().join(tenant);
        std::fs::write(&secret, "s3cret").expect("writable");
        let credential = format!("file:{}", secret.display()).parse().expect("valid");
        let base = Some(self.emulator.base_url.as_str());
        Connection::new(tenant, "app", credential, base, base).expect("valid")
    }

    /// Another provider of the same world.
    fn provider(&self, settings: Settings) -> Provider {
        Provider::new(settings, rules(self.secrets.path()))
    }

    fn load(&self, tenant: &str, documents: impl IntoIterator<Item = Value>) {
        for document in documents {
            let became = self.emulator.load_document(tenant, &document, None).expect("loads");
            assert!(matches!(became, graph_emulator::Became::Object { .. }), "{became:?}: {document}");
        }
    }
}

fn rules(secrets: &Path) -> ProviderRules {
    ProviderRules { allow_loopback: true, secret_folder: Some(secrets.to_owned()), ..ProviderRules::default() }
}

/// Short waits and no pace: what is tested here is what is said, not when.
fn fast() -> Settings {
    let free = FamilyLimits {
        writes: Rate { count: 100_000, per: Duration::from_secs(1) },
        all: Rate { count: 100_000, per: Duration::from_secs(1) },
    };
    Settings {
        timeout: Duration::from_secs(5),
        retry: RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(10), ..RetryPolicy::default() },
        pacing: PacingLimits {
            intune: free,
            conditional_access: free,
            directory: free,
            budget: BudgetLimits { start: 8, max: 8, grow_after: 4 },
        },
        ..Settings::default()
    }
}

fn contract(policy_type: &str) -> &'static Contract {
    registry().get(policy_type).expect("known")
}

/// One object of a tenant, as read and as understood.
struct Subject {
    raw: Value,
    seen: Observation,
}

/// Everything a tenant holds, by type, with the names to understand it by.
#[derive(Default)]
struct Inventory {
    names: NameTable,
    subjects: BTreeMap<PolicyType, Vec<Subject>>,
}

impl Inventory {
    async fn of(client: &Client) -> Self {
        let mut inventory = Self::default();
        for contract in registry().iter() {
            let objects = graph::capture(client, contract).all().await;
            let objects = objects.unwrap_or_else(|error| panic!("{}: {error}", contract.policy_type));
            for CapturedObject { raw, complete, fault } in objects {
                assert!(complete, "{}: {fault:?} {raw}", contract.policy_type);
                inventory.add(contract, raw);
            }
        }
        inventory
    }

    fn add(&mut self, contract: &Contract, raw: Value) -> &Subject {
        let seen = observe(contract, &raw, &self.names).expect("has an id");
        let (id, key, name) = (&seen.external_id, &seen.subject_key, &seen.display_name);
        self.names.insert_subject(contract.policy_type.clone(), id.as_str(), key, name);
        let subjects = self.subjects.entry(contract.policy_type.clone()).or_default();
        subjects.push(Subject { raw, seen });
        &subjects[subjects.len() - 1]
    }

    fn all(&self, policy_type: &str) -> &[Subject] {
        self.subjects.get(policy_type).map_or(&[], Vec::as_slice)
    }
}
