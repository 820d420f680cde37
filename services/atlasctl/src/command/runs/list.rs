//! `atlasctl runs list`.

use clap::{Args, ValueEnum};
use pb::operation::{
    ListOperationRunsRequest, ListOperationRunsResponse, OperationRun, OperationRunOutcome, OperationRunStatus,
    RunFilter,
};
use serde_json::Value;

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::token::Token;
use crate::{ambient, page, resolve, words};

/// Which operations.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only these types, such as `promotion.execute` or `inventory.sync`.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Only those that work on this tenant or refer to it, by name or id.
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// Only those that stand here.
    #[arg(long = "status", value_enum, value_delimiter = ',')]
    statuses: Vec<Status>,
    /// Only those that ended so.
    #[arg(long = "outcome", value_enum, value_delimiter = ',')]
    outcomes: Vec<Outcome>,
    /// Only those you started.
    #[arg(long)]
    mine: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    /// Waiting for a worker.
    Queued,
    /// Being worked on.
    Running,
    /// Ended.
    Completed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// Every item succeeded.
    Succeeded,
    /// Some items succeeded.
    PartiallySucceeded,
    /// It could not be worked on.
    Blocked,
    /// No item succeeded, or it was given up.
    Failed,
    /// Stopped on request.
    Cancelled,
}

impl From<Status> for OperationRunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Queued => Self::Queued,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
        }
    }
}

impl From<Outcome> for OperationRunOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::PartiallySucceeded => Self::PartiallySucceeded,
            Outcome::Blocked => Self::Blocked,
            Outcome::Failed => Self::Failed,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

impl FilterArgs {
    /// As the API takes it.
    pub(crate) async fn filter(&self, app: &App, workspace_id: &str) -> Result<RunFilter, Failure> {
        let mut tenant_ids = Vec::new();
        for named in &self.tenants {
            tenant_ids.push(resolve::tenant(app, workspace_id, named).await?.tenant_id);
        }
        let subject = || {
            let claims = app.session.token().and_then(Token::claims).unwrap_or_default();
            let subject = claims.get("sub").and_then(Value::as_str).map(str::to_owned);
            subject.ok_or_else(|| Failure::new("the token does not say who you are, so --mine cannot be told"))
        };
        Ok(RunFilter {
            types: self.types.clone(),
            tenant_ids,
            statuses: self.statuses.iter().map(|status| OperationRunStatus::from(*status).into()).collect(),
            outcomes: self.outcomes.iter().map(|outcome| OperationRunOutcome::from(*outcome).into()).collect(),
            initiator_subject: if self.mine { subject()? } else { String::new() },
            ..Default::default()
        })
    }
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those that are active, but overdue.
    #[arg(long)]
    stuck: bool,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &ListArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let filter = RunFilter { stuck: args.stuck, ..args.filter.filter(app, &workspace_id).await? };
    let runs = page::collect(args.limit, async |page_size, page_token| {
        // No service gives more in one page.
        let page_size = page_size.min(500);
        let (workspace_id, filter) = (workspace_id.clone(), Some(filter.clone()));
        let request = ListOperationRunsRequest { workspace_id, filter, page_size, page_token };
        let page = call!(app.session, runs.list_operation_runs, request)?;
        Ok((page.runs, page.next_page_token))
    })
    .await?;
    let names = resolve::tenant_names(app, &workspace_id).await;
    let whole = ListOperationRunsResponse { runs: runs.clone(), ..Default::default() };
    app.show(&whole, &runs, || {
        let name = |id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());
        app.table(&table(&runs, name))
    })?;
    Ok(Exit::Done)
}

fn table(runs: &[OperationRun], tenant: impl Fn(&str) -> String) -> Table {
    const COLUMNS: [Column; 8] = [
        Column::whole("OPERATION"),
        Column::new("TYPE"),
        Column::new("TENANT"),
        Column::new("STATE"),
        Column::whole("DONE"),
        Column::whole("FAILED").on_screens_of(110),
        Column::new("STARTED BY").on_screens_of(120),
        Column::whole("AGE").on_screens_of(80),
    ];
    let mut table = Table::new(&COLUMNS);
    for run in runs {
        table.row([
            run.run_id.clone(),
            run.label.clone(),
            tenant(&run.tenant_id),
            words::state(run),
            words::progress(run),
            run.summary_counts.unwrap_or_default().failed().to_string(),
            run.initiator_name.clone(),
            words::age(run.create_time.as_ref(), ambient::now()),
        ]);
    }
    table
}
