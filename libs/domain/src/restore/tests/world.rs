//! A tenant to restore to, and policies to be restored.

use std::sync::LazyLock;

use time::macros::datetime;
use uuid::Uuid;

use super::super::*;
use crate::contract::Contract;
use crate::plan::ReferenceName;
use crate::preflight::CoverageState;
use crate::reference::{Reference, Standing};
use crate::tenant::{Connection, Lifecycle};

pub(super) const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// Content of a policy; equal words, equal hash.
pub(super) fn content(name: &str, words: &str) -> Content {
    Content {
        subject_key: ReferenceName { kind: "policy".into(), name: name.to_lowercase() }.subject_key(),
        normal_hash: Hash::of(format!("{name} {words}")),
        assignments_hash: Hash::of("groups"),
        facts: SubjectFacts { complete: true, ..SubjectFacts::default() },
    }
}

fn chosen(name: &str, now: Now) -> Chosen {
    Chosen {
        policy_type: "policy".into(),
        external_id: ExternalId::new(format!("id-{name}")),
        label: name.to_owned(),
        version: PolicyVersionId(Uuid::from_u128(name.bytes().map(u128::from).sum())),
        number: 1,
        now,
    }
}

/// A policy that is there.
pub(super) fn present(name: &str, then: &str, now: &str) -> Chosen {
    let now = Now::Present {
        external_id: ExternalId::new(format!("id-{name}")),
        current: Some(Box::new(content(name, now))),
        wanted: Some(Box::new(content(name, then))),
        observed_at: NOW - Duration::hours(1),
        doubtful: false,
    };
    chosen(name, now)
}

/// A policy that is gone.
pub(super) fn gone(name: &str, then: &str) -> Chosen {
    chosen(name, Now::Gone { wanted: Some(Box::new(content(name, then))), namesakes: 0 })
}

/// A policy that is as captured.
pub(super) fn same(name: &str) -> Chosen {
    chosen(name, Now::Same)
}

/// A reference, as it was found in content.
pub(super) fn reference(kind: &str, id: &str, name: Option<&str>, standing: Standing) -> Reference {
    Reference {
        kind: kind.into(),
        id: id.to_owned(),
        name: name.map(str::to_owned),
        display_name: name.unwrap_or(id).to_owned(),
        path: "somewhere".to_owned(),
        standing,
    }
}

/// Everything a preview rests on, easy to change.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) chosen: Vec<Chosen>,
    pub(super) tenant: TenantFacts,
    pub(super) denied_types: BTreeSet<PolicyType>,
    pub(super) coverage: BTreeMap<PolicyType, Coverage>,
    /// kind, id, name
    pub(super) names: Vec<(&'static str, &'static str, &'static str)>,
    /// kind, id, name
    pub(super) recalled: Vec<(&'static str, &'static str, &'static str)>,
    pub(super) include_assignments: bool,
}

impl Default for World {
    fn default() -> Self {
        let observed_at = NOW - Duration::hours(1);
        let coverage = Coverage { state: CoverageState::Observed, observed_at, approval_required: false };
        let kinds = ["policy", "preview", "never", "unheardOf", "roleScopeTag", "group"];
        Self {
            chosen: Vec::new(),
            tenant: TenantFacts { lifecycle: Lifecycle::Active, connection: Connection::Unverified },
            denied_types: BTreeSet::new(),
            coverage: kinds.into_iter().map(|kind| (kind.into(), coverage)).collect(),
            names: Vec::new(),
            recalled: Vec::new(),
            include_assignments: false,
        }
    }
}

impl World {
    pub(super) fn coverage(&mut self, kind: &str) -> &mut Coverage {
        self.coverage.get_mut(kind).expect("a kind of this world")
    }

    /// As if a kind had never been read.
    pub(super) fn forget(&mut self, kind: &str) {
        self.coverage.remove(&PolicyType::from(kind));
    }

    pub(super) fn preview(&self) -> Preview {
        let mut names = NameTable::new().keeping_ids();
        for (kind, id, name) in &self.names {
            names.insert(*kind, id, name);
        }
        for (kind, id, name) in &self.recalled {
            names.recall(*kind, id, name, name);
        }
        preview(&Evidence {
            selection: &Selection {
                tenant: TenantId(Uuid::from_u128(1)),
                from: Origin::PolicyVersions(self.chosen.iter().map(|chosen| chosen.version).collect()),
                include_assignments: self.include_assignments,
            },
            chosen: &self.chosen,
            tenant_name: "Contoso",
            tenant: self.tenant,
            denied_types: &self.denied_types,
            coverage: &self.coverage,
            registry: registry(),
            names: &names,
            staleness_limit: Duration::days(1),
            now: NOW,
        })
    }
}

pub(super) fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        let kinds = [
            ("policy", "promotable", 1000),
            ("preview", "preview_only", 1000),
            ("never", "never", 1000),
            ("roleScopeTag", "promotable", 10),
        ];
        Registry::new(kinds.map(|(kind, promotion, order)| contract(kind, promotion, order))).unwrap()
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
