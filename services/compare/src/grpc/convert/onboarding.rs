//! Onboardings.

use domain::id::WorkspaceId;
use domain::tenant::{Checkpoint, OnboardingState};
use pb::tenant as wire;
use server::failure::Failure;
use server::fields::{self, Page, PageToken};

use super::tenant::parse_route;
use crate::store::tenant_write::Identity;
use crate::tenant::{
    MAX_ALIASES, MAX_DOMAIN_CHARS, Onboarded, OnboardingChange, OnboardingsAsked, StartOnboarding, Step, Subject,
};
use crate::workspace::MAX_NAME_CHARS;

/// What a StartOnboarding asks for.
pub fn parse_start(message: wire::StartOnboardingRequest) -> Result<StartOnboarding, Failure> {
    use wire::start_onboarding_request::Subject as Wire;
    Ok(StartOnboarding {
        request_id: fields::id("request_id", &message.request_id)?,
        workspace_id: fields::id("workspace_id", &message.workspace_id)?,
        subject: match fields::required("subject", message.subject)? {
            Wire::NewTenant(identity) => Subject::New(parse_identity("new_tenant", &identity)?),
            Wire::TenantId(tenant) => Subject::Draft(fields::id("tenant_id", &tenant)?),
        },
    })
}

/// Which onboarding a request changes, from a version if it names one.
pub fn parse_change(
    request: &str,
    workspace: &str,
    onboarding: &str,
    version: Option<i64>,
) -> Result<OnboardingChange, Failure> {
    Ok(OnboardingChange {
        request_id: fields::id("request_id", request)?,
        workspace_id: fields::id("workspace_id", workspace)?,
        onboarding_id: fields::id("onboarding_id", onboarding)?,
        version: version.map(parse_version).transpose()?,
    })
}

/// The version a change is made from.
pub fn parse_version(version: i64) -> Result<i64, Failure> {
    match version {
        0 => Err(Failure::invalid_argument("version", "is required")),
        version if version < 0 => Err(Failure::invalid_argument("version", "must be positive")),
        version => Ok(version),
    }
}

/// The step of an AdvanceOnboarding.
pub fn parse_step(step: Option<wire::advance_onboarding_request::Step>) -> Result<Step, Failure> {
    use wire::advance_onboarding_request::Step as Wire;
    Ok(match fields::required("step", step)? {
        Wire::IdentifyTenant(identity) => Step::IdentifyTenant(parse_identity("identify_tenant", &identity)?),
        Wire::ConnectProvider(route) => Step::ConnectProvider(parse_route(
            &route.base_url,
            &route.authority_url,
            &route.client_id,
            &route.credential_reference,
        )?),
    })
}

fn parse_identity(field: &str, identity: &wire::TenantIdentity) -> Result<Identity, Failure> {
    let at = |name: &str| format!("{field}.{name}");
    let aliases = fields::texts(&at("aliases"), &identity.aliases, MAX_ALIASES, MAX_NAME_CHARS)?;
    let domain = fields::optional_text(&at("domain"), &identity.domain, MAX_DOMAIN_CHARS)?;
    Ok(Identity {
        name: fields::text(&at("name"), &identity.name, MAX_NAME_CHARS)?.to_owned(),
        // One spelling, so that a tenant cannot be registered twice in two.
        external_tenant_id: fields::uuid(&at("external_tenant_id"), &identity.external_tenant_id)?.to_string(),
        domain: domain.unwrap_or_default().to_owned(),
        aliases: aliases.into_iter().collect(),
    })
}

/// Which onboardings a request lists.
pub fn parse_onboardings_asked(message: &wire::ListOnboardingsRequest) -> Result<OnboardingsAsked, Failure> {
    let workspace_id: WorkspaceId = fields::id("workspace_id", &message.workspace_id)?;
    let states = message.states.iter().enumerate();
    let states: std::collections::BTreeSet<OnboardingState> =
        states.map(|(index, state)| parse_state(&format!("states[{index}]"), *state)).collect::<Result<_, _>>()?;
    let filter: String = states.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(",");
    let tokens = PageToken::bound_to("ListOnboardings", [&message.workspace_id, &message.tenant_id, &filter]);
    Ok(OnboardingsAsked {
        workspace_id,
        states,
        tenant_id: fields::optional_id("tenant_id", &message.tenant_id)?,
        page: Page::read(tokens, message.page_size, &message.page_token, 100, 1000)?,
    })
}

fn parse_state(field: &str, value: i32) -> Result<OnboardingState, Failure> {
    match fields::choice::<wire::OnboardingState>(field, value)? {
        wire::OnboardingState::InProgress => Ok(OnboardingState::InProgress),
        wire::OnboardingState::Completed => Ok(OnboardingState::Completed),
        wire::OnboardingState::Cancelled => Ok(OnboardingState::Cancelled),
        wire::OnboardingState::Unspecified => Err(Failure::invalid_argument(field, "is required")),
    }
}

/// An onboarding.
pub fn to_onboarding(onboarded: &Onboarded) -> wire::Onboarding {
    let Onboarded { onboarding, tenant } = onboarded;
    let facts = tenant.facts();
    let checkpoints = Checkpoint::ALL.map(|checkpoint| wire::CheckpointProgress {
        checkpoint: to_checkpoint(checkpoint).into(),
        reached: Some(onboarding.state.has_reached(checkpoint, facts)),
    });
    wire::Onboarding {
        onboarding_id: onboarding.id.to_string(),
        workspace_id: onboarding.workspace_id.to_string(),
        tenant_id: onboarding.tenant_id.to_string(),
        state: to_state(onboarding.state).into(),
        version: onboarding.version,
        checkpoints: checkpoints.into(),
        next_checkpoint: onboarding
            .state
            .next_checkpoint(facts)
            .map_or(wire::OnboardingCheckpoint::Unspecified, to_checkpoint)
            .into(),
        editor_subject: onboarding.editor.subject.clone(),
        editor_name: onboarding.editor.name.clone(),
        create_time: Some(fields::to_timestamp(onboarding.created_at)),
        update_time: Some(fields::to_timestamp(onboarding.updated_at)),
        end_time: onboarding.ended_at.map(fields::to_timestamp),
    }
}

fn to_state(state: OnboardingState) -> wire::OnboardingState {
    match state {
        OnboardingState::InProgress => wire::OnboardingState::InProgress,
        OnboardingState::Completed => wire::OnboardingState::Completed,
        OnboardingState::Cancelled => wire::OnboardingState::Cancelled,
    }
}

fn to_checkpoint(checkpoint: Checkpoint) -> wire::OnboardingCheckpoint {
    match checkpoint {
        Checkpoint::IdentifyTenant => wire::OnboardingCheckpoint::IdentifyTenant,
        Checkpoint::ConnectProvider => wire::OnboardingCheckpoint::ConnectProvider,
        Checkpoint::Verify => wire::OnboardingCheckpoint::Verify,
        Checkpoint::Complete => wire::OnboardingCheckpoint::Complete,
    }
}
