//! `atlasctl compare --export`: the whole comparison as a file, made by the service.

use clap::ValueEnum;
use pb::compare::{ExportCompareRequest, ExportFormat};

use crate::app::{self, App};
use crate::failure::Failure;
use crate::{ambient, resolve::Selected};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Export {
    /// A JSON object a line.
    JsonLines,
    /// For a spreadsheet.
    Csv,
}

/// Writes it to standard output.
pub(super) async fn run(app: &App, selected: &Selected, export: Export) -> Result<(), Failure> {
    let format = match export {
        Export::JsonLines => ExportFormat::JsonLines,
        Export::Csv => ExportFormat::Csv,
    };
    let question = ExportCompareRequest { selection: Some(selected.selection.clone()), format: format.into() };
    let request_id = ambient::fresh_id();
    let refused = |status: tonic::Status| Failure::of_status(&status, &request_id);
    let request = app.session.request(question, &request_id)?;
    let answer = app.session.compare()?.export_compare(request).await.map_err(refused)?;
    let mut chunks = answer.into_inner();
    while let Some(piece) = chunks.message().await.map_err(refused)? {
        app::print_bytes(&piece.chunk)?;
    }
    Ok(())
}
