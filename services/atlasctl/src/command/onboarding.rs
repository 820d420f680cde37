//! `atlasctl onboarding`: setting a tenant up, step by step.

use clap::{Args, Subcommand};
use pb::tenant::advance_onboarding_request::Step;
use pb::tenant::start_onboarding_request::Subject;
use pb::tenant::{
    AdvanceOnboardingRequest, CancelOnboardingRequest, CompleteOnboardingRequest, GetOnboardingRequest, Onboarding,
    ProviderRoute, ResumeOnboardingRequest, StartOnboardingRequest, TenantIdentity,
};
use uuid::Uuid;

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::{ambient, resolve};

mod list;
mod progress;

const NEXT: &str = "\
A tenant from beginning to end:
  atlasctl onboarding start --name \"Contoso Labs\" --external-id 0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001
  atlasctl onboarding connect ONBOARDING --client-id ID --credential env:NAME
  atlasctl tenants verify \"Contoso Labs\" --wait
  atlasctl onboarding complete ONBOARDING";

#[derive(Subcommand)]
#[command(after_help = NEXT)]
pub(crate) enum OnboardingCommand {
    /// Begin: with a new tenant, or with a draft.
    Start(StartArgs),
    /// List onboardings, newest first.
    List(list::ListArgs),
    /// Show how far one has come, and what is next.
    Get(OnboardingArg),
    /// Correct who the tenant is.
    Identify(IdentifyArgs),
    /// Say how the tenant is reached at its provider.
    Connect(ConnectArgs),
    /// Take it over from whoever edited it last.
    Resume(OnboardingArg),
    /// Make the tenant active.
    Complete(ChangeArgs),
    /// Give it up: the tenant is a draft again.
    Cancel(ChangeArgs),
}

/// Which one.
#[derive(Args)]
pub(crate) struct OnboardingArg {
    /// Its id.
    #[arg(value_name = "ONBOARDING")]
    onboarding: Uuid,
}

/// Which one, as of when.
#[derive(Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    onboarding: OnboardingArg,
    /// The version that was looked at, so that nobody's change is overwritten; the present one when not given.
    #[arg(long, value_name = "NUMBER")]
    version: Option<i64>,
}

#[derive(Args)]
pub(crate) struct StartArgs {
    /// Name of a new tenant.
    #[arg(long, value_name = "TEXT", required_unless_present = "tenant", requires = "external_id")]
    name: Option<String>,
    /// Its id at the provider.
    #[arg(long, value_name = "UUID", requires = "name")]
    external_id: Option<String>,
    /// Its domain.
    #[arg(long, value_name = "DOMAIN", default_value = "", hide_default_value = true)]
    domain: String,
    /// Another name that it is found by; may be repeated.
    #[arg(long = "alias", value_name = "TEXT")]
    aliases: Vec<String>,
    /// Instead of a new tenant: a draft, by name, domain or id.
    #[arg(long, value_name = "TENANT", conflicts_with_all = ["name", "external_id", "domain", "aliases"])]
    tenant: Option<String>,
}

#[derive(Args)]
pub(crate) struct IdentifyArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// The tenant's name.
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// Its id at the provider. Another one than before puts the connection aside.
    #[arg(long, value_name = "UUID")]
    external_id: String,
    /// Its domain.
    #[arg(long, value_name = "DOMAIN", default_value = "", hide_default_value = true)]
    domain: String,
    /// Another name that it is found by; may be repeated.
    #[arg(long = "alias", value_name = "TEXT")]
    aliases: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Application (client) id that the tenant has consented to.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Where the workers find the client secret: `env:NAME` or `file:/path`. The secret itself is never said.
    #[arg(long, value_name = "REFERENCE")]
    credential: String,
    /// Where the provider is.
    #[arg(long, value_name = "URL", default_value = "https://graph.microsoft.com")]
    base_url: String,
    /// Where its tokens come from.
    #[arg(long, value_name = "URL", default_value = "https://login.microsoftonline.com")]
    authority_url: String,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &OnboardingCommand) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    match command {
        OnboardingCommand::Start(args) => start(app, workspace_id, args).await,
        OnboardingCommand::List(args) => list::run(app, &workspace_id, args).await,
        OnboardingCommand::Get(args) => show(app, &workspace_id, &get(app, &workspace_id, args).await?).await,
        OnboardingCommand::Identify(args) => {
            let identity = TenantIdentity {
                name: args.name.clone(),
                external_tenant_id: args.external_id.clone(),
                domain: args.domain.clone(),
                aliases: args.aliases.clone(),
            };
            advance(app, workspace_id, &args.change, Step::IdentifyTenant(identity)).await
        }
        OnboardingCommand::Connect(args) => {
            let route = ProviderRoute {
                base_url: args.base_url.clone(),
                authority_url: args.authority_url.clone(),
                client_id: args.client_id.clone(),
                credential_reference: args.credential.clone(),
            };
            advance(app, workspace_id, &args.change, Step::ConnectProvider(route)).await
        }
        OnboardingCommand::Resume(args) => resume(app, workspace_id, args).await,
        OnboardingCommand::Complete(args) => complete(app, workspace_id, args).await,
        OnboardingCommand::Cancel(args) => cancel(app, workspace_id, args).await,
    }
}

