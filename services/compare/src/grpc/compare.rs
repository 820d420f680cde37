//! CompareService on the wire.

use std::pin::Pin;

use domain::id::SubjectKey;
use futures::{Stream, StreamExt as _};
use pb::compare as wire;
use pb::compare::compare_service_server::CompareService;
use server::fields::{self, Page};
use tonic::{Request, Response, Status};

use super::Api;
use super::convert::compare::{
    MAX_SUBJECT_KEY_CHARS, parse_format, parse_readiness, parse_selection, parse_states, to_compare_page, to_plan,
    to_preflight_page, to_subject_diff, tokens,
};
use crate::compare::{self, CompareAsked, PreflightAsked};

/// Entries of a page by default, and at most.
const PAGE: (u32, u32) = (100, 1000);

#[tonic::async_trait]
impl CompareService for Api {
    type ExportCompareStream = Pin<Box<dyn Stream<Item = Result<wire::ExportCompareResponse, Status>> + Send>>;

    async fn preview_compare(
        &self,
        request: Request<wire::PreviewCompareRequest>,
    ) -> Result<Response<wire::PreviewCompareResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let selected = parse_selection(message.selection, &self.state.registry)?;
        let states = parse_states(&message.states)?;
        let tokens = tokens("PreviewCompare", &selected, &states)?;
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let asked = CompareAsked { selected, states, page };
        let answer = compare::preview_compare(&self.state, &caller, &asked).await?;
        Ok(Response::new(to_compare_page(answer)))
    }

    async fn diff_subject(
        &self,
        request: Request<wire::DiffSubjectRequest>,
    ) -> Result<Response<wire::DiffSubjectResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let selected = parse_selection(message.selection, &self.state.registry)?;
        let key = SubjectKey::new(fields::text("subject_key", &message.subject_key, MAX_SUBJECT_KEY_CHARS)?);
        let answer = compare::diff_subject(&self.state, &caller, &selected, &key).await?;
        Ok(Response::new(to_subject_diff(answer)))
    }

    async fn generate_promotion_preflight(
        &self,
        request: Request<wire::GeneratePromotionPreflightRequest>,
    ) -> Result<Response<wire::GeneratePromotionPreflightResponse>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let selected = parse_selection(message.selection, &self.state.registry)?;
        let classes = parse_readiness(&message.readiness)?;
        let tokens = tokens("GeneratePromotionPreflight", &selected, &classes)?;
        let page = Page::read(tokens, message.page_size, &message.page_token, PAGE.0, PAGE.1)?;
        let asked = PreflightAsked { selected, classes, page };
        let answer = compare::generate_promotion_preflight(&self.state, &caller, &asked).await?;
        Ok(Response::new(to_preflight_page(answer)))
    }

    async fn export_compare(
        &self,
        request: Request<wire::ExportCompareRequest>,
    ) -> Result<Response<Self::ExportCompareStream>, Status> {
        let caller = server::caller(&request)?;
        let message = request.into_inner();
        let selected = parse_selection(message.selection, &self.state.registry)?;
        let format = parse_format(message.format)?;
        let chunks = compare::export_compare(&self.state, &caller, selected, format).await?;
        Ok(Response::new(Box::pin(chunks.map(|chunk| Ok(wire::ExportCompareResponse { chunk })))))
    }

    async fn derive_promotion_plan(
        &self,
        request: Request<wire::DerivePromotionPlanRequest>,
    ) -> Result<Response<wire::DerivePromotionPlanResponse>, Status> {
        let caller = server::caller(&request)?;
        let selected = parse_selection(request.into_inner().selection, &self.state.registry)?;
        let answer = compare::derive_promotion_plan(&self.state, &caller, &selected).await?;
        Ok(Response::new(to_plan(answer)))
    }
}
