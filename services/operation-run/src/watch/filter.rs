//! Which changes a watcher wants.

use domain::id::RunId;
use domain::run::{RunOutcome, RunStatus};

use super::feed::{Event, EventKind};
use crate::run::Run;
use crate::store::run::Wanted;

/// One run, or those that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// This run, whatever happens to it.
    Run(RunId),
    /// The runs that match.
    Matching(Wanted),
}

impl Filter {
    /// Whether the run matches as it is.
    pub fn matches(&self, run: &Run) -> bool {
        match self {
            Filter::Run(id) => run.id == *id,
            Filter::Matching(wanted) => {
                matches_constants(wanted, run) && matches_state(wanted, run.status, run.outcome)
            }
        }
    }

    /// Whether the change concerns the watcher: the run matches after it, or did before. So a watcher of running runs is told
    /// when one of them ends.
    pub fn concerns(&self, event: &Event) -> bool {
        let run = &event.seen.run;
        match self {
            Filter::Run(id) => run.id == *id,
            Filter::Matching(wanted) => {
                matches_constants(wanted, run)
                    && (matches_state(wanted, run.status, run.outcome)
                        || status_before(event)
                            .iter()
                            .any(|status| matches_state(wanted, *status, RunOutcome::Pending)))
            }
        }
    }

    /// What binds a token to this filter.
    pub fn binding(&self) -> Vec<String> {
        match self {
            Filter::Run(id) => vec!["run".into(), id.to_string()],
            Filter::Matching(wanted) => {
                let list = |values: Vec<String>| {
                    let mut values = values;
                    values.sort();
                    values.dedup();
                    values.join(",")
                };
                vec![
                    "matching".into(),
                    list(wanted.types.iter().map(ToString::to_string).collect()),
                    list(wanted.tenants.iter().map(ToString::to_string).collect()),
                    list(wanted.statuses.iter().map(ToString::to_string).collect()),
                    list(wanted.outcomes.iter().map(ToString::to_string).collect()),
                    wanted.initiator_subject.clone().unwrap_or_default(),
                    [wanted.created_from, wanted.created_before].map(|at| format!("{at:?}")).join(","),
                ]
            }
        }
    }
}

/// What never changes of a run.
fn matches_constants(wanted: &Wanted, run: &Run) -> bool {
    let tenant = |tenant| run.tenant_id == Some(tenant) || run.related_tenant_ids.contains(&tenant);
    // A history that is brought in is no news: whoever watches is told what happens here.
    !run.imported
        && (wanted.types.is_empty() || wanted.types.contains(&run.run_type))
        && (wanted.tenants.is_empty() || wanted.tenants.iter().copied().any(tenant))
        && wanted.created_from.is_none_or(|from| run.created_at >= from)
        && wanted.created_before.is_none_or(|before| run.created_at < before)
        && (wanted.initiator_subject.is_none() || wanted.initiator_subject == run.initiator_subject)
}

fn matches_state(wanted: &Wanted, status: RunStatus, outcome: RunOutcome) -> bool {
    (wanted.statuses.is_empty() || wanted.statuses.contains(&status))
        && (wanted.outcomes.is_empty() || wanted.outcomes.contains(&outcome))
}

/// Where the run was before a change that moved it.
fn status_before(event: &Event) -> &'static [RunStatus] {
    match event.kind {
        EventKind::Queued | EventKind::Progressed | EventKind::CancelRequested => &[],
        EventKind::Started => &[RunStatus::Queued],
        EventKind::Requeued => &[RunStatus::Running],
        // A run that was never claimed ended in the queue; one that was may have been back there.
        EventKind::Completed if event.seen.run.started_at.is_none() => &[RunStatus::Queued],
        EventKind::Completed => &[RunStatus::Running, RunStatus::Queued],
    }
}
