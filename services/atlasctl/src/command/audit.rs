//! `atlasctl audit`.

use clap::{Args, Subcommand};
use pb::audit::{ListAuditEventsRequest, ListAuditEventsResponse};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::{page, resolve, words};

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// List who did what, newest first.
    List(ListArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only these actions, such as `cross_tenant_promotion_preflight.generated`.
    #[arg(long = "action", value_name = "ACTION", value_delimiter = ',')]
    actions: Vec<String>,
    /// Only entries about this tenant, by name or id.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only entries of this operation.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    run: String,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &AuditCommand) -> Result<Exit, Failure> {
    let AuditCommand::List(args) = command;
    let workspace_id = resolve::workspace(app).await?;
    let tenant_id = match &args.tenant {
        Some(named) => resolve::tenant(app, &workspace_id, named).await?.tenant_id,
        None => String::new(),
    };
    let events = page::collect(args.limit, async |page_size, page_token| {
        let request = ListAuditEventsRequest {
            workspace_id: workspace_id.clone(),
            actions: args.actions.clone(),
            tenant_id: tenant_id.clone(),
            run_id: args.run.clone(),
            page_size,
            page_token,
            ..Default::default()
        };
        let page = call!(app.session, audit.list_audit_events, request)?;
        Ok((page.events, page.next_page_token))
    })
    .await?;
    let names = resolve::tenant_names(app, &workspace_id).await;
    let whole = ListAuditEventsResponse { events: events.clone(), ..Default::default() };
    app.show(&whole, &events, || {
        const COLUMNS: [Column; 6] = [
            Column::whole("TIME"),
            Column::new("ACTION"),
            Column::new("ACTOR"),
            Column::new("TENANT").on_screens_of(80),
            Column::new("OUTCOME").on_screens_of(100),
            Column::whole("OPERATION").on_screens_of(140),
        ];
        let mut table = Table::new(&COLUMNS);
        for event in &events {
            table.row([
                event.event_time.as_ref().map(words::moment).unwrap_or_default(),
                event.action.clone(),
                event.actor_name.clone(),
                names.get(&event.tenant_id).cloned().unwrap_or_else(|| event.tenant_id.clone()),
                event.outcome.replace('_', " "),
                event.run_id.clone(),
            ]);
        }
        app.table(&table)
    })?;
    Ok(Exit::Done)
}
