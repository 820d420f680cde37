//! What one actor may see, decided by the domain over facts read just now.

use domain::access::{ActorFacts, Denial, Need, authorize};
use domain::id::TenantId;
use domain::run::{RunTenants, RunType, view_needs};

use crate::run::Run;

/// The eyes of one actor in one workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    facts: Option<ActorFacts>,
}

impl Visibility {
    /// Of an actor with these facts; `None`: not a member of the workspace.
    pub fn of(facts: Option<ActorFacts>) -> Self {
        Self { facts }
    }

    /// Whether the actor may see the run, and if not, how that is answered.
    pub fn check(&self, run: &Run) -> Result<(), Denial> {
        self.sees(run.run_type, &run.tenants())
    }

    /// The same for any run of this type about these tenants.
    pub fn sees(&self, run_type: RunType, tenants: &RunTenants) -> Result<(), Denial> {
        let needed = view_needs(run_type, tenants);
        authorize(self.facts.as_ref(), &needed.entitled_to, &needed.needs)
    }

    /// Whether a list or a stream shows the run: what is refused is left out like what is hidden.
    pub fn shows(&self, run: &Run) -> bool {
        self.check(run).is_ok()
    }

    /// Whether the actor belongs to the workspace and is entitled to all of these tenants.
    pub fn may_name(&self, tenants: &[TenantId]) -> Result<(), Denial> {
        authorize(self.facts.as_ref(), tenants, &[])
    }

    /// Whether the actor has all of these capabilities.
    pub fn require(&self, needs: &[Need]) -> Result<(), Denial> {
        authorize(self.facts.as_ref(), &[], needs)
    }

    /// The tenants the actor is entitled to.
    pub fn entitled_to(&self) -> Vec<TenantId> {
        self.facts.iter().flat_map(|facts| facts.tenant_roles.keys().copied()).collect()
    }

    /// The types of which the actor could see at least one run: what a query need not even read.
    pub fn types(&self) -> Vec<RunType> {
        let entitled = self.entitled_to();
        let could_see = |run_type: RunType| {
            let tenantless = RunTenants::default();
            let on_one = entitled.iter().map(|tenant| RunTenants { tenant: Some(*tenant), related: Vec::new() });
            std::iter::once(tenantless).chain(on_one).any(|tenants| self.sees(run_type, &tenants).is_ok())
        };
        RunType::ALL.iter().copied().filter(|run_type| could_see(*run_type)).collect()
    }
}
