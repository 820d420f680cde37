//! `atlasctl backups sets`.

use clap::{Args, Subcommand};
use pb::backup::{
    BackupSet, BackupSetEntry, ListBackupSetEntriesRequest, ListBackupSetEntriesResponse, ListBackupSetsRequest,
    ListBackupSetsResponse,
};
use uuid::Uuid;

use super::TenantArg;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::{ambient, page, words};

#[derive(Subcommand)]
pub(crate) enum SetsCommand {
    /// List a tenant's backup sets, newest first.
    List(ListArgs),
    /// List the policy versions of a set.
    Entries(EntriesArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    tenant: TenantArg,
    /// Only those of this schedule, by id.
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<Uuid>,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub(crate) struct EntriesArgs {
    /// The set, by id.
    #[arg(value_name = "SET")]
    set: Uuid,
    #[command(flatten)]
    tenant: TenantArg,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: usize,
}

/// Runs the command.
pub(super) async fn run(app: &App, command: &SetsCommand) -> Result<Exit, Failure> {
    match command {
        SetsCommand::List(args) => list(app, args).await,
        SetsCommand::Entries(args) => entries(app, args).await,
    }
}

async fn list(app: &App, args: &ListArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let sets = page::collect(args.limit, async |page_size, page_token| {
        let request = ListBackupSetsRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            backup_schedule_id: args.schedule.map(|id| id.to_string()).unwrap_or_default(),
            page_size: page_size.min(page::SMALL),
            page_token,
        };
        let page = call!(app.session, backups.list_backup_sets, request)?;
        Ok((page.sets, page.next_page_token))
    })
    .await?;
    let whole = ListBackupSetsResponse { sets: sets.clone(), ..Default::default() };
    app.show(&whole, &sets, || match sets.is_empty() {
        true => "There is no backup set.".to_owned(),
        false => app.table(&set_table(&sets)),
    })?;
    Ok(Exit::Done)
}

async fn entries(app: &App, args: &EntriesArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let entries = page::collect(args.limit, async |page_size, page_token| {
        let request = ListBackupSetEntriesRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            backup_set_id: args.set.to_string(),
            page_size: page_size.min(page::SMALL),
            page_token,
        };
        let page = call!(app.session, backups.list_backup_set_entries, request)?;
        Ok((page.entries, page.next_page_token))
    })
    .await?;
    let whole = ListBackupSetEntriesResponse { entries: entries.clone(), ..Default::default() };
    app.show(&whole, &entries, || app.table(&entry_table(&entries)))?;
    Ok(Exit::Done)
}

fn set_table(sets: &[BackupSet]) -> Table {
    const COLUMNS: [Column; 6] = [
        Column::whole("SET"),
        Column::new("STATE"),
        Column::whole("POLICIES"),
        Column::new("MADE BY").on_screens_of(90),
        Column::whole("AGE").on_screens_of(80),
        Column::whole("OPERATION").on_screens_of(150),
    ];
    let mut table = Table::new(&COLUMNS);
    for set in sets {
        table.row([
            set.backup_set_id.clone(),
            words::backup_set_state(set.state()),
            set.entry_count.map(|count| count.to_string()).unwrap_or_default(),
            set.run_type.clone(),
            words::age(set.create_time.as_ref(), ambient::now()),
            set.run_link.clone(),
        ]);
    }
    table
}

fn entry_table(entries: &[BackupSetEntry]) -> Table {
    const COLUMNS: [Column; 4] = [
        Column::new("NAME"),
        Column::new("TYPE"),
        Column::whole("VERSION").on_screens_of(80),
        Column::whole("VERSION'S ID"),
    ];
    let mut table = Table::new(&COLUMNS);
    for entry in entries {
        table.row([
            entry.display_name.clone(),
            entry.policy_type.clone(),
            entry.number.to_string(),
            entry.policy_version_id.clone(),
        ]);
    }
    table
}
