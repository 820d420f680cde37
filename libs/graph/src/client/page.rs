//! Collections. `@odata.nextLink` is opaque and followed as given; peers that build their own links, or stop after one page,
//! read part of a tenant and do not know it.

use serde_json::Value;
use url::Url;

use super::{Call, Client, Refusal};
use crate::error::{GraphError, Kind};
use crate::path::Path;

/// A collection being read.
#[derive(Debug)]
pub struct Pages {
    client: Client,
    path: Path,
    next: Next,
    read: usize,
}

#[derive(Debug)]
enum Next {
    First,
    Link(Url),
    End,
}

impl Pages {
    pub(super) fn new(client: Client, path: &Path) -> Self {
        Self { client, path: path.clone(), next: Next::First, read: 0 }
    }

    /// The rest of a collection whose first page came in a batch.
    pub(super) fn after(client: Client, path: &Path, first_page: &Value) -> Result<Self, GraphError> {
        let next = next_of(&client, first_page)?;
        Ok(Self { client, path: path.clone(), next, read: 1 })
    }

    /// The items of the next page, or `None` after the last. After an error the reading starts again where it failed.
    ///
    /// # Errors
    /// As [`Client::get`]; `PROVIDER_TOO_MANY_PAGES` past the page limit; kind `Decode` for a page without items, or a
    /// link to another host, where our token must not go.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, GraphError> {
        let link = match &self.next {
            Next::End => return Ok(None),
            Next::First => None,
            Next::Link(url) => Some(url.clone()),
        };
        if self.read >= self.client.inner.settings.max_pages {
            let message = format!("the collection has more than {} pages", self.read);
            return Err(GraphError::local(Kind::TooLarge, "PROVIDER_TOO_MANY_PAGES", message));
        }
        let call = Call { link: link.clone(), ..Call::read(&self.path) };
        let page = self.client.call(&call).await.map_err(Refusal::into_error)?.body;
        let next = next_of(&self.client, &page)?;
        // A server that points back to the page just read would be followed for ever.
        if matches!((&next, &link), (Next::Link(new), Some(old)) if new == old) {
            return Err(GraphError::decode("the collection's next page is the same page"));
        }
        self.next = next;
        self.read += 1;
        items_of(page).map(Some)
    }
}

pub(super) fn items_of(page: Value) -> Result<Vec<Value>, GraphError> {
    match page {
        Value::Object(mut page) => match page.remove("value") {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(GraphError::decode("a page of a collection has no items")),
        },
        _ => Err(GraphError::decode("a page of a collection is not an object")),
    }
}

fn next_of(client: &Client, page: &Value) -> Result<Next, GraphError> {
    let Some(link) = page.get("@odata.nextLink") else { return Ok(Next::End) };
    let Some(link) = link.as_str() else { return Ok(Next::End) };
    let url = Url::parse(link).map_err(|_| GraphError::decode("the link to the next page is not an address"))?;
    if url.origin() != client.inner.connection.graph().origin() {
        return Err(GraphError::decode("the link to the next page leads to another host"));
    }
    Ok(Next::Link(url))
}
