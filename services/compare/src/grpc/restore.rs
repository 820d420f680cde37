//! RestoreService on the wire.

use domain::id::Hash;
use pb::restore as wire;
use pb::restore::restore_service_server::RestoreService;
use prost::Message as _;
use server::fields::{self, Page};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::restore::{parse_confirmation, parse_fates, parse_selection, to_preview_page, tokens};
use crate::restore::{self, ExecuteRestore, PreviewAsked};

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);
/// The characters of a fingerprint.
const FINGERPRINT_CHARS: usize = 64;

#[tonic::async_trait]
impl RestoreService for Api {
    async fn preview_restore(
        &self,
        request: Request<wire::PreviewRestoreRequest>,
    ) -> Result<Response<wire::PreviewRestoreResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let selected = parse_selection(message.selection, &self.state.registry)?;
        let fates = parse_fates(&message.fates)?;
        let tokens = tokens("PreviewRestore", &selected, &fates)?;
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let asked = PreviewAsked { selected, fates, page };
        let answer = restore::preview_restore(&self.state, &caller, &asked).await?;
        Ok(Response::new(to_preview_page(answer)))
    }

    async fn execute_restore(
        &self,
        request: Request<wire::ExecuteRestoreRequest>,
    ) -> Result<Response<wire::ExecuteRestoreResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let asked = ExecuteRestore {
            // It covers what was sent, so that any change of it under the same id is noticed.
            digest: Hash::of(message.encode_to_vec()),
            request_id: fields::id("request_id", &message.request_id)?,
            selected: parse_selection(message.selection, &self.state.registry)?,
            fingerprint: fields::text("preview_fingerprint", &message.preview_fingerprint, FINGERPRINT_CHARS)?
                .to_owned(),
            confirmation: parse_confirmation(message.confirmation)?,
        };
        let started = restore::execute_restore(&self.state, &caller, &asked).await?.0;
        Ok(Response::new(wire::ExecuteRestoreResponse {
            outcome: started.outcome,
            run: started.run,
            reason: started.reason,
            message: started.message,
        }))
    }
}
