//! `atlasctl tenants archive` and `restore`: told what it means, repeated by name, done.

use clap::Args;
use pb::tenant::{ArchiveTenantRequest, RestoreTenantRequest, Tenant};

use crate::app::{self, App};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::one_line;
use crate::{ambient, question, resolve, words};

#[derive(Args)]
pub(crate) struct LifecycleArgs {
    /// The tenant, by name, domain or id.
    tenant: String,
    /// Do not ask. Needs the tenant's name again, exactly: what it is called may have changed since.
    #[arg(long, requires = "confirm")]
    yes: bool,
    /// The tenant's name, repeated.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Why, for the audit trail.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Archive,
    Restore,
}

impl Change {
    const fn verb(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Restore => "restore",
        }
    }

    /// What it means.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Archive => {
                "Nothing is started in it any more and nobody can select it; operations that run go on to their end.\n  \
                 Nothing is deleted, here or at the provider, and it can be restored."
            }
            Self::Restore => "It is active again: it can be selected, compared and promoted into.",
        }
    }
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &LifecycleArgs, change: Change) -> Result<Exit, Failure> {
    let verb = change.verb();
    if !args.yes && !app.screen.can_ask {
        return Err(Failure::with_fix(
            format!("tenants {verb} asks before it changes a tenant, and there is no terminal to ask on"),
            format!("repeat the tenant's name: tenants {verb} TENANT --yes --confirm NAME"),
        ));
    }
    let workspace_id = resolve::workspace(app).await?;
    let tenant = resolve::tenant(app, &workspace_id, &args.tenant).await?;
    let confirmation = match &args.confirm {
        Some(name) if args.yes => name.clone(),
        _ => {
            app::tell(&format!("{verb} {}\n  {}", one_line(&tenant.name), change.meaning()));
            question::answer("Type the tenant's name to go on: ")?
        }
    };
    if confirmation != tenant.name {
        app::tell(&format!("That is not {:?}. Nothing was changed.", one_line(&tenant.name)));
        return Ok(Exit::Failed);
    }
    let (request_id, tenant_id, reason) = (ambient::fresh_id(), tenant.tenant_id, args.reason.clone());
    let changed = match change {
        Change::Archive => {
            let request = ArchiveTenantRequest { request_id, workspace_id, tenant_id, confirmation, reason };
            call!(app.session, tenants.archive_tenant, request)?.tenant
        }
        Change::Restore => {
            let request = RestoreTenantRequest { request_id, workspace_id, tenant_id, confirmation, reason };
            call!(app.session, tenants.restore_tenant, request)?.tenant
        }
    };
    let changed = changed.unwrap_or_default();
    app.show_one(&changed, || told(&changed))?;
    Ok(Exit::Done)
}

fn told(tenant: &Tenant) -> String {
    format!("{} is {} now.", one_line(&tenant.name), words::lifecycle(tenant.lifecycle()))
}
