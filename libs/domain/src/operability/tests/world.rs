//! Actors and tenants of every kind.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use crate::access::{ActorFacts, Role};
use crate::id::TenantId;
use crate::tenant::{Connection, Lifecycle, TenantFacts};

pub(super) const TENANT: TenantId = TenantId(Uuid::from_u128(7));

/// Every kind of actor, as far as it matters to a question about one tenant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Actor {
    NotAMember,
    Unentitled(Role),
    Entitled { workspace: Role, tenant: Role },
}

impl Actor {
    pub(super) fn all() -> impl Iterator<Item = Actor> {
        let entitled = Role::ALL
            .into_iter()
            .flat_map(|workspace| Role::ALL.into_iter().map(move |tenant| Actor::Entitled { workspace, tenant }));
        std::iter::once(Actor::NotAMember).chain(Role::ALL.into_iter().map(Actor::Unentitled)).chain(entitled)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::NotAMember => f.write_str("not a member"),
            Actor::Unentitled(role) => write!(f, "{role}, not entitled"),
            Actor::Entitled { workspace, tenant } => write!(f, "{workspace}, {tenant} on the tenant"),
        }
    }
}

pub(super) fn actor(actor: Actor) -> Option<ActorFacts> {
    let (workspace_role, tenant_roles) = match actor {
        Actor::NotAMember => return None,
        Actor::Unentitled(role) => (role, BTreeMap::new()),
        Actor::Entitled { workspace, tenant } => (workspace, [(TENANT, tenant)].into()),
    };
    Some(ActorFacts { subject: "ada".into(), workspace_role, tenant_roles })
}

pub(super) fn facts(lifecycle: Lifecycle, connection: Connection) -> TenantFacts {
    TenantFacts { lifecycle, connection }
}
