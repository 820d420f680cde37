//! Streams a whole compare as a file.

mod csv;
mod json_lines;

use domain::compare::{ComparedSubject, Comparison};
use server::caller::Caller;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::gather::{Gathered, begin, gather};
use super::{Selected, authorise};
use crate::error::Result;
use crate::state::State;

/// The most bytes of a chunk. A chunk holds whole lines only.
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// Chunks made ahead of a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// Format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line, a header object first.
    JsonLines,
    /// Comma-separated values (RFC 4180) with a header line.
    Csv,
}

/// The file, chunk by chunk. The evidence is read before the first, so that all chunks are of one moment; the text is made
/// no faster than it is read.
pub async fn export_compare(
    state: &State,
    caller: &Caller,
    selected: Selected,
    format: ExportFormat,
) -> Result<ReceiverStream<Vec<u8>>> {
    authorise(state, caller, &selected).await?;
    let mut tx = begin(state, caller, &selected).await?;
    let gathered = gather(&mut tx, state, &selected).await?;
    drop(tx);
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(async move { write(&gathered, &selected, format, &sender).await });
    Ok(ReceiverStream::new(receiver))
}

async fn write(gathered: &Gathered, selected: &Selected, format: ExportFormat, sender: &mpsc::Sender<Vec<u8>>) {
    let comparison = gathered.compare(selected);
    let mut chunk = Vec::with_capacity(MAX_CHUNK_BYTES);
    for line in lines(gathered, selected, &comparison, format) {
        if chunk.len() + line.len() > MAX_CHUNK_BYTES && !chunk.is_empty() {
            // Nobody reads any more: the call was given up.
            if sender.send(std::mem::take(&mut chunk)).await.is_err() {
                return;
            }
        }
        chunk.extend_from_slice(line.as_bytes());
    }
    if !chunk.is_empty() {
        let _ = sender.send(chunk).await;
    }
}

fn lines<'c>(
    gathered: &'c Gathered,
    selected: &'c Selected,
    comparison: &'c Comparison<'_>,
    format: ExportFormat,
) -> impl Iterator<Item = String> + use<'c> {
    let header = match format {
        ExportFormat::JsonLines => json_lines::header(gathered, selected, comparison),
        ExportFormat::Csv => csv::header(),
    };
    let line = move |subject: &ComparedSubject<'_>| match format {
        ExportFormat::JsonLines => json_lines::line(subject),
        ExportFormat::Csv => csv::line(subject),
    };
    std::iter::once(header).chain(comparison.subjects.iter().map(line))
}
