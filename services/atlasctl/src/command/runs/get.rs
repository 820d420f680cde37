//! `atlasctl runs get`.

use std::collections::BTreeMap;

use clap::Args;
use pb::operation::{GetOperationRunRequest, ItemState, ListOperationRunItemsRequest, OperationRun, OperationRunItem};

use super::RunArg;
use crate::app::App;
use crate::cli::Format;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::painted;
use crate::session::call;
use crate::table::{Column, Table, one_line};
use crate::{json, page, resolve, words};

#[derive(Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    run: RunArg,
    /// Show every item, not only those that failed or were skipped.
    #[arg(long)]
    items: bool,
}

/// Runs the command. As JSON it is the run; with `--items`, its items.
pub(super) async fn run(app: &App, args: &GetArgs) -> Result<Exit, Failure> {
    let run = get(app, &args.run.run).await?;
    if app.format != Format::Table {
        if !args.items {
            app.show_one(&run, String::new)?;
            return Ok(Exit::Done);
        }
        let items = items(app, &run.run_id, &[]).await?;
        if app.format == Format::Jsonl {
            items.iter().try_for_each(|item| crate::app::print_line(&json::of(item)))?;
        } else {
            let items: Vec<_> = items.iter().map(json::of).collect();
            crate::app::print_document(&serde_json::json!({ "run": json::of(&run), "items": items }))?;
        }
        return Ok(Exit::Done);
    }
    let names = resolve::tenant_names(app, &run.workspace_id).await;
    let states = if args.items { &[][..] } else { &[ItemState::Failed, ItemState::Skipped] };
    let items = items(app, &run.run_id, states).await?;
    let mut text = described(&run, &names, app.screen.colour);
    if !items.is_empty() {
        text += &format!("\n{}", app.table(&table(&items)));
    }
    crate::app::print(&text)?;
    Ok(Exit::Done)
}

/// One run.
pub(crate) async fn get(app: &App, run_id: &str) -> Result<OperationRun, Failure> {
    let answer = call!(app.session, runs.get_operation_run, GetOperationRunRequest { run_id: run_id.to_owned() })?;
    answer.run.ok_or_else(|| Failure::new("the service answered without an operation"))
}

async fn items(app: &App, run_id: &str, states: &[ItemState]) -> Result<Vec<OperationRunItem>, Failure> {
    page::collect(usize::MAX, async |page_size, page_token| {
        let states = states.iter().map(|state| (*state).into()).collect();
        let request = ListOperationRunItemsRequest { run_id: run_id.to_owned(), states, page_size, page_token };
        let page = call!(app.session, runs.list_operation_run_items, request)?;
        Ok((page.items, page.next_page_token))
    })
    .await
}

fn described(run: &OperationRun, names: &BTreeMap<String, String>, colour: bool) -> String {
    let name = |id: &String| names.get(id).map_or_else(|| id.clone(), |name| one_line(name));
    let related: Vec<_> = run.related_tenant_ids.iter().map(name).collect();
    let when = |time: &Option<prost_types::Timestamp>| time.as_ref().map(words::moment).unwrap_or_default();
    let rows = [
        ("Operation", format!("{} ({})", run.label, run.run_id)),
        ("State", painted(&words::state(run), words::state_colour(run), colour)),
        ("Items", format!("{}{}", words::progress(run), counted(run))),
        ("Tenant", name(&run.tenant_id)),
        ("Refers to", related.join(", ")),
        ("Started by", one_line(&run.initiator_name)),
        ("Queued", when(&run.create_time)),
        ("Started", when(&run.start_time)),
        ("Ended", when(&run.complete_time)),
        ("Took", words::took(run.start_time.as_ref(), run.complete_time.as_ref()).unwrap_or_default()),
        ("Attempts", if run.attempt > 1 { run.attempt.to_string() } else { String::new() }),
        ("Open operation", run.link.clone()),
    ];
    let mut text: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(title, value)| format!("{title:<16}{value}\n"))
        .collect();
    text += &failures(run);
    text
}

fn counted(run: &OperationRun) -> String {
    let counts = words::counts(run);
    if words::progress(run).is_empty() { counts } else { format!(": {counts}") }
}

/// The reasons, most frequent first.
pub(crate) fn failures(run: &OperationRun) -> String {
    let line = |failure: &pb::operation::FailureSummary| {
        format!("  {:>4} × {}: {}\n", failure.count(), failure.code, one_line(&failure.message))
    };
    let lines: String = run.failure_summary.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("Reasons\n{lines}") }
}

fn table(items: &[OperationRunItem]) -> Table {
    const COLUMNS: [Column; 5] = [
        Column::whole("STATE"),
        Column::new("ITEM"),
        Column::new("TYPE").on_screens_of(100),
        Column::new("REASON"),
        Column::new("MESSAGE").on_screens_of(100),
    ];
    let mut table = Table::new(&COLUMNS);
    for item in items {
        let effect = words::effect(item.effect());
        table.row([
            if effect.is_empty() { words::item_state(item.state()) } else { effect },
            item.label.clone(),
            item.policy_type.clone(),
            item.reason.clone(),
            item.message.clone(),
        ]);
    }
    table
}
