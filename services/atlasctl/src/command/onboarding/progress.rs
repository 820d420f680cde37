//! How far an onboarding has come, for people.

use pb::tenant::{Onboarding, OnboardingCheckpoint, OnboardingState};

use crate::table::one_line;
use crate::words;

/// The text.
pub(super) fn told(onboarding: &Onboarding, tenant: &str) -> String {
    let mut text = format!("Onboarding of {}: {}\n", one_line(tenant), words::onboarding_state(onboarding.state()));
    for progress in &onboarding.checkpoints {
        let mark = if progress.reached() { 'x' } else { ' ' };
        text += &format!("  [{mark}] {}\n", words::checkpoint(progress.checkpoint()));
    }
    text += &format!("  Onboarding  {}\n  Version     {}", onboarding.onboarding_id, onboarding.version);
    if !onboarding.editor_name.is_empty() {
        text += &format!(", last edited by {}", one_line(&onboarding.editor_name));
    }
    text.push('\n');
    if let Some(command) = next(onboarding, tenant).filter(|_| onboarding.state() == OnboardingState::InProgress) {
        text += &format!("  Next: {command}\n");
    }
    text
}

/// The command that goes on.
fn next(onboarding: &Onboarding, tenant: &str) -> Option<String> {
    let id = &onboarding.onboarding_id;
    Some(match onboarding.next_checkpoint() {
        OnboardingCheckpoint::IdentifyTenant => {
            format!("atlasctl onboarding identify {id} --name ... --external-id ...")
        }
        OnboardingCheckpoint::ConnectProvider => {
            format!("atlasctl onboarding connect {id} --client-id ... --credential ...")
        }
        OnboardingCheckpoint::Verify => format!("atlasctl tenants verify {:?} --wait", one_line(tenant)),
        OnboardingCheckpoint::Complete => format!("atlasctl onboarding complete {id}"),
        OnboardingCheckpoint::Unspecified => return None,
    })
}

#[cfg(test)]
mod tests {
    use pb::tenant::CheckpointProgress;

    use super::*;

    #[test]
    fn it_says_what_is_done_and_which_command_goes_on() {
        let at = |checkpoint: OnboardingCheckpoint, reached: bool| CheckpointProgress {
            checkpoint: checkpoint.into(),
            reached: Some(reached),
        };
        let mut onboarding = Onboarding {
            onboarding_id: "o".into(),
            state: OnboardingState::InProgress.into(),
            version: 3,
            checkpoints: vec![
                at(OnboardingCheckpoint::IdentifyTenant, true),
                at(OnboardingCheckpoint::ConnectProvider, true),
                at(OnboardingCheckpoint::Verify, false),
            ],
            next_checkpoint: OnboardingCheckpoint::Verify.into(),
            editor_name: "Olivia".into(),
            ..Default::default()
        };
        assert_eq!(
            told(&onboarding, "Contoso Labs"),
            "Onboarding of Contoso Labs: in progress\n  [x] identify tenant\n  [x] connect provider\n  [ ] verify\n  \
             Onboarding  o\n  Version     3, last edited by Olivia\n  Next: atlasctl tenants verify \"Contoso Labs\" --wait\n"
        );
        onboarding.state = OnboardingState::Cancelled.into();
        assert!(!told(&onboarding, "Contoso Labs").contains("Next:"), "what has ended does not go on");
    }
}
