//! `atlasctl audit list`.

use clap::Args;
use pb::audit::{ListAuditEventsRequest, ListAuditEventsResponse};

use super::FilterArgs;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::{page, resolve, words};

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &ListArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant_id = args.filter.tenant_id(app, &workspace_id).await?;
    let events = page::collect(args.limit, async |page_size, page_token| {
        let request = ListAuditEventsRequest {
            workspace_id: workspace_id.clone(),
            actions: args.filter.actions.clone(),
            tenant_id: tenant_id.clone(),
            run_id: args.filter.run.clone(),
            page_size,
            page_token,
            actor_subjects: args.filter.actors.clone(),
            from_time: args.filter.from,
            before_time: args.filter.before,
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
