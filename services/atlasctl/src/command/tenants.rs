//! `atlasctl tenants`.

use clap::Subcommand;
use pb::tenant::{ListTenantsResponse, Tenant};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::{Column, Table};
use crate::{resolve, words};

#[derive(Subcommand)]
pub(crate) enum TenantsCommand {
    /// List the tenants you are entitled to.
    List,
    /// Show one tenant.
    Get {
        /// Its name, domain or id.
        tenant: String,
    },
    /// Find tenants whose name, domain or id contains a text, in any case.
    Search {
        /// The text.
        text: String,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &TenantsCommand) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    match command {
        TenantsCommand::List => list(app, resolve::tenants(app, &workspace_id).await?)?,
        TenantsCommand::Get { tenant } => {
            let tenant = resolve::tenant(app, &workspace_id, tenant).await?;
            app.show_one(&tenant, || described(&tenant))?;
        }
        TenantsCommand::Search { text } => {
            let mut tenants = resolve::tenants(app, &workspace_id).await?;
            tenants.retain(|tenant| contains(tenant, text));
            list(app, tenants)?;
        }
    }
    Ok(Exit::Done)
}

fn list(app: &App, tenants: Vec<Tenant>) -> Result<(), Failure> {
    let whole = ListTenantsResponse { tenants: tenants.clone(), ..Default::default() };
    app.show(&whole, &tenants, || {
        const COLUMNS: [Column; 5] = [
            Column::new("NAME"),
            Column::whole("ID"),
            Column::whole("LIFECYCLE"),
            Column::whole("CONNECTED").on_screens_of(80),
            Column::new("DOMAIN").on_screens_of(100),
        ];
        let mut table = Table::new(&COLUMNS);
        for tenant in &tenants {
            table.row([
                tenant.name.clone(),
                tenant.tenant_id.clone(),
                words::lifecycle(tenant.lifecycle()),
                yes(tenant.provider_connected),
                tenant.domain.clone(),
            ]);
        }
        app.table(&table)
    })
}

fn described(tenant: &Tenant) -> String {
    let shown = |text: &str| if text.is_empty() { "-".to_owned() } else { crate::table::one_line(text) };
    [
        ("Name", shown(&tenant.name)),
        ("Id", tenant.tenant_id.clone()),
        ("Lifecycle", words::lifecycle(tenant.lifecycle())),
        ("Domain", shown(&tenant.domain)),
        ("Provider's id", shown(&tenant.external_tenant_id)),
        ("Connected", yes(tenant.provider_connected)),
        ("Registered", tenant.create_time.as_ref().map(words::moment).unwrap_or_default()),
    ]
    .iter()
    .map(|(title, value)| format!("{title:<15}{value}\n"))
    .collect()
}

fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}

fn contains(tenant: &Tenant, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    [&tenant.name, &tenant.domain, &tenant.tenant_id, &tenant.external_tenant_id]
        .iter()
        .any(|part| part.to_lowercase().contains(&text))
}
