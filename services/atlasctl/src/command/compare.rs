//! `atlasctl compare`.

use clap::{Args, ValueEnum};
use pb::compare::{
    CompareCounts, CompareState, ComparedSubject, DiffSubjectRequest, DiffSubjectResponse, PreviewCompareRequest,
    PreviewCompareResponse,
};

use crate::app::{self, App};
use crate::cli::{Format, SelectionArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::resolve::{self, Selected};
use crate::screen::{Colour, painted};
use crate::session::call;
use crate::table::{Column, Table, one_line};
use crate::{json, page, words};

mod evidence;
mod export;

pub(crate) use evidence::evidence;

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// Only subjects in these states; all that are not identical when not given. The counts are of the whole selection.
    #[arg(long = "state", value_enum, value_delimiter = ',')]
    states: Vec<State>,
    /// Show in which fields each different subject differs. As JSON: those differences instead of the subjects.
    #[arg(long)]
    fields: bool,
    /// End with 1 when anything differs, 0 when nothing does.
    #[arg(long)]
    exit_code: bool,
    /// Write the whole comparison to standard output in this form.
    #[arg(long, value_enum, conflicts_with_all = ["states", "fields", "exit_code"])]
    export: Option<export::Export>,
    #[command(flatten)]
    selection: SelectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Both have it and mean the same.
    Identical,
    /// Both have it and it differs.
    Different,
    /// Only the source has it.
    MissingInTarget,
    /// Only the target has it.
    OnlyInTarget,
    /// A side has it more than once.
    Ambiguous,
    /// It cannot be told.
    NotComparable,
}

