//! `atlasctl backups schedules`.

use clap::{Args, Subcommand, ValueEnum};
use pb::backup::{
    ArchiveBackupScheduleRequest, BackupPlan, BackupSchedule, CatchUpPolicy, CreateBackupScheduleRequest,
    ListBackupSchedulesRequest, ListBackupSchedulesResponse, OverlapPolicy,
};
use uuid::Uuid;

use super::TenantArg;
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table, one_line};
use crate::{ambient, page, words};

#[derive(Subcommand)]
pub(crate) enum SchedulesCommand {
    /// List a tenant's schedules.
    List(ListArgs),
    /// Back a tenant up again and again.
    Create(CreateArgs),
    /// Stop a schedule for good. What it made is kept as long as it would have been.
    Archive(ArchiveArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    tenant: TenantArg,
    /// Those that were archived, too.
    #[arg(long)]
    archived: bool,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    tenant: TenantArg,
    /// Its name, for people.
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// When: minute, hour, day of month, month, day of week, such as "30 2 * * *". At most every 15 minutes.
    #[arg(long, value_name = "CRON")]
    cron: String,
    /// Whose clock, such as `Europe/Berlin`.
    #[arg(long, value_name = "ZONE")]
    time_zone: String,
    /// Only these policy types; all when not given.
    #[arg(long = "type", value_name = "POLICY_TYPE", value_delimiter = ',')]
    policy_types: Vec<String>,
    /// What becomes of times that were missed.
    #[arg(long, value_enum, default_value_t = CatchUp::Latest)]
    catch_up: CatchUp,
    /// With `--catch-up all`: at most this many are made up for, 1 to 100.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100))]
    catch_up_most: i32,
    /// Start also while the backup before is not through; otherwise that time is left out.
    #[arg(long)]
    overlap: bool,
    /// The newest complete sets that are kept, 1 to 3660.
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=3660))]
    keep_last: i32,
    /// Sets of the last so many days are kept, too; 0 to 3660.
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=3660))]
    keep_days: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CatchUp {
    /// They are left out.
    Skip,
    /// The last one is made up for.
    Latest,
    /// All are made up for, the oldest first.
    All,
}

#[derive(Args)]
pub(crate) struct ArchiveArgs {
    /// The schedule, by id.
    #[arg(value_name = "SCHEDULE")]
    schedule: Uuid,
    #[command(flatten)]
    tenant: TenantArg,
}

/// Runs the command.
pub(super) async fn run(app: &App, command: &SchedulesCommand) -> Result<Exit, Failure> {
    match command {
        SchedulesCommand::List(args) => list(app, args).await,
        SchedulesCommand::Create(args) => create(app, args).await,
        SchedulesCommand::Archive(args) => archive(app, args).await,
    }
}

async fn list(app: &App, args: &ListArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let schedules = page::collect(args.limit, async |page_size, page_token| {
        let request = ListBackupSchedulesRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            include_archived: args.archived,
            page_size: page_size.min(page::SMALL),
            page_token,
        };
        let page = call!(app.session, backups.list_backup_schedules, request)?;
        Ok((page.schedules, page.next_page_token))
    })
    .await?;
    let whole = ListBackupSchedulesResponse { schedules: schedules.clone(), ..Default::default() };
    app.show(&whole, &schedules, || match schedules.is_empty() {
        true => "This tenant has no schedule: nothing backs it up by itself.".to_owned(),
        false => app.table(&table(&schedules)),
    })?;
    Ok(Exit::Done)
}

async fn create(app: &App, args: &CreateArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let request = CreateBackupScheduleRequest {
        request_id: ambient::fresh_id(),
        workspace_id,
        tenant_id,
        plan: Some(args.plan()),
    };
    let answer = call!(app.session, backups.create_backup_schedule, request)?;
    let schedule = answer.schedule.clone().unwrap_or_default();
    app.show_one(&answer, || told("Created", &schedule))?;
    Ok(Exit::Done)
}

async fn archive(app: &App, args: &ArchiveArgs) -> Result<Exit, Failure> {
    let (workspace_id, tenant_id) = args.tenant.ids(app).await?;
    let backup_schedule_id = args.schedule.to_string();
    let request = ArchiveBackupScheduleRequest { workspace_id, tenant_id, backup_schedule_id };
    let answer = call!(app.session, backups.archive_backup_schedule, request)?;
    let schedule = answer.schedule.clone().unwrap_or_default();
    app.show_one(&answer, || told("Archived", &schedule))?;
    Ok(Exit::Done)
}

impl CreateArgs {
    fn plan(&self) -> BackupPlan {
        let (catch_up, catch_up_most) = match self.catch_up {
            CatchUp::Skip => (CatchUpPolicy::Skip, 0),
            CatchUp::Latest => (CatchUpPolicy::Latest, 0),
            CatchUp::All => (CatchUpPolicy::All, self.catch_up_most),
        };
        BackupPlan {
            name: self.name.clone(),
            cron: self.cron.clone(),
            time_zone: self.time_zone.clone(),
            policy_types: self.policy_types.clone(),
            catch_up: catch_up.into(),
            catch_up_most,
            overlap: if self.overlap { OverlapPolicy::Allow } else { OverlapPolicy::Skip }.into(),
            keep_last: self.keep_last,
            keep_days: self.keep_days,
        }
    }
}

fn told(what: &str, schedule: &BackupSchedule) -> String {
    let plan = schedule.plan.clone().unwrap_or_default();
    let next = schedule.next_fire_time.as_ref().map(|next| format!("\n  Next: {}", words::moment(next)));
    format!("{what}: {} ({}){}", one_line(&plan.name), schedule.backup_schedule_id, next.unwrap_or_default())
}

fn table(schedules: &[BackupSchedule]) -> Table {
    const COLUMNS: [Column; 6] = [
        Column::new("NAME"),
        Column::whole("ID"),
        Column::whole("CRON"),
        Column::new("TIME ZONE").on_screens_of(90),
        Column::whole("NEXT"),
        Column::whole("KEPT").on_screens_of(120),
    ];
    let mut table = Table::new(&COLUMNS);
    for schedule in schedules {
        let plan = schedule.plan.clone().unwrap_or_default();
        let days = if plan.keep_days > 0 { format!(", {} days", plan.keep_days) } else { String::new() };
        table.row([
            plan.name,
            schedule.backup_schedule_id.clone(),
            plan.cron,
            plan.time_zone,
            match &schedule.archive_time {
                Some(_) => "archived".to_owned(),
                None => schedule.next_fire_time.as_ref().map(words::moment).unwrap_or_default(),
            },
            format!("{} sets{days}", plan.keep_last),
        ]);
    }
    table
}
