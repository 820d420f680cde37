//! `atlasctl preflight`.

use clap::{Args, ValueEnum};
use pb::compare::{
    GeneratePromotionPreflightRequest, GeneratePromotionPreflightResponse, PreflightCounts, PreflightSubject, Readiness,
};

use crate::app::App;
use crate::cli::SelectionArgs;
use crate::command::compare::evidence;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::resolve::{self, Selected};
use crate::screen::{Colour, painted};
use crate::session::call;
use crate::table::{Column, Table, one_line};
use crate::{page, words};

#[derive(Args)]
pub(crate) struct PreflightArgs {
    /// Only subjects of these classes. The counts are of the whole selection.
    #[arg(long, value_enum, value_delimiter = ',')]
    readiness: Vec<Class>,
    #[command(flatten)]
    selection: SelectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Class {
    /// Can be applied now.
    Ready,
    /// Something stands in the way.
    Blocked,
    /// Somebody has to say which object of the target is meant.
    ManualMappingRequired,
}

impl Class {
    const fn of_api(self) -> Readiness {
        match self {
            Self::Ready => Readiness::Ready,
            Self::Blocked => Readiness::Blocked,
            Self::ManualMappingRequired => Readiness::ManualMappingRequired,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: &PreflightArgs) -> Result<Exit, Failure> {
    let selected = resolve::selection(app, &args.selection).await?;
    let classes: Vec<_> = args.readiness.iter().map(|class| class.of_api()).collect();
    let preflight = generate(app, &selected, &classes).await?;
    app.show(&preflight, &preflight.subjects, || {
        let mut text = format!(
            "{}\n{}\n",
            painted(&one_line(&selected.title()), Colour::Bold, app.screen.colour),
            counts(&preflight.counts.unwrap_or_default())
        );
        text += &evidence(preflight.source_evidence.as_ref(), preflight.target_evidence.as_ref());
        if !preflight.subjects.is_empty() {
            text += &format!("\n{}", app.table(&table(&preflight.subjects)));
        }
        text + &format!("\nFingerprint: {}\n", preflight.fingerprint)
    })?;
    Ok(Exit::Done)
}

/// A whole preflight: the first page's answer with the subjects of all pages.
pub(crate) async fn generate(
    app: &App,
    selected: &Selected,
    classes: &[Readiness],
) -> Result<GeneratePromotionPreflightResponse, Failure> {
    let mut first = None;
    let subjects = page::collect(usize::MAX, async |page_size, page_token| {
        let readiness = classes.iter().map(|class| (*class).into()).collect();
        let selection = Some(selected.selection.clone());
        let request = GeneratePromotionPreflightRequest { selection, readiness, page_size, page_token };
        let mut page = call!(app.session, compare.generate_promotion_preflight, request)?;
        let found = (std::mem::take(&mut page.subjects), std::mem::take(&mut page.next_page_token));
        first.get_or_insert(page);
        Ok(found)
    })
    .await?;
    Ok(GeneratePromotionPreflightResponse { subjects, ..first.unwrap_or_default() })
}

fn counts(counts: &PreflightCounts) -> String {
    format!(
        "{} ready ({} to create, {} to update), {} blocked, {} manual mapping required; {} unchanged, {} only in target",
        counts.ready(),
        counts.ready_create(),
        counts.ready_update(),
        counts.blocked(),
        counts.manual_mapping_required(),
        counts.unchanged(),
        counts.only_in_target()
    )
}

fn table(subjects: &[PreflightSubject]) -> Table {
    const COLUMNS: [Column; 5] = [
        Column::whole("READINESS"),
        Column::new("NAME"),
        Column::new("TYPE").on_screens_of(100),
        Column::new("REASON"),
        Column::new("MESSAGE").on_screens_of(120),
    ];
    let mut table = Table::new(&COLUMNS);
    for subject in subjects {
        let mut reasons: Vec<_> = subject.reasons.iter().map(|reason| reason.reason.as_str()).collect();
        // One reason may be there for several fields; its messages say which.
        reasons.dedup();
        let messages: Vec<_> = subject.reasons.iter().map(|reason| reason.message.as_str()).collect();
        table.row([
            class(subject),
            subject.display_name.clone(),
            subject.policy_type.clone(),
            reasons.join(", "),
            messages.join(" "),
        ]);
    }
    table
}

fn class(subject: &PreflightSubject) -> String {
    match subject.readiness() {
        Readiness::Ready => format!("ready: {}", words::action(subject.action())),
        // The column is read a hundred times over; the long word stands above it.
        Readiness::ManualMappingRequired => "manual mapping".to_owned(),
        other => words::readiness(other),
    }
}
