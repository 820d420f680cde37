//! `$batch`: up to twenty reads in one request. Every item counts against throttling and may be refused on its own, with its
//! own `Retry-After`; refused items are asked again in the next round, the others are not.

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

use super::call::pause;
use super::page::items_of;
use super::{Call, Client, Pages, Refusal};
use crate::error::{self, GraphError, Kind};
use crate::pacing::Family;
use crate::path::Path;
use crate::retry::{Effect, parse_retry_after};

/// Graph's limit of requests in one batch.
pub const MAX_BATCH_ITEMS: usize = 20;
/// Batches under way at once for one caller; the tenant's budget bounds all callers together.
const MAX_BATCHES_AT_ONCE: usize = 4;

impl Client {
    /// Reads many objects; answers are in the order of `paths`.
    pub async fn get_many(&self, paths: &[Path]) -> Vec<Result<Value, GraphError>> {
        // Every item of a batch counts, and Conditional Access admits one request a second: there a batch is a burst.
        let paced = paths.iter().any(|path| path.family() == Family::ConditionalAccess);
        let size = if paced { 1 } else { MAX_BATCH_ITEMS };
        // The futures are made before they are streamed: a closure inside the stream could not be shown to be Send.
        let mut chunks = Vec::new();
        for chunk in paths.chunks(size) {
            chunks.push(self.get_chunk(chunk));
        }
        let rounds = stream::iter(chunks).buffered(MAX_BATCHES_AT_ONCE).collect::<Vec<_>>().await;
        rounds.into_iter().flatten().collect()
    }

    /// Reads many collections whole; answers are in the order of `paths`.
    pub async fn list_many(&self, paths: &[Path]) -> Vec<Result<Vec<Value>, GraphError>> {
        let first_pages = self.get_many(paths).await;
        let mut rests = Vec::with_capacity(paths.len());
        for (path, first) in paths.iter().zip(first_pages) {
            rests.push(self.rest_of(path, first));
        }
        stream::iter(rests).buffered(MAX_BATCHES_AT_ONCE).collect().await
    }

    async fn rest_of(&self, path: &Path, first_page: Result<Value, GraphError>) -> Result<Vec<Value>, GraphError> {
        let first_page = first_page?;
        let mut pages = Pages::after(self.clone(), path, &first_page)?;
        let mut items = items_of(first_page)?;
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    async fn get_chunk(&self, paths: &[Path]) -> Vec<Result<Value, GraphError>> {
        // One item gains nothing from a batch and loses the plain request's trace.
        if let [path] = paths {
            return vec![self.get(path).await];
        }
        let mut results: Vec<Option<Result<Value, GraphError>>> = vec![None; paths.len()];
        let mut attempt = 1;
        loop {
            let open: Vec<usize> = (0..paths.len()).filter(|i| !settled(results[*i].as_ref())).collect();
            if open.is_empty() {
                break;
            }
            if attempt > 1 {
                let asked = open.iter().filter_map(|i| results[*i].as_ref()?.as_ref().err()?.retry_after).max();
                if !pause(self, attempt - 1, asked).await {
                    break;
                }
            }
            match self.round(paths, &open).await {
                Ok(answers) => answers.into_iter().for_each(|(i, answer)| results[i] = Some(answer)),
                // The batch itself was already repeated as a read is.
                Err(error) => {
                    open.iter().for_each(|i| results[*i] = Some(Err(error.clone())));
                    break;
                }
            }
            attempt += 1;
        }
        results.into_iter().map(|r| r.unwrap_or_else(|| Err(unanswered()))).collect()
    }

    async fn round(
        &self,
        paths: &[Path],
        open: &[usize],
    ) -> Result<Vec<(usize, Result<Value, GraphError>)>, GraphError> {
        let version = paths[open[0]].version();
        let requests: Vec<Value> = open
            .iter()
            .map(|i| {
                json!({"id": i.to_string(), "method": "GET", "url": paths[*i].unversioned(),
                "headers": {"Accept": "application/json", "Prefer": "include-unknown-enum-members"}})
            })
            .collect();
        let body = json!({ "requests": requests });
        // Only reads are batched, so repeating a batch is safe although it is a POST. Its family is that of its items.
        let path = Path::new(version, "/$batch").counted_as(paths[open[0]].family());
        let call = Call {
            method: Method::POST,
            path: &path,
            effect: Effect::Read,
            body: Some(&body),
            link: None,
            cost: open.len(),
            settling: false,
        };
        let mut answer = self.call(&call).await.map_err(Refusal::into_error)?.body;
        let Some(Value::Array(responses)) = answer.get_mut("responses").map(Value::take) else {
            return Err(GraphError::decode("the answer to a batch has no responses"));
        };
        let mut answered: Vec<(usize, Result<Value, GraphError>)> =
            responses.into_iter().filter_map(item).filter(|(i, _)| open.contains(i)).collect();
        let throttled = answered.iter().filter_map(|(_, answer)| answer.as_ref().err());
        if let Some(error) = throttled.filter(|e| e.kind == Kind::Throttled).max_by_key(|e| e.retry_after) {
            self.inner.pacer.throttled(path.family(), error.retry_after);
        }
        for i in open {
            if !answered.iter().any(|(known, _)| known == i) {
                answered.push((*i, Err(unanswered())));
            }
        }
        Ok(answered)
    }
}

fn settled(result: Option<&Result<Value, GraphError>>) -> bool {
    match result {
        None => false,
        Some(Ok(_)) => true,
        Some(Err(error)) => !error.is_transient(),
    }
}

fn unanswered() -> GraphError {
    GraphError::local(Kind::Server, "PROVIDER_UNAVAILABLE", "the batch was answered without this item")
}

/// One response of a batch: its position and its result. Ids come back as strings, whatever was sent.
fn item(mut response: Value) -> Option<(usize, Result<Value, GraphError>)> {
    let index: usize = match response.get("id")? {
        Value::String(id) => id.parse().ok()?,
        id => usize::try_from(id.as_u64()?).ok()?,
    };
    let status = response.get("status").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok())?;
    let body = response.get_mut("body").map_or(Value::Null, Value::take);
    if (200..300).contains(&status) {
        return Some((index, Ok(body)));
    }
    let request_id = header(&response, "request-id").map(str::to_owned);
    let wait: Option<Duration> =
        header(&response, "retry-after").and_then(|text| parse_retry_after(text, header(&response, "date")));
    Some((index, Err(error::parse_body(status, body.to_string().as_bytes(), request_id, wait, false))))
}

fn header<'a>(response: &'a Value, name: &str) -> Option<&'a str> {
    let headers = response.get("headers")?.as_object()?;
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
}