async fn start(app: &App, workspace_id: String, args: &StartArgs) -> Result<Exit, Failure> {
    let subject = match (&args.tenant, &args.name, &args.external_id) {
        (Some(draft), _, _) => Subject::TenantId(resolve::tenant(app, &workspace_id, draft).await?.tenant_id),
        (None, Some(name), Some(external_id)) => Subject::NewTenant(TenantIdentity {
            name: name.clone(),
            external_tenant_id: external_id.clone(),
            domain: args.domain.clone(),
            aliases: args.aliases.clone(),
        }),
        _ => return Err(Failure::new("--name and --external-id are needed, or --tenant")),
    };
    let request = StartOnboardingRequest {
        request_id: ambient::fresh_id(),
        workspace_id: workspace_id.clone(),
        subject: Some(subject),
    };
    let answer = call!(app.session, tenants.start_onboarding, request)?;
    show(app, &workspace_id, &answer.onboarding.unwrap_or_default()).await
}

async fn get(app: &App, workspace_id: &str, which: &OnboardingArg) -> Result<Onboarding, Failure> {
    let onboarding_id = which.onboarding.to_string();
    let request = GetOnboardingRequest { workspace_id: workspace_id.to_owned(), onboarding_id };
    let answer = call!(app.session, tenants.get_onboarding, request)?;
    answer.onboarding.ok_or_else(|| Failure::new("the service answered without an onboarding"))
}

/// What a change is made from: the version that was said, or the present one.
async fn version(app: &App, workspace_id: &str, change: &ChangeArgs) -> Result<i64, Failure> {
    match change.version {
        Some(version) => Ok(version),
        None => Ok(get(app, workspace_id, &change.onboarding).await?.version),
    }
}

async fn advance(app: &App, workspace_id: String, change: &ChangeArgs, step: Step) -> Result<Exit, Failure> {
    let request = AdvanceOnboardingRequest {
        request_id: ambient::fresh_id(),
        workspace_id: workspace_id.clone(),
        onboarding_id: change.onboarding.onboarding.to_string(),
        version: version(app, &workspace_id, change).await?,
        step: Some(step),
    };
    let answer = call!(app.session, tenants.advance_onboarding, request)?;
    show(app, &workspace_id, &answer.onboarding.unwrap_or_default()).await
}

async fn resume(app: &App, workspace_id: String, which: &OnboardingArg) -> Result<Exit, Failure> {
    let request = ResumeOnboardingRequest {
        request_id: ambient::fresh_id(),
        workspace_id: workspace_id.clone(),
        onboarding_id: which.onboarding.to_string(),
    };
    let answer = call!(app.session, tenants.resume_onboarding, request)?;
    show(app, &workspace_id, &answer.onboarding.unwrap_or_default()).await
}

async fn complete(app: &App, workspace_id: String, change: &ChangeArgs) -> Result<Exit, Failure> {
    let request = CompleteOnboardingRequest {
        request_id: ambient::fresh_id(),
        workspace_id: workspace_id.clone(),
        onboarding_id: change.onboarding.onboarding.to_string(),
        version: version(app, &workspace_id, change).await?,
    };
    let answer = call!(app.session, tenants.complete_onboarding, request)?;
    show(app, &workspace_id, &answer.onboarding.unwrap_or_default()).await
}

async fn cancel(app: &App, workspace_id: String, change: &ChangeArgs) -> Result<Exit, Failure> {
    let request = CancelOnboardingRequest {
        request_id: ambient::fresh_id(),
        workspace_id: workspace_id.clone(),
        onboarding_id: change.onboarding.onboarding.to_string(),
        version: version(app, &workspace_id, change).await?,
    };
    let answer = call!(app.session, tenants.cancel_onboarding, request)?;
    show(app, &workspace_id, &answer.onboarding.unwrap_or_default()).await
}

async fn show(app: &App, workspace_id: &str, onboarding: &Onboarding) -> Result<Exit, Failure> {
    let names = resolve::tenant_names(app, workspace_id).await;
    let tenant = names.get(&onboarding.tenant_id).unwrap_or(&onboarding.tenant_id);
    app.show_one(onboarding, || progress::told(onboarding, tenant))?;
    Ok(Exit::Done)
}
