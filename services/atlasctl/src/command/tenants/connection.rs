//! `atlasctl tenants connection` and `verify`: how a tenant is reached, and whether that works.

use clap::Args;
use pb::tenant::{GetProviderConnectionRequest, ProviderConnection, VerifyProviderConnectionRequest};

use crate::app::App;
use crate::cli::WaitArgs;
use crate::command::runs::started::{Started, after_start};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::one_line;
use crate::{ambient, resolve, words};

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The tenant, by name, domain or id.
    tenant: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Runs `tenants verify`.
pub(super) async fn verify(app: &mut App, args: &VerifyArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant = resolve::tenant(app, &workspace_id, &args.tenant).await?;
    let request =
        VerifyProviderConnectionRequest { request_id: ambient::fresh_id(), workspace_id, tenant_id: tenant.tenant_id };
    let answer = call!(app.session, tenants.verify_provider_connection, request)?;
    let started = Started {
        what: format!("Verification of the provider connection of {}", tenant.name),
        outcome: answer.outcome(),
        run: answer.run.clone(),
        reason: answer.reason.clone(),
        message: answer.message.clone(),
    };
    after_start(app, &answer, started, args.wait).await
}

/// Runs `tenants connection`.
pub(super) async fn show(app: &App, named: &str) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant = resolve::tenant(app, &workspace_id, named).await?;
    let request = GetProviderConnectionRequest { workspace_id, tenant_id: tenant.tenant_id };
    let answer = call!(app.session, tenants.get_provider_connection, request)?;
    let connection = answer.provider_connection.unwrap_or_default();
    app.show_one(&connection, || described(&connection))?;
    Ok(Exit::Done)
}

fn described(connection: &ProviderConnection) -> String {
    let mut rows = vec![
        ("State", words::connection_state(connection.state())),
        ("Provider", connection.base_url.clone()),
        ("Tokens from", connection.authority_url.clone()),
        ("Tenant there", connection.external_tenant_id.clone()),
        ("Client id", connection.client_id.clone()),
        ("Credential", connection.credential_reference.clone()),
    ];
    if !connection.state_reason.is_empty() {
        rows.insert(1, ("Because", connection.state_reason.clone()));
    }
    if let Some(time) = &connection.verify_time {
        rows.push(("Verified", words::moment(time)));
    }
    if !connection.denied_policy_types.is_empty() {
        rows.push(("May not read", connection.denied_policy_types.join(", ")));
    }
    rows.iter().map(|(title, value)| format!("{title:<15}{}\n", one_line(value))).collect()
}

#[cfg(test)]
mod tests {
    use pb::tenant::ProviderConnectionState;

    use super::*;

    #[test]
    fn a_connection_says_why_it_failed_and_what_it_may_not_read() {
        let connection = ProviderConnection {
            state: ProviderConnectionState::Failed.into(),
            state_reason: "the client secret has expired".into(),
            credential_reference: "env:NAME".into(),
            denied_policy_types: vec!["a".into(), "b".into()],
            ..Default::default()
        };
        let text = described(&connection);
        assert!(text.starts_with("State          failed\nBecause        the client secret has expired\n"), "{text}");
        assert!(text.ends_with("May not read   a, b\n") && text.contains("Credential     env:NAME\n"), "{text}");
    }
}
