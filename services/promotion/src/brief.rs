//! What a promotion run is about, as its context carries it from the start to the worker.

use domain::id::{Hash, TenantId, WorkspaceId};
use domain::json::canonical_hash;
use serde::{Deserialize, Serialize};

/// The selection of a promotion. Its JSON is part of the run's context and of its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Brief {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) source_tenant_id: TenantId,
    pub(crate) target_tenant_id: TenantId,
    #[serde(default)]
    pub(crate) policy_types: Vec<String>,
    #[serde(default)]
    pub(crate) platforms: Vec<String>,
    #[serde(default)]
    pub(crate) name_contains: String,
    #[serde(default)]
    pub(crate) subject_keys: Vec<String>,
    #[serde(default)]
    pub(crate) include_assignments: bool,
}

impl Brief {
    /// Hash over all of it; lists are sorted when a brief is parsed, so that their order does not matter.
    pub(crate) fn hash(&self) -> Hash {
        canonical_hash(&serde_json::to_value(self).expect("a brief holds nothing that JSON cannot say"))
    }
}
