//! What a tenant is good for: one authority that every surface asks, whatever its lane.
//!
//! A question is answered in the order in which every request is answered, so that nothing leaks: entitlement, then
//! capability, then lane, then the state of the tenant. The steps are independent of each other: `table.txt` beside this
//! file prints each of them whole, and a test holds the printed and the decided to be the same.
//!
//! Selecting is not discovering: what may be selected is a smaller set than what may be found, and remembered context is
//! a convenience that is checked again whenever it is read. A banner or a list may ask without any wish to act; acting asks
//! again.

mod action;
mod question;
mod reason;
mod state;

pub use action::{Action, Offer, offers};
pub use question::{Lane, Question};
pub use reason::{Denied, Reason};
pub use state::{onboarding_allows, state_allows};

use crate::access::{self, ActorFacts};
use crate::id::TenantId;
use crate::tenant::{Lifecycle, TenantFacts};

/// All that an answer rests on.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// From where it is asked.
    pub lane: Lane,
    /// What is asked.
    pub question: Question,
    /// About which tenant.
    pub tenant_id: TenantId,
    /// What the tenant is; `None` when there is none of this id in the workspace.
    pub tenant: Option<TenantFacts>,
    /// What the actor is in the workspace; `None` for somebody who is not a member.
    pub actor: Option<&'a ActorFacts>,
}

/// Answers.
///
/// # Errors
/// Why not, with what would help. [`Reason::NotEntitled`] is one answer for a tenant that is hidden and for one that does
/// not exist.
pub fn evaluate(asked: &Asked<'_>) -> Result<(), Denied> {
    let Asked { lane, question, tenant_id, tenant, actor } = *asked;
    let facts = tenant.ok_or_else(Denied::not_entitled)?;
    access::authorize(actor, &[tenant_id], &question.needs(tenant_id)).map_err(|denial| match denial {
        access::Denial::Hidden => Denied::not_entitled(),
        access::Denial::CapabilityMissing(capability) => Denied::capability_missing(capability),
    })?;
    if !question.lanes().contains(&lane) {
        return Err(Denied::wrong_lane(question));
    }
    state_allows(question, facts)
}

/// The states of life in which a tenant passes the lane's own question: what a list of that lane may show. Whoever lists
/// filters by entitlement and by [`Question::needs`] besides.
pub fn lifecycles_listed(lane: Lane) -> impl Iterator<Item = Lifecycle> {
    let question = lane.listing_question();
    Lifecycle::ALL.into_iter().filter(move |lifecycle| {
        // No listing question looks at the connection.
        state_allows(question, TenantFacts { lifecycle: *lifecycle, connection: crate::tenant::Connection::Missing })
            .is_ok()
    })
}

#[cfg(test)]
mod tests;
