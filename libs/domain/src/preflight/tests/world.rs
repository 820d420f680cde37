//! A small world to ask for preflights in: two tenants, their objects and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::compare::{Filter, compare};
use crate::contract::Contract;
use crate::id::{ExternalId, PolicyVersionId, TenantId};
use crate::observe::SubjectFacts;
use crate::reference::{Reference, Standing};
use crate::tenant::{Connection, Lifecycle, TenantFacts};

pub(super) const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// An object of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) kind: PolicyType,
    pub(super) name: String,
    pub(super) id: String,
    /// Stands for the normal form: equal content, equal hash.
    pub(super) content: String,
    pub(super) facts: SubjectFacts,
    pub(super) version: Option<PolicyVersionId>,
    pub(super) captured: bool,
    pub(super) observed_at: OffsetDateTime,
}

impl Object {
    pub(super) fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.into(),
            name: name.to_owned(),
            id: format!("gid-{kind}-{name}"),
            content: "content".to_owned(),
            facts: SubjectFacts { complete: true, ..SubjectFacts::default() },
            version: Some(PolicyVersionId(Uuid::from_u128(1))),
            captured: true,
            observed_at: NOW - Duration::hours(1),
        }
    }

    pub(super) fn with_id(self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self }
    }

    pub(super) fn normal_hash(&self) -> Hash {
        Hash::of(format!("{} {}", self.name, self.content))
    }

    fn row(&self) -> SubjectRow {
        SubjectRow {
            subject_key: ReferenceName { kind: self.kind.clone(), name: self.name.to_lowercase() }.subject_key(),
            policy_type: self.kind.clone(),
            display_name: self.name.clone(),
            platform: None,
            external_id: ExternalId::new(&self.id),
            normal_hash: self.normal_hash(),
            assignments_hash: Hash::of("assignments"),
            evidence: self.facts.evidence(),
        }
    }
}

/// A reference to `kind` named `name`.
pub(super) fn reference(kind: &str, name: &str, standing: Standing) -> Reference {
    Reference {
        kind: kind.into(),
        id: format!("gid-{name}"),
        name: (standing != Standing::Unresolved).then(|| name.to_lowercase()),
        display_name: if standing == Standing::Unresolved { format!("gid-{name}") } else { name.to_owned() },
        path: "somewhere".to_owned(),
        standing,
    }
}

/// Everything a preflight rests on, easy to change.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) source: Vec<Object>,
    pub(super) target: Vec<Object>,
    pub(super) source_coverage: BTreeMap<PolicyType, Coverage>,
    pub(super) target_coverage: BTreeMap<PolicyType, Coverage>,
    /// kind, id, name
    pub(super) target_names: Vec<(String, String, String)>,
    pub(super) tenant: TenantFacts,
    pub(super) source_tenant: TenantFacts,
    pub(super) denied_types: BTreeSet<PolicyType>,
    pub(super) include_assignments: bool,
    pub(super) filter: Filter,
    pub(super) staleness_limit: Duration,
}

impl Default for World {
    fn default() -> Self {
        let coverage = Coverage {
            state: CoverageState::Observed,
            observed_at: NOW - Duration::hours(1),
            approval_required: false,
        };
        let kinds =
            ["policy", "preview", "never", "unheardOf", "assignmentFilter", "roleScopeTag", "group", "namedLocation"];
        let coverage: BTreeMap<PolicyType, Coverage> = kinds.into_iter().map(|kind| (kind.into(), coverage)).collect();
        Self {
            source: vec![],
            target: vec![],
            source_coverage: coverage.clone(),
            target_coverage: coverage,
            target_names: vec![],
            tenant: TenantFacts { lifecycle: Lifecycle::Active, connection: Connection::Unverified },
            source_tenant: TenantFacts { lifecycle: Lifecycle::Active, connection: Connection::Missing },
            denied_types: BTreeSet::new(),
            include_assignments: false,
            filter: Filter::default(),
            staleness_limit: Duration::days(1),
        }
    }
}

impl World {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            source: TenantId(Uuid::from_u128(1)),
            target: TenantId(Uuid::from_u128(2)),
            filter: self.filter.clone(),
            include_assignments: self.include_assignments,
        }
    }

    pub(super) fn preflight(&self) -> Preflight {
        let (source_rows, target_rows) = (rows(&self.source), rows(&self.target));
        let selection = self.selection();
        let comparison = compare(&source_rows, &target_rows, &selection);
        let mut names = NameTable::new();
        for (kind, id, name) in &self.target_names {
            names.insert(kind.as_str(), id, name);
        }
        for object in &self.target {
            names.insert(object.kind.clone(), &object.id, &object.name);
        }
        preflight(&Evidence {
            selection: &selection,
            comparison: &comparison,
            registry: registry(),
            source: Side { tenant_name: "Contoso", coverage: &self.source_coverage, captures: &captures(&self.source) },
            target: Side {
                tenant_name: "Fabrikam",
                coverage: &self.target_coverage,
                captures: &captures(&self.target),
            },
            source_tenant: self.source_tenant,
            target_tenant: TargetTenant { facts: self.tenant, denied_types: &self.denied_types },
            target_names: &names,
            staleness_limit: self.staleness_limit,
            now: NOW,
        })
    }
}

pub(super) fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        Registry::new([
            contract("policy", "promotable", 1000),
            contract("preview", "preview_only", 1000),
            contract("never", "never", 1000),
            contract("assignmentFilter", "promotable", 15),
            contract("roleScopeTag", "promotable", 10),
        ])
        .unwrap()
    });
    &REGISTRY
}

fn contract(kind: &str, promotion: &str, order: u32) -> Contract {
    let text = format!(
        r#"policy_type = "{kind}"
           label = "Sort {kind}"
           promotion = "{promotion}"
           family = "intune"
           order = {order}
           [list]
           path = "deviceManagement/{kind}"
           [write.update]
           method = "PATCH"
           success = [200]"#
    );
    Contract::from_toml(&text).unwrap()
}

fn rows(objects: &[Object]) -> Vec<SubjectRow> {
    objects.iter().map(Object::row).collect()
}

fn captures(objects: &[Object]) -> Captures {
    let mut captures = Captures::new();
    for object in objects.iter().filter(|object| object.captured) {
        let captured =
            Captured { facts: object.facts.clone(), version: object.version, observed_at: object.observed_at };
        captures.insert(object.kind.clone(), ExternalId::new(&object.id), captured);
    }
    captures
}
