//! What a promotion run is about, as its context carries it from the start to the worker.

use domain::id::{Hash, TenantId, WorkspaceId};
use domain::json::canonical_hash;
use serde::{Deserialize, Serialize};

/// Subjects that a context names; of more it says how many. At 2,000 characters each they stay well below its limit of 64 KiB.
const MOST_SHOWN_KEYS: usize = 20;

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

    /// The selection as the run's context shows it: whole, but for a long list of subjects, of which the count and a digest
    /// say enough. A context has room for a person's words, not for thousands of keys.
    pub(crate) fn to_context(&self) -> serde_json::Value {
        let mut context = serde_json::to_value(self).expect("a brief holds nothing that JSON cannot say");
        if self.subject_keys.len() > MOST_SHOWN_KEYS {
            let digest = canonical_hash(&context["subject_keys"]);
            context["subject_keys"] = serde_json::json!([]);
            context["subject_key_count"] = self.subject_keys.len().into();
            context["subject_keys_digest"] = digest.to_string().into();
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn brief(subject_keys: usize) -> Brief {
        Brief {
            workspace_id: WorkspaceId(Uuid::from_u128(1)),
            source_tenant_id: TenantId(Uuid::from_u128(2)),
            target_tenant_id: TenantId(Uuid::from_u128(3)),
            policy_types: Vec::new(),
            platforms: Vec::new(),
            name_contains: String::new(),
            subject_keys: (0..subject_keys).map(|number| format!("{number:02000}")).collect(),
            include_assignments: true,
        }
    }

    #[test]
    fn a_worker_reads_back_what_it_needs_of_any_context() {
        let few: Brief = serde_json::from_value(brief(2).to_context()).unwrap();
        assert_eq!(few, brief(2));
        let many: Brief = serde_json::from_value(brief(5000).to_context()).unwrap();
        assert_eq!(many, Brief { subject_keys: Vec::new(), ..brief(0) });
    }

    #[test]
    fn however_many_subjects_are_named_a_context_stays_small() {
        assert!(brief(5000).to_context().to_string().len() < 1000);
        assert!(brief(MOST_SHOWN_KEYS).to_context().to_string().len() < 48 << 10);
        assert_ne!(brief(5000).to_context(), brief(4999).to_context());
    }
}
