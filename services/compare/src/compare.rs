//! CompareService: compare previews and promotion preflights, derived from captured evidence. The provider is not called and
//! nothing is changed.

mod derive_promotion_plan;
mod diff_subject;
mod ends;
mod evidence;
mod export_compare;
mod gather;
mod generate_promotion_preflight;
mod judge;
mod preview_compare;

pub use derive_promotion_plan::{MAX_PLANNED_SUBJECTS, PromotionPlan, derive_promotion_plan};
pub use diff_subject::{MAX_DIFFERENCES, SubjectDiff, diff_subject};
pub use ends::Ends;
pub use evidence::EvidenceAge;
pub use export_compare::{ExportFormat, export_compare};
pub use generate_promotion_preflight::{PreflightAsked, PreflightPage, generate_promotion_preflight};
pub use preview_compare::{CompareAsked, ComparePage, preview_compare};
pub(crate) use preview_compare::{has_changed, page_of};

use std::collections::BTreeSet;

use domain::access::ActorFacts;
use domain::compare::{CompareState, ComparedSubject, Selection};
use domain::contract::{Contract, Kind, Registry};
use domain::id::{PolicyType, SubjectKey, WorkspaceId};
use domain::operability::Question;
use server::caller::{Caller, User};

use crate::error::Result;
use crate::state::State;

/// Where a list of subjects goes on: the fingerprint its pages belong to, then type and key of the last subject.
pub type After = (String, String, String);

/// A parsed selection.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What is compared with what.
    pub selection: Selection,
}

/// One compared subject, cut loose from the rows it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Identity across tenants.
    pub subject_key: SubjectKey,
    /// Its type.
    pub policy_type: PolicyType,
    /// Its name.
    pub display_name: String,
    /// Its platform, where it has one.
    pub platform: Option<String>,
    /// Its state.
    pub state: CompareState,
    /// Objects of the source with this identity.
    pub source_count: usize,
    /// Objects of the target with this identity.
    pub target_count: usize,
}

impl From<&ComparedSubject<'_>> for Subject {
    fn from(subject: &ComparedSubject<'_>) -> Self {
        Self {
            subject_key: subject.subject_key.clone(),
            policy_type: subject.policy_type.clone(),
            display_name: subject.display_name.to_owned(),
            platform: subject.platform.map(str::to_owned),
            state: subject.state,
            source_count: subject.source.len(),
            target_count: subject.target.len(),
        }
    }
}

/// What every compare and preflight needs: baselines of the workspace, and a look at both tenants. It takes no more to look at
/// what could be promoted than to promote from the source; into the target it is only looked.
async fn authorise<'c>(state: &State, caller: &'c Caller, selected: &Selected) -> Result<(&'c User, ActorFacts)> {
    let (source, target) = (selected.selection.source, selected.selection.target);
    let needs = [Question::PromotionSource.needs(source), Question::TenantBoundViewability.needs(target)].concat();
    state.authorise(caller, selected.workspace_id, &[source, target], &needs).await
}

/// Whether a type is compared at all: what is only read to give names to references is not.
pub fn is_governed(contract: &Contract) -> bool {
    contract.kind == Kind::Policy
}

/// The types a selection compares, by key.
fn governed_types<'r>(registry: &'r Registry, selection: &Selection) -> BTreeSet<&'r str> {
    let wanted = &selection.filter.policy_types;
    registry
        .iter()
        .filter(|contract| is_governed(contract))
        .filter(|contract| wanted.is_empty() || wanted.contains(&contract.policy_type))
        .map(|contract| contract.policy_type.as_str())
        .collect()
}