impl State {
    const fn of_api(self) -> CompareState {
        match self {
            Self::Identical => CompareState::Identical,
            Self::Different => CompareState::Different,
            Self::MissingInTarget => CompareState::MissingInTarget,
            Self::OnlyInTarget => CompareState::OnlyInTarget,
            Self::Ambiguous => CompareState::Ambiguous,
            Self::NotComparable => CompareState::NotComparable,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: &CompareArgs) -> Result<Exit, Failure> {
    let selected = resolve::selection(app, &args.selection).await?;
    if let Some(export) = args.export {
        export::run(app, &selected, export).await?;
        return Ok(Exit::Done);
    }
    let preview = preview(app, &selected, &args.states).await?;
    let counts = preview.counts.unwrap_or_default();
    let differences = if args.fields { differences(app, &selected, &preview.subjects).await? } else { Vec::new() };
    match (app.format, args.fields) {
        (Format::Json, true) => {
            let all: Vec<_> = differences.iter().map(json::of).collect();
            app::print_document(&serde_json::json!({ "subjects": all }))?;
        }
        (Format::Jsonl, true) => differences.iter().try_for_each(|one| app::print_line(&json::of(one)))?,
        _ => app.show(&preview, &preview.subjects, || {
            let mut text = headline(&selected, &counts, app.screen.colour);
            text += &evidence(preview.source_evidence.as_ref(), preview.target_evidence.as_ref());
            if !preview.subjects.is_empty() {
                text += &format!("\n{}", app.table(&table(&preview.subjects)));
            }
            text + &differences.iter().map(|one| fields(one, app.screen.colour)).collect::<String>()
        })?,
    }
    let differs = args.exit_code && differing(&counts) > 0;
    Ok(if differs { Exit::Differs } else { Exit::Done })
}

/// The first page's answer with the subjects of all pages.
async fn preview(app: &App, selected: &Selected, states: &[State]) -> Result<PreviewCompareResponse, Failure> {
    let states: Vec<i32> = if states.is_empty() {
        let shown = State::value_variants().iter().filter(|state| **state != State::Identical);
        shown.map(|state| state.of_api().into()).collect()
    } else {
        states.iter().map(|state| state.of_api().into()).collect()
    };
    let mut first = None;
    let subjects = page::collect(usize::MAX, async |page_size, page_token| {
        let (selection, states) = (Some(selected.selection.clone()), states.clone());
        let request = PreviewCompareRequest { selection, states, page_size, page_token };
        let mut page = call!(app.session, compare.preview_compare, request)?;
        let found = (std::mem::take(&mut page.subjects), std::mem::take(&mut page.next_page_token));
        first.get_or_insert(page);
        Ok(found)
    })
    .await?;
    Ok(PreviewCompareResponse { subjects, ..first.unwrap_or_default() })
}

async fn differences(
    app: &App,
    selected: &Selected,
    subjects: &[ComparedSubject],
) -> Result<Vec<DiffSubjectResponse>, Failure> {
    let mut all = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.state() == CompareState::Different) {
        let (selection, subject_key) = (Some(selected.selection.clone()), subject.subject_key.clone());
        all.push(call!(app.session, compare.diff_subject, DiffSubjectRequest { selection, subject_key })?);
    }
    Ok(all)
}

/// What is not known to be the same.
fn differing(counts: &CompareCounts) -> i32 {
    counts.total() - counts.identical()
}

fn headline(selected: &Selected, counts: &CompareCounts, colour: bool) -> String {
    let differing = differing(counts);
    let mut text = format!(
        "{}\n{} compared, {}",
        painted(&one_line(&selected.title()), Colour::Bold, colour),
        words::number(counts.total(), "governed subject"),
        if differing == 0 { "nothing differs".to_owned() } else { format!("{differing} not identical") },
    );
    let parts: Vec<_> = [
        (counts.different(), "different"),
        (counts.missing_in_target(), "missing in target"),
        (counts.only_in_target(), "only in target"),
        (counts.ambiguous(), "ambiguous"),
        (counts.not_comparable(), "not comparable"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    if !parts.is_empty() {
        text += &format!(": {}", parts.join(", "));
    }
    text + "\n"
}

fn table(subjects: &[ComparedSubject]) -> Table {
    const COLUMNS: [Column; 5] = [
        Column::whole("STATE"),
        Column::new("NAME"),
        Column::new("TYPE"),
        Column::new("PLATFORM").on_screens_of(90),
        Column::whole("KEY").on_screens_of(190),
    ];
    let mut table = Table::new(&COLUMNS);
    for subject in subjects {
        table.row([
            words::compare_state(subject.state()),
            subject.display_name.clone(),
            subject.policy_type.clone(),
            subject.platform.clone(),
            subject.subject_key.clone(),
        ]);
    }
    table
}

/// The fields of one subject: what the target has, and what a promotion would make of it.
fn fields(response: &DiffSubjectResponse, colour: bool) -> String {
    let subject = response.subject.clone().unwrap_or_default();
    let name = format!("{} ({})", one_line(&subject.display_name), subject.policy_type);
    let mut text = format!("\n{}\n", painted(&name, Colour::Bold, colour));
    for difference in &response.differences {
        text += &format!("  {}\n", one_line(&difference.path));
        // As in a patch: what goes, then what comes.
        if !difference.target_value.is_empty() {
            let line = format!("    - target  {}", one_line(&difference.target_value));
            text += &format!("{}\n", painted(&line, Colour::Red, colour));
        }
        if !difference.source_value.is_empty() {
            let line = format!("    + source  {}", one_line(&difference.source_value));
            text += &format!("{}\n", painted(&line, Colour::Green, colour));
        }
    }
    if response.truncated {
        text += "  ... and more\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use pb::compare::{DifferenceKind, FieldDifference};
    use pb::tenant::Tenant;

    use super::*;

    fn selected() -> Selected {
        let tenant = |name: &str| Tenant { name: name.into(), ..Default::default() };
        Selected { selection: Default::default(), source: tenant("Model"), target: tenant("Clinics") }
    }

    #[test]
    fn the_headline_says_how_much_was_compared_and_what_differs() {
        let same = CompareCounts { total: Some(1), identical: Some(1), ..Default::default() };
        assert_eq!(
            headline(&selected(), &same, false),
            "Model → Clinics\n1 governed subject compared, nothing differs\n"
        );
        let other = CompareCounts {
            total: Some(9),
            identical: Some(4),
            different: Some(2),
            only_in_target: Some(3),
            ..Default::default()
        };
        assert_eq!(differing(&other), 5);
        assert_eq!(
            headline(&selected(), &other, false),
            "Model → Clinics\n9 governed subjects compared, 5 not identical: 2 different, 3 only in target\n"
        );
    }

    #[test]
    fn a_field_shows_what_goes_and_what_comes() {
        let difference = FieldDifference {
            path: "settings.passwordLength".into(),
            kind: DifferenceKind::OnlyInSource.into(),
            source_value: "12".into(),
            target_value: String::new(),
        };
        let changed = FieldDifference { target_value: "8".into(), ..difference.clone() };
        let subject =
            ComparedSubject { display_name: "BitLocker".into(), policy_type: "x".into(), ..Default::default() };
        let response =
            DiffSubjectResponse { subject: Some(subject), differences: vec![difference, changed], truncated: true };
        assert_eq!(
            fields(&response, false),
            "\nBitLocker (x)\n  settings.passwordLength\n    + source  12\n  settings.passwordLength\n    - target  8\n    \
             + source  12\n  ... and more\n"
        );
    }
}
