//! Who may see a run.

use crate::access::{Capability, Need};
use crate::id::TenantId;
use crate::run::RunType;

/// The tenants a run is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunTenants {
    /// The tenant it works on; for a promotion the target. Some runs are about the workspace only.
    pub tenant: Option<TenantId>,
    /// Other tenants it refers to; for a promotion the source.
    pub related: Vec<TenantId>,
}

impl RunTenants {
    /// A run about one tenant.
    pub fn of(tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), related: Vec::new() }
    }

    /// A promotion from `source` to `target`.
    pub fn promotion(source: TenantId, target: TenantId) -> Self {
        Self { tenant: Some(target), related: vec![source] }
    }

    /// Whether a run of this type can be about these tenants: every type works on one tenant, and a promotion has
    /// exactly one source, which is another one.
    pub fn fits(&self, run_type: RunType) -> bool {
        match (run_type, self.tenant, self.related.as_slice()) {
            (RunType::PromotionExecute, Some(target), [source]) => *source != target,
            (RunType::PromotionExecute, ..) => false,
            (_, Some(_), []) => true,
            _ => false,
        }
    }

    fn all(&self) -> Vec<TenantId> {
        self.tenant.iter().chain(&self.related).copied().collect()
    }
}

/// What an actor needs to see a run; the arguments of [`crate::access::authorize`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewNeeds {
    /// Without an entitlement to every one of these the run is hidden.
    pub entitled_to: Vec<TenantId>,
    /// Without these it is refused, and a list leaves it out.
    pub needs: Vec<Need>,
}

/// Decides what seeing a run takes: what starting one takes, except that anybody who may see the tenant may read the
/// report of a provider connection check. A run that refers to a second tenant takes an entitlement to both.
pub fn view_needs(run_type: RunType, tenants: &RunTenants) -> ViewNeeds {
    let needs = match (run_type, tenants.tenant) {
        (RunType::ProviderConnectionVerify, Some(tenant)) => vec![Need::OnTenant(tenant, Capability::TenantView)],
        // Imported runs of an older system may name no tenant; seeing one then takes what reading the audit log takes.
        (_, None) => vec![Need::InWorkspace(Capability::AuditView)],
        _ => run_type.start_needs(tenants),
    };
    ViewNeeds { entitled_to: tenants.all(), needs }
}
