//! The work of this service, by run type. Whoever works on a new type is named here.

use apply::Pace;
use domain::run::RunType;
use graph::Provider;
use tokio_util::sync::CancellationToken;
use worker::Handler;

use crate::backup::BackupWork;
use crate::directory::DirectoryWork;
use crate::restore::RestoreWork;
use crate::state::State;
use crate::sync::SyncWork;
use crate::verify::VerifyWork;

/// One handler for each run type this service works on.
pub(crate) fn handlers(
    state: &State,
    provider: &Provider,
    pace: Pace,
    drain: &CancellationToken,
) -> Vec<Box<dyn Handler>> {
    let (state, provider) = (state.clone(), provider.clone());
    let backup = |run_type| BackupWork { state: state.clone(), provider: provider.clone(), run_type };
    vec![
        Box::new(backup(RunType::BackupScheduleScheduled)),
        Box::new(backup(RunType::BackupScheduleRunNow)),
        Box::new(backup(RunType::BackupScheduleRetry)),
        Box::new(DirectoryWork::groups(state.clone(), provider.clone())),
        Box::new(DirectoryWork::role_definitions(state.clone(), provider.clone())),
        Box::new(RestoreWork { state: state.clone(), provider: provider.clone(), pace, drain: drain.clone() }),
        Box::new(VerifyWork { state: state.clone(), provider: provider.clone() }),
        Box::new(SyncWork { state, provider }),
    ]
}
