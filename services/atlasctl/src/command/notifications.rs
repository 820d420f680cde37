//! `atlasctl notifications`: how the operations that you started ended.

use clap::{Args, Subcommand};
use pb::notification::{
    ListNotificationsRequest, ListNotificationsResponse, MarkNotificationsReadRequest, Notification,
};

use super::runs::run_id;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::{ambient, page, resolve, words};

#[derive(Subcommand)]
pub(crate) enum NotificationsCommand {
    /// List them, newest first.
    List(ListArgs),
    /// Mark them as read.
    Read(ReadArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only those that are not read.
    #[arg(long)]
    unread: bool,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub(crate) struct ReadArgs {
    /// Those of these operations, by id or link.
    #[arg(value_name = "OPERATION", value_parser = run_id, required_unless_present = "all", conflicts_with = "all")]
    runs: Vec<String>,
    /// All that there are now.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: &NotificationsCommand) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    match command {
        NotificationsCommand::List(args) => {
            let notifications = list(app, &workspace_id, args.unread, args.limit).await?;
            let whole = ListNotificationsResponse { notifications: notifications.clone(), ..Default::default() };
            app.show(&whole, &notifications, || shown(app, &notifications))?;
        }
        NotificationsCommand::Read(args) => {
            // All that there are now, and none that comes while this is under way.
            let through_time = match args.all {
                true => {
                    list(app, &workspace_id, false, 1).await?.into_iter().next().and_then(|newest| newest.create_time)
                }
                false => None,
            };
            if args.all && through_time.is_none() {
                crate::app::tell("There is no notification.");
                return Ok(Exit::Done);
            }
            let request = MarkNotificationsReadRequest { workspace_id, run_ids: args.runs.clone(), through_time };
            let answer = call!(app.session, notifications.mark_notifications_read, request)?;
            app.show_one(&answer, || format!("{} unread.", answer.unread_count()))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(app: &App, workspace_id: &str, unread_only: bool, limit: usize) -> Result<Vec<Notification>, Failure> {
    page::collect(limit, async |page_size, page_token| {
        let workspace_id = workspace_id.to_owned();
        let page_size = page_size.min(page::SMALL);
        let request = ListNotificationsRequest { workspace_id, unread_only, page_size, page_token };
        let page = call!(app.session, notifications.list_notifications, request)?;
        Ok((page.notifications, page.next_page_token))
    })
    .await
}

fn shown(app: &App, notifications: &[Notification]) -> String {
    if notifications.is_empty() {
        return "There is no notification.".to_owned();
    }
    const COLUMNS: [Column; 5] = [
        Column::whole("READ"),
        Column::new("WHAT"),
        Column::new("OUTCOME"),
        Column::whole("AGE").on_screens_of(70),
        Column::whole("OPERATION"),
    ];
    let mut table = Table::new(&COLUMNS);
    for notification in notifications {
        table.row([
            words::yes(notification.read_time.is_some()),
            notification.title.clone(),
            words::outcome(notification.outcome()),
            words::age(notification.create_time.as_ref(), ambient::now()),
            notification.run_id.clone(),
        ]);
    }
    app.table(&table)
}
