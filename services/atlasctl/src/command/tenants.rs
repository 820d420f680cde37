//! `atlasctl tenants`.

use clap::Subcommand;
use pb::tenant::{
    ListTenantActionsRequest, ListTenantsResponse, SearchTenantsRequest, SearchTenantsResponse, Tenant, TenantAction,
};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::words::yes;
use crate::{page, resolve, words};

mod connection;
mod lifecycle;

use lifecycle::Change;

#[derive(Subcommand)]
pub(crate) enum TenantsCommand {
    /// List the tenants you are entitled to.
    List,
    /// Show one tenant.
    Get {
        /// Its name, domain or id.
        tenant: String,
    },
    /// Find tenants by a part of their name, domain or id, in whatever state of life.
    Search {
        /// The part.
        text: String,
        /// At most this many.
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: usize,
    },
    /// Show how a tenant is reached at its provider, and whether that works.
    Connection {
        /// Its name, domain or id.
        tenant: String,
    },
    /// Try a tenant's provider connection: which policy types may be read?
    Verify(connection::VerifyArgs),
    /// Put a tenant aside. Nothing is deleted.
    Archive(lifecycle::LifecycleArgs),
    /// Make an archived tenant active again.
    Restore(lifecycle::LifecycleArgs),
    /// Say what you can do with a tenant, and why not the rest.
    Actions {
        /// Its name, domain or id.
        tenant: String,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, command: &TenantsCommand) -> Result<Exit, Failure> {
    match command {
        TenantsCommand::List => list(app).await,
        TenantsCommand::Get { tenant } => get(app, tenant).await,
        TenantsCommand::Search { text, limit } => search(app, text, *limit).await,
        TenantsCommand::Actions { tenant } => actions(app, tenant).await,
        TenantsCommand::Connection { tenant } => connection::show(app, tenant).await,
        TenantsCommand::Verify(args) => connection::verify(app, args).await,
        TenantsCommand::Archive(args) => lifecycle::run(app, args, Change::Archive).await,
        TenantsCommand::Restore(args) => lifecycle::run(app, args, Change::Restore).await,
    }
}

async fn list(app: &App) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenants = resolve::tenants(app, &workspace_id).await?;
    let whole = ListTenantsResponse { tenants: tenants.clone(), ..Default::default() };
    app.show(&whole, &tenants, || app.table(&table(&tenants)))?;
    Ok(Exit::Done)
}

async fn get(app: &App, named: &str) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant = resolve::tenant(app, &workspace_id, named).await?;
    app.show_one(&tenant, || described(&tenant))?;
    Ok(Exit::Done)
}

async fn actions(app: &App, named: &str) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant_id = resolve::tenant(app, &workspace_id, named).await?.tenant_id;
    let request = ListTenantActionsRequest { workspace_id, tenant_id };
    let answer = call!(app.session, tenants.list_tenant_actions, request)?;
    app.show(&answer, &answer.actions, || app.table(&action_table(&answer.actions)))?;
    Ok(Exit::Done)
}

async fn search(app: &App, text: &str, limit: usize) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenants = page::collect(limit, async |page_size, page_token| {
        let (workspace_id, query) = (workspace_id.clone(), text.to_owned());
        let request = SearchTenantsRequest { workspace_id, query, page_size, page_token };
        let page = call!(app.session, tenants.search_tenants, request)?;
        Ok((page.tenants, page.next_page_token))
    })
    .await?;
    let whole = SearchTenantsResponse { tenants: tenants.clone(), ..Default::default() };
    app.show(&whole, &tenants, || app.table(&table(&tenants)))?;
    Ok(Exit::Done)
}

fn table(tenants: &[Tenant]) -> Table {
    const COLUMNS: [Column; 5] = [
        Column::new("NAME"),
        Column::whole("ID"),
        Column::whole("LIFECYCLE"),
        Column::whole("CONNECTED").on_screens_of(80),
        Column::new("DOMAIN").on_screens_of(100),
    ];
    let mut table = Table::new(&COLUMNS);
    for tenant in tenants {
        table.row([
            tenant.name.clone(),
            tenant.tenant_id.clone(),
            words::lifecycle(tenant.lifecycle()),
            yes(tenant.provider_connected()),
            tenant.domain.clone(),
        ]);
    }
    table
}

fn action_table(actions: &[TenantAction]) -> Table {
    const COLUMNS: [Column; 4] = [
        Column::new("ACTION"),
        Column::whole("ENABLED"),
        Column::new("REASON"),
        Column::new("WHAT WOULD HELP").on_screens_of(90),
    ];
    let mut table = Table::new(&COLUMNS);
    for action in actions {
        let outcome = action.outcome.clone().unwrap_or_default();
        let missing = Some(outcome.missing_capability).filter(|missing| !missing.is_empty());
        table.row([
            action.label.clone(),
            yes(outcome.allowed == Some(true)),
            missing.map_or(outcome.reason.clone(), |missing| format!("{}: {missing}", outcome.reason)),
            outcome.guidance,
        ]);
    }
    table
}

fn described(tenant: &Tenant) -> String {
    let shown = |text: &str| if text.is_empty() { "-".to_owned() } else { crate::table::one_line(text) };
    [
        ("Name", shown(&tenant.name)),
        ("Id", tenant.tenant_id.clone()),
        ("Lifecycle", words::lifecycle(tenant.lifecycle())),
        ("Domain", shown(&tenant.domain)),
        ("Provider's id", shown(&tenant.external_tenant_id)),
        ("Connected", yes(tenant.provider_connected())),
        ("Registered", tenant.create_time.as_ref().map(words::moment).unwrap_or_default()),
    ]
    .iter()
    .map(|(title, value)| format!("{title:<15}{value}\n"))
    .collect()
}
