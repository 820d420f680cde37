//! The work of this service, by run type. Whoever works on a new type is named here.

use domain::run::RunType;
use graph::Provider;
use worker::Handler;

use crate::backup::BackupWork;
use crate::directory::DirectoryWork;
use crate::state::State;
use crate::sync::SyncWork;
use crate::verify::VerifyWork;

/// One handler for each run type this service works on.
pub(crate) fn handlers(state: &State, provider: &Provider) -> Vec<Box<dyn Handler>> {
    let (state, provider) = (state.clone(), provider.clone());
    let backup = |run_type| BackupWork { state: state.clone(), provider: provider.clone(), run_type };
    vec![
        Box::new(backup(RunType::BackupScheduleScheduled)),
        Box::new(backup(RunType::BackupScheduleRunNow)),
        Box::new(backup(RunType::BackupScheduleRetry)),
        Box::new(DirectoryWork::groups(state.clone(), provider.clone())),
        Box::new(DirectoryWork::role_definitions(state.clone(), provider.clone())),
        Box::new(VerifyWork { state: state.clone(), provider: provider.clone() }),
        Box::new(SyncWork { state, provider }),
    ]
}
