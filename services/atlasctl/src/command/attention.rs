//! `atlasctl attention`: is there anything to look at?

use std::time::Duration;

use clap::Args;
use pb::operation::{AttentionCounts, GetAttentionCountsRequest};

use crate::app::App;
use crate::cli::duration;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::{resolve, words};

#[derive(Args)]
pub(crate) struct AttentionArgs {
    /// Only operations about this tenant, by name or id.
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// How far back operations that have ended are counted.
    #[arg(long, value_parser = duration, default_value = "24h", value_name = "DURATION")]
    window: Duration,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: &AttentionArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let mut tenant_ids = Vec::new();
    for named in &args.tenants {
        tenant_ids.push(resolve::tenant(app, &workspace_id, named).await?.tenant_id);
    }
    let window = prost_types::Duration::try_from(args.window).ok();
    let request = GetAttentionCountsRequest { workspace_id, tenant_ids, window };
    let answer = call!(app.session, runs.get_attention_counts, request)?;
    app.show_one(&answer, || told(&answer.counts.unwrap_or_default(), args.window))?;
    Ok(Exit::Done)
}

fn told(counts: &AttentionCounts, window: Duration) -> String {
    let hours = window.as_secs() / 3600;
    let window = if hours > 0 { format!("{hours}h") } else { format!("{}s", window.as_secs()) };
    let look =
        |count: i32, command: &str| if count > 0 { format!("  atlasctl runs list {command}") } else { String::new() };
    let rows = [
        ("Active", counts.active(), look(counts.active(), "--status queued,running")),
        ("Likely stale", counts.stale(), look(counts.stale(), "--stuck")),
        ("Failed", counts.failed(), look(counts.failed(), "--outcome failed,blocked")),
        (
            "Partially succeeded",
            counts.partially_succeeded(),
            look(counts.partially_succeeded(), "--outcome partially-succeeded"),
        ),
    ];
    let wanting = counts.stale() + counts.failed() + counts.partially_succeeded();
    let headline = match wanting {
        0 => "Nothing wants attention".to_owned(),
        1 => "1 operation wants attention".to_owned(),
        several => format!("{} want attention", words::number(several, "operation")),
    };
    let rows: String =
        rows.iter().map(|(title, count, command)| format!("  {title:<20}{count:>5}{command}\n")).collect();
    format!("{headline} (ended within {window}).\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wants_attention_is_counted_with_the_command_that_shows_it() {
        let day = Duration::from_secs(24 * 3600);
        let quiet = told(&AttentionCounts { active: Some(2), ..Default::default() }, day);
        assert!(quiet.starts_with("Nothing wants attention (ended within 24h).\n"), "{quiet}");
        let busy = AttentionCounts { active: Some(2), stale: Some(1), failed: Some(3), partially_succeeded: Some(0) };
        let busy = told(&busy, day);
        assert!(busy.starts_with("4 operations want attention"), "{busy}");
        assert!(busy.contains("  Failed                  3  atlasctl runs list --outcome failed,blocked\n"), "{busy}");
        assert!(busy.ends_with("  Partially succeeded     0\n"), "{busy}");
    }
}
