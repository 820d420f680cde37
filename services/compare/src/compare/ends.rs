//! What the two tenants of a compare are good for in a promotion, so that a surface can say it before anybody asks for one.

use domain::access::ActorFacts;
use domain::operability::{Asked, Lane, Question, evaluate};

use super::gather::Gathered;
use crate::store::tenant::Tenant;
use crate::tenant::Outcome;

/// Whether whoever asks may promote from the one and into the other, as the tenants are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// Whether content may be promoted from the source.
    pub source: Outcome,
    /// Whether content may be promoted into the target.
    pub target: Outcome,
}

impl Ends {
    /// Of the tenants that were read along with the evidence.
    pub(super) fn of(gathered: &Gathered, actor: &ActorFacts) -> Self {
        Self {
            source: end(Question::PromotionSource, &gathered.source, actor),
            target: end(Question::PromotionTarget, &gathered.target, actor),
        }
    }
}

fn end(question: Question, tenant: &Tenant, actor: &ActorFacts) -> Outcome {
    let (lane, facts) = (Lane::TenantBound, Some(tenant.facts()));
    evaluate(&Asked { lane, question, tenant_id: tenant.id, tenant: facts, actor: Some(actor) })
}
