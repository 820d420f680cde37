//! `atlasctl restore preview`.

use clap::{Args, ValueEnum};
use pb::restore::{RestoreCounts, RestoreFate, RestorePolicy};

use super::{ContentArgs, preview_of};
use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::{Colour, painted};
use crate::table::{Column, Table, one_line};
use crate::words;

#[derive(Args)]
pub(crate) struct PreviewArgs {
    /// Only policies of these fates. The counts are of the whole selection.
    #[arg(long, value_enum, value_delimiter = ',')]
    fate: Vec<Fate>,
    #[command(flatten)]
    content: ContentArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fate {
    /// It is gone and is created.
    Create,
    /// It differs and is updated.
    Update,
    /// It is as captured.
    Unchanged,
    /// Something forbids it.
    Blocked,
}

impl Fate {
    const fn of_api(self) -> RestoreFate {
        match self {
            Self::Create => RestoreFate::Create,
            Self::Update => RestoreFate::Update,
            Self::Unchanged => RestoreFate::Unchanged,
            Self::Blocked => RestoreFate::Blocked,
        }
    }
}

/// Runs the command.
pub(super) async fn run(app: &App, args: &PreviewArgs) -> Result<Exit, Failure> {
    let selection = args.content.selection(app).await?;
    let fates: Vec<_> = args.fate.iter().map(|fate| fate.of_api()).collect();
    let preview = preview_of(app, &selection, &fates).await?;
    app.show(&preview, &preview.policies, || {
        let title = format!("Restore of {}", one_line(&preview.tenant_name));
        let mut text = format!(
            "{}\n{}\n",
            painted(&title, Colour::Bold, app.screen.colour),
            counts(&preview.counts.unwrap_or_default())
        );
        if !preview.policies.is_empty() {
            text += &format!("\n{}", app.table(&table(&preview.policies)));
        }
        text + &format!("\nFingerprint: {}\n", preview.fingerprint)
    })?;
    Ok(Exit::Done)
}

fn counts(counts: &RestoreCounts) -> String {
    format!(
        "{} to create, {} to update, {} unchanged, {} blocked",
        counts.create(),
        counts.update(),
        counts.unchanged(),
        counts.blocked()
    )
}

fn table(policies: &[RestorePolicy]) -> Table {
    const COLUMNS: [Column; 6] = [
        Column::whole("FATE"),
        Column::new("NAME"),
        Column::whole("VERSION"),
        Column::new("TYPE").on_screens_of(100),
        Column::new("REASON"),
        Column::new("MESSAGE").on_screens_of(120),
    ];
    let mut table = Table::new(&COLUMNS);
    for policy in policies {
        let mut reasons: Vec<_> = policy.reasons.iter().map(|reason| reason.reason.as_str()).collect();
        // One reason may be there for several fields; its messages say which.
        reasons.dedup();
        let messages: Vec<_> = policy.reasons.iter().map(|reason| reason.message.as_str()).collect();
        table.row([
            words::restore_fate(policy.fate()),
            policy.display_name.clone(),
            policy.number.to_string(),
            policy.policy_type.clone(),
            reasons.join(", "),
            messages.join(" "),
        ]);
    }
    table
}
